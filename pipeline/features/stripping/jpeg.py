"""JPEG: tables, frames and scans are kept, and of the application segments those that decide how it looks.

Those are what counts of the color profile, Adobe's note on the color space, and the JFIF header without its preview.
Everything after the end of the picture goes: phones append videos, depth maps and second pictures there.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream
from pipeline.features.stripping.parts import (
    EXIF_MARK,
    UPRIGHT,
    Parts,
    bounded,
    exif_of,
    orientation_in,
    read_part,
    size_of,
)
from pipeline.features.stripping.profiles import LARGEST_PROFILE_BYTES, rebuilt

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_JFIF, _EXIF, _PROFILE, _ADOBE = 0xE0, 0xE1, 0xE2, 0xEE
_APPLICATION = frozenset(range(0xE0, 0xF0))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN, _ARITHMETIC, _QUANTIZATION, _LINES, _RESTART = 0xC4, 0xCC, 0xDB, 0xDC, 0xDD
_PICTURE = _FRAMES | {_HUFFMAN, _ARITHMETIC, _QUANTIZATION, _LINES, _RESTART, _SCAN}

_JFIF_MARK, _PROFILE_MARK, _ADOBE_MARK = b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"
_JFIF_BYTES = 12  # mark, version and density; the size of a preview and the preview follow
_ADOBE_BYTES = 12
_PROFILE_HEAD_BYTES = len(_PROFILE_MARK) + 2  # with the number of the part and how many there are
_MOST_PROFILE_BYTES = 65_533 - _PROFILE_HEAD_BYTES
_MOST_COMPONENTS, _MOST_TABLES, _HUFFMAN_CLASSES = 4, 4, 2

_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""What ends the coded data of a scan: neither a stuffed zero, nor a restart, nor a byte to fill."""

_FIRST_CHUNK_BYTES, _LARGEST_CHUNK_BYTES = 1 << 12, 1 << 18


@dataclass(frozen=True)
class _Segment:
    """A marker, where its segment begins and ends, and where the coded data after a scan ends."""

    marker: int
    start: int
    end: int
    data_end: int


def parts_of(stream: Stream) -> Parts:
    """Return the parts that are kept. Raises DamagedImage for what does not stand as the standard has it."""
    segments = bounded(_segments(stream))
    kept = Parts()
    kept.put(bytes([0xFF, _START]))
    _put_jfif(kept, stream, segments)
    _put_orientation(kept, stream, segments)
    _put_profile(kept, stream, segments)
    _put_adobe(kept, stream, segments)
    defined: set[tuple[int, int]] = set()
    scans = frames = 0
    for segment in segments:
        if segment.marker not in _PICTURE:
            continue
        for table in _checked(segment.marker, _data(stream, segment)):
            if (segment.marker, table) in defined:
                raise damaged("a JPEG table that is defined again before it is used")
            defined.add((segment.marker, table))
        frames += segment.marker in _FRAMES
        if segment.marker == _SCAN:
            scans += 1
            defined.clear()
        kept.keep(segment.start - 4, segment.data_end)
    if not scans or frames != 1 or not defined <= {(_LINES, 0)}:
        raise damaged("a JPEG without a scan, of several frames, or with tables for nothing")
    kept.put(bytes([0xFF, _END]))
    return kept


def _segments(stream: Stream) -> Iterator[_Segment]:
    size = size_of(stream)
    stream.seek(2)
    while (marker := _next_marker(stream)) != _END:
        if marker not in _PICTURE | _APPLICATION | {_COMMENT}:
            raise damaged(f"a JPEG marker {marker:x} that is not expected")
        (length,) = struct.unpack(">H", read_exactly(stream, 2))
        start = stream.tell()
        end = start + length - 2
        if end < start or end > size:
            raise damaged("a JPEG segment of no possible length")
        data_end = _end_of_data(stream, end) if marker == _SCAN else end
        yield _Segment(marker, start, end, data_end)
        stream.seek(data_end)


def _next_marker(stream: Stream) -> int:
    """Return the marker that stands here, after bytes that only fill."""
    if read_exactly(stream, 1) != b"\xff":
        raise damaged("no JPEG marker where one should be")
    code = b"\xff"
    while code == b"\xff":
        code = read_exactly(stream, 1)
    return code[0]


def _end_of_data(stream: Stream, start: int) -> int:
    """Return where the next marker stands; nothing but coded data is before it."""
    stream.seek(start)
    at, held, wanted = start, b"", _FIRST_CHUNK_BYTES
    while chunk := stream.read(wanted):
        found = _MARKER_IN_SCAN.search(held + chunk)
        if found:
            return at - len(held) + found.start()
        at += len(chunk)
        held = chunk[-1:]  # a marker may lie across the edge
        wanted = min(wanted * 2, _LARGEST_CHUNK_BYTES)  # small at first: a file may have many small scans
    raise damaged("a JPEG without an end")


