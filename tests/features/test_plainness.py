"""Whether there is anything to see in a picture."""

import numpy as np
import pytest
from pictures import picture_bytes
from skimage import data

from pipeline.features.decode import Limits, decode
from pipeline.features.picture import Facts, Picture
from pipeline.features.plainness import detail, is_plain


def seen(pixels: np.ndarray) -> Picture:
    height, width = pixels.shape[:2]
    return Picture(pixels.astype(np.uint8), None, Facts("PNG", "image/png", width, height))


def gradient() -> np.ndarray:
    return np.repeat(np.linspace(0, 255, 256)[None, :, None].repeat(200, axis=0), 3, axis=2)


def test_a_color_a_gradient_and_a_fogged_lens_are_plain():
    noise = np.random.default_rng(0).normal(128, 2, (300, 400, 3))
    for pixels in (np.full((64, 64, 3), 200), gradient(), noise, np.zeros((1, 1, 3)), np.full((3, 900, 3), 7)):
        assert is_plain(seen(pixels))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_photographs_are_not_plain(name):
    assert detail(seen(getattr(data, name)())) > 3


def test_a_page_with_a_few_words_is_not_plain():
    assert not is_plain(seen(np.repeat(data.page()[:, :, None], 3, axis=2)))


def test_a_small_disc_is_enough_to_be_seen():
    assert not is_plain(decode(picture_bytes("disc"), Limits()))


def test_every_second_difference_of_stripes_is_counted():
    # Columns of 0 and 100 by turns, 64 wide: across each second difference is 200, down none.
    stripes = np.tile(np.array([0, 100])[None, :, None], (64, 32, 3))

    assert detail(seen(stripes)) == pytest.approx(100, rel=1e-5)
