"""From the bytes of a file to a Picture: what may be decoded, at what cost, and the upright sRGB working copy.

Meant to run in a decoder process (`pipeline.decoders`): the libraries under it are large and written in C, and a
hostile file may crash or stall them. Only `probe`, which never touches them, is safe inside the server.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from pipeline.errors import DamagedImage, LikenessError, TooManyPixels
from pipeline.features import exif, formats, frames, headers, headers_iso, headers_tiff, shrink
from pipeline.features import limits as costs
from pipeline.features.formats import Format, damaged
from pipeline.features.frames import Canvas, open_stream
from pipeline.features.headers import Header
from pipeline.features.limits import Limits, Probe
from pipeline.features.paced import Paced, Stream
from pipeline.features.picture import Facts, Picture
from pipeline.features.shrink import Target

__all__ = ["Limits", "Probe", "decode", "display_copy", "probe"]

_DISPLAY_QUALITY = 82
_DISPLAY_METHOD = 2
"""Effort of the WebP encoder, 0 to 6: at 2 a display copy takes a third of the time of the default, 4."""

_SRGB = ImageCms.createProfile("sRGB")

_TOO_MUCH_MEMORY = (
    "This picture takes more memory to read than one picture may. Please upload a smaller version, or a JPEG."
)
_UNREADABLE = "This file could not be opened. Please check that it is still there, and that it may be read."
_MAX_DETAIL = 300
"""Characters of a foreign error that go to the log: some quote the file."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation (TIFF 6.0, tag 274); Pillow turns counter-clockwise."""

_SIDEWAYS = frozenset({5, 6, 7, 8})
_WHITE = (255, 255, 255)
_OPAQUE = 255

_READERS: dict[Format, Callable[[Stream], Header]] = {
    formats.JPEG: headers.read_jpeg,
    formats.PNG: headers.read_png,
    formats.GIF: headers.read_gif,
    formats.WEBP: headers.read_webp,
    formats.BMP: headers.read_bmp,
    formats.JPEG2000: headers.read_jpeg2000,
    formats.TIFF: headers_tiff.read_tiff,
    formats.AVIF: headers_iso.read_iso_image,
    formats.HEIF: headers_iso.read_iso_image,
}


def probe(source: bytes | Path, limits: Limits, *, long_side_px: int | None = None) -> Probe:
    """Return what the header says, without decoding anything; the cost is for a display copy if one is asked for.

    Raises UnsupportedFormat, TooManyBytes, TooManyPixels or DamagedImage, each with a sentence for the person.
    """
    return _examine(source, limits, shrink.target_of(long_side_px))[2]


def decode(source: bytes | Path, limits: Limits) -> Picture:
    """Return the working copy of the first frame: upright, sRGB, transparent parts on white.

    Raises what `probe` raises, and DamagedImage for a picture that cannot be decoded to its end.
    """
    kind, canvas = _canvas(source, limits, shrink.WORKING_COPY)
    with _guarded():
        pixels, alpha = _on_white(_upright(canvas))
        return Picture(pixels, alpha, _facts(kind, canvas))


def display_copy(source: bytes | Path, limits: Limits, long_side_px: int) -> bytes:
    """Return a WebP of the first frame to look at: upright, sRGB, without metadata, with its transparency.

    Its long side is at most `long_side_px` and at least nine tenths of that, if the picture has as many.
    """
    _, canvas = _canvas(source, limits, shrink.display_target(long_side_px))
    with _guarded():
        file = BytesIO()
        _upright(canvas).save(file, "WEBP", quality=_DISPLAY_QUALITY, method=_DISPLAY_METHOD, exif=b"", icc_profile=b"")
        return file.getvalue()


def _examine(source: bytes | Path, limits: Limits, target: Target) -> tuple[Format, Header, Probe]:
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        with open_stream(source) as stream:
            kind = formats.identify(stream)
            costs.check_bytes(size, limits.max_bytes)
            header = _READERS[kind](Paced(stream))
    except OSError as error:
        raise DamagedImage(_UNREADABLE, detail=str(error)) from error
    if header.width < 1 or header.height < 1:
        raise damaged(f"{header.width} by {header.height} pixels")
    costs.check_pixels(header.width, header.height, limits)
    cost = costs.decode_bytes(kind, header, target, size)
    found = Probe(kind.name, kind.media_type, header.width, header.height, header.frames, cost)
    costs.check_cost(found, limits)
    return kind, header, found


def _canvas(source: bytes | Path, limits: Limits, target: Target) -> tuple[Format, Canvas]:
    kind, header, _ = _examine(source, limits, target)
    with _guarded():
        return kind, frames.shrunk(source, kind, header, target, limits)


@contextmanager
def _guarded() -> Iterator[None]:
    """Turn what decoders raise into our errors; Pillow and its plugins raise almost anything on damaged files."""
    try:
        yield
    except LikenessError:
        raise
    except MemoryError as error:
        raise TooManyPixels(_TOO_MUCH_MEMORY, detail=repr(error)) from error
    except Exception as error:
        raise damaged(f"{type(error).__name__}: {error}"[:_MAX_DETAIL]) from error


def _upright(canvas: Canvas) -> Image.Image:
    """Return the canvas turned upright and in sRGB: RGB, or RGBA if it has transparency."""
    image = _in_srgb(canvas.image, canvas.icc_profile)
    turn = _TURNS.get(exif.orientation(canvas.exif))
    return image if turn is None else image.transpose(turn)


def _in_srgb(image: Image.Image, icc_profile: bytes) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    plain = image.convert("RGB") if alpha else image
    converted = _by_profile(plain, icc_profile) or plain.convert("RGB")
    if alpha:
        converted.putalpha(alpha)
    return converted


def _by_profile(image: Image.Image, icc_profile: bytes) -> Image.Image | None:
    """Return the image in sRGB by its own color profile, or None if that has none, or none that fits its mode."""
    if image.mode == "LAB":
        return ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), _SRGB, outputMode="RGB")
    if not icc_profile:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
        if "srgb" in ImageCms.getProfileDescription(profile).lower():
            return None
        return ImageCms.profileToProfile(image, profile, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # a broken profile is no reason to refuse the picture: browsers show it as sRGB too


def _on_white(image: Image.Image) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
    if image.mode != "RGBA":
        return np.asarray(image), None
    mask = image.getchannel("A")
    alpha = np.asarray(mask)
    background = Image.new("RGB", image.size, _WHITE)
    background.paste(image.convert("RGB"), mask=mask)
    return np.asarray(background), None if bool((alpha == _OPAQUE).all()) else alpha


def _facts(kind: Format, canvas: Canvas) -> Facts:
    width, height = canvas.size
    if exif.orientation(canvas.exif) in _SIDEWAYS:
        width, height = height, width
    taken_at, fields = exif.read(canvas.exif)
    return Facts(kind.name, kind.media_type, width, height, canvas.frames, taken_at, fields)
