"""Whether two flat drawings are of the same colors: their edges say little, as of flags with the same stripes."""

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.features.agreement import Canvas
from pipeline.features.laid import on_canvas
from pipeline.features.picture import Picture

OFF_LEVELS = 22.0
"""Levels, 0 to 255, that colors may be off on average after brightness and contrast have been made the same."""

GRAY_LEVELS = 6.0  # between the channels of a picture without color

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def colors_fit(a: Picture, b: Picture, canvas: Canvas) -> bool:
    """Whether one has the colors of the other, if only brighter, paler or in gray."""
    first, second = on_canvas(a, b, canvas)
    there = cv2.resize(canvas.both.astype(np.uint8), first.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    if not there.any():
        return False
    ours, theirs = first[there], second[there]
    if min(_grayness(ours), _grayness(theirs)) < GRAY_LEVELS:
        ours, theirs = (np.repeat((each @ LUMA)[:, None], 3, axis=1) for each in (ours, theirs))
    return min(_residue(ours, theirs), _residue(theirs, ours)) <= OFF_LEVELS


def _grayness(colors: npt.NDArray[np.float32]) -> float:
    return float((colors.max(axis=1) - colors.min(axis=1)).mean())


def _residue(colors: npt.NDArray[np.float32], target: npt.NDArray[np.float32]) -> float:
    """Return how far off colors are, on average, from what one factor and offset for all channels makes of others."""
    known = np.column_stack([colors.ravel(), np.ones(colors.size, np.float32)])
    fit = np.linalg.lstsq(known, target.ravel(), rcond=None)[0]
    return float(np.abs(known @ fit - target.ravel()).mean())
