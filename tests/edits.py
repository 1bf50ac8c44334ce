"""Photographs edited as people do, for what is said of copies."""

import io

from PIL import Image, ImageOps


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def as_jpeg(image: Image.Image, quality: int = 90) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def encoded_anew(data: bytes, quality: int = 60) -> bytes:
    return as_jpeg(opened(data), quality)


def mirrored(data: bytes) -> bytes:
    return as_jpeg(ImageOps.mirror(opened(data)))


def turned(data: bytes) -> bytes:
    """A quarter clockwise."""
    return as_jpeg(opened(data).transpose(Image.Transpose.ROTATE_270))


def cropped(data: bytes, left: float = 0.1, right: float = 0.9) -> bytes:
    """The same part of both sides."""
    image = opened(data)
    box = (image.width * left, image.height * left, image.width * right, image.height * right)
    return as_jpeg(image.crop(tuple(map(round, box))))


def as_png(data: bytes) -> bytes:
    """Other bytes, and the very same pixels."""
    file = io.BytesIO()
    opened(data).save(file, "PNG")
    return file.getvalue()
