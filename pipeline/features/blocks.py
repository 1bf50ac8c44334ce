"""Where blocks of one picture lie in another that it was laid upon: all in their place, or some of them moved.

In a copy every block is where the transform says. Between two photos of one thing the near moves against the far, and
whatever lives has moved. The same search makes a transform exact to a part of a pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.features.agreement import Canvas

BLOCK = 20  # pixels of the canvas, each way
STRIDE = 24  # pixels from one block to the next
REACH = 5  # pixels around its place where a block is searched for
FAR_REACH = 14  # pixels, for one that is not at its place at all

TEXTURED = 5.0
"""Levels, 0 to 255, standard deviation that a block must have to be recognized."""

FOUND = 0.85
"""The correlation from which on a block has been found."""

BETTER = 0.12
"""By how much a block must correlate better elsewhere than at its place to have moved."""

NOT_HERE = 0.6
"""The correlation at its place below which a block is searched for farther away."""

LEAST_BLOCKS = 5  # with fewer an affine transform fits noise

OUTLIER_PX = 1.3
"""Pixels of the canvas that a block may be off a transform that is being refined."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """Blocks of a: where they are on the canvas, (n, 2), how far off they were found in b, and how well.

    `scores` are their best correlation, `rest` that within a pixel of their place.
    """

    points: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    rest: npt.NDArray[np.float64]

    @property
    def moved(self) -> npt.NDArray[np.bool_]:
        """Which blocks are elsewhere."""
        return (self.scores >= FOUND) & (self.scores - self.rest >= BETTER)

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Which blocks are anywhere."""
        return self.scores >= FOUND


def search(canvas: Canvas, *, far: bool = False) -> Blocks:
    """Return where blocks of a are in b; `far` also searches farther for those that are not at their place."""
    height, width = canvas.a.shape
    inside = cv2.erode(canvas.both.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    found = []
    for top in range(REACH, height - BLOCK - REACH + 1, STRIDE):
        for left in range(REACH, width - BLOCK - REACH + 1, STRIDE):
            there = inside[top - REACH : top + BLOCK + REACH, left - REACH : left + BLOCK + REACH]
            if not there.all():
                continue
            block = canvas.a[top : top + BLOCK, left : left + BLOCK]
            if float(cv2.meanStdDev(block)[1][0, 0]) < TEXTURED:
                continue
            one = _look(canvas, block, left, top, REACH)
            if far and max(one[2:]) < NOT_HERE:
                one = (*_look(canvas, block, left, top, FAR_REACH)[:3], one[3])
            found.append((left + BLOCK / 2, top + BLOCK / 2, *one))
    table = np.reshape(np.array(found, np.float64), (-1, 6))
    return Blocks(table[:, :2], table[:, 2:4], table[:, 4], table[:, 5])


def refined(canvas: Canvas, blocks: Blocks) -> Matrix | None:
    """Return the better transform from a to b that the blocks tell of, None where too few were found."""
    known = np.column_stack([blocks.points, np.ones(len(blocks.points))])
    fit = np.zeros((3, 2))
    for limit in (REACH, 2 * OUTLIER_PX, OUTLIER_PX):
        kept = blocks.found & (np.abs(blocks.offsets - known @ fit).max(axis=1, initial=0) <= limit)
        if kept.sum() < LEAST_BLOCKS or np.linalg.matrix_rank(known[kept]) < 3:  # noqa: PLR2004
            return None
        fit = np.linalg.lstsq(known[kept], blocks.offsets[kept], rcond=None)[0]
    step = np.eye(3)
    step[:2] += fit.T
    return np.asarray(np.linalg.inv(canvas.b_to_canvas) @ step @ canvas.a_to_canvas)


def _look(
    canvas: Canvas, block: npt.NDArray[np.float32], left: int, top: int, reach: int
) -> tuple[float, float, float, float]:
    """Return how far off a block correlates best, how well, and how well at its place."""
    height, width = canvas.b.shape
    x0, y0 = max(0, left - reach), max(0, top - reach)
    field = canvas.b[y0 : min(height, top + BLOCK + reach), x0 : min(width, left + BLOCK + reach)]
    scores = np.asarray(cv2.matchTemplate(field, block, cv2.TM_CCOEFF_NORMED), np.float32)
    _, best, _, (x, y) = cv2.minMaxLoc(scores)
    at_x, at_y = left - x0, top - y0
    rest = scores[max(0, at_y - 1) : at_y + 2, max(0, at_x - 1) : at_x + 2].max()
    return x - at_x + _between(scores[y], x), y - at_y + _between(scores[:, x], y), best, float(rest)


def _between(scores: npt.NDArray[np.float32], at: int) -> float:
    """Return how far beside the highest score the top of the parabola through its neighbors is."""
    if not 0 < at < len(scores) - 1:
        return 0.0
    before, here, after = (float(each) for each in scores[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))
