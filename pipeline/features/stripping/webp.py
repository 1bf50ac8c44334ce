"""WebP: frames, transparency, animation and color profile are kept; EXIF, XMP and chunks of no known name are not."""

import struct
from collections.abc import Iterator

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream
from pipeline.features.stripping.parts import UPRIGHT, Parts, bounded, exif_of, orientation_in, read_part, size_of
from pipeline.features.stripping.profiles import LARGEST_PROFILE_BYTES, rebuilt

_RIFF_BYTES, _FORM_BYTES = 8, 4  # "RIFF" and a length; "WEBP"
_EXTENDED_BYTES, _FRAME_BYTES, _ANIMATION_BYTES = 10, 16, 6

_HAS_EXIF, _HAS_PROFILE, _HAS_ALPHA, _IS_ANIMATED = 0x08, 0x20, 0x10, 0x02
"""Bits of the first byte of VP8X; the others tell of XMP, or nothing yet."""

_HOW_TO_FOLLOW = 0x03
"""Bits of the last byte of the header of a frame; the others mean nothing yet."""

_PICTURE = frozenset({b"VP8 ", b"VP8L"})

Chunk = tuple[bytes, int, int]


def parts_of(stream: Stream) -> Parts:
    """Return the parts that are kept. Raises DamagedImage for what does not stand as the standard has it."""
    size = size_of(stream)
    stream.seek(4)
    (length,) = struct.unpack("<I", read_exactly(stream, 4))
    if _RIFF_BYTES + length > size:
        raise damaged("a WebP that is shorter than it says")
    chunks = bounded(_chunks(stream, _RIFF_BYTES + _FORM_BYTES, _RIFF_BYTES + length))
    if not chunks:
        raise damaged("a WebP without a picture")
    kept = Parts()
    if chunks[0][0] == b"VP8X":
        _put_extended(kept, stream, chunks)
    else:
        _put_picture(kept, chunks[:1])
    whole = Parts()
    whole.put(b"RIFF" + struct.pack("<I", _FORM_BYTES + kept.bytes()) + b"WEBP")
    whole.add(kept)
    return whole


def _put_extended(kept: Parts, stream: Stream, chunks: list[Chunk]) -> None:
    header = read_part(stream, *chunks[0][1:])
    if len(header) != _EXTENDED_BYTES:
        raise damaged("a WebP header of no possible length")
    orientation, profile = _orientation(stream, chunks), _profile(stream, chunks)
    flags = header[0] & (_HAS_ALPHA | _IS_ANIMATED)
    flags |= (_HAS_EXIF if orientation != UPRIGHT else 0) | (_HAS_PROFILE if profile is not None else 0)
    kept.put(_written(b"VP8X", bytes([flags, 0, 0, 0]) + header[4:]))
    if profile is not None:
        kept.put(_written(b"ICCP", profile))
    if flags & _IS_ANIMATED:
        _put_animation(kept, stream, chunks)
    else:
        _put_picture(kept, chunks)
    if orientation != UPRIGHT:
        kept.put(_written(b"EXIF", exif_of(orientation)))


def _put_animation(kept: Parts, stream: Stream, chunks: list[Chunk]) -> None:
    animation = next((chunk for chunk in chunks if chunk[0] == b"ANIM"), None)
    if animation is None or animation[2] - animation[1] != _ANIMATION_BYTES:
        raise damaged("a WebP animation of no known kind")
    kept.keep(animation[1] - 8, animation[2])
    for kind, start, end in chunks:
        if kind == b"ANMF":
            kept.add(_frame(stream, start, end))


def _put_picture(kept: Parts, chunks: list[Chunk]) -> None:
    """Keep the first picture, which is what decoders take, and the transparency before it."""
    picture = next((chunk for chunk in chunks if chunk[0] in _PICTURE), None)
    if picture is None:
        raise damaged("a WebP without a picture")
    transparency = next((chunk for chunk in chunks[: chunks.index(picture)] if chunk[0] == b"ALPH"), None)
    for chunk in (transparency if picture[0] == b"VP8 " else None, picture):
        if chunk is not None:
            kept.keep(chunk[1] - 8, chunk[2])
            kept.put(bytes((chunk[2] - chunk[1]) % 2))


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
    exif = next((chunk for chunk in chunks if chunk[0] == b"EXIF"), None)
    return orientation_in(read_part(stream, *exif[1:])) if exif else UPRIGHT


def _profile(stream: Stream, chunks: list[Chunk]) -> bytes | None:
    """Return the color profile, without what colors do not need."""
    found = next((chunk for chunk in chunks if chunk[0] == b"ICCP"), None)
    return rebuilt(read_part(stream, *found[1:], at_most=LARGEST_PROFILE_BYTES)) if found else None


def _written(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _frame(stream: Stream, start: int, end: int) -> Parts:
    """Return a frame of an animation; it has chunks of its own."""
    if end - start < _FRAME_BYTES:
        raise damaged("a WebP frame without its header")
    header = read_part(stream, start, start + _FRAME_BYTES)
    pixels = Parts()
    _put_picture(pixels, bounded(_chunks(stream, start + _FRAME_BYTES, end)))
    frame = Parts()
    frame.put(b"ANMF" + struct.pack("<I", _FRAME_BYTES + pixels.bytes()))
    frame.put(header[:-1] + bytes([header[-1] & _HOW_TO_FOLLOW]))
    frame.add(pixels)
    return frame
