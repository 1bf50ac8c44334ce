"""What fits which colors: by hand, and beside a plain loop that asks scikit-image for every distance."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline.features.palette_fit import FARTHEST, AskedColor, asked_palette, fit, palette_distances

WHITE, BLACK, RED, BLUE, GREEN = "#ffffff", "#000000", "#d02020", "#2040d0", "#20a030"
ORANGE, LIGHT_GRAY = "#e08020", "#f0f0f0"
SWATCHES = 6


def lab_of(code: str) -> np.ndarray:
    return rgb2lab(np.array([[int(code[at : at + 2], 16) for at in (1, 3, 5)]], np.uint8))[0]


def palettes(*several: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    lab = np.zeros((SWATCHES, len(several), 3), np.float32)
    shares = np.zeros((SWATCHES, len(several)), np.float32)
    for number, palette in enumerate(several):
        for place, (code, share) in enumerate(palette.items()):
            lab[place, number], shares[place, number] = lab_of(code), share
    return lab, shares


def distances(asked: dict[str, float | None], *several: dict[str, float]) -> list[float]:
    wanted = asked_palette([AskedColor(*item) for item in asked.items()], tolerance=12, least_share=0.05)
    return fit(wanted, *palettes(*several)).distance.tolist()


def test_the_same_palette_is_no_distance_away():
    palette = {WHITE: 0.5, RED: 0.3, BLACK: 0.15, BLUE: 0.05}
    assert distances(palette, palette) == [pytest.approx(0, abs=0.05)]


def test_the_same_palette_comes_before_any_other():
    rng = np.random.default_rng(1)
    several = []
    for _ in range(300):
        codes = rng.integers(0, 256, (5, 3))
        shares = rng.dirichlet(np.ones(5))
        several.append(
            {"#{:02x}{:02x}{:02x}".format(*code): float(share) for code, share in zip(codes, shares, strict=True)}
        )
    for number in range(0, 300, 10):
        assert np.argmin(distances(several[number], *several)) == number


def test_what_nobody_asks_for_costs_nothing():
    near, far = distances({RED: 0.3}, {RED: 0.3, WHITE: 0.7}, {RED: 0.3, BLUE: 0.4, GREEN: 0.3})
    assert near == far == pytest.approx(0, abs=0.05)


def test_more_of_a_color_than_was_asked_for_is_no_fault():
    assert distances({RED: 0.3}, {RED: 0.9, WHITE: 0.1}) == [pytest.approx(0, abs=0.05)]


def test_where_the_shares_add_up_to_all_of_it_other_colors_cost():
    whole, other = distances({RED: 0.5, WHITE: 0.5}, {RED: 0.5, WHITE: 0.5}, {RED: 0.5, WHITE: 0.2, BLUE: 0.3})
    assert whole == pytest.approx(0, abs=0.05)
    assert other > 5


def test_a_color_that_is_not_there_costs_as_one_that_is_as_far_as_can_be():
    assert distances({RED: 0.3}, {BLUE: 1.0}) == [pytest.approx(FARTHEST)]
    assert distances({RED: 0.4}, {RED: 0.2, BLUE: 0.8}) == [pytest.approx(FARTHEST / 2, rel=1e-3)]


def test_a_small_accent_counts_for_more_than_a_shade_of_the_rest():
    asked = {WHITE: 0.9, RED: 0.1}
    without_accent, other_shade = distances(asked, {WHITE: 1.0}, {LIGHT_GRAY: 0.9, RED: 0.1})
    assert other_shade < without_accent


@pytest.mark.parametrize("share", [0.05, None])
def test_a_palette_without_an_accent_does_not_have_the_colors_however_well_the_rest_fits(share):
    asked = asked_palette([AskedColor(WHITE, 0.9), AskedColor(GREEN, share)], tolerance=12, least_share=0.05)
    several = palettes({WHITE: 1.0}, {WHITE: 0.95, RED: 0.05}, {WHITE: 0.995, GREEN: 0.005}, {WHITE: 0.98, GREEN: 0.02})

    assert (fit(asked, *several).distance < 12).sum() >= 3  # the mean alone would take them
    assert np.isfinite(palette_distances(asked, *several)).tolist() == [False, False, False, True]


def test_of_one_color_alone_the_tolerance_says_all():
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.full(SWATCHES, 0.5), 3000).T.astype(np.float32)
    lab = np.stack([np.full(shares.shape, 50), *rng.uniform(-40, 60, (2, *shares.shape))], axis=-1).astype(np.float32)
    found = fit(asked_palette([AskedColor(RED, 0.4)], tolerance=20, least_share=0.05), lab, shares)
    assert 20 < (found.distance <= 20).sum() < 2000
    assert found.has_all[found.distance <= 20].all()


def test_a_larger_share_weighs_more_than_a_smaller_one():
    large_missing, small_missing = distances({RED: 0.6, BLUE: 0.1}, {BLUE: 0.1, WHITE: 0.9}, {RED: 0.6, WHITE: 0.4})
    assert small_missing < large_missing


def test_a_swatch_is_not_taken_twice():
    asked = {RED: 0.5, ORANGE: 0.5}
    both, one = distances(asked, {RED: 0.5, ORANGE: 0.5}, {RED: 0.5, BLACK: 0.5})
    assert both < one
    assert one >= deltaE_ciede2000(lab_of(ORANGE), lab_of(RED)) * 0.4  # orange must do with black, not with red again


def test_of_a_color_without_a_share_more_is_better():
    little, much, none = distances({RED: None}, {RED: 0.06, WHITE: 0.94}, {RED: 0.8, WHITE: 0.2}, {WHITE: 1.0})
    assert much < little < none


def test_shares_of_more_than_all_are_taken_as_parts_of_it():
    assert distances({RED: 0.8, WHITE: 0.8}, {RED: 0.5, WHITE: 0.5}) == [pytest.approx(0, abs=0.05)]


def test_it_says_what_was_found():
    asked = asked_palette([AskedColor(RED, 0.3), AskedColor(GREEN, 0.2)], tolerance=12, least_share=0.05)
    found = fit(asked, *palettes({WHITE: 0.6, RED: 0.25, BLUE: 0.15}))
    assert found.taken[0, 1, 0] == pytest.approx(0.25)
    assert found.differences[0, 1, 0] == pytest.approx(0, abs=0.02)
    assert found.taken.sum(axis=(0, 1))[0] <= 1


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_a_plain_loop_finds(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    lab = np.stack([rng.uniform(0, 100, (SWATCHES, 20)), *rng.uniform(-60, 60, (2, SWATCHES, 20))], axis=-1)
    shares = rng.dirichlet(np.ones(SWATCHES), 20).T
    codes = ["#{:02x}{:02x}{:02x}".format(*code) for code in rng.integers(0, 256, (count, 3))]
    parts = (rng.dirichlet(np.ones(count)) * 0.8).tolist()
    asked = asked_palette(
        [AskedColor(*pair) for pair in zip(codes, parts, strict=True)], tolerance=12, least_share=0.05
    )

    found = fit(asked, lab.astype(np.float32), shares.astype(np.float32)).distance

    assert found == pytest.approx([by_hand(codes, parts, lab[:, at], shares[:, at]) for at in range(20)], abs=0.05)


def by_hand(codes: list[str], parts: list[float], lab: np.ndarray, shares: np.ndarray) -> float:
    wanted, left = dict(enumerate(parts)), dict(enumerate(shares.tolist()))
    costs = dict.fromkeys(wanted, 0.0)
    pairs = sorted(
        (min(float(deltaE_ciede2000(lab_of(codes[color]), lab[swatch])), FARTHEST), color, swatch)
        for color in wanted
        for swatch in left
    )
    for distance, color, swatch in pairs:
        flow = min(wanted[color], left[swatch])
        wanted[color] -= flow
        left[swatch] -= flow
        costs[color] += flow * distance
    weights = [part**0.5 for part in parts]
    return sum(
        weight * (costs[color] + wanted[color] * FARTHEST) / parts[color] for color, weight in enumerate(weights)
    ) / sum(weights)
