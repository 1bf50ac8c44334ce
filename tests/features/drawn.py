"""Pictures for the tests of decoding: drawn here, or the photographs that come with scikit-image."""

from io import BytesIO

import numpy as np
import pillow_heif
from PIL import Image, ImageDraw
from skimage import data

pillow_heif.register_heif_opener()

CORNERS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
"""Upper left, upper right, lower left, lower right of `compass`."""


def photo(width=640, height=480):
    return Image.fromarray(data.astronaut()).resize((width, height), Image.Resampling.BICUBIC)


def compass(width=600, height=400):
    """Draw four quarters of different colors, which tell every turn and mirroring apart."""
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    across, down = width // 2, height // 2
    for number, color in enumerate(CORNERS.values()):
        left, top = number % 2 * across, number // 2 * down
        draw.rectangle((left, top, left + across, top + down), fill=color)
    return image


def corners(pixels):
    """Return the names of the colors in the four quarters."""
    height, width = pixels.shape[:2]
    found = []
    for down in (height // 4, 3 * height // 4):
        for across in (width // 4, 3 * width // 4):
            pixel = pixels[down, across].astype(int)
            found.append(min(CORNERS, key=lambda name: np.abs(pixel - CORNERS[name]).sum()))
    return found


def saved(image, kind, **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
