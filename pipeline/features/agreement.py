"""Whether two pictures are the same, pixel by pixel, once one lies upon the other.

Local features agree for two receipts of one form and two photos of one room. Here the pixels have a say: both pictures
are brought onto one canvas, at the scale of the coarser one, and around each pixel their windows are correlated, which
brightness, contrast and color do not change. Then blocks of one are searched for nearby in the other: in a copy all lie
where the transform says; in another photo of the same thing some have moved.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

CANVAS_PX = 256 * 192
"""Pixels of the canvas: few, so that noise, JPEG and small errors of the transform are gone."""

WINDOW = 11  # pixels each way that are correlated

SMOOTH = 0.8  # pixels, standard deviation; what is left of noise

TEXTURE = 0.18
"""The part of a picture's contrast, its standard deviation, that a window must have to say anything."""

LEAST_TEXTURE = 2.0  # levels, 0 to 255; what is paler is noise and JPEG

SAME = 0.7
"""The correlation from which on two windows show the same."""

BLOCK = 20  # pixels of the blocks that are searched for
REACH = 5  # pixels around their place where they are searched for
FOUND = 0.85
"""The correlation from which on a block has been found."""

MOVED_PX = 1.3
"""Pixels of the canvas that a block has to be off to have moved; of copies nearly all are within half a pixel."""

Gray = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Canvas:
    """Both pictures as (height, width) float32 on one canvas, and where both are; `to_canvas` leads there from each."""

    a: npt.NDArray[np.float32]
    b: npt.NDArray[np.float32]
    both: npt.NDArray[np.bool_]
    a_to_canvas: Matrix
    b_to_canvas: Matrix


@dataclass(frozen=True)
class Agreement:
    """`share`, 0 to 1, of the textured pixels agree; `textured` is their part of the overlap.

    `map` says where: -1 nothing to see, 0 other things, 1 the same.
    """

    share: float
    textured: float
    map: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Blocks:
    """Blocks with texture: where they are on the canvas, (n, 2), how far off they were found, and how well."""

    points: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]


def lay(a: Gray, b: Gray, transform: Matrix) -> Canvas | None:
    """Return both on the canvas of what they share, None where that is next to nothing."""
    a_is_coarser = abs(np.linalg.det(transform[:2, :2])) > 1
    to_coarser_a = np.eye(3) if a_is_coarser else transform
    to_coarser_b = np.linalg.inv(transform) if a_is_coarser else np.eye(3)
    frame, other = (a, to_coarser_b @ _corners(b)) if a_is_coarser else (b, to_coarser_a @ _corners(a))
    height, width = frame.shape
    left, top = np.maximum(other[:2].min(axis=1), 0)
    right, bottom = np.minimum(other[:2].max(axis=1), (width - 1, height - 1))
    if right - left < WINDOW or bottom - top < WINDOW:
        return None
    scale = min(1.0, float(np.sqrt(CANVAS_PX / ((right - left) * (bottom - top)))))
    size = (max(WINDOW, round((right - left) * scale)), max(WINDOW, round((bottom - top) * scale)))
    onto = np.array([[scale, 0, -left * scale], [0, scale, -top * scale], [0, 0, 1]])
    a_to, b_to = onto @ to_coarser_a, onto @ to_coarser_b
    (first, here), (second, there) = _warped(a, a_to, size), _warped(b, b_to, size)
    return Canvas(first, second, here & there, a_to, b_to)


