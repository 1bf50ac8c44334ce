"""What two pictures are to each other, and the evidence, on drawn pictures and the photographs of scikit-image."""

import json
from functools import cache
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps
from skimage import data

from pipeline.features.comparison import EITHER, Comparison, EditKind, Verdict
from pipeline.features.decode import Limits, decode
from pipeline.features.verdicts import compare, seen_of


@cache
def photo(name="coffee"):
    return Image.fromarray(getattr(data, name)()).convert("RGB").resize((480, 320), Image.Resampling.LANCZOS)


def file_of(picture, kind="PNG", **options):
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def seen(picture, kind="PNG", **options):
    return seen_of(decode(file_of(picture, kind, **options), Limits()))


@cache
def original(name="coffee"):
    return seen(photo(name))


def said_of(copy, **options):
    return compare(original(), seen(copy, **options))


def kinds(said):
    return [str(edit.kind) for edit in said.edits]


def lettered(picture):
    picture = picture.copy()
    for row in range(3):
        at = (20 + 30 * row, 20 + 110 * row)
        ImageDraw.Draw(picture).text(at, "SAMPLE  SAMPLE", "white", ImageFont.load_default(44))
    return picture


def test_the_same_bytes_and_the_same_pixels_are_identical():
    assert said_of(photo()).verdict == Verdict.IDENTICAL
    assert said_of(photo(), kind="BMP").verdict == Verdict.IDENTICAL
    one, other = (seen_of(original(name).picture, sha256="ab") for name in ("coffee", "chelsea"))
    assert compare(one, other).verdict == Verdict.IDENTICAL


@pytest.mark.parametrize(
    ("options", "part"),
    [({"kind": "JPEG", "quality": 20}, 1), ({"kind": "WEBP", "quality": 40}, 1), ({"kind": "JPEG"}, 0.4)],
)
def test_another_encoding_or_size_is_reencoded(options, part):
    said = said_of(photo().resize((round(480 * part), round(320 * part))), **options)
    assert said.verdict == Verdict.REENCODED
    assert kinds(said) == ([] if part == 1 else ["rescaled"])
    if part < 1:
        assert said.edits[0].of == "b"
        assert said.edits[0].amount == pytest.approx(part, abs=0.01)


EDITS = {
    "mirrored": ImageOps.mirror(photo()),
    "recolored": ImageOps.grayscale(photo()).convert("RGB"),
    "blurred": photo().filter(ImageFilter.GaussianBlur(3)),
    "stretched": photo().resize((600, 320)),
    "border": ImageOps.expand(photo(), 30, "black"),
    "overlay": lettered(photo()),
}


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_is_found_and_named(kind):
    said = said_of(EDITS[kind], kind="JPEG", quality=85)
    assert said.verdict == Verdict.EDITED
    assert kinds(said) == [kind]
    assert said.edits[0].of == (EITHER if kind in {"mirrored", "stretched"} else "b")


@pytest.mark.parametrize("method", [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90])
def test_nobody_knows_which_of_both_was_turned_over(method):
    copy = seen(photo().transpose(method), kind="JPEG", quality=85)
    there, back = compare(original(), copy), compare(copy, original())
    assert there.turned_round().edits == there.edits == back.edits
    assert [edit.of for edit in there.edits] == [EITHER]


def test_the_gray_one_is_the_one_whose_colors_were_changed_whichever_was_first():
    gray = seen(ImageOps.grayscale(photo()).convert("RGB"))
    assert [compare(*pair).edits[0].of for pair in ((original(), gray), (gray, original()))] == ["b", "a"]


def test_more_contrast_is_recolored():
    said = said_of(ImageEnhance.Contrast(photo()).enhance(0.6))
    assert kinds(said) == ["recolored"]
    assert said.edits[0].of == EITHER


def test_a_caption_says_where_the_picture_is():
    copy = ImageOps.expand(photo(), (0, 100, 0, 0), "white")
    ImageDraw.Draw(copy).text((30, 25), "WHEN IT WORKS", "black", ImageFont.load_default(40))
    said = said_of(copy, kind="JPEG")
    assert kinds(said) == ["caption"]
    assert said.edits[0].box == pytest.approx((0, 100 / 420, 1, 320 / 420), abs=0.01)


def under_a_pale_sky():
    picture = photo().copy()
    picture.paste((250, 250, 250), (0, 0, 480, 90))
    ImageDraw.Draw(picture).ellipse((100, 20, 140, 60), "black")
    return picture


@pytest.mark.parametrize("picture", [photo("rocket"), under_a_pale_sky()])
def test_a_band_on_all_four_sides_is_a_border_and_nothing_else(picture):
    said = compare(seen(picture), seen(ImageOps.expand(picture, 30, "white"), kind="JPEG"))
    assert kinds(said) == ["border"]


