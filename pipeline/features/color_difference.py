"""CIEDE2000 of many colors to one: the same distance as `color.ciede2000`, quickly, and bounds by cells of CIELAB.

Searches compare a color with millions of swatches. The mean hue is taken as a direction instead of an angle, so that
what costs most (four cosines, two arcus tangents and five powers a pair) becomes a few products in single precision.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.features.color import srgb_to_lab

Floats = npt.NDArray[np.float32]
Cells = npt.NDArray[np.uint16]

_F = np.float32
_BLOCK = 16_384  # colors compared at once: what is computed on the way then stays in the cache
_TINY = _F(1e-12)
_COS_30, _SIN_30 = _F(np.cos(np.radians(30))), _F(np.sin(np.radians(30)))
_COS_6, _SIN_6 = _F(np.cos(np.radians(6))), _F(np.sin(np.radians(6)))
_COS_63, _SIN_63 = _F(np.cos(np.radians(63))), _F(np.sin(np.radians(63)))
_COS_275, _SIN_275 = _F(np.cos(np.radians(275))), _F(np.sin(np.radians(275)))

LIGHTNESS_STEP, LIGHTNESS_CELLS = 5, 20
CHROMA_STEP, CHROMA_CELLS, CHROMA_LEAST = 4, 56, -112
"""Cells of CIELAB: L* from 0 to 100, a* and b* from -112 to 112, which holds all of sRGB. As fine as fits 16 bits."""

NO_CELL = LIGHTNESS_CELLS * CHROMA_CELLS * CHROMA_CELLS
"""The cell of what is no color; every color is endlessly far from it."""

_GRAY = 0.05  # chroma below which a color has no hue that another could be opposite to

COLORS_REMEMBERED = 64
"""Colors whose bounds are kept, 250 kB each: a page asks for its results, its counts and its next tiles."""

_SRGB_STEP = 4  # of each channel where sRGB is looked through for cells; one that is missed is merely not ruled out

_SLACK = 0.5
"""CIEDE2000 by which bounds of a cell are widened, because the distance is only nearly convex."""

_JUMP = 8.0
"""CIEDE2000 by which they are widened where the hue is opposite to the color asked for: there the mean hue turns round
and the distance jumps. With both, none of 10⁸ random colors of sRGB was nearer than its cell says."""


def differences(lab: npt.NDArray[np.floating], wanted: npt.ArrayLike) -> Floats:
    """Return the CIEDE2000 distance of CIELAB colors, shape (..., 3), to one, shape (3,), right to about 0.001."""
    one = np.asarray(wanted, dtype=_F)
    flat = np.asarray(lab, dtype=_F).reshape(-1, 3)
    found = np.empty(len(flat), _F)
    for start in range(0, len(flat), _BLOCK):
        found[start : start + _BLOCK] = _differences(flat[start : start + _BLOCK], one)
    return found.reshape(lab.shape[:-1])


def _differences(lab: Floats, one: Floats) -> Floats:
    """CIEDE2000 after Sharma, Wu and Dalal (2005); the numbers of their equations stand beside the lines."""
    l1, a1, b1 = (np.ascontiguousarray(lab[:, channel]) for channel in range(3))
    l2, a2, b2 = one
    mean = (np.sqrt(a1 * a1 + b1 * b1) + np.sqrt(a2 * a2 + b2 * b2)) * _F(0.5)
    stretch = _F(1.5) - _F(0.5) * _chroma_weight(mean)  # (4)
    a1, a2 = a1 * stretch, a2 * stretch  # (5)
    c1, c2 = np.sqrt(a1 * a1 + b1 * b1), np.sqrt(a2 * a2 + b2 * b2)  # (6)
    chroma = c2 - c1  # (9)
    # (11): the part of the way in a*, b* that is not chroma is hue, with the sign of the turn.
    hue = np.sqrt(np.maximum((a2 - a1) ** 2 + (b2 - b1) ** 2 - chroma * chroma, _F(0)))
    hue = np.where(a1 * b2 < b1 * a2, -hue, hue)
    # (14): halfway between two hues is where the sum of their directions points; a gray has none and adds nothing.
    x = a1 / np.maximum(c1, _TINY) + a2 / np.maximum(c2, _TINY)
    y = b1 / np.maximum(c1, _TINY) + b2 / np.maximum(c2, _TINY)
    length = np.maximum(np.sqrt(x * x + y * y), _TINY)
    cos, sin = x / length, y / length
    mean_c = (c1 + c2) * _F(0.5)
    s_h = _F(1) + _F(0.015) * mean_c * _hue_weight(cos, sin)  # (20)
    s_c = _F(1) + _F(0.045) * mean_c  # (19)
    middle = ((l1 + l2) * _F(0.5) - _F(50)) ** 2
    s_l = _F(1) + _F(0.015) * middle / np.sqrt(_F(20) + middle)  # (18)
    turn = np.arctan2(sin * _COS_275 - cos * _SIN_275, cos * _COS_275 + sin * _SIN_275) * _F(180 / np.pi / 25)
    bend = np.exp(-turn * turn) * _F(np.radians(60))  # (16), doubled
    rotation = np.sin(bend) * _F(-2) * _chroma_weight(mean_c)  # (17), (21)
    lightness, chroma, hue = (l2 - l1) / s_l, chroma / s_c, hue / s_h
    squared = lightness * lightness + chroma * chroma + hue * hue + rotation * chroma * hue
    return np.asarray(np.sqrt(np.maximum(squared, _F(0))))  # (22)


def _chroma_weight(chroma: Floats) -> Floats:
    part = chroma * _F(1 / 25)
    square = part * part
    seventh = square * square * square * part
    return np.asarray(np.sqrt(seventh / (seventh + _F(1))))


def _hue_weight(cos: Floats, sin: Floats) -> Floats:
    """T of equation (15), by the formulas for the double, triple and fourfold angle."""
    cos_2, sin_2 = _F(2) * cos * cos - _F(1), _F(2) * sin * cos
    cos_3, sin_3 = cos * (_F(4) * cos * cos - _F(3)), sin * (_F(3) - _F(4) * sin * sin)
    cos_4, sin_4 = _F(2) * cos_2 * cos_2 - _F(1), _F(2) * sin_2 * cos_2
    return np.asarray(
        _F(1)
        - _F(0.17) * (cos * _COS_30 + sin * _SIN_30)
        + _F(0.24) * cos_2
        + _F(0.32) * (cos_3 * _COS_6 - sin_3 * _SIN_6)
        - _F(0.20) * (cos_4 * _COS_63 + sin_4 * _SIN_63)
    )


def cells_of(lab: npt.NDArray[np.floating]) -> Cells:
    """Return the cell of each CIELAB color, shape (..., 3) to (...)."""
    lightness = np.clip(np.floor(lab[..., 0] / LIGHTNESS_STEP), 0, LIGHTNESS_CELLS - 1)
    a, b = (np.clip(np.floor((lab[..., at] - CHROMA_LEAST) / CHROMA_STEP), 0, CHROMA_CELLS - 1) for at in (1, 2))
    return np.asarray((lightness * CHROMA_CELLS + a) * CHROMA_CELLS + b, dtype=np.uint16)


@lru_cache(maxsize=COLORS_REMEMBERED)
def nearest_in_cells(wanted: tuple[float, float, float]) -> Floats:
    """Return for each cell, and NO_CELL, a distance to `wanted` that no color in it falls below, shape (NO_CELL + 1,).

    A convex function is in a cell nowhere lower than its value in the middle, less how much higher it is at a corner.
    Cells that no color of sRGB is in have 0. The array cannot be written to.
    """
    one = np.array(wanted, dtype=_F)
    cells, middles, corners, corners_of_cell = _cells_of_srgb()
    at_middles, at_corners = differences(middles, one), differences(corners, one)[corners_of_cell]
    highest, nearest = at_corners.max(axis=0), at_corners.min(axis=0)
    lowest = np.minimum(2 * at_middles - np.maximum(highest, at_middles), nearest) - _SLACK
    lowest -= np.where(_are_opposite(corners, corners_of_cell, one), _F(_JUMP), _F(0))
    found = np.zeros(NO_CELL + 1, _F)
    found[cells] = np.maximum(lowest, 0)
    found[NO_CELL] = np.inf
    found.flags.writeable = False
    return found


def _are_opposite(corners: Floats, corners_of_cell: npt.NDArray[np.intp], wanted: Floats) -> npt.NDArray[np.bool_]:
    """Tell which cells the line of opposite hues passes through: corners stand on both sides of it, behind gray."""
    side = (corners[:, 1] * wanted[2] - corners[:, 2] * wanted[1])[corners_of_cell]
    along = (corners[:, 1] * wanted[1] + corners[:, 2] * wanted[2])[corners_of_cell]
    if np.hypot(wanted[1], wanted[2]) < _GRAY:
        return np.zeros(corners_of_cell.shape[1], np.bool_)
    return np.asarray((side.min(axis=0) <= 0) & (side.max(axis=0) >= 0) & (along.min(axis=0) <= 0))


@lru_cache(maxsize=1)
def _cells_of_srgb() -> tuple[Cells, Floats, Floats, npt.NDArray[np.intp]]:
    """Return cells with colors of sRGB, their middles, all their corners, and the eight of each: (8, cells) places."""
    channel = np.append(np.arange(0, 255, _SRGB_STEP), 255).astype(np.uint8)
    colors = np.stack(np.meshgrid(channel, channel, channel), axis=-1).reshape(-1, 3)
    cells = np.unique(cells_of(srgb_to_lab(colors)))
    rest, b = np.divmod(cells.astype(np.intp), CHROMA_CELLS)
    lightness, a = np.divmod(rest, CHROMA_CELLS)
    places = np.stack([lightness, a, b], axis=-1)
    eight = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), axis=-1).reshape(8, 1, 3)
    corners, numbers = np.unique((places + eight).reshape(-1, 3), axis=0, return_inverse=True)
    return cells, _lab_of(places + 0.5), _lab_of(corners), numbers.reshape(8, len(cells))


def _lab_of(places: npt.NDArray[Any]) -> Floats:
    """Return CIELAB of places that are counted in cells."""
    steps = np.array([LIGHTNESS_STEP, CHROMA_STEP, CHROMA_STEP])
    return np.asarray(places * steps + np.array([0, CHROMA_LEAST, CHROMA_LEAST]), dtype=_F)
