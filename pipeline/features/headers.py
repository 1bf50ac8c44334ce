"""The size of a picture and the way it is stored, read from its header alone, without a decoder.

Pure Python on a few bytes, so that a hostile file can be judged inside the server before any decoder sees it. The
ISO media formats are read in `headers_iso`, TIFF in `headers_tiff`; what decoding will cost is left to `limits`.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import DamagedImage
from pipeline.features.formats import damaged
from pipeline.features.paced import Paced, Stream

_MAX_SEGMENTS = 50_000
"""Segments or chunks that are walked before a file is called damaged; ordinary photos have below 100."""


@dataclass(frozen=True)
class Header:
    """How a picture is stored: width and height in pixels before EXIF orientation, and what decoding hangs on.

    `samples` is the number of values a pixel has in the file, `whole` tells that the decoder must hold the whole
    picture at once (progressive JPEG, interlaced PNG, a TIFF of a single strip), `coefficients` is how many bytes a
    JPEG then holds for each pixel.
    """

    width: int
    height: int
    samples: int = 3
    bits: int = 8
    whole: bool = False
    coefficients: float = 0
    compressed: bool = True
    frames: int = 1


def read_exactly(stream: Stream, count: int) -> bytes:
    """Return `count` bytes; a file that ends before is a DamagedImage."""
    data = stream.read(count)
    if len(data) != count:
        raise damaged("the file ends within its header")
    return data


def read_jpeg(stream: Stream) -> Header:
    """Walk the segments to the start of the first scan."""
    stream.seek(2)
    frame: bytes | None = None
    marker = 0
    for _ in range(_MAX_SEGMENTS):
        marker = _next_marker(stream)
        if marker in _STANDALONE:
            continue
        (length,) = struct.unpack(">H", read_exactly(stream, 2))
        if length < 2:  # noqa: PLR2004 - the length counts its own two bytes
            raise damaged("a JPEG segment has no length")
        if marker in _FRAME_MARKERS:
            frame = bytes([marker]) + read_exactly(stream, length - 2)
        elif marker == _START_OF_SCAN:
            return _jpeg_header(frame, scan_samples=read_exactly(stream, 1)[0])
        else:
            stream.seek(length - 2, 1)
    raise damaged("a JPEG without a scan")


_START_OF_SCAN = 0xDA
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_BYTES_PER_COEFFICIENT = 2


def _next_marker(stream: Stream) -> int:
    """Skip what stands before the next marker, as libjpeg does, but not without end."""
    for _ in range(_MAX_SEGMENTS):
        if read_exactly(stream, 1) != b"\xff":
            continue
        code = b"\xff"
        while code == b"\xff":
            code = read_exactly(stream, 1)
        if code != b"\0":
            return code[0]
    raise damaged("no JPEG marker where one should be")


def _jpeg_header(frame: bytes | None, *, scan_samples: int) -> Header:
    if frame is None or len(frame) < 7 or len(frame) < 7 + 3 * frame[6]:  # noqa: PLR2004 - as the standard has it
        raise damaged("a JPEG scan without a frame")
    bits, height, width, samples = struct.unpack(">BHHB", frame[1:7])
    factors = [(byte >> 4, byte & 15) for byte in frame[8 : 7 + 3 * samples : 3]]
    largest = max((h for h, _ in factors), default=1) * max((v for _, v in factors), default=1)
    per_pixel = sum(h * v for h, v in factors) / max(largest, 1)
    whole = frame[0] in _PROGRESSIVE or scan_samples < samples
    held = _BYTES_PER_COEFFICIENT * per_pixel if whole else 0
    return Header(width, height, samples, bits, whole=whole, coefficients=held)


_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def read_png(stream: Stream) -> Header:
    stream.seek(8)
    length, kind = struct.unpack(">I4s", read_exactly(stream, 8))
    if kind != b"IHDR" or length != 13:  # noqa: PLR2004 - as the standard has it
        raise damaged("a PNG that does not begin with its header")
    width, height, bits, color, _, _, interlaced = struct.unpack(">IIBBBBB", read_exactly(stream, 13))
    if color not in _PNG_SAMPLES:
        raise damaged("a PNG of no known color type")
    stream.seek(4, 1)
    return Header(width, height, _PNG_SAMPLES[color], bits, whole=bool(interlaced), frames=_apng_frames(stream))


def _apng_frames(stream: Stream) -> int:
    """Return the frames that an animation chunk before the first rows announces. Rows cut short are damage."""
    size = _size(stream)
    for _ in range(_MAX_SEGMENTS):
        length, kind = struct.unpack(">I4s", read_exactly(stream, 8))
        if kind == b"IDAT":
            if stream.tell() + length > size:
                raise damaged("a PNG that ends within its rows")
            return 1
        if kind == b"acTL" and length == 8:  # noqa: PLR2004 - as the standard has it
            return max(1, int(struct.unpack(">I", read_exactly(stream, 4))[0]))
        stream.seek(length + 4, 1)
    raise damaged("a PNG without rows")


def _size(stream: Stream) -> int:
    at = stream.tell()
    size = stream.seek(0, 2)
    stream.seek(at)
    return size


def read_gif(stream: Stream) -> Header:
    """Read the logical screen, widened by the first frame where that is larger, as Pillow does."""
    stream.seek(6)
    width, height = struct.unpack("<HH", read_exactly(stream, 4))
    for left, top, across, down in _gif_frames(stream):
        return Header(max(width, left + across), max(height, top + down), samples=1)
    raise damaged("a GIF without a frame")


def count_gif_frames(stream: Stream) -> int:
    """Return the number of frames of a GIF, without decoding them; those before the damage, or before patience ends."""
    frames = 0
    with suppress(DamagedImage):
        for _ in _gif_frames(Paced(stream)):
            frames += 1
    return max(1, frames)


def _gif_frames(stream: Stream) -> Iterator[tuple[int, ...]]:
    """Yield left, top, width and height of each frame."""
    stream.seek(10)
    flags = read_exactly(stream, 3)[0]
    _skip_gif_colors(stream, flags)
    while (introducer := stream.read(1)) not in {b"", b";"}:
        if introducer == b",":
            *box, flags = struct.unpack("<HHHHB", read_exactly(stream, 9))
            yield tuple(box)
            _skip_gif_colors(stream, flags)
        elif introducer != b"!":
            continue
        read_exactly(stream, 1)  # the size of a code, or the kind of an extension
        while size := read_exactly(stream, 1)[0]:
            stream.seek(size, 1)


def _skip_gif_colors(stream: Stream, flags: int) -> None:
    if flags & 0x80:
        stream.seek(3 << ((flags & 7) + 1), 1)


def read_webp(stream: Stream) -> Header:
    stream.seek(12)
    kind = read_exactly(stream, 4)
    stream.seek(4, 1)
    if kind == b"VP8X":
        data = read_exactly(stream, 10)
        width, height = 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")
        return Header(width, height, samples=4)
    if kind == b"VP8L":
        bits = int.from_bytes(read_exactly(stream, 5)[1:], "little")
        return Header(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), samples=4)
    if kind == b"VP8 ":
        data = read_exactly(stream, 10)
        width, height = struct.unpack("<HH", data[6:10])
        return Header(width & 0x3FFF, height & 0x3FFF)
    raise damaged("a WebP without a picture")


def read_bmp(stream: Stream) -> Header:
    stream.seek(14)
    (size,) = struct.unpack("<I", read_exactly(stream, 4))
    if size == 12:  # noqa: PLR2004 - the header of OS/2 1.x
        width, height, _, bits = struct.unpack("<HHHH", read_exactly(stream, 8))
    else:
        width, height, _, bits = struct.unpack("<iiHH", read_exactly(stream, 12))
    return Header(width, abs(height), samples=1 if bits <= 8 else 3)  # noqa: PLR2004 - up to 8 bits it is a palette


def read_jpeg2000(stream: Stream) -> Header:
    """Find the codestream, in its boxes or bare, and read the SIZ marker that begins it."""
    stream.seek(0)
    head = stream.read(1 << 16)
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0 or len(head) < at + 42:
        raise damaged("a JPEG 2000 without a codestream")
    x, y, x0, y0 = struct.unpack(">IIII", head[at + 8 : at + 24])
    samples, depth = struct.unpack(">HB", head[at + 40 : at + 43])
    return Header(x - x0, y - y0, samples, bits=(depth & 0x7F) + 1)
