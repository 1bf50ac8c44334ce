"""Where a picture ends and its frame begins: plain borders, caption bars and the windows of screenshots are cut off."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

TOLERANCE = 20
"""Levels, 0 to 255, that a channel may be off the color of the border: what JPEG of quality 20 does to a plain area."""

PLAIN = 0.98
"""The part of a line, 0 to 1, that has the color of the border in a line of nothing but border."""

PICTURE = 0.8
"""The part of a line that may have the color of the border where the picture begins. Where less of it changes at once,
it is a thing on a plain ground, which belongs to the picture, or a sky that fades."""

WRITTEN = 0.5
"""The part of its lines, on average, that has the color of a bar with something written on it; of a line of the picture
below it less has."""

PLAIN_LINES = 0.3
"""The part of the lines of such a bar, 0 to 1, on which nothing is written: above, between and below the words."""

DEEPEST = 0.7
"""The part of a side, 0 to 1, that a border or a bar on one side can take."""

SOFT_LINES = 3
"""Lines over which a border may end: scaling and JPEG smear its edge."""

LEAST_LEFT = 0.2
"""The part of either side, 0 to 1, that must be left; otherwise all was border, and nothing is cut off."""

ROUNDS = 4
"""How often all sides are looked at: a window has a title bar, then a margin, then perhaps a frame."""

CHUNK = 64
"""Lines looked at in one go. Where none of so many is plain, that is no bar: words are less high."""


@dataclass(frozen=True)
class Trim:
    """What is left of a picture, in pixels, and whether what was cut off at the top or bottom had writing on it."""

    left: int
    top: int
    width: int
    height: int
    captioned: bool = False


def trim(pixels: npt.NDArray[np.uint8]) -> Trim:
    """Return what is left of (height, width, 3) uint8 without borders; all of it where there are none."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = 0, 0, width, height
    captioned = False
    for _ in range(ROUNDS):
        before = (left, top, right, bottom)
        depth, written = _depth(pixels[top:bottom, left:right])
        top, captioned = top + depth, captioned or written
        depth, written = _depth(pixels[top:bottom, left:right][::-1])
        bottom, captioned = bottom - depth, captioned or written
        left += _depth(pixels[top:bottom, left:right].transpose(1, 0, 2))[0]
        right -= _depth(pixels[top:bottom, left:right].transpose(1, 0, 2)[::-1])[0]
        if right - left < LEAST_LEFT * width or bottom - top < LEAST_LEFT * height:
            return Trim(0, 0, width, height)
        if before == (left, top, right, bottom):
            break
    return Trim(left, top, right - left, bottom - top, captioned)


def _depth(lines: npt.NDArray[np.uint8]) -> tuple[int, bool]:
    """Return how many lines from the first one on are border, and whether something is written on them."""
    if len(lines) <= SOFT_LINES:
        return 0, False
    color = np.median(lines[0], axis=0)
    shares = _shares(lines[:1], color)
    if shares[0] < PLAIN:
        return 0, False
    deepest = max(SOFT_LINES, int(DEEPEST * len(lines)))
    while len(shares) < deepest and (shares[-CHUNK:] >= PLAIN).any():
        shares = np.concatenate([shares, _shares(lines[len(shares) : len(shares) + CHUNK], color)])
    plain = shares >= PLAIN
    ends = np.flatnonzero(plain[:-1] & ~plain[1:]) + 1  # the first line after each run of plain ones
    if not ends.size:
        return 0, False
    for end in ends[:0:-1]:
        bar = shares[:end]
        if _falls(shares, end) < WRITTEN and bar.mean() > WRITTEN and (bar >= PLAIN).mean() > PLAIN_LINES:
            return int(end), True
    first = int(ends[0])
    return (first, False) if _falls(shares, first) < PICTURE else (0, False)


def _falls(shares: npt.NDArray[np.float64], end: int) -> float:
    return float(shares[end : end + SOFT_LINES].min())


def _shares(lines: npt.NDArray[np.uint8], color: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return which part of each line has a color."""
    lowest, highest = (np.clip(color + off, 0, 255) for off in (-TOLERANCE, TOLERANCE))
    inside = cv2.inRange(np.ascontiguousarray(lines), lowest, highest)
    return np.asarray(cv2.reduce(inside, 1, cv2.REDUCE_AVG, dtype=cv2.CV_64F)[:, 0] / 255)
