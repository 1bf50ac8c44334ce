"""What two pictures are to each other, in words: sentences written here by hand for comparisons written by hand."""

import pytest

from pipeline.features.comparison import EITHER, Comparison, Edit, EditKind, Verdict
from webapp.evidence_words import describe_comparison, evidence_details, evidence_sentence, marks_of
from webapp.language import languages, speaking

JPEG_OF_PNG = ("PNG", "JPEG")
EDITED = {
    "The right one is a mirrored crop of the left one: 82 % of it, JPEG.": (
        Edit(EditKind.MIRRORED, "b"),
        Edit(EditKind.CROPPED, "b", 0.82, (0.1, 0.1, 0.9, 0.9)),
    ),
    "The left one is a crop of the right one: 25 % of it, PNG.": (
        Edit(EditKind.CROPPED, "a", 0.25, (0.25, 0.25, 0.5, 0.5)),
    ),
    "The right one is a mirrored copy of the left one: JPEG. The left one is a changed copy of the right one: with a "
    "caption bar, PNG.": (Edit(EditKind.MIRRORED, "b"), Edit(EditKind.CAPTION, "a", box=(0, 0.2, 1, 0.8))),
    "The right one is a changed copy of the left one: turned left by 90°, its colors changed, reduced to 50 %, JPEG.": (
        Edit(EditKind.ROTATED, "b", -90),
        Edit(EditKind.RECOLORED, "b"),
        Edit(EditKind.RESCALED, "b", 0.5),
    ),
    "One is the mirror image of the other.": (Edit(EditKind.MIRRORED, EITHER),),
    "One is the mirror image of the other, turned by 90°. Their colors differ. The right one is a changed copy of the "
    "left one: reduced to 50 %, JPEG.": (
        Edit(EditKind.MIRRORED, EITHER),
        Edit(EditKind.ROTATED, EITHER, 90.0),
        Edit(EditKind.RECOLORED, EITHER),
        Edit(EditKind.RESCALED, "b", 0.5),
    ),
}


@pytest.mark.parametrize("sentence", EDITED)
def test_what_was_done_to_which_picture_is_said(sentence: str) -> None:
    assert evidence_sentence(Comparison(Verdict.EDITED, EDITED[sentence]), JPEG_OF_PNG) == sentence


@pytest.mark.parametrize("kind", EditKind)
@pytest.mark.parametrize("amount", [None, 0.5, 90.0])
def test_every_edit_has_words_in_every_language(kind: EditKind, amount: float | None) -> None:
    comparison = Comparison(Verdict.EDITED, (Edit(kind, "b", amount),))
    said = set()
    for language in languages().values():
        with speaking(language):
            said.add(evidence_sentence(comparison))
    assert len(said) == len(languages())
    assert not any("%(" in sentence for sentence in said)


def test_what_was_saved_anew_says_as_what() -> None:
    smaller = Comparison(Verdict.REENCODED, (Edit(EditKind.RESCALED, "b", 0.5),))
    assert (
        evidence_sentence(smaller, JPEG_OF_PNG) == "The right one is the left one, saved anew: reduced to 50 %, JPEG."
    )
    plain = Comparison(Verdict.REENCODED)
    assert evidence_sentence(plain, JPEG_OF_PNG) == "The same picture, saved anew: PNG at the left, JPEG at the right."
    assert evidence_sentence(plain, ("JPEG", "JPEG")) == "The same picture, saved anew."


def test_a_crop_is_outlined_on_the_picture_that_it_was_cut_from() -> None:
    box = (0.2, 0.1, 0.6, 0.7)
    crop = Comparison(
        Verdict.EDITED, (Edit(EditKind.CROPPED, "b", 0.42, box),), box_in_a=box, box_in_b=(0.0, 0.0, 1.0, 1.0)
    )
    assert [(mark.of, mark.box) for mark in marks_of(crop)] == [("a", box)]
    bar = Comparison(Verdict.EDITED, (Edit(EditKind.CAPTION, "b", box=(0.0, 0.2, 1.0, 0.8)),))
    assert [(mark.of, mark.words) for mark in marks_of(bar)] == [("b", "the picture without its caption bar")]


def test_programs_are_told_the_sentence_in_english_and_all_that_was_measured() -> None:
    comparison = Comparison(Verdict.SIMILAR, hash_distance=96, similarity=0.914)
    with speaking(languages()["zh-Hans"]):
        told = describe_comparison(comparison)
    assert told["verdict"] == "similar"
    assert told["evidence"]["sentence"] == "They look alike, but nothing says that one was made from the other."
    assert (told["evidence"]["hash_distance"], told["evidence"]["inliers"]) == (96, None)
    assert evidence_details(comparison) == (
        "96 of the 256 bits of their PDQ hashes differ.",
        "The cosine of their embeddings is 0.91.",
    )
