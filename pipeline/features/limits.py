"""How much a picture may cost, and what it will cost: bytes of memory for decoding, estimated from its header.

The rates are measured, not guessed: `bench/decoding.py` prints them, docs/decisions/0004-decoding.md tells them.
"""

import math
from dataclasses import dataclass

from pipeline.errors import TooManyBytes, TooManyPixels
from pipeline.features import formats
from pipeline.features.formats import Format
from pipeline.features.headers import Header

MEBIBYTE = 1 << 20
_MEGAPIXEL = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What is refused before anything is decoded.

    `max_bytes` is the size of the file, `max_pixels` width × height as stored, `max_decode_bytes` the memory that
    decoding is estimated to take at its peak. The last is what large pictures meet first, except JPEG and PNG,
    which are decoded in parts.
    """

    max_bytes: int = 64 * MEBIBYTE
    max_pixels: int = 100 * _MEGAPIXEL
    max_decode_bytes: int = 160 * MEBIBYTE


@dataclass(frozen=True)
class Probe:
    """What the header of a file says: stored size (before EXIF orientation), and the cost of decoding in bytes."""

    format: str
    media_type: str
    width: int
    height: int
    frames: int
    decode_bytes: int


WORKING_BYTES = 16 * MEBIBYTE
"""What every decode may take beside the rate: the shrunken canvas, strips on their way, tables of the decoder.
Measured: 2 to 14 MB, the most for display copies."""

_SCALED_JPEG_BYTES = 24 * MEBIBYTE
"""A JPEG decoded by `draft`: at most (2 × 2 × 2)² times the area of the working copy... see `shrink`."""

_BYTES_PER_PIXEL = {
    formats.GIF: 1.0,
    formats.WEBP: 12.2,
    formats.AVIF: 6.0,
    formats.HEIF: 5.0,
    formats.BMP: 4.0,
    formats.JPEG2000: 20.0,
}
"""Peak memory of the decoder for each pixel of the file, measured at 12 and 50 megapixels."""


def check_bytes(size: int, limits: Limits) -> None:
    """Refuse a file of more bytes than allowed."""
    if size > limits.max_bytes:
        raise TooManyBytes(
            f"This file has {size / MEBIBYTE:.0f} MB; the limit is {limits.max_bytes / MEBIBYTE:.0f}. "
            "Please upload a smaller version."
        )


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture of more pixels than allowed."""
    if width * height > limits.max_pixels:
        raise too_many_pixels(width * height, limits.max_pixels)


def check_cost(probe: Probe, limits: Limits) -> None:
    """Refuse a picture whose decoding would take more memory than allowed, naming the limit of its format."""
    if probe.decode_bytes > limits.max_decode_bytes:
        pixels = probe.width * probe.height
        affordable = max(0, limits.max_decode_bytes - WORKING_BYTES) * pixels / (probe.decode_bytes - WORKING_BYTES)
        raise too_many_pixels(pixels, min(int(affordable), limits.max_pixels), f" for a {probe.format} like this")


def too_many_pixels(pixels: int, limit: int, of_what: str = "") -> TooManyPixels:
    return TooManyPixels(
        f"This picture has {_megapixels(pixels, math.ceil)} megapixels; the limit{of_what} is "
        f"{_megapixels(limit, math.floor)}. Please upload a smaller version, or a JPEG."
    )


def _megapixels(pixels: int, rounded: "type[int] | object") -> str:
    tenths = rounded(pixels / _MEGAPIXEL * 10)  # type: ignore[operator]
    return f"{tenths / 10:g}"
