"""WebP: frames, transparency, animation and color profile are kept; EXIF, XMP and chunks of no known name are not."""

import struct
from collections.abc import Iterator

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream
from pipeline.features.stripping.parts import UPRIGHT, Parts, bounded, exif_of, orientation_in, read_part, size_of

_RIFF_BYTES, _FORM_BYTES = 8, 4  # "RIFF" and a length; "WEBP"
_EXTENDED_BYTES, _FRAME_BYTES, _ANIMATION_BYTES = 10, 16, 6

_HAS_EXIF, _HAS_PROFILE_ALPHA_OR_ANIMATION = 0x08, 0x32
"""Bits of the first byte of VP8X; the others tell of XMP, or nothing yet."""

_PIXELS = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_WITH_PIXELS = frozenset({b"VP8 ", b"VP8L", b"ANMF"})
_KEPT = _PIXELS | {b"ICCP"}

Chunk = tuple[bytes, int, int]


def parts_of(stream: Stream) -> Parts:
    """Return the parts that are kept. Raises DamagedImage for what does not stand as the standard has it."""
    size = size_of(stream)
    stream.seek(4)
    (length,) = struct.unpack("<I", read_exactly(stream, 4))
    if _RIFF_BYTES + length > size:
        raise damaged("a WebP that is shorter than it says")
    chunks = bounded(_chunks(stream, _RIFF_BYTES + _FORM_BYTES, _RIFF_BYTES + length))
    if not _WITH_PIXELS & {kind for kind, _, _ in chunks}:
        raise damaged("a WebP without a picture")
    kept = Parts()
    orientation = _orientation(stream, chunks)
    for kind, start, end in chunks:
        if kind == b"VP8X":
            kept.put(_extended(read_part(stream, start, end), orientation))
        elif kind == b"ANIM" and end - start == _ANIMATION_BYTES:
            kept.keep(start - 8, end)
        elif kind == b"ANMF":
            kept.add(_frame(stream, start, end))
        elif kind in _KEPT:
            kept.keep(start - 8, end + (end - start) % 2)
    if orientation != UPRIGHT:
        exif = exif_of(orientation)
        kept.put(b"EXIF" + struct.pack("<I", len(exif)) + exif)
    whole = Parts()
    whole.put(b"RIFF" + struct.pack("<I", _FORM_BYTES + kept.bytes()) + b"WEBP")
    whole.add(kept)
    return whole


def _chunks(stream: Stream, at: int, end: int) -> Iterator[Chunk]:
    """Yield name, start and end of the data of the chunks in a part of the file; each has an even number of bytes."""
    while at < end:
        stream.seek(at)
        kind, length = struct.unpack("<4sI", read_exactly(stream, 8))
        start, at = at + 8, at + 8 + length + length % 2
        if at > end:
            raise damaged("a WebP chunk that is longer than its place")
        yield kind, start, start + length


def _orientation(stream: Stream, chunks: list[Chunk]) -> int:
    """Return the orientation; only the extended format has a place for it."""
    if not chunks or chunks[0][0] != b"VP8X":
        return UPRIGHT
    exif = next((chunk for chunk in chunks if chunk[0] == b"EXIF"), None)
    return orientation_in(read_part(stream, *exif[1:])) if exif else UPRIGHT


def _extended(data: bytes, orientation: int) -> bytes:
    if len(data) != _EXTENDED_BYTES:
        raise damaged("a WebP header of no possible length")
    flags = data[0] & _HAS_PROFILE_ALPHA_OR_ANIMATION | (_HAS_EXIF if orientation != UPRIGHT else 0)
    return b"VP8X" + struct.pack("<IB", _EXTENDED_BYTES, flags) + bytes(3) + data[4:]


def _frame(stream: Stream, start: int, end: int) -> Parts:
    """Return a frame of an animation; it has chunks of its own."""
    if end - start < _FRAME_BYTES:
        raise damaged("a WebP frame without its header")
    pixels = Parts()
    pixels.keep(start, start + _FRAME_BYTES)
    for kind, first, last in bounded(_chunks(stream, start + _FRAME_BYTES, end)):
        if kind in _PIXELS:
            pixels.keep(first - 8, last + (last - first) % 2)
    frame = Parts()
    frame.put(b"ANMF" + struct.pack("<I", pixels.bytes()))
    frame.add(pixels)
    return frame
