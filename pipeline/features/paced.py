"""A stream that loses patience: headers are read in small steps, and a hostile file could ask for millions of them."""

from typing import Protocol

from pipeline.features.formats import damaged

_MAX_READS = 400_000
"""Reads before a file is called damaged, some 0.2 s; ordinary headers take below 1,000."""


class Stream(Protocol):
    """What reading a header needs of a file."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


class Paced:
    """A Stream that raises DamagedImage after too many reads."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left = _MAX_READS
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise damaged("a header without end")
        return self._stream.read(size)
