"""Real photos that come with scikit-image and scikit-learn, whole or changed a little, as the bytes of a file."""

from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from PIL import Image

PACKAGES = {"skimage": "data", "sklearn": "datasets/images"}
FOLDERS = {
    "astronaut.png": "skimage",
    "camera.png": "skimage",
    "chelsea.png": "skimage",
    "coffee.png": "skimage",
    "coins.png": "skimage",
    "hubble_deep_field.jpg": "skimage",
    "motorcycle_left.png": "skimage",
    "motorcycle_right.png": "skimage",
    "page.png": "skimage",
    "rocket.jpg": "skimage",
    "china.jpg": "sklearn",
    "flower.jpg": "sklearn",
}


def photo(name: str, *, side_px: int = 320) -> Image.Image:
    """Return a photo as RGB, at most `side_px` on its long side."""
    return _load(name, side_px).copy()


@lru_cache(maxsize=64)
def _load(name: str, side_px: int) -> Image.Image:
    package = FOLDERS[name]
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    with Image.open(Path(found.origin).parent / PACKAGES[package] / name) as opened:
        image = opened.convert("RGB")
    image.thumbnail((side_px, side_px))
    return image


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """Return the bytes of a file with this picture."""
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(name: str, *, side_px: int = 320, quality: int = 90) -> bytes:
    """Return a photo as the bytes of a JPEG."""
    return encoded(photo(name, side_px=side_px), quality=quality)


def cropped(name: str, part: float = 0.85) -> bytes:
    """Return the middle of a photo, its kin."""
    whole = photo(name)
    left, top = whole.width * (1 - part) / 2, whole.height * (1 - part) / 2
    return encoded(whole.crop((int(left), int(top), int(whole.width - left), int(whole.height - top))))


def plain(color: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a picture of one color, as the bytes of a PNG."""
    return encoded(Image.new("RGB", size, color), "PNG")
