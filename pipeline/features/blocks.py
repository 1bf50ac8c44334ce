"""Where blocks of one picture lie in another that it was laid upon: all in their place, or some of them moved.

In a copy every block is where the transform says. Between two photos of one thing the near moves against the far, and
whatever lives has moved. The same search makes a transform exact to a part of a pixel.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.features.agreement import Canvas

BLOCK = 20  # pixels of the canvas, each way
STRIDE = 24  # pixels from one block to the next
REACH = 5  # pixels around its place where a block is searched for
FAR_REACH = 40  # pixels, for one that is not at its place at all
FARTHER = 12  # of these that are searched for so far, at least; twice as many at most

TEXTURED = 5.0
"""Levels, 0 to 255, standard deviation that a block must have to be recognized."""

FOUND = 0.85
"""The correlation from which on a block has been found."""

ALONG = 0.008
"""By how much a block must correlate better than at its place in a direction to be off in it at all."""

BETTER = 0.12
"""By how much a block must correlate better elsewhere than at its place to have moved."""

TOGETHER_PX = 1.5  # pixels of the canvas that neighbors may move apart and still move together

DRIFT_LIMIT_PX = 4.0  # pixels of the canvas; what is farther off was found by chance, or moved by itself

NOT_HERE = 0.6
"""The correlation at its place below which a block is searched for farther away."""

LEAST_DRIFTING = 8  # blocks with neighbors; fewer say nothing of a whole picture

LEAST_BLOCKS = 5  # with fewer an affine transform fits noise

OUTLIER_PX = 1.3
"""Pixels of the canvas that a block may be off a transform that is being refined."""

CLOSE_PX = 0.25
"""Pixels of the canvas that a transform may be off before it is worth refining."""

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
        """Which blocks are elsewhere, each together with one beside it: what moves is larger than a block."""
        away = self.found & (self.scores - self.rest >= BETTER)
        beside = self._beside(away)
        together = np.abs(self.offsets[:, None] - self.offsets[None]).max(axis=2, initial=0) <= TOGETHER_PX
        return np.asarray((beside & together).any(axis=1))

    @property
    def drift(self) -> float:
        """How far blocks are off together with those beside them, in pixels of the canvas.

        Noise puts each block off by itself; what is near the camera, or a bent page, takes whole areas along.
        """
        beside = self._beside(self.found & (np.abs(self.offsets).max(axis=1, initial=0) <= DRIFT_LIMIT_PX))
        if int(beside.any(axis=1).sum()) < LEAST_DRIFTING:
            return 0.0
        along = (self.offsets[:, None] * self.offsets[None]).sum(axis=2)[beside].mean()
        return math.sqrt(max(0.0, float(along)))

    def _beside(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        apart = np.abs(self.points[:, None] - self.points[None]).max(axis=2, initial=0)
        return np.asarray((apart > 0) & (apart <= STRIDE) & chosen[None] & chosen[:, None])

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Which blocks are anywhere."""
        return self.scores >= FOUND


def search(canvas: Canvas) -> Blocks:
    """Return where blocks of a are in b."""
    height, width = canvas.a.shape
    if min(height, width) < BLOCK + 2 * REACH:
        return _table([])
    size = BLOCK + 2 * REACH
    inside = cv2.erode(canvas.both.astype(np.uint8), np.ones((size, size), np.uint8), anchor=(0, 0))
    mean, square = (cv2.blur(each, (BLOCK, BLOCK), anchor=(0, 0)) for each in (canvas.a, canvas.a * canvas.a))
    textured = square - mean * mean > TEXTURED**2
    rows, columns = (np.arange(REACH, side - BLOCK - REACH + 1, STRIDE) for side in (height, width))
    usable = inside[np.ix_(rows - REACH, columns - REACH)].astype(bool) & textured[np.ix_(rows, columns)]
    places = [(int(columns[column]), int(rows[row])) for row, column in np.argwhere(usable)]
    return _table([(left + BLOCK / 2, top + BLOCK / 2, *_look(canvas, left, top, REACH)) for left, top in places])


