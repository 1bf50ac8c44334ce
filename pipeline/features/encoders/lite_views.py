"""How a picture is shown to the network of the `lite` encoder: whole, nearly in its own proportions."""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.features.encoders.lite_network import SIDE_MULTIPLE
from pipeline.features.picture import Picture

VIEW_VERSION = "whole-288-bicubic-1"
"""Part of the fingerprint: change it with anything below that changes what the network sees."""

VIEW_SIDE_PX = 288
"""The side of a square view; others have about the same area. The network was trained at 224 px, but does its
best here at 288 (docs/evaluation-lite.md)."""

MAX_ASPECT = 3.0
"""A longer picture is squeezed to this ratio of its sides, so that the network still has some height to look
at."""


def view(picture: Picture) -> npt.NDArray[np.uint8]:
    """Return (height, width, 3) uint8, the sides multiples of 32, at least 160 px, of about 288² pixels."""
    height, width = picture.pixels.shape[:2]
    size = view_size(width, height)
    return np.asarray(Image.fromarray(picture.pixels).resize(size, Image.Resampling.BICUBIC))


def view_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height of the view of a picture of this width and height."""
    stretch = math.sqrt(min(MAX_ASPECT, max(1 / MAX_ASPECT, width / height)))
    return _rounded(VIEW_SIDE_PX * stretch), _rounded(VIEW_SIDE_PX / stretch)


def _rounded(side_px: float) -> int:
    return SIDE_MULTIPLE * round(side_px / SIDE_MULTIPLE)
