"""PNG: the chunks that make the picture and decide its colors are kept, and no others."""

import struct
import zlib
from collections.abc import Callable, Iterator

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream
from pipeline.features.stripping.parts import UPRIGHT, Parts, bounded, exif_of, orientation_in, read_part, size_of
from pipeline.features.stripping.png_rows import check_rows
from pipeline.features.stripping.profiles import LARGEST_PROFILE_BYTES, rebuilt, unpacked

_SIGNATURE_BYTES = 8
_HEADER_BYTES = 13
_CRITICAL = 0x20  # the bit of the first letter of a name that is zero in chunks one cannot do without

_PALETTE = 3
_MOST_DEPTHS = {0: 16, 2: 16, 3: 8, 4: 16, 6: 16}
"""The most bits of a sample by the color type: gray, RGB, a palette, gray and RGB with alpha."""

_KEY_BYTES = {0: 2, 2: 6}
_SIGNIFICANT_BYTES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_BACKGROUND_BYTES = {0: 2, 2: 6, 3: 1, 4: 2, 6: 6}
_BYTES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8, b"pHYs": 9, b"acTL": 8}
"""The bytes that chunks have by the standard (PNG, third edition); another length holds something else."""

_CONTROL_BYTES, _NUMBER_BYTES = 26, 4
_REPEATED = frozenset({b"IDAT", b"fcTL", b"fdAT"})
_PROFILE_NAME = b"icc\0\0"  # a name that nobody needs, and the method of compression
_MOST_NAME_BYTES = 79

Chunk = tuple[bytes, int, int]


def parts_of(stream: Stream) -> Parts:
    """Return the parts that are kept. Raises DamagedImage for what does not stand as the standard has it."""
    chunks = bounded(_chunks(stream))
    if not chunks or chunks[0][0] != b"IHDR":
        raise damaged("a PNG that does not begin with its header")
    _check_places(chunks)
    fits = _fitting(stream, chunks)
    kept, seen = Parts(), set[bytes]()
    kept.keep(0, _SIGNATURE_BYTES)
    for kind, start, end in chunks:
        if kind in seen or not fits(kind, end - start):
            if not kind[0] & _CRITICAL and not (kind == b"PLTE" and kind not in seen):
                raise damaged("a PNG chunk that is not known, or stands there twice")
            continue
        if kind not in _REPEATED:
            seen.add(kind)
        if kind == b"iCCP":
            _put_profile(kept, read_part(stream, start, end, at_most=LARGEST_PROFILE_BYTES))
            continue
        kept.keep(start - 8, end + 4)
        if kind == b"IHDR":
            _put_orientation(kept, stream, chunks)
    kept.put(_written(b"IEND", b""))
    return kept


def _check_places(chunks: list[Chunk]) -> None:
    """Refuse rows that are not in one place, of which decoders take the first alone."""
    kinds = [kind for kind, _, _ in chunks]
    count = kinds.count(b"IDAT")
    first = kinds.index(b"IDAT") if count else 0
    if not count or kinds[first : first + count] != [b"IDAT"] * count:
        raise damaged("a PNG without rows, or with something between them")


def _fitting(stream: Stream, chunks: list[Chunk]) -> Callable[[bytes, int], bool]:
    """Return what tells whether a chunk of a kind and length belongs into this file, whose rows are looked at first."""
    _, start, end = chunks[0]
    header = read_part(stream, start, end)
    if len(header) != _HEADER_BYTES or header[9] not in _MOST_DEPTHS or header[8] > _MOST_DEPTHS[header[9]]:
        raise damaged("a PNG of no known color type")
    depth, color = header[8], header[9]
    palette = next((end - start for kind, start, end in chunks if kind == b"PLTE"), 0)
    if color == _PALETTE and (palette % 3 or not 1 <= palette // 3 <= 1 << depth):
        raise damaged("a PNG palette that is too long or too short")
    moves = any(kind == b"acTL" and end - start == _BYTES[kind] for kind, start, end in chunks)
    check_rows(stream, header, chunks, moves=moves)
    exact = _BYTES | {
        b"IHDR": _HEADER_BYTES,
        b"PLTE": palette if color == _PALETTE else -1,  # elsewhere it only suggests colors to old screens
        b"tRNS": _KEY_BYTES.get(color, -1),
        b"sBIT": _SIGNIFICANT_BYTES[color],
        b"bKGD": _BACKGROUND_BYTES[color],
        b"fcTL": _CONTROL_BYTES if moves else -1,
    }

    def fits(kind: bytes, length: int) -> bool:
        if kind == b"tRNS" and color == _PALETTE:
            return 1 <= length <= palette // 3
        return (
            kind in {b"IDAT", b"iCCP"}
            or (kind == b"fdAT" and moves and length >= _NUMBER_BYTES)
            or length == exact.get(kind)
        )

    return fits


def _put_profile(kept: Parts, data: bytes) -> None:
    """Put a color profile, under no name. One that decoders would not take is left out."""
    name, _, packed = data.partition(b"\0")
    if len(name) <= _MOST_NAME_BYTES and packed[:1] == b"\0":
        profile = rebuilt(unpacked(packed[1:]) or b"")
        if profile is not None:
            kept.put(_written(b"iCCP", _PROFILE_NAME + zlib.compress(profile)))


def _chunks(stream: Stream) -> Iterator[Chunk]:
    """Yield name, start and end of the data of each chunk before the last."""
    size = size_of(stream)
    stream.seek(_SIGNATURE_BYTES)
    while True:
        length, kind = struct.unpack(">I4s", read_exactly(stream, 8))
        if kind == b"IEND":
            return
        start = stream.tell()
        if start + length + 4 > size:
            raise damaged("a PNG chunk that is longer than its file")
        yield kind, start, start + length
        stream.seek(start + length + 4)


def _put_orientation(kept: Parts, stream: Stream, chunks: list[Chunk]) -> None:
    for kind, start, end in chunks:
        if kind == b"eXIf":
            orientation = orientation_in(read_part(stream, start, end))
            if orientation != UPRIGHT:
                kept.put(_written(b"eXIf", exif_of(orientation)))
            return


def _written(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
