"""Whether two pictures are the same, pixel by pixel, once one lies upon the other.

Local features agree for two receipts of one form and two photos of one room. Here the pixels have a say: both pictures
are brought onto one canvas, at the scale of the coarser one, and around each pixel their windows are correlated, which
brightness, contrast and color do not change.
"""

from dataclasses import dataclass, replace

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

OTHER = 0.4
"""The correlation below which they show other things; between the two, detail may merely have been lost."""

AVERAGED = 0.7
"""The scale below which a picture is averaged first: a warp reads only four pixels."""

SAME = 0.7
"""The correlation from which on two windows show the same."""

FINE_PX = 512 * 384
"""Pixels of the canvas on which fine detail is compared."""

FINE_WINDOW, FINE_BAND = 13, 7
"""Pixels of that canvas, each way: the windows that are correlated, and what is finer than counts as detail."""

FINE_LEVELS = 9.0  # levels, 0 to 255, standard deviation, of detail that is more than noise and JPEG
FINE_RATIO = 6.0  # of variances, beyond which one picture has lost its detail, or has letters over it
FINE_SAME = 0.5  # the correlation from which on detail agrees: lower than SAME, because JPEG and noise are as fine
LEAST_FINE = 0.04  # the part of what both show, 0 to 1, that must have detail

STRONG_EDGE = 60
"""The percentile of slopes from which on one is an edge that ought to be found again."""

LEAST_SLOPE = 1.0  # levels per pixel

KEPT_EDGE = 0.5
"""The part of an edge's own slope that the other's may differ by, in whatever direction."""

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
    a_shape: tuple[int, ...]
    b_shape: tuple[int, ...]


@dataclass(frozen=True)
class Agreement:
    """`share`, 0 to 1, of the textured pixels agree; `textured` is their part of the overlap.

    `correlation`, -1 to 1, is that of the windows of the canvas; `seen` says where there is texture to correlate.
    """

    share: float
    textured: float
    correlation: npt.NDArray[np.float32]
    seen: npt.NDArray[np.bool_]

    @property
    def same(self) -> npt.NDArray[np.bool_]:
        """Where both show the same."""
        return self.seen & (self.correlation > SAME)

    @property
    def other(self) -> npt.NDArray[np.bool_]:
        """Where they plainly do not."""
        return self.seen & (self.correlation < OTHER)


def lay(a: Gray, b: Gray, transform: Matrix, pixels: int = CANVAS_PX) -> Canvas | None:
    """Return both on a canvas of at most so many pixels of what they share, None where that is next to nothing."""
    a_is_coarser = abs(np.linalg.det(transform[:2, :2])) > 1
    to_coarser_a = np.eye(3) if a_is_coarser else transform
    to_coarser_b = np.linalg.inv(transform) if a_is_coarser else np.eye(3)
    frame, other = (a, to_coarser_b @ _corners(b)) if a_is_coarser else (b, to_coarser_a @ _corners(a))
    height, width = frame.shape
    left, top = np.maximum(other[:2].min(axis=1), 0)
    right, bottom = np.minimum(other[:2].max(axis=1), (width - 1, height - 1))
    if right - left < WINDOW or bottom - top < WINDOW:
        return None
    scale = min(1.0, float(np.sqrt(pixels / ((right - left) * (bottom - top)))))
    size = (max(WINDOW, round((right - left) * scale)), max(WINDOW, round((bottom - top) * scale)))
    onto = np.array([[scale, 0, -left * scale], [0, scale, -top * scale], [0, 0, 1]])
    a_to, b_to = onto @ to_coarser_a, onto @ to_coarser_b
    first, second = brought(a, a_to, size), brought(b, b_to, size)
    here, there = _covered(a, a_to, size), _covered(b, b_to, size)
    return Canvas(first, second, here & there, a_to, b_to, a.shape, b.shape)


