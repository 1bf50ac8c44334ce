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
_MEGABYTE = 1_000_000
_MEGAPIXEL = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What is refused before anything is decoded.

    `max_bytes` is the size of the file, `max_pixels` width times height as stored, `max_decode_bytes` the memory that
    decoding is estimated to take at its peak. The last is what large pictures meet first, except JPEG and PNG,
    which are decoded in parts.
    """

    max_bytes: int = 64 * _MEGABYTE
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
"""What a decode takes beside its frame and its copies: strips on their way, tables of the decoder."""

_JPEG_WORKING_BYTES = 4 * MEBIBYTE
"""The same for JPEG, which arrives small and needs no strips."""

_PIXEL_BYTES = 4
"""What Pillow holds for a pixel of RGB, RGBA or CMYK."""

_SMALL_COPIES = 4
"""Copies of the small picture at the end: resized, by its color profile, turned, and blended or encoded."""


@dataclass(frozen=True)
class _Rate:
    """Bytes for each pixel of the file: at the decoder's peak, what a plane of transparency adds, and kept after."""

    peak: float
    alpha: float
    kept: float


_RATES = {
    formats.WEBP: _Rate(11.4, 0, 4),
    formats.AVIF: _Rate(7.8, 3, 5.5),
    formats.HEIF: _Rate(4.8, 2, 4.8),
    formats.JPEG2000: _Rate(19, 0, 4),
}
"""Measured at 12, 24 and 50 megapixels. These decoders also hold the file itself."""


def decode_bytes(kind: Format, header: Header, target: Target, file_bytes: int) -> int:
    """Return the estimated peak of memory for decoding to this target."""
    way = plan(header.width, header.height, target, scalable=kind is formats.JPEG)
    peak, kept = _frame_bytes(kind, header, way, file_bytes)
    is_frame = kind is formats.JPEG and way.factors == (1, 1)
    canvas = 0 if is_frame else way.canvas[0] * way.canvas[1] * _PIXEL_BYTES
    small = way.size[0] * way.size[1] * _PIXEL_BYTES
    working = _JPEG_WORKING_BYTES if kind is formats.JPEG else WORKING_BYTES
    return int(max(peak, kept + canvas + small, small * _SMALL_COPIES)) + working


def _frame_bytes(kind: Format, header: Header, way: Plan, file_bytes: int) -> tuple[float, float]:
    """Return what the frame takes at the peak of decoding, and while it is shrunk."""
    pixels = header.width * header.height
    if kind in _RATES:
        rate = _RATES[kind]
        alpha = rate.alpha if header.samples == 4 else 0  # noqa: PLR2004 - RGB and alpha
        return pixels * (rate.peak + alpha) * _depth(kind, header) + file_bytes, pixels * rate.kept + file_bytes
    frame = pixels * _sample_bytes(header) / way.scale**2
    if kind is formats.JPEG:
        return pixels * header.coefficients + frame, frame
    if kind is formats.PNG and png_strips.worthwhile(header):
        return 0, 0
    if kind is formats.TIFF and header.compressed:
        strip = pixels * header.samples * header.bits / 8 if header.whole else 0
        return frame + strip + file_bytes, frame + file_bytes  # libtiff maps the file
    return frame, frame


def _depth(kind: Format, header: Header) -> int:
    """AV1 and HEVC of more than 8 bits are decoded to two bytes a sample."""
    return 2 if kind in {formats.AVIF, formats.HEIF} and header.bits > 8 else 1  # noqa: PLR2004 - bits of a byte


def _sample_bytes(header: Header) -> int:
    """Bytes of a pixel in Pillow: one for gray and palettes, more for deep grays, four for everything else."""
    if header.samples > 1 or header.bits > 16:  # noqa: PLR2004 - beyond come integers and floats
        return _PIXEL_BYTES
    return 1 if header.bits <= 8 else 2  # noqa: PLR2004 - bits of a byte


def check_bytes(size: int, max_bytes: int) -> None:
    """Refuse a file of more bytes than allowed; its size is not said, because nobody may know it yet."""
    if size > max_bytes:
        raise TooManyBytes(
            f"This file is larger than the limit of {_rounded_down(max_bytes, _MEGABYTE)} MB. "
            "Please upload a smaller version."
        )


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture of more pixels than allowed."""
    pixels = width * height
    if pixels > limits.max_pixels:
        raise TooManyPixels(
            f"This picture has {_rounded_up(pixels)} megapixels; "
            f"the limit is {_rounded_down(limits.max_pixels, _MEGAPIXEL)}. "
            "Please upload a smaller version."
        )


def check_cost(probe: Probe, limits: Limits) -> None:
    """Refuse a picture whose decoding would take more memory than allowed, naming the limit of its format."""
    if probe.decode_bytes <= limits.max_decode_bytes:
        return
    pixels = probe.width * probe.height
    affordable = pixels * max(limits.max_decode_bytes - WORKING_BYTES, 0) / max(probe.decode_bytes - WORKING_BYTES, 1)
    if affordable < _MIN_LIMIT * _MEGAPIXEL:
        sentence = f"This {probe.format} file takes more memory to read than one picture may. "
    else:
        sentence = (
            f"This picture has {_rounded_up(pixels)} megapixels; for {probe.format} files of this kind the limit is "
            f"{_rounded_down(affordable, _MEGAPIXEL)}. "
        )
    raise TooManyPixels(
        sentence + "Please upload a smaller version, or save it as an ordinary JPEG.",
        detail=f"{probe.decode_bytes} bytes to decode",
    )


_COARSE = 10
"""From so many megabytes or megapixels on they are told without a decimal."""

_MIN_LIMIT = 0.1
"""Megapixels, the least that is told as a limit: below, the file costs too much by something else than its size."""


def _rounded_up(pixels: int) -> str:
    """Megapixels, rounded away from the limit, which is rounded down, so that the two never look equal."""
    tenths = math.ceil(pixels * 10 / _MEGAPIXEL)
    return f"{tenths / 10:.1f}" if tenths < _COARSE * 10 else f"{math.ceil(pixels / _MEGAPIXEL):,}"


def _rounded_down(amount: float, unit: int) -> str:
    if amount >= _COARSE * unit:
        return f"{math.floor(amount / unit):,}"
    tenths = math.floor(amount * 10 / unit)
    return f"{tenths / 10:g}" if tenths else f"{amount / unit:f}".rstrip("0")
