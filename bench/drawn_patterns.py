"""Patterns drawn by rule, as examples of the category "abstract" that come from no collection of pictures."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

SIDE_PX = 384
Colors = npt.NDArray[np.float64]
Field = npt.NDArray[np.float64]


def draw_patterns(count: int, seed: int = 0) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield `count` square pictures (side, side, 3), each kind of pattern in turn."""
    chance = np.random.default_rng(seed)
    for index in range(count):
        field = KINDS[index % len(KINDS)](chance)
        colors = _palette(chance)
        picture = _colored(field, colors)
        grain = chance.normal(0, chance.uniform(0, 14), picture.shape[:2])[..., None]
        yield np.clip(picture + grain, 0, 255).astype(np.uint8)


def _palette(chance: np.random.Generator) -> Colors:
    if chance.random() < 0.3:  # many textures are gray or of one color
        base = chance.uniform(0, 255, (1, 3))
        return np.asarray(np.clip(base + chance.normal(0, 60, (4, 1)), 0, 255))
    return np.asarray(chance.uniform(0, 255, (int(chance.integers(2, 6)), 3)))


def _colored(field: Field, colors: Colors) -> npt.NDArray[np.float64]:
    scaled = (field - field.min()) / (np.ptp(field) + 1e-9) * (len(colors) - 1)
    low = np.floor(scaled).astype(int).clip(0, len(colors) - 2)
    part = (scaled - low)[..., None]
    return np.asarray(colors[low] * (1 - part) + colors[low + 1] * part)


def _grid() -> tuple[Field, Field]:
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / SIDE_PX
    return x, y


def _turned(chance: np.random.Generator) -> tuple[Field, Field]:
    x, y = _grid()
    angle = chance.choice([0, np.pi / 2, chance.uniform(0, np.pi)])
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _smooth_noise(chance: np.random.Generator, cells: int) -> Field:
    coarse = (chance.random((cells, cells)) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC), np.float64)


def _stripes(chance: np.random.Generator) -> Field:
    x, _ = _turned(chance)
    wave = np.sin(2 * np.pi * x * chance.integers(3, 30) + _smooth_noise(chance, 4) / 255 * chance.uniform(0, 4))
    return np.sign(wave) if chance.random() < 0.5 else wave


def _checks(chance: np.random.Generator) -> Field:
    x, y = _turned(chance)
    count = chance.integers(3, 16)
    return np.asarray((np.floor(x * count) + np.floor(y * count)) % 2)


def _hatching(chance: np.random.Generator) -> Field:
    image = Image.new("L", (SIDE_PX, SIDE_PX), 255)
    pen = ImageDraw.Draw(image)
    for _ in range(int(chance.integers(60, 260))):
        start = chance.uniform(0, SIDE_PX, 2)
        angle = chance.choice([np.pi / 4, -np.pi / 4]) + chance.normal(0, 0.15)
        end = start + chance.uniform(40, 300) * np.array([np.cos(angle), np.sin(angle)])
        pen.line((*start, *end), fill=int(chance.integers(0, 160)), width=int(chance.integers(1, 4)))
    return np.asarray(image, np.float64)


def _cells(chance: np.random.Generator) -> Field:
    x, y = _grid()
    points = chance.random((int(chance.integers(12, 90)), 2))
    distances = np.sort(np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1]), axis=-1)
    return np.asarray(
        np.minimum(distances[..., 1] - distances[..., 0], 0.02) if chance.random() < 0.6 else distances[..., 0]
    )


def _clouds(chance: np.random.Generator) -> Field:
    return np.asarray(sum(_smooth_noise(chance, 2**octave) / 1.7**octave for octave in range(1, 8)))


def _dots(chance: np.random.Generator) -> Field:
    image = Image.new("L", (SIDE_PX, SIDE_PX), 0)
    pen = ImageDraw.Draw(image)
    for _ in range(int(chance.integers(30, 220))):
        x, y, radius = chance.uniform(0, SIDE_PX), chance.uniform(0, SIDE_PX), chance.uniform(4, 30)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(chance.integers(90, 255)))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(chance.uniform(0, 3))), np.float64)


def _planes(chance: np.random.Generator) -> Field:
    image = Image.new("L", (SIDE_PX, SIDE_PX), int(chance.integers(0, 255)))
    pen = ImageDraw.Draw(image)
    for _ in range(int(chance.integers(2, 25))):
        corners = chance.uniform(-60, SIDE_PX + 60, (int(chance.integers(3, 6)), 2))
        pen.polygon([tuple(corner) for corner in corners], fill=int(chance.integers(0, 255)))
    return np.asarray(image, np.float64)


def _strokes(chance: np.random.Generator) -> Field:
    image = Image.new("L", (SIDE_PX, SIDE_PX), int(chance.integers(60, 255)))
    pen = ImageDraw.Draw(image)
    for _ in range(int(chance.integers(8, 70))):
        way = chance.uniform(0, SIDE_PX, 2) + np.cumsum(chance.normal(0, 50, (6, 2)), axis=0)
        pen.line([tuple(at) for at in way], fill=int(chance.integers(0, 255)), width=int(chance.integers(3, 26)))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(chance.uniform(0, 2))), np.float64)


def _speckles(chance: np.random.Generator) -> Field:
    field = _smooth_noise(chance, int(chance.integers(20, 120)))
    return np.asarray(field > np.quantile(field, chance.uniform(0.3, 0.8)), np.float64)


def _fields(chance: np.random.Generator) -> Field:
    x, y = _turned(chance)
    edges = np.sort(chance.random(int(chance.integers(1, 5))))
    return np.asarray(np.searchsorted(edges, x) * 1.0 + 0.08 * _smooth_noise(chance, 6) / 255 + 0 * y)


KINDS: tuple[Callable[[np.random.Generator], Field], ...] = (
    _stripes,
    _checks,
    _hatching,
    _cells,
    _clouds,
    _dots,
    _planes,
    _strokes,
    _speckles,
    _fields,
)