def brought(pixels: npt.NDArray[np.uint8], onto: Matrix, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return a picture on a canvas of (width, height), float32, lightly smoothed; beyond its edge the edge goes on."""
    scale = float(np.sqrt(abs(np.linalg.det(onto[:2, :2]))))
    if scale < AVERAGED:
        height, width = pixels.shape[:2]
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.asarray(cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA), np.uint8)
        by_x, by_y = width / smaller[0], height / smaller[1]
        onto = onto @ np.array([[by_x, 0, (by_x - 1) / 2], [0, by_y, (by_y - 1) / 2], [0, 0, 1]])
    values = cv2.warpAffine(pixels.astype(np.float32), onto[:2], size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), SMOOTH), np.float32)


def limited(canvas: Canvas, a_corners: Matrix | None, b_corners: Matrix | None) -> Canvas:
    """Return the canvas with only what lies within the corners, (3, 4) in fractions of the sides, of a and of b."""
    both = canvas.both
    for corners, onto, shape in (
        (a_corners, canvas.a_to_canvas, canvas.a_shape),
        (b_corners, canvas.b_to_canvas, canvas.b_shape),
    ):
        if corners is not None:
            points = onto @ (corners * np.array([[shape[1]], [shape[0]], [1]]) - np.array([[0.5], [0.5], [0]]))
            within = np.zeros(both.shape, np.uint8)
            cv2.fillConvexPoly(within, np.round(points[:2].T).astype(np.int32), 1)
            both = both & (within > 0)
    return replace(canvas, both=both)


def agree(canvas: Canvas, window: int = WINDOW) -> Agreement:
    """Return how much of what is textured in either picture agrees."""
    a, b, both = canvas.a, canvas.b, canvas.both
    # Windows reach across the edge of what both show, where the picture lies in another or was turned.
    inside = cv2.erode(both.astype(np.uint8), np.ones((window, window), np.uint8))
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8), borderValue=0).astype(bool)
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
    count = int(textured.sum())
    share = float((textured & (correlation > SAME)).sum() / count) if count else 0.0
    return Agreement(share, count / max(1, int(inside.sum())), correlation, textured)


def agree_finely(canvas: Canvas) -> float | None:
    """Return how much of the fine detail that both have agrees, 0 to 1, None where there is too little to say.

    Pages of one form differ in letters only, which from afar are gray lines. Where one picture has lost its detail, to
    blur or scaling, nothing is said.
    """
    size, wide = (FINE_WINDOW, FINE_WINDOW), (FINE_BAND, FINE_BAND)
    a, b = (each - cv2.blur(each, wide) for each in (canvas.a, canvas.b))
    inside = cv2.erode(canvas.both.astype(np.uint8), np.ones(wide, np.uint8), borderValue=0).astype(bool)
    var_a, var_b = cv2.blur(a * a, size), cv2.blur(b * b, size)
    least = np.minimum(var_a, var_b)
    detailed = inside & (least > FINE_LEVELS**2) & (np.maximum(var_a, var_b) < FINE_RATIO * least)
    if detailed.sum() < LEAST_FINE * max(1, int(inside.sum())):
        return None
    correlation = cv2.blur(a * b, size) / np.sqrt(np.maximum(var_a * var_b, 1e-6))
    return float((correlation > FINE_SAME)[detailed].mean())


def kept_edges(canvas: Canvas, found: Agreement) -> tuple[float, float]:
    """Return which part, 0 to 1, of the edges of one picture are in the other: in all, and where they do not agree.

    Letters over a picture spoil the windows around them, but what is between the letters is still the picture; where
    two pictures merely share a form or a background, each has edges there that the other lacks. Each part is that of
    whichever picture has more of its edges kept.
    """
    inside = cv2.erode(canvas.both.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    (ax, ay), (bx, by) = _slopes(canvas.a), _slopes(canvas.b)
    same = found.same
    energy = float((ax**2 + ay**2)[same].sum())
    if not inside.any() or energy <= 0:
        return 0.0, 0.0
    gain = float((ax * bx + ay * by)[same].sum()) / energy  # contrast may have been changed
    ax, ay = ax * gain, ay * gain
    off = np.hypot(ax - bx, ay - by)
    kept = []
    for where in (inside, inside & found.seen & ~same):
        parts = [0.0]
        for slope in (np.hypot(ax, ay), np.hypot(bx, by)):
            edges = where & (slope > max(LEAST_SLOPE, float(np.percentile(slope[inside], STRONG_EDGE))))
            parts.append(float((off < KEPT_EDGE * slope)[edges].mean()) if edges.any() else 0.0)
        kept.append(max(parts))
    return kept[0], kept[1]


def _slopes(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    smooth = cv2.GaussianBlur(values, (0, 0), SMOOTH)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *each, scale=1 / 8) for each in ((1, 0), (0, 1)))
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def _corners(gray: Gray) -> Matrix:
    height, width = gray.shape
    return np.array([[0, width - 1, width - 1, 0], [0, 0, height - 1, height - 1], [1, 1, 1, 1]], np.float64)


def _covered(gray: Gray, onto: Matrix, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    return np.asarray(cv2.warpAffine(np.ones(gray.shape, np.uint8), onto[:2], size, flags=cv2.INTER_NEAREST)) > 0
