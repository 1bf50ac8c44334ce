"""Thumbnails made from working copies."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from skimage import data

from pipeline.features.picture import Facts, Picture
from pipeline.features.thumbnail import THUMBNAIL_SIZES, encode

FACTS = Facts("PNG", "image/png", 1, 1)


def opened(file):
    return Image.open(BytesIO(file), formats=("WEBP",))


@pytest.mark.parametrize("long_side_px", THUMBNAIL_SIZES)
def test_a_thumbnail_keeps_the_aspect_ratio_and_the_long_side_asked_for(long_side_px):
    pixels = np.asarray(Image.fromarray(data.coffee()).resize((768, 512)))
    assert opened(encode(Picture(pixels, None, FACTS), long_side_px)).size == (
        long_side_px,
        round(long_side_px * 2 / 3),
    )


def test_a_small_picture_is_not_enlarged():
    assert opened(encode(Picture(np.zeros((40, 30, 3), np.uint8), None, FACTS), 320)).size == (30, 40)


def test_a_strip_of_one_row_keeps_its_row():
    assert opened(encode(Picture(np.zeros((1, 9000, 3), np.uint8), None, FACTS), 320)).size == (320, 1)


def test_transparency_is_kept():
    alpha = np.zeros((64, 64), np.uint8)
    alpha[:32] = 255
    thumbnail = opened(encode(Picture(np.full((64, 64, 3), 255, np.uint8), alpha, FACTS), 320)).convert("RGBA")
    assert thumbnail.getpixel((10, 10))[3] == 255
    assert thumbnail.getpixel((10, 60))[3] == 0


def test_a_thumbnail_looks_like_its_picture():
    pixels = np.asarray(Image.fromarray(data.astronaut()))
    thumbnail = np.asarray(opened(encode(Picture(pixels, None, FACTS), 320)).convert("RGB"), dtype=float)
    expected = np.asarray(Image.fromarray(pixels).resize((320, 320), Image.Resampling.BICUBIC), dtype=float)
    assert np.abs(thumbnail - expected).mean() < 4