def search_farther(canvas: Canvas, blocks: Blocks) -> Blocks:
    """Return the same blocks after some of those that are nowhere near their place were searched for farther away."""
    table = np.column_stack([blocks.points, blocks.offsets, blocks.scores, blocks.rest])
    missing = np.flatnonzero(np.maximum(blocks.scores, blocks.rest) < NOT_HERE)
    for number in missing[:: max(1, len(missing) // FARTHER)]:
        left, top = (int(each) - BLOCK // 2 for each in blocks.points[number])
        across, down, score, _ = _look(canvas, left, top, FAR_REACH)
        x, y = left + round(across), top + round(down)
        own = cv2.matchTemplate(_block(canvas.a, x, y), _block(canvas.a, left, top), cv2.TM_CCOEFF_NORMED)
        if float(own[0, 0]) < NOT_HERE:  # else it is one of many that are alike, such as windows of a house
            table[number, 2:5] = across, down, score
    return _table(table)


def _block(values: npt.NDArray[np.float32], left: int, top: int) -> npt.NDArray[np.float32]:
    return values[top : top + BLOCK, left : left + BLOCK]


def _table(rows: npt.ArrayLike) -> Blocks:
    table = np.asarray(rows, np.float64).reshape(-1, 6)
    return Blocks(table[:, :2], table[:, 2:4], table[:, 4], table[:, 5])


def refined(canvas: Canvas, blocks: Blocks) -> Matrix | None:
    """Return the better transform from a to b that the blocks tell of.

    It is None where too few were found, or where nothing is to be gained.
    """
    known = np.column_stack([blocks.points, np.ones(len(blocks.points))])
    fit = np.zeros((3, 2))
    for limit in (REACH, 2 * OUTLIER_PX, OUTLIER_PX):
        kept = blocks.found & (np.abs(blocks.offsets - known @ fit).max(axis=1, initial=0) <= limit)
        if kept.sum() < LEAST_BLOCKS or np.linalg.matrix_rank(known[kept]) < 3:  # noqa: PLR2004
            return None
        fit = np.linalg.lstsq(known[kept], blocks.offsets[kept], rcond=None)[0]
    if np.abs(known @ fit).max() < CLOSE_PX:
        return None
    step = np.eye(3)
    step[:2] += fit.T
    return np.asarray(np.linalg.inv(canvas.b_to_canvas) @ step @ canvas.a_to_canvas)


def _look(canvas: Canvas, left: int, top: int, reach: int) -> tuple[float, float, float, float]:
    """Return how far off a block correlates best, how well, and how well at its place."""
    height, width = canvas.b.shape
    block = _block(canvas.a, left, top)
    x0, y0 = max(0, left - reach), max(0, top - reach)
    field = canvas.b[y0 : min(height, top + BLOCK + reach), x0 : min(width, left + BLOCK + reach)]
    scores = np.asarray(cv2.matchTemplate(field, block, cv2.TM_CCOEFF_NORMED), np.float32)
    at = int(scores.argmax())
    y, x = divmod(at, scores.shape[1])
    at_x, at_y = left - x0, top - y0
    enough = float(scores[y, x]) - ALONG  # a block with one edge fits anywhere along it
    x = at_x if scores[y, at_x] >= enough else x
    y = at_y if scores[at_y, x] >= enough else y
    rest = scores[max(0, at_y - 1) : at_y + 2, max(0, at_x - 1) : at_x + 2].max()
    return x - at_x + _between(scores[y], x), y - at_y + _between(scores[:, x], y), float(scores[y, x]), float(rest)


def _between(scores: npt.NDArray[np.float32], at: int) -> float:
    """Return how far beside the highest score the top of the parabola through its neighbors is."""
    if not 0 < at < len(scores) - 1:
        return 0.0
    before, here, after = scores[at - 1 : at + 2].tolist()
    bend = before - 2 * here + after
    return 0.0 if bend > -ALONG / 2 else max(-0.5, min(0.5, (before - after) / (2 * bend)))
