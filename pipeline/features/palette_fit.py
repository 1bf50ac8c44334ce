"""How well the palette of a picture fits colors that are asked for: one distance, in units of CIEDE2000.

Every color that is asked for takes its share from the swatches nearest to it, and each part of a swatch is taken once,
the nearest pairs first: a greedy form of the earth mover's distance of Rubner, Tomasi and Guibas ("The Earth Mover's
Distance as a Metric for Image Retrieval", IJCV 40, 2000), in which what nobody asks for costs nothing. So the rest of
a picture may be anything, unless the shares add up to all of it.

A mean forgives one color that is wholly absent when the others fit well. So of each color a part of its share must be
found as well, not too far away: a picture without it does not have what was asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.features.color import hex_to_lab
from pipeline.features.color_difference import Floats, differences

FARTHEST = 40.0
"""CIEDE2000 from which on colors are simply different, and that a missing share costs: blue is 40 from green."""

WHOLE = 0.95
"""Sum of shares from which on the whole picture was described, and what is missing is rounding."""

PART_FOUND = 0.2
"""Part of its share that must be found of each color. A palette keeps what fills 0.5 % of a picture or so, and half of
an accent may have gone to another swatch; a color of which less than this is there is missed by everybody who looks."""

NEAR_ENOUGH = 1 / (1 - PART_FOUND)
"""What the tolerance is multiplied with for the CIEDE2000 within which that part must lie. Of a color that is asked for
alone this part is within it in any case where the mean is within the tolerance, so only several are affected."""

_WEIGHT_EXPONENT = 0.5
"""A color weighs as the square root of its share. By the share itself an accent of 5 % would be worth less than a
shade of difference in the rest; evenly, stray swatches would count as much as what fills the picture."""

_MORE_IS_BETTER = 4.0
"""CIEDE2000 by which a picture full of a color stands before one with none beyond what is needed, where no share was
asked for: a visible difference of shade is made up for by much more of the color."""

ROUNDING = 1e-5  # part of a figure that single precision may have added to it or taken from it
_BLOCK = 8192  # palettes compared at once, so that what is computed on the way stays small


@dataclass(frozen=True)
class AskedColor:
    """A color that is asked for, `#rrggbb`, and the part of the picture that it should have, 0 to 1, None for any."""

    hex: str
    share: float | None = None


@dataclass(frozen=True)
class AskedPalette:
    """Colors that are asked for, ready to be compared: arrays of one entry a color.

    `lab` is (colors, 3). `demand` is the share that each must find and adds up to 1 at most; `weight` adds up to 1.
    `is_open` is where no share was asked for, `tolerance` the CIEDE2000 within which more of such a color is better.
    `least` is the share of each that must be found within the CIEDE2000 `near`, 0 where any palette will do.
    """

    lab: Floats
    demand: Floats
    weight: Floats
    is_open: npt.NDArray[np.bool_]
    tolerance: float
    least: Floats
    near: float


@dataclass(frozen=True)
class Fit:
    """How palettes fit: the distance of each, and what every color asked for took of every swatch.

    `distance` is (palettes,), 0 to FARTHEST and a little more. `has_all` says, (palettes,), which have enough of every
    color. `taken` are shares and `differences` CIEDE2000, FARTHEST
    at most, both (colors, swatches, palettes).
    """

    distance: Floats
    has_all: npt.NDArray[np.bool_]
    taken: Floats
    differences: Floats


def asked_palette(
    colors: Sequence[AskedColor], *, tolerance: float, least_share: float, needs_all: bool = True
) -> AskedPalette:
    """Return what is asked for; a color without a share needs `least_share` and weighs as an even part of the rest.

    Without `needs_all` a palette may lack colors altogether, and is only farther away then. Raises InvalidQuery for
    what is no color.
    """
    is_open = np.array([color.share is None for color in colors], np.bool_)
    given = np.array([color.share or 0.0 for color in colors])
    rest = max(0.0, 1 - float(given.sum())) / max(1, int(is_open.sum()))
    demand = np.maximum(np.where(is_open, least_share, given), np.finfo(np.float32).eps)
    total = float(demand.sum())
    if total > 1 or (total >= WHOLE and not is_open.any()):
        demand = demand / total
    weight = np.maximum(np.where(is_open, max(rest, least_share), demand), demand) ** _WEIGHT_EXPONENT
    return AskedPalette(
        lab=np.array([hex_to_lab(color.hex) for color in colors], np.float32),
        demand=demand.astype(np.float32),
        weight=(weight / weight.sum()).astype(np.float32),
        is_open=is_open,
        tolerance=tolerance,
        least=(demand * (PART_FOUND if needs_all else 0.0)).astype(np.float32),
        near=tolerance * NEAR_ENOUGH,
    )


def palette_distances(asked: AskedPalette, lab: Floats, shares: Floats) -> Floats:
    """Return the distance of each palette, as `fit` finds it, a few thousand at a time; infinite where it lacks one."""
    found = np.empty(shares.shape[1], np.float32)
    for start in range(0, len(found), _BLOCK):
        part = slice(start, start + _BLOCK)
        fitted = fit(asked, lab[:, part], shares[:, part])
        found[part] = np.where(fitted.has_all, fitted.distance, np.float32(np.inf))
    return found


def fit(asked: AskedPalette, lab: Floats, shares: Floats) -> Fit:
    """Return how palettes fit what is asked; `lab` is (swatches, palettes, 3).

    `shares`, (swatches, palettes), add up to 1 in each; a swatch that is not there has the share 0.
    """
    apart = _apart(asked, lab)
    taken, cost = _taken(asked, apart, shares)
    found = np.where(apart <= np.float32(asked.near), taken, np.float32(0)).sum(axis=1)
    has_all = (found >= asked.least[:, None] * np.float32(1 - ROUNDING)).all(axis=0)
    return Fit(asked.weight @ (cost + _missed(asked, apart, shares)), has_all, taken, apart)


def _apart(asked: AskedPalette, lab: Floats) -> Floats:
    """CIEDE2000 of each color to each swatch of each palette, (colors, swatches, palettes), FARTHEST at most."""
    return np.stack([np.minimum(differences(lab, color), np.float32(FARTHEST)) for color in asked.lab])


def _taken(asked: AskedPalette, apart: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return what each color takes of each swatch, and the mean distance of it, (colors, palettes)."""
    colors, swatches, palettes = apart.shape
    flat = apart.reshape(colors * swatches, palettes)
    order = np.argsort(flat, axis=0, kind="stable")
    everyone = np.arange(palettes)
    wanted = np.repeat(asked.demand[:, None], palettes, axis=1)
    left = shares.astype(np.float32)
    taken = np.zeros_like(flat)
    for pair in order:
        color, swatch = np.divmod(pair, swatches)
        flow = np.minimum(wanted[color, everyone], left[swatch, everyone])
        wanted[color, everyone] -= flow
        left[swatch, everyone] -= flow
        taken[pair, everyone] = flow
    given = taken.reshape(apart.shape)
    cost = (given * apart).sum(axis=1) + wanted * np.float32(FARTHEST)
    return given, np.asarray(cost / asked.demand[:, None])


def _missed(asked: AskedPalette, apart: Floats, shares: Floats) -> Floats:
    """Return what each color without a share costs because there could be more of it, (colors, palettes)."""
    has = np.where(apart <= np.float32(asked.tolerance), shares[None], np.float32(0)).sum(axis=1)
    return np.asarray(np.where(asked.is_open[:, None], _MORE_IS_BETTER * (1 - np.minimum(has, 1)), 0))
