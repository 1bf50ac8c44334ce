"""The tags of a TIFF that say how large the picture is and what decoding will cost; RAW photos are told apart here.

Most RAW formats (DNG, NEF, ARW, PEF, …) are TIFF files whose first picture is only a preview.
"""

import struct

from pipeline.features.formats import damaged, refuse_raw
from pipeline.features.headers import Header, read_exactly
from pipeline.features.paced import Stream

_MAX_ENTRIES = 4096
_MAX_VALUES = 16
"""Values read of one tag; those looked at here have up to four."""

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _MAKE = 254, 256, 257, 258, 259, 271
_SAMPLES, _ROWS_PER_STRIP, _SUB_IFDS, _DNG_VERSION, _TILE_HEIGHT = 277, 278, 330, 50706, 323
_PHOTOMETRIC, _COLOR_FILTER_ARRAY, _LINEAR_RAW = 262, 32803, 34892
_REDUCED_PREVIEW = 1
_UNCOMPRESSED = 1
_OLD_JPEG = 6

_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

Tags = dict[int, tuple[int, ...]]


def read_tiff(stream: Stream) -> Header:
    """Read the first directory; a RAW photo is an UnsupportedFormat."""
    tags = _first_directory(stream)
    if _is_raw(tags):
        raise refuse_raw()
    height = _one(tags, _HEIGHT, 0)
    rows = min(_one(tags, _TILE_HEIGHT, _one(tags, _ROWS_PER_STRIP, height)), height)
    samples, bits = _one(tags, _SAMPLES, 1), max(tags.get(_BITS, (1,)))
    compressed = _one(tags, _COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED
    return Header(_one(tags, _WIDTH, 0), height, samples, bits, whole=rows == height, compressed=compressed)


def _is_raw(tags: Tags) -> bool:
    if _DNG_VERSION in tags or _one(tags, _PHOTOMETRIC, 0) in {_COLOR_FILTER_ARRAY, _LINEAR_RAW}:
        return True
    preview = _one(tags, _SUBFILE, 0) & _REDUCED_PREVIEW or _one(tags, _COMPRESSION, 1) == _OLD_JPEG
    return bool(_SUB_IFDS in tags and _MAKE in tags and preview)


def _one(tags: Tags, tag: int, default: int) -> int:
    values = tags.get(tag)
    return values[0] if values else default


def _first_directory(stream: Stream) -> Tags:
    stream.seek(0)
    mark = read_exactly(stream, 4)
    order = "<" if mark[:2] == b"II" else ">"
    big = mark[2 if order == "<" else 3] == ord("+")
    if big:
        read_exactly(stream, 4)
    word, entry = ("Q", 20) if big else ("I", 12)
    (start,) = struct.unpack(order + word, read_exactly(stream, struct.calcsize(word)))
    _seek(stream, start)
    (count,) = struct.unpack(order + ("Q" if big else "H"), read_exactly(stream, 8 if big else 2))
    if not 0 < count <= _MAX_ENTRIES:
        raise damaged(f"a TIFF directory of {count} entries")
    table = stream.read(entry * count)
    entries = (table[at : at + entry] for at in range(0, len(table) - entry + 1, entry))
    return dict(_entry(stream, data, order, word) for data in entries)


def _entry(stream: Stream, data: bytes, order: str, word: str) -> tuple[int, tuple[int, ...]]:
    tag, kind, count = struct.unpack(order + "HH" + word, data[: 4 + struct.calcsize(word)])
    field = data[4 + struct.calcsize(word) :]
    wanted = min(count, _MAX_VALUES)
    if kind not in _CODES:
        return tag, ()
    if count * _SIZES[kind] > len(field):
        _seek(stream, struct.unpack(order + word, field)[0])
        field = stream.read(wanted * _SIZES[kind])
    complete = min(wanted, len(field) // _SIZES[kind])
    return tag, struct.unpack_from(f"{order}{complete}{_CODES[kind]}", field)


def _seek(stream: Stream, offset: int) -> None:
    if offset >= 1 << 62:
        raise damaged("a TIFF offset beyond any file")
    stream.seek(offset)
