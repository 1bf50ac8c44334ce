"""A PNG decoded a few rows at a time: Pillow would hold 4 bytes for each of its pixels, 200 MB for 50 megapixels.

The rows of a strip, still filtered, are put into a small PNG of their own and decoded by Pillow. Its first row is
the last one of the strip before, unfiltered, because the filters of PNG look at the row above.
"""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from pipeline.features.formats import damaged
from pipeline.features.headers import Header

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_READ_BYTES = 1 << 16
_STORED_BYTES = 0xFFFF
"""The most that a stored block of deflate can hold."""

_COLOR_TYPES = {2: 4, 3: 2, 4: 6}
"""Color type by samples: gray with alpha, RGB, RGBA. Gray and palettes take one byte a pixel in Pillow too."""

_MIN_PIXELS = 4_000_000
"""Below this size a whole frame costs less than the detour."""


def worthwhile(header: Header) -> bool:
    """Tell whether a PNG can be decoded in strips, and is large enough for it to matter."""
    eight_bits = header.bits == 8  # noqa: PLR2004 - wider samples cannot be had back from Pillow unfiltered
    return (
        not header.whole
        and eight_bits
        and header.samples in _COLOR_TYPES
        and header.width * header.height >= _MIN_PIXELS
    )


def strips(stream: BinaryIO, header: Header, rows: int) -> Iterator[Image.Image]:
    """Yield RGB, RGBA or LA images of `rows` rows, the last with what is left. A short file is a DamagedImage."""
    inflate = _Inflate(stream)
    row_bytes = 1 + header.width * header.samples
    above = bytes(row_bytes - 1)
    for top in range(0, header.height, rows):
        count = min(rows, header.height - top)
        strip = _decoded(header, b"".join((b"\0", above, *inflate.parts(count * row_bytes))), count + 1)
        above = strip.crop((0, count, header.width, count + 1)).tobytes()
        yield strip.crop((0, 1, header.width, count + 1))


def _decoded(header: Header, filtered: bytes, rows: int) -> Image.Image:
    shape = struct.pack(">IIBBBBB", header.width, rows, header.bits, _COLOR_TYPES[header.samples], 0, 0, 0)
    parts = list(_stored(filtered))
    length = struct.pack(">I", sum(map(len, parts)))
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + shape))
    small = (_SIGNATURE, b"\0\0\0\x0dIHDR", shape, checksum, length, b"IDAT", *parts, _END)
    image = Image.open(BytesIO(b"".join(small)), formats=("PNG",))
    image.load()
    return image


_END = bytes(4) + b"\0\0\0\0IEND\xaeB`\x82"
"""The checksum of the rows, which Pillow does not look at, and the last chunk."""


def _stored(data: bytes) -> Iterator[bytes | memoryview]:
    """Yield data in the form of zlib (RFC 1950, 1951) but not compressed, many times as fast as `zlib.compress`.

    No block is marked as the last, and no checksum follows: Pillow stops at the last row, and computing two checksums
    would be a fifth of all the time.
    """
    view = memoryview(data)
    yield b"\x78\x01"
    for start in range(0, len(data), _STORED_BYTES):
        part = view[start : start + _STORED_BYTES]
        yield struct.pack("<BHH", 0, len(part), len(part) ^ 0xFFFF)
        yield part


class _Inflate:
    """The rows of a PNG as one stream of bytes, from the chunks in which they are compressed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = 0
        self._inflate = zlib.decompressobj()
        self._waiting = b""
        stream.seek(len(_SIGNATURE))
        self._seek_data()

    def parts(self, count: int) -> Iterator[bytes]:
        """Yield the next `count` bytes in parts."""
        while count:
            part = self._inflate.decompress(self._waiting or self._more(), count)
            self._waiting = self._inflate.unconsumed_tail
            if not part and self._inflate.eof:
                raise damaged("the compressed rows end early")
            count -= len(part)
            yield part

    def _more(self) -> bytes:
        while not self._left:
            self._stream.seek(4, 1)  # the checksum; zlib has one of its own over all rows
            self._seek_data()
        data = self._stream.read(min(self._left, _READ_BYTES))
        if not data:
            raise damaged("the file ends within its rows")
        self._left -= len(data)
        return data

    def _seek_data(self) -> None:
        """Stand at the next chunk of rows; before the first, others are passed over."""
        while len(head := self._stream.read(8)) == 8:  # noqa: PLR2004
            length, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT":
                self._left = length
                return
            if kind == b"IEND":
                break
            self._stream.seek(length + 4, 1)
        raise damaged("the rows are missing")
