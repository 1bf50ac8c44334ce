"""How much a picture may cost, and what it will cost: bytes of memory for decoding, estimated from its header.

The rates are measured, not guessed: `bench/decoding.py` prints them, docs/decisions/0004-decoding.md tells them.
"""

import math
from dataclasses import dataclass

from pipeline.errors import TooManyBytes, TooManyPixels
from pipeline.features import formats, png_strips
from pipeline.features.formats import Format
from pipeline.features.headers import Header
from pipeline.features.shrink import Plan, Target, plan

MEBIBYTE = 1 << 20
_MEGAPIXEL = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What is refused before anything is decoded.

    `max_bytes` is the size of the file, `max_pixels` width times height as stored, `max_decode_bytes` the memory that
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


WORKING_BYTES = 12 * MEBIBYTE
"""What every decode may take beside its frame and its canvas: strips on their way, tables of the decoder."""

_PIXEL_BYTES = 4
"""What Pillow holds for a pixel of RGB, RGBA or CMYK."""

_CANVAS_COPIES = 2.5
"""The canvas, its resized copy, and the copies that ICC profiles, turning and blending make of the latter."""

_FRAME_BYTES_PER_PIXEL = {
    formats.GIF: 1.1,
    formats.WEBP: 12.3,
    formats.AVIF: 6.3,
    formats.HEIF: 5.0,
    formats.BMP: 4.1,
    formats.JPEG2000: 20.0,
}
"""Peak memory of the decoder for each pixel of the file, measured at 12 and 50 megapixels."""

_ALPHA_BYTES_PER_PIXEL = {formats.AVIF: 3.0, formats.HEIF: 2.0}
"""What a plane of transparency adds in the formats that keep it as a second picture."""


def decode_bytes(kind: Format, header: Header, target: Target, file_bytes: int) -> int:
    """Return the estimated peak of memory for decoding to this target."""
    way = plan(header.width, header.height, target, scalable=kind is formats.JPEG)
    canvas = way.canvas[0] * way.canvas[1] * _PIXEL_BYTES * _CANVAS_COPIES
    return int(_frame_bytes(kind, header, way, file_bytes) + canvas) + WORKING_BYTES


def _frame_bytes(kind: Format, header: Header, way: Plan, file_bytes: int) -> float:
    pixels = header.width * header.height
    if kind is formats.JPEG:
        return pixels * (header.coefficients + _PIXEL_BYTES / way.scale**2)
    if kind is formats.PNG:
        return 0 if png_strips.worthwhile(header) else pixels * _sample_bytes(header)
    if kind is formats.TIFF:
        strip = pixels * header.samples * header.bits / 8 if header.whole else 0
        return pixels * _sample_bytes(header) + strip + file_bytes  # libtiff maps the file
    alpha = _ALPHA_BYTES_PER_PIXEL.get(kind, 0) if header.samples == 4 else 0  # noqa: PLR2004 - RGB and alpha
    deep = 2 if kind in {formats.AVIF, formats.HEIF} and header.bits > 8 else 1  # noqa: PLR2004 - bits of a byte
    return pixels * (_FRAME_BYTES_PER_PIXEL[kind] + alpha) * deep + file_bytes


def _sample_bytes(header: Header) -> int:
    """Bytes of a pixel in Pillow: one for gray and palettes, more for deep grays, four for everything else."""
    if header.samples > 1 or header.bits > 16:  # noqa: PLR2004 - beyond come integers and floats
        return _PIXEL_BYTES
    return 1 if header.bits <= 8 else 2  # noqa: PLR2004 - bits of a byte


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
        affordable = pixels * (limits.max_decode_bytes - WORKING_BYTES) / (probe.decode_bytes - WORKING_BYTES)
        raise too_many_pixels(pixels, max(0, int(affordable)), f" for {probe.format} files of this kind")


def too_many_pixels(pixels: int, limit: int, of_what: str = "") -> TooManyPixels:
    """Return the error that tells both numbers, rounded away from each other so that they never look equal."""
    return TooManyPixels(
        f"This picture has {math.ceil(pixels / _MEGAPIXEL):,} megapixels; "
        f"the limit{of_what} is {limit // _MEGAPIXEL:,}. Please upload a smaller version."
    )
