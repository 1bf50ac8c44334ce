"""Colors as numbers, against published values and against scikit-image."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline.errors import InvalidQuery
from pipeline.features.color import ciede2000, hex_to_lab, lab_to_srgb, rgb_to_hex, srgb_to_lab

SHARMA = (
    ((50.0000, 2.6772, -79.7751), (50.0000, 0.0000, -82.7485), 2.0425),
    ((50.0000, 3.1571, -77.2803), (50.0000, 0.0000, -82.7485), 2.8615),
    ((50.0000, -1.3802, -84.2814), (50.0000, 0.0000, -82.7485), 1.0000),
    ((50.0000, 0.0000, 0.0000), (50.0000, -1.0000, 2.0000), 2.3669),
    ((50.0000, 2.4900, -0.0010), (50.0000, -2.4900, 0.0009), 7.1792),
    ((50.0000, 2.4900, -0.0010), (50.0000, -2.4900, 0.0011), 7.2195),
    ((50.0000, -0.0010, 2.4900), (50.0000, 0.0009, -2.4900), 4.8045),
    ((50.0000, -0.0010, 2.4900), (50.0000, 0.0011, -2.4900), 4.7461),
    ((50.0000, 2.5000, 0.0000), (50.0000, 0.0000, -2.5000), 4.3065),
    ((50.0000, 2.5000, 0.0000), (73.0000, 25.0000, -18.0000), 27.1492),
    ((50.0000, 2.5000, 0.0000), (61.0000, -5.0000, 29.0000), 22.8977),
    ((50.0000, 2.5000, 0.0000), (56.0000, -27.0000, -3.0000), 31.9030),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
)
"""Pairs and distances from table 1 of Sharma, Wu and Dalal (2005), those that implementations get wrong among them."""


@pytest.fixture
def random_colors():
    return np.random.default_rng(7).integers(0, 256, (2, 500, 3)).astype(np.uint8)


@pytest.mark.parametrize(("first", "second", "expected"), SHARMA)
def test_ciede2000_agrees_with_the_published_pairs(first, second, expected):
    assert ciede2000(first, second) == pytest.approx(expected, abs=1e-4)
    assert ciede2000(second, first) == pytest.approx(expected, abs=1e-4)


def test_ciede2000_agrees_with_scikit_image_on_random_colors(random_colors):
    first, second = (rgb2lab(colors / 255) for colors in random_colors)
    assert np.allclose(ciede2000(first, second), deltaE_ciede2000(first, second), atol=1e-6)


def test_ciede2000_compares_every_color_with_every_other(random_colors):
    lab = srgb_to_lab(random_colors[0][:4])
    table = ciede2000(lab[:, None], lab[None, :])
    assert table.shape == (4, 4)
    assert np.allclose(np.diag(table), 0)
    assert table[1, 3] == pytest.approx(float(deltaE_ciede2000(lab[1], lab[3])), abs=1e-5)


def test_srgb_becomes_the_lab_of_scikit_image(random_colors):
    assert np.allclose(srgb_to_lab(random_colors[0]), rgb2lab(random_colors[0] / 255), atol=0.01)


def test_every_srgb_color_survives_lab_and_back(random_colors):
    assert np.array_equal(lab_to_srgb(srgb_to_lab(random_colors[0])), random_colors[0])


def test_grays_have_no_hue():
    grays = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    assert np.abs(srgb_to_lab(grays)[:, 1:]).max() < 1e-3


def test_hex_notation_is_read_in_both_cases_and_written_in_lower_case():
    assert rgb_to_hex(lab_to_srgb(hex_to_lab("#3366CC"))) == "#3366cc"


@pytest.mark.parametrize("text", ["", "3366cc", "#36c", "#3366cg", "#3366cc ", "#3366cc\n", "red", "#\uff13366cc"])
def test_a_malformed_color_is_refused_with_a_sentence(text):
    with pytest.raises(InvalidQuery, match="is not a color"):
        hex_to_lab(text)
