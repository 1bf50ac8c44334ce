"""A picture file without its metadata, the coded pixels untouched.

Places, times, names, serial numbers, previews and appended films are left out; what decides how the picture looks,
the color profile and the orientation among it, is kept. Each format has a list of what is kept, so that what is not
known goes too. What does not stand as its standard has it is an error and never passed on: whoever asks then makes
the picture anew from its pixels.

Coded data is passed on up to where the format has it end. Whether a decoder would stop before, in a scan of a JPEG,
the codes of a GIF or a frame of a WebP, only decoding tells; of PNG it is looked at.

Libraries on PyPI either encode the picture again, know EXIF alone, and of JPEG only, or stand under the GPL; hence
these few pages.
"""

from collections.abc import Callable, Mapping
from typing import BinaryIO

from pipeline.errors import UnsupportedFormat
from pipeline.features import formats
from pipeline.features.formats import Format
from pipeline.features.paced import Paced, Stream
from pipeline.features.stripping import bmp, gif, jpeg, png, webp
from pipeline.features.stripping.parts import Part, Parts

_NOT_IN_PARTS = "The metadata of this format cannot be taken out of its file."

_FORMATS: Mapping[Format, Callable[[Stream], Parts]] = {
    formats.JPEG: jpeg.parts_of,
    formats.PNG: png.parts_of,
    formats.WEBP: webp.parts_of,
    formats.GIF: gif.parts_of,
    formats.BMP: bmp.parts_of,
}


def stripped_parts(stream: BinaryIO) -> tuple[Format, tuple[Part, ...]]:
    """Return the format of a file, and what it is made of without its metadata; the position is then anywhere.

    Raises UnsupportedFormat for formats whose metadata is woven in (HEIC, AVIF, TIFF, JPEG 2000), and DamagedImage.
    Ordinary files of 64 MB take 0.01 s to 0.5 s, the worst about a second; none takes more than some 20 MB of memory.
    """
    stream.seek(0)
    kind = formats.identify(stream)
    parts_of = _FORMATS.get(kind)
    if parts_of is None:
        raise UnsupportedFormat(_NOT_IN_PARTS, detail=kind.name)
    return kind, parts_of(Paced(stream)).all()
