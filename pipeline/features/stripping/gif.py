"""GIF: frames, their timing and the number of rounds are kept; comments and the data of applications are not."""

import struct

from pipeline.features.formats import damaged
from pipeline.features.headers import read_exactly
from pipeline.features.paced import Stream
from pipeline.features.stripping.parts import Parts, size_of

_SCREEN_END = 13  # signature, size, flags, background and aspect ratio
_CONTROL, _APPLICATION = 0xF9, 0xFF
_CONTROL_BYTES = 4
_LOOPING = frozenset({b"NETSCAPE2.0", b"ANIMEXTS1.0"})
_ROUNDS_BYTES, _ROUNDS = 3, 1  # a block of three bytes that begins with 1 holds the number of rounds
_TABLE, _TABLE_SIZE = 0x80, 7
_NOWHERE = range(0)
_MOST_BLOCKS = 4  # no extension that is kept has more


def parts_of(stream: Stream) -> Parts:
    """Return the parts that are kept. Raises DamagedImage for what does not stand as the standard has it."""
    size = size_of(stream)
    stream.seek(_SCREEN_END - 3)
    _skip_colors(stream, read_exactly(stream, 3)[0])
    kept = Parts()
    kept.keep(0, stream.tell())
    control, rounds = _NOWHERE, b""
    while (introducer := stream.read(1)) not in {b";", b""}:  # many encoders forget the end
        start = stream.tell() - 1
        if introducer == b"!":
            label, blocks = read_exactly(stream, 1)[0], _blocks(stream)
            if label == _CONTROL and [len(block) for block in blocks] == [_CONTROL_BYTES]:
                control = range(start, stream.tell())  # the last before a frame is the one that counts
            elif label == _APPLICATION and not rounds:
                rounds = _rounds(blocks)
                kept.put(rounds)
        elif introducer == b",":
            _skip_colors(stream, read_exactly(stream, 9)[8])
            read_exactly(stream, 1)  # the size of a code
            _blocks(stream)
            kept.keep(control.start, control.stop)
            kept.keep(start, stream.tell())
            control = _NOWHERE
        else:
            raise damaged("a GIF block of no known kind")
    if stream.tell() > size:
        raise damaged("a GIF that ends within its colors")
    kept.put(b";")
    return kept


def _skip_colors(stream: Stream, flags: int) -> None:
    if flags & _TABLE:
        stream.seek(3 << ((flags & _TABLE_SIZE) + 1), 1)


def _rounds(blocks: list[bytes]) -> bytes:
    """Return the extension that tells how often to play, and nothing else; empty when these are not its blocks."""
    if blocks and blocks[0] in _LOOPING:
        for block in blocks[1:]:
            if len(block) == _ROUNDS_BYTES and block[0] == _ROUNDS:
                return struct.pack(">BBB", 0x21, _APPLICATION, len(blocks[0])) + blocks[0] + b"\x03" + block + b"\0"
    return b""


def _blocks(stream: Stream) -> list[bytes]:
    """Return the first few blocks of data, and go to the end of the last."""
    blocks: list[bytes] = []
    count = read_exactly(stream, 1)[0]
    while count:
        *block, count = read_exactly(stream, count + 1)  # with the length of the next, to read half as often
        if len(blocks) < _MOST_BLOCKS:
            blocks.append(bytes(block))
    return blocks
