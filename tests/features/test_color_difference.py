"""The quick CIEDE2000 is the one of scikit-image, and what cells rule out is not there."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline.features.color import srgb_to_lab
from pipeline.features.color_difference import NO_CELL, cells_of, differences, nearest_in_cells

COLORS = 4000


def random_lab(rng: np.random.Generator, count: int) -> np.ndarray:
    return srgb_to_lab(rng.integers(0, 256, (count, 3)).astype(np.uint8))


def angle_between_hues(lab: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(lab[:, 2], lab[:, 1]) - np.arctan2(other[2], other[1])) % 360


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_distance_of_scikit_image(seed):
    rng = np.random.default_rng(seed)
    lab, wanted = random_lab(rng, COLORS), random_lab(rng, 1)[0]
    expected = deltaE_ciede2000(lab.astype(np.float64), wanted.astype(np.float64)[None])

    # Of opposite hues the mean is either of two, and the distance has two values.
    clear = np.abs(angle_between_hues(lab, wanted) - 180) > 0.1
    assert np.abs(differences(lab, wanted) - expected)[clear].max() < 0.005


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [  # Sharma, Wu and Dalal (2005), table 1: pairs 1, 7, 8, 13, 17, 25 and 34.
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
        ((50.0, -0.001, 2.49), (50.0, 0.0009, -2.49), 4.8045),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_it_has_the_values_of_the_paper(one, other, expected):
    assert differences(np.array([one]), other)[0] == pytest.approx(expected, abs=2e-3)


def test_a_color_is_no_distance_from_itself():
    lab = random_lab(np.random.default_rng(3), 200)
    assert all(differences(color[None], color)[0] == 0 for color in lab)


@pytest.mark.parametrize(
    "code", [(0, 0, 0), (255, 255, 255), (119, 119, 119), (128, 126, 127), (220, 30, 30), (7, 20, 250)]
)
def test_no_color_is_nearer_than_its_cell_says(code):
    rng = np.random.default_rng(sum(code))
    wanted = rgb2lab(np.array([code], np.uint8))[0].astype(np.float32)
    lab = random_lab(rng, 200_000)
    bounds = nearest_in_cells(tuple(wanted.tolist()))[cells_of(lab)]

    assert (bounds <= differences(lab, wanted)).all()
    assert bounds.mean() > 0.8 * differences(lab, wanted).mean()  # and it rules out what it can


def test_what_is_no_color_is_endlessly_far():
    assert nearest_in_cells((50.0, 0.0, 0.0))[NO_CELL] == np.inf
