"""Pictures to test with, drawn here, so that the tests need no file from elsewhere."""

import io
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

Kind = Literal["plain", "noise", "split", "disc"]


def picture_bytes(
    kind: Kind = "plain",
    *,
    color: str = "#c02020",
    second: str = "#2040c0",
    size: tuple[int, int] = (96, 64),
    file_format: str = "PNG",
    seed: int = 0,
) -> bytes:
    """Return the bytes of an image file.

    `plain` is all `color`; `split` has `second` in its right half; `disc` has a disc of `second` in the middle, whose
    size depends on `seed`; `noise` is drawn from `seed` alone. The seed makes the bytes of every kind its own.
    """
    image = Image.new("RGB", size, color)
    draw = ImageDraw.Draw(image)
    if kind == "noise":
        values = np.random.default_rng(seed).integers(0, 256, (size[1] // 8 + 1, size[0] // 8 + 1, 3), np.uint8)
        image = Image.fromarray(values).resize(size, Image.Resampling.NEAREST)
    elif kind == "split":
        draw.rectangle((size[0] // 2, 0, *size), fill=second)
    elif kind == "disc":
        radius = min(size) * (0.2 + 0.25 * np.random.default_rng(seed).random())
        x, y = size[0] / 2, size[1] / 2
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=second)
    # One corner pixel carries the seed, so that two pictures of one kind are not the same bytes.
    image.putpixel((0, 0), (seed & 255, seed >> 8 & 255, seed >> 16 & 255))
    file = io.BytesIO()
    image.save(file, file_format)
    return file.getvalue()


def torn(data: bytes) -> bytes:
    """Return an image file whose header is sound and whose rows are not."""
    middle = len(data) // 2
    return data[:middle] + bytes(64) + data[middle + 64 :]
