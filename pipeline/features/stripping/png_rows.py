"""The rows of a PNG: that nothing stands behind them, in their compressed data or unpacked, where decoders stop."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream
from pipeline.features.stripping.parts import read_part

Chunk = tuple[bytes, int, int]

MOST_ROW_BYTES = 1 << 29
"""Unpacked bytes of all frames of a file that are looked at, which takes about a second; 170 megapixels have more."""

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and the steps across and down, of the passes of an interlaced picture."""

_PLAIN = ((0, 0, 1, 1),)
_CONTROL_BYTES = 26
_NUMBER_BYTES = 4  # before the data in each fdAT
_READ_BYTES, _UNPACKED_BYTES = 1 << 18, 1 << 20


@dataclass(frozen=True)
class _Frame:
    """Width and height in pixels, and where the pieces of the compressed rows begin and end."""

    width: int
    height: int
    pieces: list[tuple[int, int]]


def check_rows(stream: Stream, header: bytes, chunks: list[Chunk], *, moves: bool) -> None:
    """Raise DamagedImage unless each frame has its rows and nothing else. `header` is that of the picture."""
    bits = header[8] * _SAMPLES[header[9]]
    passes = _PASSES if header[12] else _PLAIN
    left = MOST_ROW_BYTES
    for frame in _frames(stream, header, chunks, moves=moves):
        expected = sum(_pass_bytes(frame, bits, each) for each in passes)
        left -= expected
        if left < 0:
            raise damaged("a PNG with too many rows")
        if _unpacked_bytes(stream, frame.pieces, expected) != expected:
            raise damaged("a PNG with more or fewer rows than it says")


def _frames(stream: Stream, header: bytes, chunks: list[Chunk], *, moves: bool) -> list[_Frame]:
    size = struct.unpack(">II", header[:8])
    frames: list[_Frame] = []
    announced, last = 0, b""
    for kind, start, end in chunks:
        if kind == b"fcTL" and moves:
            if end - start != _CONTROL_BYTES or last == kind:
                raise damaged("a PNG with a frame of no known kind")
            announced += 1
            width, height = struct.unpack_from(">II", read_part(stream, start, end), 4)
            size = width, height
        elif kind == b"IDAT" or (kind == b"fdAT" and moves):
            if last != kind:
                if kind == b"fdAT" and last != b"fcTL":
                    raise damaged("a PNG with rows of no frame")
                frames.append(_Frame(size[0], size[1], []))
            frames[-1].pieces.append((start + (_NUMBER_BYTES if kind == b"fdAT" else 0), end))
        else:
            continue
        last = kind
    told = [read_part(stream, start, end) for kind, start, end in chunks if kind == b"acTL"]
    if moves and (told[0][:4] != struct.pack(">I", announced) or last == b"fcTL"):
        raise damaged("a PNG with other frames than it says")
    return frames


def _pass_bytes(frame: _Frame, bits: int, each: tuple[int, int, int, int]) -> int:
    left, top, across, down = each
    columns = max(0, -((left - frame.width) // across))
    rows = max(0, -((top - frame.height) // down))
    return rows * (1 + (columns * bits + 7) // 8) if columns else 0


def _unpacked_bytes(stream: Stream, pieces: list[tuple[int, int]], expected: int) -> int:
    """Return how many bytes the rows have, or some that are too many."""
    inflater, count = zlib.decompressobj(), 0
    try:
        for data in _read(stream, pieces):
            if inflater.eof:
                raise damaged("a PNG with something behind its rows")
            waiting = data
            while True:
                unpacked = len(inflater.decompress(waiting, _UNPACKED_BYTES))
                waiting = inflater.unconsumed_tail
                count += unpacked
                if count > expected or inflater.unused_data:
                    raise damaged("a PNG with something behind its rows")
                if not waiting and unpacked < _UNPACKED_BYTES:
                    break
    except zlib.error as error:
        raise damaged("a PNG whose rows cannot be unpacked") from error
    if not inflater.eof:
        raise damaged("a PNG whose rows do not end")
    return count


def _read(stream: Stream, pieces: list[tuple[int, int]]) -> Iterator[bytes]:
    for start, end in pieces:
        stream.seek(start)
        for at in range(start, end, _READ_BYTES):
            yield read_exactly(stream, min(_READ_BYTES, end - at))
