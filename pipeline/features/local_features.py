"""Points of a picture that can be found again in a copy of it, with what each looks like.

ORB (Rublee et al., 2011) on a pyramid of wide steps. As many are kept at coarse levels as a crop of a third of each
side needs, and in each cell of a grid only so many, so that sharp letters over a picture cannot take them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

DETECTED = 2000  # corners looked for, of which those are kept that are spread best

LEVELS = 5
STEP = 1.41
"""The pyramid: each level is smaller by this factor, so that pictures match whose scales differ by up to four."""

BUDGET = (200, 150, 120, 80, 50)
"""Points kept at each level, finest first: the many that would fit at the finest say nothing of a deep crop."""

CELLS = 8
"""The grid, each way, in each cell of which the strongest point is taken before any second."""

CORNER_CONTRAST = 8
"""Levels, 0 to 255, between a corner and what surrounds it; lower than OpenCV's 20, for pale and blurred pictures."""

Gray = npt.NDArray[np.uint8]
Corners = Sequence[cv2.KeyPoint]

DESCRIPTOR_BYTES = 32  # of ORB

PATCH = 31  # pixels that a point is described by, at its level; a picture smaller than that has no points


@dataclass(frozen=True)
class LocalFeatures:
    """`points` are (n, 2) float32 in pixels of the picture; `descriptors` (n, 32) uint8, compared bit by bit."""

    points: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.uint8]


def local_features(gray: Gray) -> tuple[LocalFeatures, Corners]:
    """Return up to 600 points of (height, width) uint8, spread over it, and the corners that they were made of.

    There are none where a picture is small or plain.
    """
    if min(gray.shape) <= PATCH:
        return _NOTHING, ()
    orb = _orb()
    corners = _spread(orb.detect(gray, None), gray.shape)
    if not corners:
        return _NOTHING, ()
    found, descriptors = orb.compute(gray, corners)
    return LocalFeatures(np.array(cv2.KeyPoint.convert(found), np.float32), np.asarray(descriptors, np.uint8)), found


def mirrored_features(gray: Gray, corners: Corners) -> LocalFeatures:
    """Return what the same corners look like in the mirror image; `points` are where they are in the picture itself."""
    if not corners:
        return _NOTHING
    width = gray.shape[1]
    flipped = [
        cv2.KeyPoint(width - 1 - x, y, each.size, (180 - each.angle) % 360, each.response, each.octave)
        for each in corners
        for x, y in (each.pt,)
    ]
    found, descriptors = _orb().compute(cv2.flip(gray, 1), flipped)
    points = np.array(cv2.KeyPoint.convert(found), np.float32)
    points[:, 0] = width - 1 - points[:, 0]
    return LocalFeatures(points, np.asarray(descriptors, np.uint8))


def _orb() -> cv2.ORB:
    return cv2.ORB.create(DETECTED, STEP, LEVELS, PATCH // 2, fastThreshold=CORNER_CONTRAST)


def _spread(corners: Corners, shape: tuple[int, ...]) -> list[cv2.KeyPoint]:
    """Return the corners of each level that come first when each cell gives its strongest before any second."""
    if not corners:
        return []
    octaves = np.array([each.octave for each in corners])
    responses = np.array([each.response for each in corners])
    points = np.array(cv2.KeyPoint.convert(corners), np.float32)
    column, row = (np.minimum(points[:, axis] * CELLS // shape[1 - axis], CELLS - 1) for axis in (0, 1))
    cells = (octaves * CELLS + row.astype(int)) * CELLS + column.astype(int)
    order = np.lexsort((-responses, cells))
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    ranks = np.empty(len(corners), int)
    ranks[order] = np.arange(len(corners)) - np.repeat(starts, np.diff(starts, append=len(corners)))
    kept: list[cv2.KeyPoint] = []
    for level, budget in enumerate(BUDGET):
        here = np.flatnonzero(octaves == level)
        first = here[np.lexsort((-responses[here], ranks[here]))][:budget]
        kept += [corners[int(number)] for number in first]
    return kept


_NOTHING = LocalFeatures(np.zeros((0, 2), np.float32), np.zeros((0, DESCRIPTOR_BYTES), np.uint8))
