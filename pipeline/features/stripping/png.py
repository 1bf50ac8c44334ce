"""PNG: the chunks that make the picture and decide its colors are kept, and no others."""

import struct
import zlib
from collections.abc import Iterator

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream
from pipeline.features.stripping.parts import UPRIGHT, Parts, bounded, exif_of, orientation_in, read_part, size_of

_SIGNATURE_BYTES = 8
_FRAME_BYTES = 12  # of a chunk: its length, its name and its check sum
_CRITICAL = 0x20  # the bit of the first letter of a name that is zero in chunks one cannot do without

_NO_LIMIT = 1 << 31

_KEPT = {
    b"IHDR": 13,
    b"PLTE": 768,
    b"IDAT": _NO_LIMIT,
    b"tRNS": 256,
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"iCCP": _NO_LIMIT,
    b"cICP": 4,
    b"mDCV": 24,
    b"cLLI": 8,
    b"sBIT": 4,
    b"bKGD": 6,
    b"pHYs": 9,
    b"acTL": 8,
    b"fcTL": 26,
    b"fdAT": _NO_LIMIT,
}
"""The most bytes that these chunks have by the standard (PNG, third edition); a longer one holds something else too."""

Chunk = tuple[bytes, int, int]


def parts_of(stream: Stream) -> Parts:
    """Return the parts that are kept. Raises DamagedImage for what does not stand as the standard has it."""
    chunks = bounded(_chunks(stream))
    if not chunks or chunks[0][0] != b"IHDR":
        raise damaged("a PNG that does not begin with its header")
    if not any(kind == b"IDAT" for kind, _, _ in chunks):
        raise damaged("a PNG without rows")
    kept = Parts()
    kept.keep(0, _SIGNATURE_BYTES)
    for kind, start, end in chunks:
        if end - start > _KEPT.get(kind, -1):
            if not kind[0] & _CRITICAL:
                raise damaged("a PNG chunk that is not known")
            continue
        kept.keep(start - 8, end + 4)
        if kind == b"IHDR":
            _put_orientation(kept, stream, chunks)
    kept.put(_written(b"IEND", b""))
    return kept


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
