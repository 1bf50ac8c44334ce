"""What a model is shown, beside open_clip.

The numbers were printed by `image_transform_v2` of open_clip_torch 3.3.0 with torchvision 0.28.0 and Pillow 13.0.0, for
the gradient drawn here at 32 pixels; over 720 sizes and modes the two were found equal to the last bit.
"""

import numpy as np
import pytest
from PIL import Image

from pipeline.features.encoders.cards import Preprocessing
from pipeline.features.encoders.clip_pixels import crop_start, longest_size, prepare, shortest_size

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def gradient(width, height):
    down, across = np.mgrid[0:height, 0:width]
    red, green = across * 255 // max(1, width - 1), down * 255 // max(1, height - 1)
    return np.stack([red, green, (across * 7 + down * 13) % 256], -1).astype(np.uint8)


@pytest.mark.parametrize(
    ("resize", "interpolation", "size", "expected"),
    [
        ("shortest", "bicubic", (97, 61), (-1.10614, -1.72208, 0.48215, 1.22961, 0.18472)),
        ("shortest", "bilinear", (61, 98), (-1.74847, -0.9867, -0.78344, 1.88654, 0.19413)),
        ("shortest", "bicubic", (500, 41), (-0.08425, -1.73709, 0.85187, 0.20772, 0.18233)),
        ("longest", "bicubic", (97, 61), (-1.79226, -1.7521, -0.11509, -1.79226, -0.51387)),
        ("longest", "bilinear", (33, 90), (-1.79226, -1.7521, -1.48022, -1.79226, -0.97711)),
        ("squash", "bicubic", (97, 61), (-1.76307, -1.72208, -0.22885, 1.88654, 0.182)),
        ("squash", "bilinear", (20, 20), (-1.79226, -1.7521, 0.88031, 1.93034, 0.1797)),
    ],
)
def test_a_picture_is_shown_as_open_clip_shows_it(resize, interpolation, size, expected):
    shown = prepare(gradient(*size), Preprocessing(32, MEAN, STD, resize, interpolation))

    assert (shown.shape, shown.dtype) == ((3, 32, 32), np.float32)
    found = (shown[0, 0, 0], shown[1, 0, 31], shown[2, 16, 9], shown[0, 31, 31], shown.mean())
    np.testing.assert_allclose(found, expected, atol=6e-6)


@pytest.mark.parametrize(
    ("given", "size", "expected"),
    [
        ((640, 480), 224, (298, 224)),
        ((480, 641), 224, (224, 299)),
        ((333, 500), 224, (224, 336)),
        ((1000, 999), 224, (224, 224)),
        ((37, 11), 224, (753, 224)),
    ],
)
def test_the_short_side_fits_as_torchvision_rounds(given, size, expected):
    assert shortest_size(*given, size) == expected


@pytest.mark.parametrize(
    ("given", "size", "expected"),
    [((640, 480), 224, (224, 168)), ((333, 500), 224, (149, 224)), ((37, 11), 224, (224, 67))],
)
def test_the_long_side_fits_as_open_clip_rounds(given, size, expected):
    assert longest_size(*given, size) == expected


def test_a_side_that_would_vanish_stays_one_pixel():
    assert longest_size(448, 1, 224) == (224, 1)


@pytest.mark.parametrize(("length", "start"), [(224, 0), (225, 0), (226, 1), (227, 2), (298, 37), (229, 2)])
def test_the_middle_is_cropped_as_torchvision_rounds(length, start):
    assert crop_start(length, 224) == start


def test_a_very_thin_picture_is_shown_without_being_enlarged_as_a_whole():
    strip = np.ascontiguousarray(gradient(3000, 8))
    shown = prepare(strip, Preprocessing(32, (0, 0, 0), (1, 1, 1)))

    width, _ = shortest_size(3000, 8, 32)
    left = crop_start(width, 32)
    whole = Image.fromarray(strip).resize((width, 32), Image.Resampling.BICUBIC).crop((left, 0, left + 32, 32))
    np.testing.assert_allclose(shown, np.asarray(whole).transpose(2, 0, 1) / 255, atol=2.1 / 255)


def test_a_strip_of_one_pixel_costs_no_gigabytes():
    shown = prepare(np.full((1, 16_000, 3), 255, np.uint8), Preprocessing(224, (0, 0, 0), (1, 1, 1)))

    assert shown.min() == shown.max() == 1


def test_the_picture_itself_is_not_modified():
    pixels = gradient(50, 40)
    before = pixels.copy()
    prepare(pixels, Preprocessing(32, MEAN, STD))

    np.testing.assert_array_equal(pixels, before)