def test_a_crop_says_which_box_is_left():
    said = said_of(photo().crop((120, 80, 360, 240)), kind="JPEG")
    assert kinds(said) == ["cropped"]
    assert said.edits[0].box == pytest.approx((0.25, 0.25, 0.5, 0.5), abs=0.015)
    assert said.box_in_b == pytest.approx((0, 0, 1, 1), abs=0.015)
    assert said.edits[0].amount == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(("degrees", "mirrored"), [(90, False), (180, False), (-90, True), (17, False), (-25, True)])
def test_a_turn_says_its_degrees_clockwise(degrees, mirrored):
    copy = ImageOps.mirror(photo()) if mirrored else photo()
    said = said_of(copy.rotate(-degrees, Image.Resampling.BICUBIC, expand=True), kind="JPEG")
    assert said.verdict == Verdict.EDITED
    assert said.mirrored == mirrored
    assert abs((said.degrees - degrees + 180) % 360 - 180) < 1


def test_the_other_way_round_says_the_same():
    copy = seen(ImageOps.mirror(photo().crop((60, 40, 420, 280))).rotate(-20, expand=True))
    there, back = compare(original(), copy), compare(copy, original())
    turned = there.turned_round()
    assert turned.verdict == back.verdict
    assert turned.degrees == pytest.approx(back.degrees, abs=1)
    assert turned.mirrored
    assert turned.transform == pytest.approx(back.transform, abs=0.02)
    assert turned.box_in_b == pytest.approx(back.box_in_b, abs=0.02)
    assert {edit.of for edit in turned.edits if edit.kind == EditKind.CROPPED} == {"a"}
    assert turned.turned_round().transform == pytest.approx(there.transform, abs=1e-9)


def test_evidence_survives_json():
    said = said_of(EDITS["border"])
    assert Comparison.from_json(json.loads(json.dumps(said.as_json()))) == said


def test_other_photos_are_different():
    names = ("coffee", "chelsea", "astronaut", "rocket")
    for name in names[1:]:
        said = compare(original(), original(name))
        assert said.verdict == Verdict.DIFFERENT
        assert said.edits == ()


def test_near_things_that_moved_against_far_ones_are_another_photo():
    pixels = np.asarray(photo("astronaut"))
    x = np.arange(480)
    near = pixels[:, np.clip(x + 9, 0, 479)]
    second = np.where((np.add.outer(np.arange(320), x) // 150 % 2 == 0)[..., None], near, pixels)
    assert compare(original("astronaut"), seen(Image.fromarray(second), "JPEG")).verdict == Verdict.SAME_SCENE


def test_two_forms_with_other_entries_are_no_copies():
    forms = []
    for seed in (1, 2):
        page, rng = Image.new("RGB", (480, 640), "white"), np.random.default_rng(seed)
        draw, font = ImageDraw.Draw(page), ImageFont.load_default(20)
        draw.text((120, 20), "CORNER BAKERY", "black", ImageFont.load_default(32))
        for row in range(16):
            words = " ".join("".join(chr(97 + n) for n in rng.integers(0, 26, 6)) for _ in range(4))
            draw.text((30, 90 + 33 * row), words, "black", font)
        forms.append(seen(page))
    assert not compare(*forms).verdict.is_copy


def flag(*colors):
    picture = Image.new("RGB", (300, 200))
    for number, color in enumerate(colors):
        ImageDraw.Draw(picture).rectangle((100 * number, 0, 100 * number + 99, 200), color)
    return picture


def test_a_picture_of_few_flat_colors_is_found_when_encoded_and_resized():
    one = seen(flag("#002395", "white", "#ed2939"))
    assert compare(one, seen(flag("#002395", "white", "#ed2939"), "JPEG", quality=40)).verdict.is_copy
    assert compare(one, seen(flag("#002395", "white", "#ed2939").resize((120, 80)), "JPEG")).verdict.is_copy
    assert not compare(one, seen(flag("black", "#ffdd00", "#ed2939"))).verdict.is_copy


def test_plain_pictures_are_one_only_if_their_colors_are():
    gray = seen(Image.new("RGB", (300, 200), "#808080"))
    assert compare(gray, seen(Image.new("RGB", (150, 100), "#818080"))).verdict == Verdict.REENCODED
    assert not compare(gray, seen(Image.new("RGB", (300, 200), "#a08080"))).verdict.is_copy
    assert not compare(gray, original()).verdict.is_copy


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (3, 900), (2000, 4), (31, 33)])
def test_tiny_and_thin_pictures_are_compared(size):
    tiny = photo().resize(size)
    assert not compare(original("chelsea"), seen(tiny)).verdict.is_copy
    assert compare(seen(tiny), seen(tiny)).verdict == Verdict.IDENTICAL
    assert compare(seen(tiny), original("chelsea")).verdict != Verdict.IDENTICAL


def test_transparent_pictures_are_compared_as_they_are_shown():
    cut = photo().convert("RGBA")
    cut.putalpha(Image.new("L", cut.size, 0))
    assert not compare(original(), seen(cut)).verdict.is_copy
    cut.putalpha(Image.new("L", cut.size, 255))
    assert compare(original(), seen(cut)).verdict == Verdict.IDENTICAL
