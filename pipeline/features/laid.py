"""One picture laid upon another, in fractions of their sides: what they share, how it was turned, scaled, stretched."""

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.features.agreement import Canvas, brought
from pipeline.features.comparison import Affine, Box
from pipeline.features.picture import Picture

Matrix = npt.NDArray[np.float64]

LOST_PX = 96  # pixels, each way, of the small copy that is looked at for what a crop has cut off

LOST_LEVELS = 8.0
"""Levels, 0 to 255, standard deviation, of what was cut off, below which it was a plain margin and no loss."""

MIRROR = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
QUARTER = np.array([[0.0, -1, 1], [1, 0, 0], [0, 0, 1]])
"""The unit square turned over left to right, and turned clockwise by 90 degrees."""


def turn(quarters: int, *, mirrored: bool) -> Matrix:
    """Return the transform of the unit square that turns it clockwise, after it was `mirrored` left to right."""
    return np.asarray(np.linalg.matrix_power(QUARTER, quarters) @ (MIRROR if mirrored else np.eye(3)))


def in_pixels(fractions: Matrix, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> Matrix:
    """Return a transform between fractions of sides as one between pixels of pictures of these (height, width)."""
    return np.asarray(_pixels(b_shape) @ fractions @ np.linalg.inv(_pixels(a_shape)))


def on_canvas(a: Picture, b: Picture, canvas: Canvas) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return both in color on a canvas of half the sides, (height, width, 3) float32, 0 to 255."""
    height, width = (max(1, side // 2) for side in canvas.a.shape)
    half = np.diag([width / canvas.a.shape[1], height / canvas.a.shape[0], 1])
    shown = []
    for picture, onto, shape in ((a, canvas.a_to_canvas, canvas.a_shape), (b, canvas.b_to_canvas, canvas.b_shape)):
        to_gray = _pixels(shape) @ np.linalg.inv(_pixels(picture.pixels.shape))
        shown.append(brought(picture.pixels, half @ onto @ to_gray, (width, height)))
    return shown[0], shown[1]


@dataclass(frozen=True)
class Overlap:
    """What two pictures share: the box around it in each, and which part of each one's content it is, 0 to 1."""

    in_a: Box
    in_b: Box
    of_a: float
    of_b: float


@dataclass(frozen=True)
class Laid:
    """Pictures a and b; `a_frame` and `b_frame` lead from the unit square onto what each is without its borders.

    `a_corners` and `b_corners` are those of what was turned onto a plain ground, (3, 4), None where nothing was.
    """

    a: Picture
    b: Picture
    a_frame: Matrix
    b_frame: Matrix
    canvas: Canvas
    mirrored: bool
    a_corners: Matrix | None = None
    b_corners: Matrix | None = None

    @cached_property
    def transform(self) -> Matrix:
        """The transform from a to b, in fractions of their sides."""
        to_b = np.linalg.inv(self.canvas.b_to_canvas) @ self.canvas.a_to_canvas
        return np.asarray(np.linalg.inv(_pixels(self.canvas.b_shape)) @ to_b @ _pixels(self.canvas.a_shape))

    @property
    def affine(self) -> Affine:
        p, q, r, s, t, u = (float(each) for each in self.transform[:2].ravel())
        return p, q, r, s, t, u

    @cached_property
    def linear(self) -> Matrix:
        """The transform of directions, in pixels of the files."""
        a, b = self.a.facts, self.b.facts
        return np.asarray(np.diag([b.width, b.height]) @ self.transform[:2, :2] @ np.diag([1 / a.width, 1 / a.height]))

    @cached_property
    def _turned(self) -> Matrix:
        """The rotation that is left when mirroring, scaling and stretching are taken out."""
        linear = self.linear @ (np.diag([-1.0, 1.0]) if self.mirrored else np.eye(2))
        angle = math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])
        return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])

    @property
    def degrees(self) -> float:
        """By how much a is turned clockwise, -180 to 180, after it was mirrored."""
        return math.degrees(math.atan2(self._turned[1, 0], self._turned[0, 0]))

    @property
    def scale(self) -> float:
        """The factor of b's sides against those of the same thing in a."""
        return math.sqrt(abs(float(np.linalg.det(self.linear))))

    def stretch(self, of: str) -> float:
        """Return by which factor the width of "a" or "b" was changed more than its height."""
        turned = self._turned @ np.diag([-1.0, 1.0]) if self.mirrored else self._turned
        scales = self.linear @ turned.T if of == "b" else np.linalg.inv(turned.T @ self.linear)
        return float(scales[0, 0] / scales[1, 1])

    @cached_property
    def overlap(self) -> Overlap:
        """What both show, borders left out."""
        a_there = self.a_frame @ _SQUARE if self.a_corners is None else self.a_corners
        b_there = self.b_frame @ _SQUARE if self.b_corners is None else self.b_corners
        both = _clipped(self.transform @ a_there, b_there)
        back = np.linalg.inv(self.transform)
        in_a, in_b = _box(back @ both), _box(both)
        of_a = in_a[2] * in_a[3] / abs(float(np.linalg.det(self.a_frame)))
        return Overlap(in_a, in_b, of_a, in_b[2] * in_b[3] / abs(float(np.linalg.det(self.b_frame))))

    def beyond(self, of: str) -> float:
        """Return which part, 0 to 1, of the border of "a" or "b" the other picture covers, border and all."""
        frame, there = (
            (self.a_frame, np.linalg.inv(self.transform) @ _SQUARE)
            if of == "a"
            else (self.b_frame, self.transform @ _SQUARE)
        )
        border = 1 - abs(float(np.linalg.det(frame)))
        covered = _area(_clipped(there, _SQUARE)) - _area(_clipped(there, frame @ _SQUARE))
        return covered / border if border > 0 else 1.0

    @cached_property
    def colors(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Both in color on a canvas of half the sides, (height, width, 3) float32, 0 to 255."""
        return on_canvas(self.a, self.b, self.canvas)

    def lost(self, of: str) -> bool:
        """Whether "a" or "b" shows anything beyond the box of what both share, in its content or around it."""
        picture, box = (self.a, self.overlap.in_a) if of == "a" else (self.b, self.overlap.in_b)
        height, width = picture.pixels.shape[:2]
        gray = cv2.resize(picture.pixels, (min(width, LOST_PX), min(height, LOST_PX)), interpolation=cv2.INTER_AREA)
        values = gray.astype(np.float32).mean(axis=2)
        down, across = values.shape
        left, top = math.floor(box[0] * across), math.floor(box[1] * down)
        right, bottom = math.ceil((box[0] + box[2]) * across), math.ceil((box[1] + box[3]) * down)
        beyond = np.ones(values.shape, bool)
        beyond[top:bottom, left:right] = False
        return bool(beyond.any()) and float(values[beyond].std()) > LOST_LEVELS

    def box_on(self, of: str, left: int, top: int, width: int, height: int) -> Box:
        """Return the box on "a" or "b" around a box of pixels of the canvas."""
        onto, shape = (
            (self.canvas.a_to_canvas, self.canvas.a_shape)
            if of == "a"
            else (self.canvas.b_to_canvas, self.canvas.b_shape)
        )
        corners = np.array([[left, left + width, left + width, left], [top, top, top + height, top + height], [1] * 4])
        corners = corners - np.array([[0.5], [0.5], [0]])
        points = np.linalg.inv(_pixels(shape)) @ np.linalg.inv(onto) @ corners
        return _box(np.clip(points, 0, 1))


_FINE = 1024.0  # OpenCV takes corners closer than some 1e-5 for one

_SQUARE = np.array([[0.0, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]])


def _pixels(shape: tuple[int, ...]) -> Matrix:
    """Return the transform from fractions of the sides to pixels, whose centers have whole numbers."""
    height, width = shape[:2]
    return np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1]])


def _clipped(one: Matrix, other: Matrix) -> Matrix:
    """Return the corners that two convex shapes share, (3, n); n is 0 where they share nothing."""
    first, second = ((each[:2].T * _FINE).astype(np.float32) for each in (one, other))
    _, shared = cv2.intersectConvexConvex(first, second)
    if shared is None:
        return np.zeros((3, 0))
    points = np.asarray(shared, np.float64).reshape(-1, 2).T / _FINE
    return np.vstack([points, np.ones(points.shape[1])])


def _area(corners: Matrix) -> float:
    return float(cv2.contourArea(corners[:2].T.astype(np.float32))) if corners.shape[1] else 0.0


def _box(corners: Matrix) -> Box:
    if not corners.shape[1]:
        return 0.0, 0.0, 0.0, 0.0
    left, top = (float(each) for each in np.clip(corners[:2].min(axis=1), 0, 1))
    right, bottom = (float(each) for each in np.clip(corners[:2].max(axis=1), 0, 1))
    return left, top, right - left, bottom - top