def agree(canvas: Canvas, window: int = WINDOW) -> Agreement:
    """Return how much of what is textured in either picture agrees."""
    a, b, both = canvas.a, canvas.b, canvas.both
    inside = cv2.erode(both.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    size = (window, window)
    mean_a, mean_b = cv2.blur(a, size), cv2.blur(b, size)
    var_a, var_b = cv2.blur(a * a, size) - mean_a**2, cv2.blur(b * b, size) - mean_b**2
    product = cv2.blur(a * b, size) - mean_a * mean_b
    texture = [
        np.sqrt(np.maximum(var, 0)) > max(LEAST_TEXTURE, TEXTURE * float(each[inside].std() if inside.any() else 0))
        for var, each in ((var_a, a), (var_b, b))
    ]
    textured = (texture[0] | texture[1]) & inside
    correlation = product / np.sqrt(np.maximum(var_a, 1e-3) * np.maximum(var_b, 1e-3))
    same = correlation > SAME
    count = int(textured.sum())
    share = float((same & textured).sum() / count) if count else 0.0
    where = np.where(textured, same.astype(np.int8), np.int8(-1)).astype(np.int8)
    return Agreement(share, count / max(1, int(inside.sum())), where)


def search_blocks(canvas: Canvas) -> Blocks:
    """Return where blocks of a lie in b, both on the canvas."""
    height, width = canvas.a.shape
    points, offsets, scores = [], [], []
    margin = BLOCK + 2 * REACH
    for top in range(0, height - margin + 1, BLOCK):
        for left in range(0, width - margin + 1, BLOCK):
            if not canvas.both[top : top + margin, left : left + margin].all():
                continue
            block = canvas.a[top + REACH : top + REACH + BLOCK, left + REACH : left + REACH + BLOCK]
            field = canvas.b[top : top + margin, left : left + margin]
            if block.std() < 2 * LEAST_TEXTURE or field.std() < 2 * LEAST_TEXTURE:
                continue
            found = cv2.matchTemplate(field, block, cv2.TM_CCOEFF_NORMED)
            _, best, _, (x, y) = cv2.minMaxLoc(found)
            points.append((left + REACH + BLOCK / 2, top + REACH + BLOCK / 2))
            offsets.append((x - REACH + _between(found[y], x), y - REACH + _between(found[:, x], y)))
            scores.append(best)
    return Blocks(np.reshape(points, (-1, 2)), np.reshape(offsets, (-1, 2)), np.array(scores))


def refined(canvas: Canvas, blocks: Blocks) -> Matrix | None:
    """Return the better transform from a to b that the blocks tell of, None where too few were found."""
    kept = blocks.scores >= FOUND
    if kept.sum() < 4:
        return None
    fit = np.zeros((3, 2))
    for limit in (REACH, 2 * MOVED_PX, MOVED_PX):
        known = np.column_stack([blocks.points, np.ones(len(blocks.points))])
        kept = (blocks.scores >= FOUND) & (np.abs(blocks.offsets - known @ fit).max(axis=1) <= limit)
        if kept.sum() < 4 or np.linalg.matrix_rank(known[kept]) < 3:
            return None
        fit = np.linalg.lstsq(known[kept], blocks.offsets[kept], rcond=None)[0]
    step = np.eye(3)
    step[:2] += fit.T
    return np.linalg.inv(canvas.b_to_canvas) @ step @ canvas.a_to_canvas


def moved(blocks: Blocks) -> float:
    """Return the part, 0 to 1, of the blocks found that lie elsewhere."""
    found = blocks.scores >= FOUND
    if not found.any():
        return 0.0
    return float((np.hypot(*blocks.offsets[found].T) > MOVED_PX).mean())


def _between(scores: npt.NDArray[np.float32], at: int) -> float:
    """Return how far beside the highest score the top of the parabola through its neighbors is."""
    if not 0 < at < len(scores) - 1:
        return 0.0
    before, here, after = (float(each) for each in scores[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))


def _corners(gray: Gray) -> Matrix:
    height, width = gray.shape
    return np.array([[0, width - 1, width - 1, 0], [0, 0, height - 1, height - 1], [1, 1, 1, 1]], np.float64)


def _warped(
    gray: Gray, onto: Matrix, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    scale = float(np.sqrt(abs(np.linalg.det(onto[:2, :2]))))
    if scale < 0.7:  # a warp reads only four pixels, so that what shrinks more has to be averaged first
        height, width = gray.shape
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        gray = cv2.resize(gray, smaller, interpolation=cv2.INTER_AREA)
        by_x, by_y = width / smaller[0], height / smaller[1]
        onto = onto @ np.array([[by_x, 0, (by_x - 1) / 2], [0, by_y, (by_y - 1) / 2], [0, 0, 1]])
    values = cv2.warpAffine(gray.astype(np.float32), onto[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    there = cv2.warpAffine(np.ones(gray.shape, np.uint8), onto[:2], size, flags=cv2.INTER_NEAREST)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), SMOOTH)), there.astype(bool)
