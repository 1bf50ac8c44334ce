"""Which picture of a group had better be kept, and what is said for it."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.features.comparison import EITHER, Comparison, Edit, EditKind, Verdict
from pipeline.images import ImageRecord, ImageState
from pipeline.keepers import Fact, sentence, suggest

WHEN = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
SAME = Comparison(Verdict.REENCODED)


def picture(row: int, **values) -> ImageRecord:
    known = {
        "row": row,
        "id": f"image-{row}",
        "library": "main",
        "state": ImageState.READY,
        "error": None,
        "filename": f"{row}.jpg",
        "media_type": "image/jpeg",
        "bytes": 1000,
        "width": 400,
        "height": 300,
        "sha256": f"{row:064x}",
        "caption": "",
        "tags": (),
        "created_at": WHEN + timedelta(days=row),
        "taken_at": None,
        "deleted_at": None,
        "path": None,
    }
    return ImageRecord(**{**known, **values})


@pytest.mark.parametrize(
    ("worse", "better", "first"),
    [
        ({}, {"width": 4000, "height": 3000}, "most pixels: 4,000 × 3,000"),
        ({"bytes": 9000}, {"exif": {"camera": "Nikon D40"}}, "the only one with the camera's data: Nikon D40"),
        (
            {"bytes": 9000},
            {"taken_at": datetime(2019, 7, 14, 9, 30)},  # noqa: DTZ001 - the clock of a camera
            "the only one with the camera's date: 2019-07-14",
        ),
        ({"bytes": 9000}, {"media_type": "image/png"}, "the only lossless file: image/png"),
        ({}, {"bytes": 2_048_000}, "the largest file of its format: 2,048,000 bytes"),
        ({}, {"caption": "A cat"}, "the only one with a caption"),
        ({"tags": ("a",)}, {"tags": ("a", "b")}, "most tags: 2"),
        ({}, {"created_at": WHEN}, "here longest, since 2024-05-01"),
    ],
)
@pytest.mark.parametrize("turn", [False, True])
def test_the_first_fact_in_which_they_differ_decides_and_is_told_first(worse, better, first, turn):
    one, other = picture(1, **worse), picture(2, **better)
    suggestion = suggest([other, one] if turn else [one, other], [None, SAME])

    assert suggestion.image is other
    assert sentence(suggestion.reasons[0]) == first


@pytest.mark.parametrize("edited", ["a", "b"])
def test_what_was_cut_off_is_not_kept_although_it_was_made_larger(edited):
    keeper, other = picture(1), picture(2)
    crop = Edit(EditKind.CROPPED, edited, 0.5, (0, 0, 0.5, 1))
    larger = Edit(EditKind.RESCALED, edited, 3.0)
    grown = picture(1 if edited == "a" else 2, width=1200, height=900)
    images = [grown, other] if edited == "a" else [keeper, grown]

    suggestion = suggest(images, [None, Comparison(Verdict.EDITED, edits=(larger, crop))])

    assert suggestion.image is not grown
    assert (suggestion.reasons[0].fact, suggestion.reasons[0].only) == (Fact.UNEDITED, True)


@pytest.mark.parametrize("turn", [False, True])
def test_a_mirror_image_is_not_the_edited_one_whichever_was_uploaded_first(turn):
    mirrored = Comparison(Verdict.EDITED, edits=(Edit(EditKind.MIRRORED, EITHER),))
    camera, saved = picture(2, exif={"camera": "Nikon D40"}), picture(1)
    suggestion = suggest([camera, saved] if turn else [saved, camera], [None, mirrored])

    assert suggestion.image is camera
    assert [reason.fact for reason in suggestion.reasons] == [Fact.CAMERA]


def test_nothing_is_said_for_a_picture_that_others_have_more_of():
    suggestion = suggest(
        [picture(1, width=800, height=600), picture(2, bytes=5000, tags=("a",)), picture(3, bytes=2000)],
        [None, SAME, SAME],
    )

    assert suggestion.image.row == 1
    assert [reason.fact for reason in suggestion.reasons] == [Fact.PIXELS, Fact.OLDEST]