def _data(stream: Stream, segment: _Segment) -> bytes:
    return read_part(stream, segment.start, segment.end)


def _put_jfif(kept: Parts, stream: Stream, segments: list[_Segment]) -> None:
    for segment in segments:
        data = _data(stream, segment) if segment.marker == _JFIF else b""
        if data.startswith(_JFIF_MARK) and len(data) >= _JFIF_BYTES:
            kept.put(_written(_JFIF, data[:_JFIF_BYTES] + bytes(2)))
            return


def _put_orientation(kept: Parts, stream: Stream, segments: list[_Segment]) -> None:
    for segment in segments:
        data = _data(stream, segment) if segment.marker == _EXIF else b""
        if data.startswith(EXIF_MARK):
            orientation = orientation_in(data)
            if orientation != UPRIGHT:
                kept.put(_written(_EXIF, EXIF_MARK + exif_of(orientation)))
            return


def _put_profile(kept: Parts, stream: Stream, segments: list[_Segment]) -> None:
    """Put the color profile together from its parts; when one is missing or there twice, decoders take none."""
    parts: dict[int, bytes] = {}
    marked = [data for data in _all_data(stream, segments, _PROFILE) if data.startswith(_PROFILE_MARK)]
    if sum(map(len, marked)) > LARGEST_PROFILE_BYTES:
        raise damaged("a color profile that is too large")
    for data in marked:
        if len(data) < _PROFILE_HEAD_BYTES or data[len(_PROFILE_MARK) + 1] != len(marked):
            return
        parts[data[len(_PROFILE_MARK)]] = data[_PROFILE_HEAD_BYTES:]
    if sorted(parts) != list(range(1, len(marked) + 1)):
        return
    profile = rebuilt(b"".join(parts[number] for number in sorted(parts)))
    starts = range(0, len(profile or b""), _MOST_PROFILE_BYTES)
    for number, at in enumerate(starts, start=1):
        head = _PROFILE_MARK + bytes([number, len(starts)])
        kept.put(_written(_PROFILE, head + (profile or b"")[at : at + _MOST_PROFILE_BYTES]))


def _put_adobe(kept: Parts, stream: Stream, segments: list[_Segment]) -> None:
    notes = [data for data in _all_data(stream, segments, _ADOBE) if data.startswith(_ADOBE_MARK)]
    if notes and len(notes[-1]) >= _ADOBE_BYTES:  # decoders go by the last
        kept.put(_written(_ADOBE, notes[-1][:_ADOBE_BYTES]))


def _all_data(stream: Stream, segments: list[_Segment], marker: int) -> Iterator[bytes]:
    return (_data(stream, segment) for segment in segments if segment.marker == marker)


def _written(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _checked(marker: int, data: bytes) -> list[int]:
    """Return the numbers of what a segment defines. One with more in it than what it is for is a DamagedImage."""
    defined = [0]
    if marker in _FRAMES:
        components = data[5] if len(data) > 5 else 0  # noqa: PLR2004 - as the standard has it
        fits = 1 <= components <= _MOST_COMPONENTS and len(data) == 6 + 3 * components
    elif marker == _SCAN:
        fits = len(data) > 0 and 1 <= data[0] <= _MOST_COMPONENTS and len(data) == 4 + 2 * data[0]
    elif marker == _HUFFMAN:
        fits, defined = _huffman_tables(data)
    elif marker == _QUANTIZATION:
        fits, defined = _quantization_tables(data)
    elif marker == _ARITHMETIC:
        fits, defined = len(data) % 2 == 0, list(data[::2])
    else:
        fits = len(data) == 2  # noqa: PLR2004 - the same
    if not fits:
        raise damaged(f"a JPEG segment {marker:x} that is too long or too short")
    return defined


def _huffman_tables(data: bytes) -> tuple[bool, list[int]]:
    """Whether nothing but tables is there: a number, how many codes of each of 16 lengths, and a value for each."""
    at, defined = 0, []
    while at < len(data):
        defined.append(data[at])
        at += 17 + sum(data[at + 1 : at + 17])
    right = all(table >> 4 < _HUFFMAN_CLASSES and table & 15 < _MOST_TABLES for table in defined)
    return at == len(data) and right, defined


def _quantization_tables(data: bytes) -> tuple[bool, list[int]]:
    """Whether nothing but tables is there: precision and number, and 64 values of one byte or of two."""
    at, defined = 0, []
    while at < len(data):
        if data[at] >> 4 > 1 or data[at] & 15 >= _MOST_TABLES:
            return False, []
        defined.append(data[at] & 15)
        at += 1 + (64 << (data[at] >> 4))
    return at == len(data), defined
