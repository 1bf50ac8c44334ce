"""What of a picture is border: plain frames, bars with words, windows; and what is not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps
from skimage import data

from pipeline.features.trimming import Trim, trim

PHOTO = Image.fromarray(data.coffee()).resize((300, 200))


def of(picture):
    return trim(np.asarray(picture.convert("RGB")))


def test_a_photo_has_no_border():
    assert of(PHOTO) == Trim(0, 0, 300, 200)


@pytest.mark.parametrize("color", ["black", "white", "#305070"])
def test_a_plain_border_is_cut_off(color):
    assert of(ImageOps.expand(PHOTO, (20, 10, 30, 40), color)) == Trim(20, 10, 300, 200)


def test_a_bar_with_words_is_cut_off_and_said():
    picture = ImageOps.expand(PHOTO, (0, 80, 0, 0), "white")
    ImageDraw.Draw(picture).text((20, 20), "WHEN IT WORKS", "black", ImageFont.load_default(32))
    assert of(picture) == Trim(0, 80, 300, 200, captioned=True)


def test_a_window_with_a_title_and_a_margin_is_cut_off():
    picture = ImageOps.expand(ImageOps.expand(PHOTO, 30, "#eeeeee"), (0, 24, 0, 0), "#222222")
    assert of(picture) == Trim(30, 54, 300, 200)


def test_a_thing_on_a_plain_ground_is_left_as_it_is():
    picture = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(picture).ellipse((100, 50, 200, 150), "red")
    assert of(picture) == Trim(0, 0, 300, 200)


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (16, 16), (900, 2)])
def test_what_is_all_of_one_color_is_left_as_it_is(size):
    assert of(Image.new("RGB", size, "black")) == Trim(0, 0, *size)
