"""BMP has no place for texts, but color profiles may be names of files, and files may be longer than their pixels."""

import struct

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream
from pipeline.features.stripping.parts import Parts, size_of

_FILE_HEADER_BYTES = 14
_OLD_HEADER_BYTES, _PLAIN_HEADER_BYTES = 12, 40
_LONGER_HEADER_BYTES = frozenset({52, 56, 108})  # with masks, with one for alpha too, with primaries
_BITS = frozenset({1, 4, 8, 16, 24, 32})
_UNCOMPRESSED, _MASKED = 0, 3
_MASKS_BYTES = 12
_MOST_PALETTE_BITS = 8


def parts_of(stream: Stream) -> Parts:
    """Return the parts that are kept. Raises DamagedImage for the rarer kinds, with compression or a profile."""
    size = size_of(stream)
    stream.seek(10)
    pixels_at, header_bytes = struct.unpack("<II", read_exactly(stream, 8))
    if header_bytes == _OLD_HEADER_BYTES:
        width, height, _, bits = struct.unpack("<HHHH", read_exactly(stream, 8))
        compression = colors = 0
    elif header_bytes in {_PLAIN_HEADER_BYTES, *_LONGER_HEADER_BYTES}:
        width, height, _, bits, compression, _, _, _, colors = struct.unpack("<iiHHIIiiI", read_exactly(stream, 32))
    else:
        raise damaged("a BMP header that may hold a profile")
    if compression not in {_UNCOMPRESSED, _MASKED} or width < 1 or bits not in _BITS:
        raise damaged("a BMP that is compressed, or of no known depth")
    if bits <= _MOST_PALETTE_BITS and colors > 1 << bits:
        raise damaged("a BMP with colors that no pixel can have")
    entry = 3 if header_bytes == _OLD_HEADER_BYTES else 4
    palette = entry * (colors or 1 << bits) if bits <= _MOST_PALETTE_BITS else 0
    masks = _MASKS_BYTES if compression == _MASKED and header_bytes == _PLAIN_HEADER_BYTES else 0
    end = pixels_at + (width * bits + 31) // 32 * 4 * abs(height)
    if pixels_at != _FILE_HEADER_BYTES + header_bytes + masks + palette or end > size:
        raise damaged("a BMP whose pixels do not follow its header")
    kept = Parts()
    kept.put(struct.pack("<2sIII", b"BM", end, 0, pixels_at))
    kept.keep(_FILE_HEADER_BYTES, end)
    return kept
