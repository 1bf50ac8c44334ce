"""What a stripped file is made of: ranges of the file it comes from, and a few bytes written anew.

So a file of any size is stripped without holding it. Beside it the one thing of EXIF that the look needs: which way
up a picture is.
"""

import struct
from collections.abc import Iterable
from typing import TypeVar

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream

Part = bytes | range
"""Bytes to send, or the positions in the original at which they stand."""

MAX_EXIF_BYTES = 1 << 16
"""Bytes of EXIF in which the orientation is looked for; a JPEG segment holds no more."""

MOST_PIECES = 50_000
"""Segments or chunks that are looked at before a file is called damaged; ordinary large ones have below 20,000."""

EXIF_MARK = b"Exif\0\0"
"""Stands before the EXIF of a JPEG, and in some files of other formats too."""

UPRIGHT = 1

_ORIENTATION, _SHORT = 0x0112, 3
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_HEADER_BYTES, _COUNT_BYTES, _ENTRY_BYTES = 8, 2, 12


Piece = TypeVar("Piece")


def bounded(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the segments or chunks of a file. More than MOST_PIECES are a DamagedImage."""
    found = []
    for piece in pieces:
        found.append(piece)
        if len(found) > MOST_PIECES:
            raise damaged("a file of too many pieces")
    return found


class Parts:
    """The parts of a stripped file, in order."""

    def __init__(self) -> None:
        self._parts: list[Part] = []

    def keep(self, start: int, end: int) -> None:
        """Add what stands in the original from `start` up to `end`."""
        if start == end:
            return
        last = self._parts[-1] if self._parts else b""
        if isinstance(last, range) and last.stop == start:
            self._parts[-1] = range(last.start, end)
        else:
            self._parts.append(range(start, end))

    def put(self, data: bytes) -> None:
        """Add bytes that are not in the original."""
        if data:
            self._parts.append(data)

    def add(self, others: "Parts") -> None:
        """Add the parts of another list."""
        self._parts.extend(others.all())

    def all(self) -> tuple[Part, ...]:
        """Return the parts."""
        return tuple(self._parts)

    def bytes(self) -> int:
        """Return how many bytes the parts have together."""
        return sum(map(len, self._parts))


def size_of(stream: Stream) -> int:
    """Return the bytes of a whole file; its position is then the end."""
    return stream.seek(0, 2)


def read_part(stream: Stream, start: int, end: int, *, at_most: int = MAX_EXIF_BYTES) -> bytes:
    """Return the beginning of a part of a file, and leave the position as it was."""
    before = stream.tell()
    stream.seek(start)
    data = read_exactly(stream, min(end - start, at_most))
    stream.seek(before)
    return data


def orientation_in(exif: bytes) -> int:
    """Return the orientation, 1 to 8, that EXIF names in its first directory; 1 when none is to be made out."""
    tiff = exif.removeprefix(EXIF_MARK)
    order = _ORDERS.get(tiff[:4])
    if order is None or len(tiff) < _HEADER_BYTES:
        return UPRIGHT
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    if start + _COUNT_BYTES > len(tiff):
        return UPRIGHT
    (count,) = struct.unpack_from(order + "H", tiff, start)
    first = start + _COUNT_BYTES
    last = min(first + count * _ENTRY_BYTES, len(tiff) - _ENTRY_BYTES + 1)
    for at in range(first, last, _ENTRY_BYTES):
        tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, at)
        if (tag, kind) == (_ORIENTATION, _SHORT):
            return value if 1 <= value <= 8 else UPRIGHT  # noqa: PLR2004 - as EXIF has it
    return UPRIGHT


def exif_of(orientation: int) -> bytes:
    """Return EXIF that names an orientation and nothing else, without the mark."""
    entry = struct.pack(">HHIHH", _ORIENTATION, _SHORT, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", _HEADER_BYTES, 1) + entry + bytes(4)
