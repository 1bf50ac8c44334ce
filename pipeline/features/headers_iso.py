"""The size of an AVIF or HEIC picture, from the `ispe` properties of its item (ISO/IEC 23008-12)."""

import struct
from collections.abc import Iterator

from pipeline.features.formats import damaged
from pipeline.features.headers import Header
from pipeline.features.paced import Stream

_MAX_BOXES = 4096
"""Boxes looked at, at the top of a file and then in its `meta` box, before the file is called damaged.

A grid whose tiles share nothing has three properties a tile, so some 2,400 for 200 megapixels.
"""

_MAX_META_BYTES = 8 << 20
"""Size of the `meta` box that is read; those of 200-megapixel grids are below 100 kB."""

_ISPE_BYTES = 12
"""Version and flags, width, height."""

_DEPTHS = slice(5, 9)
"""Where `pixi` has the bits of each channel, of which there are up to four: after version, flags and their number."""

_ALPHA_NAME = slice(4, 68)
"""Where `auxC` begins to name what it is; the names below have up to 43 characters."""

_ALPHA_NAMES = (b":auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")

_APERTURE_BYTES = 16
_MAX_PADDING = 64
"""Pixels by which a picture is cut at most: the largest block of HEVC."""

_PROPERTIES = frozenset({b"ispe", b"clap", b"pixi", b"auxC"})

Box = tuple[bytes, memoryview]


def read_iso_image(stream: Stream) -> Header:
    """Return the largest size that any item claims: a grid has its tiles beside it, and they are smaller."""
    inside = _Inside()
    properties = [box for box in inside.walk(_meta(stream), (b"iprp", b"ipco")) if box[0] in _PROPERTIES]
    sizes = [
        struct.unpack(">II", body[4:12]) for kind, body in properties if kind == b"ispe" and len(body) == _ISPE_BYTES
    ]
    if not sizes:
        raise damaged("no picture size in the meta box")
    width, height = _without_padding(max(sizes, key=lambda size: size[0] * size[1]), properties)
    depths = [depth for kind, body in properties if kind == b"pixi" for depth in body[_DEPTHS]]
    auxiliary = [bytes(body[_ALPHA_NAME]) for kind, body in properties if kind == b"auxC"]
    alpha = any(part in name for name in auxiliary for part in _ALPHA_NAMES)
    return Header(width, height, samples=4 if alpha else 3, bits=max(depths, default=8), whole=True)


def _without_padding(size: tuple[int, int], properties: list[Box]) -> tuple[int, int]:
    """Return the size to show: encoders fill up small pictures to whole blocks, and say so with `clap`.

    Only so much is believed of it: a larger cut would make the picture look cheaper than it is to decode.
    """
    apertures = [
        struct.unpack(">IIII", body[:_APERTURE_BYTES])
        for kind, body in properties
        if kind == b"clap" and len(body) >= _APERTURE_BYTES
    ]
    for across, across_of, down, down_of in apertures:
        shown = (across // max(across_of, 1), down // max(down_of, 1))
        if all(0 <= whole - part < _MAX_PADDING for whole, part in zip(size, shown, strict=True)):
            return shown
    return size


def _meta(stream: Stream) -> memoryview:
    stream.seek(0)
    for _ in range(_MAX_BOXES):
        head = stream.read(8)
        if len(head) < 8:  # noqa: PLR2004
            break
        size, kind = struct.unpack(">I4s", head)
        length = size - 8
        if size == 1:
            length = int.from_bytes(stream.read(8)) - 16
        if kind == b"meta":
            body = stream.read(_MAX_META_BYTES if size == 0 else min(max(length, 0), _MAX_META_BYTES))
            return memoryview(body)[4:]
        if size == 0 or not 0 <= length < 1 << 62:
            break
        stream.seek(length, 1)
    raise damaged("no meta box")


class _Inside:
    """The boxes within a `meta` box. Eight bytes make one, so a small file could hold a million."""

    def __init__(self) -> None:
        self._left = _MAX_BOXES

    def walk(self, data: memoryview, path: tuple[bytes, ...]) -> Iterator[Box]:
        """Yield the boxes that stand under `path`. Raises DamagedImage when there are too many on the way."""
        for kind, body in self._boxes(data):
            if not path:
                yield kind, body
            elif kind == path[0]:
                yield from self.walk(body, path[1:])

    def _boxes(self, data: memoryview) -> Iterator[Box]:
        at = 0
        while at + 8 <= len(data):
            size, kind = struct.unpack(">I4s", data[at : at + 8])
            if size < 8:  # noqa: PLR2004 - zero and one are not used inside a meta box
                return
            self._left -= 1
            if self._left < 0:
                raise damaged(f"more than {_MAX_BOXES} boxes in the meta box")
            yield kind, data[at + 8 : at + size]
            at += size
