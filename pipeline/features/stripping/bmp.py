"""BMP has no place for texts, but color profiles may be names of files, and files may be longer than their pixels."""

import struct

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream
from pipeline.features.stripping.parts import Parts, size_of

_FILE_HEADER_BYTES = 14
_OLD_HEADER_BYTES, _PLAIN_HEADER_BYTES, _LAST_PLAIN_HEADER_BYTES = 12, 40, 108
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
    elif _PLAIN_HEADER_BYTES <= header_bytes <= _LAST_PLAIN_HEADER_BYTES:
        width, height, _, bits, compression, _, _, _, colors = struct.unpack("<iiHHIIiiI", read_exactly(stream, 32))
    else:
        raise damaged("a BMP header that may hold a profile")
    if compression not in {_UNCOMPRESSED, _MASKED} or width < 1:
        raise damaged("a BMP that is compressed")
    entry = 3 if header_bytes == _OLD_HEADER_BYTES else 4
    palette = entry * (colors or 1 << bits) if bits <= _MOST_PALETTE_BITS else 0
    masks = _MASKS_BYTES if compression == _MASKED and header_bytes == _PLAIN_HEADER_BYTES else 0
    end = pixels_at + (width * bits + 31) // 32 * 4 * abs(height)
    if pixels_at != _FILE_HEADER_BYTES + header_bytes + masks + palette or end > size:
        raise damaged("a BMP whose pixels do not follow its header")
    kept = Parts()
    kept.keep(0, end)
    return kept
