"""The first frame of a file, opened by the one decoder that its format allows, in strips and with little memory.

Pillow's WebP, AVIF and HEIF plugins decode into a buffer and then copy it into an image of 4 bytes a pixel; here the
strips are taken from that buffer. `shrink` puts the strips together.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import pillow_heif
from PIL import AvifImagePlugin, Image

from pipeline.features import formats, headers, png_strips, shrink
from pipeline.features.formats import Format, damaged
from pipeline.features.headers import Header
from pipeline.features.limits import Limits, check_pixels
from pipeline.features.shrink import Plan, Target

Image.MAX_IMAGE_PIXELS = None  # Limits decide; Pillow's own would warn at 89 megapixels
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)


@dataclass(frozen=True)
class Canvas:
    """A frame after `shrink`: not yet upright, not yet sRGB. `size` and `exif` are those of the file."""

    image: Image.Image
    size: tuple[int, int]
    exif: Image.Exif
    icc_profile: bytes
    frames: int


def open_stream(source: bytes | Path) -> BinaryIO:
    """Return the file as a stream; the caller closes it."""
    return BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def shrunk(source: bytes | Path, kind: Format, header: Header, target: Target, limits: Limits) -> Canvas:
    """Decode the first frame and return it at the size of `target`. Raises whatever a decoder may raise."""
    with open_stream(source) as stream:
        if kind is formats.HEIF:
            return _heif(stream, target, limits)
        image = Image.open(stream, formats=(kind.plugin,))
        check_pixels(*image.size, limits)
        if kind is formats.PNG and png_strips.worthwhile(header):
            return _striped_png(stream, image, header, target)
        if kind in {formats.WEBP, formats.AVIF}:
            return _buffered(image, kind, target)
        return _loaded(stream, image, kind, target)


def _loaded(stream: BinaryIO, image: Image.Image, kind: Format, target: Target) -> Canvas:
    size = image.size
    way = shrink.plan(*size, target, scalable=kind is formats.JPEG)
    if way.scale > 1:
        image.draft(None, (size[0] // way.scale, size[1] // way.scale))
    image.load()
    canvas = _canvas(lambda rows: shrink.strips_of(image, rows), way, image.size, in_memory=True)
    if kind is formats.GIF:
        frames = headers.count_gif_frames(stream)  # Pillow's n_frames would decode them all
    elif kind is formats.PNG:
        frames = _frames(image)
    else:
        frames = 1  # the further pages of a TIFF are not counted: each is a place to seek to that the file chooses
    return Canvas(canvas, size, image.getexif(), image.info.get("icc_profile") or b"", frames)


def _striped_png(stream: BinaryIO, image: Image.Image, header: Header, target: Target) -> Canvas:
    way = shrink.plan(*image.size, target, scalable=False)
    exif = Image.Exif()
    exif.load(image.info.get("exif") or b"")  # getexif() would load the whole picture to look for a late chunk
    icc_profile, frames = image.info.get("icc_profile") or b"", _frames(image)
    transparency = {key: image.info[key] for key in ("transparency",) if key in image.info}

    def strips(rows: int) -> Iterator[Image.Image]:
        for strip in png_strips.strips(stream, header, rows):
            strip.info.update(transparency)
            yield shrink.plain(strip)

    return Canvas(_canvas(strips, way, image.size), image.size, exif, icc_profile, frames)


def _buffered(image: Image.Image, kind: Format, target: Target) -> Canvas:
    exif, frames = image.getexif(), _frames(image)
    # These are not public in Pillow; `test_large_webp_and_avif_stay_within_their_estimate` tells when they change.
    decoder: Any = image._decoder  # type: ignore[attr-defined]  # noqa: SLF001
    if kind is formats.WEBP:
        raw_mode = image.rawmode  # type: ignore[attr-defined]
        pixels = decoder.get_next()
        del image._decoder, decoder  # type: ignore[attr-defined]  # noqa: SLF001 - it holds two more frames
        if pixels is None:
            raise damaged("a WebP without a frame")
    else:
        raw_mode = image.mode
        pixels = decoder.get_frame(0)
    buffer = _Buffer(pixels[0], image.size, image.mode, raw_mode)
    way = shrink.plan(*image.size, target, scalable=False)
    return Canvas(
        _canvas(buffer.strips, way, image.size),
        image.size,
        exif,
        image.info.get("icc_profile") or b"",
        frames,
    )


def _heif(stream: BinaryIO, target: Target, limits: Limits) -> Canvas:
    """Libheif turns and mirrors by itself; the orientation in EXIF is then only a copy of what has been done."""
    file = pillow_heif.open_heif(stream, convert_hdr_to_8bit=True)
    picture = file[file.primary_index]
    check_pixels(*picture.size, limits)
    pillow_heif.set_orientation(picture.info)
    exif = Image.Exif()
    exif.load(cast(bytes, picture.info.get("exif") or b""))
    icc_profile = cast(bytes, picture.info.get("icc_profile") or b"")
    buffer = _Buffer(picture.data, picture.size, picture.mode, picture.mode, picture.stride)
    way = shrink.plan(*picture.size, target, scalable=False)
    canvas = _canvas(buffer.strips, way, picture.size)
    return Canvas(canvas, picture.size, exif, icc_profile, len(file))


@dataclass(frozen=True)
class _Buffer:
    """Decoded pixels as a decoder left them, without a copy. A stride of zero means none between the rows."""

    data: Any
    size: tuple[int, int]
    mode: str
    raw_mode: str
    stride: int = 0

    def strips(self, rows: int) -> Iterator[Image.Image]:
        width, height = self.size
        view: Any = memoryview(self.data)  # Pillow takes any buffer, and says bytes
        stride = self.stride or len(view) // height
        for top in range(0, height, rows):
            count = min(rows, height - top)
            part = view[top * stride : (top + count) * stride]
            strip = Image.frombuffer(self.mode, (width, count), part, "raw", self.raw_mode, stride, 1)
            yield shrink.plain(strip)


def _canvas(
    strips: Callable[[int], Iterator[Image.Image]], way: Plan, decoded: tuple[int, int], *, in_memory: bool = False
) -> Image.Image:
    """Put the strips together; a frame that is in memory as an image already and stays as large needs none."""
    rows = decoded[1] if in_memory and way.factors == (1, 1) else shrink.strip_rows(decoded[0], way.factors[1])
    return shrink.resized(shrink.reduced(strips(rows), way), way, decoded)


def _frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1))
