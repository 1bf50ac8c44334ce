"""What a CLIP model is shown of a picture: open_clip's own preprocessing, pixel for pixel, without PyTorch.

Follows `image_transform` of open_clip_torch 3.3.0 (`is_train=False`) and the resizing and cropping of torchvision
0.28, with their roundings: half a pixel of another crop changes a vector more than another decoder does.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.features.encoders.cards import Preprocessing

PIXELS_VERSION = "1"
"""To be changed whenever the same picture would be shown to a model in another way: stored vectors depend on it."""

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}

_MAX_ASPECT = 64
"""A picture thinner than this is resized only where it is not cropped: of a strip of 16,000 by 1 pixels, the whole
would be 2 GB. The pixels are the same but for the rounding of a few, as Pillow keeps positions in single precision."""

Pixels = npt.NDArray[np.uint8]


def prepare(pixels: Pixels, how: Preprocessing) -> npt.NDArray[np.float32]:
    """Return (3, size, size) float32 for (height, width, 3) uint8."""
    shown = np.asarray(_shown(Image.fromarray(pixels), how), np.float32) / np.float32(255)
    normalized = (shown - np.asarray(how.mean, np.float32)) / np.asarray(how.std, np.float32)
    return np.ascontiguousarray(normalized.transpose(2, 0, 1))


def _shown(image: Image.Image, how: Preprocessing) -> Image.Image:
    size, resampling = how.size, _FILTERS[how.interpolation]
    if how.resize == "squash":
        return image.resize((size, size), resampling)
    if how.resize == "longest":
        return _padded(image.resize(longest_size(*image.size, size), resampling), size)
    width, height = shortest_size(*image.size, size)
    left, top = crop_start(width, size), crop_start(height, size)
    if max(image.size) <= _MAX_ASPECT * min(image.size):
        return image.resize((width, height), resampling).crop((left, top, left + size, top + size))
    across, down = image.width / width, image.height / height
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    return image.resize((size, size), resampling, box=box)


def shortest_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Return width and height such that the short side is `size`; the long one is rounded down (torchvision)."""
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size


def longest_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Return width and height such that the long side is `size`; the short one is rounded to even (open_clip)."""
    ratio = max(width, height) / size
    return max(1, round(width / ratio)), max(1, round(height / ratio))


def crop_start(length: int, size: int) -> int:
    """Return the first of `size` pixels in the middle of `length`; halves are rounded to even (torchvision)."""
    return round((length - size) / 2)


def _padded(image: Image.Image, size: int) -> Image.Image:
    canvas = Image.new("RGB", (size, size))  # black, as open_clip fills
    canvas.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return canvas
