"""What a picture's size in pixels and its media type are called: the words of filters and their counts.

Told from what the API reports of an image, and from nothing else, so that whoever asks a program gets the same groups.
"""

from collections.abc import Mapping

SQUARE_TWENTIETHS = 21
"""A picture is square up to a longer side of 21 twentieths of the shorter one: 5 % are hardly seen, and scans and crops
that were meant to be square are off by that much. In whole numbers, so that every store decides alike."""

ORIENTATIONS = ("landscape", "portrait", "square")

SIZE_PIXELS: Mapping[str, int] = {"small": 0, "medium": 500_000, "large": 2_000_000, "huge": 8_000_000}
"""Size -> the pixels, width times height, from which on a picture has it. Below half a megapixel are thumbnails and
icons; two fill a screen; eight are what a print of 30 cm or a phone's camera has."""

SIZES = tuple(SIZE_PIXELS)

FORMATS: Mapping[str, str] = {
    "jpeg": "JPEG",
    "png": "PNG",
    "webp": "WebP",
    "gif": "GIF",
    "heif": "HEIC",
    "avif": "AVIF",
    "tiff": "TIFF",
    "bmp": "BMP",
    "jp2": "JPEG 2000",
}
"""The end of a media type -> what people call the format."""

MEDIA_TYPE_START = "image/"


def size_of(width: int, height: int) -> str:
    """Return one of SIZES."""
    return next(size for size in reversed(SIZES) if width * height >= SIZE_PIXELS[size])


def format_of(media_type: str) -> str:
    """Return the format of a media type, one of FORMATS for all that are accepted."""
    return media_type.removeprefix(MEDIA_TYPE_START)
