"""Pairs of photos as a burst has them, made of single photos: the near moves against the far, or something has moved.

Of one photo no second can be had, so the second is computed: the scene is given a depth, the camera moves a little
sideways and turns, and each frame has its own noise and exposure. Without depth two frames would be crops of one photo.
"""

import random
from io import BytesIO

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

NOISE = (1.5, 4.0)  # levels, standard deviation, of each frame
EXPOSURE = 0.05  # by which brightness differs at most
SHIFT, DEGREES, ZOOM, TILT = 0.03, 1.2, 0.015, 0.01
"""How far the camera moves as a part of the picture, turns, comes nearer, and tilts, at most."""


def pan(photo: Image.Image, parallax: float, chance: random.Random) -> tuple[bytes, bytes]:
    """Return two frames between which the nearest moves against the farthest by `parallax` of the width."""
    pixels = np.asarray(photo)
    height, width = pixels.shape[:2]
    depth = _depth(height, width, chance)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    shifted = cv2.remap(
        pixels, x + (depth - 0.5) * np.float32(parallax * width), y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return _frames(pixels, np.asarray(_camera(shifted, chance), np.uint8), chance)


def moved(photo: Image.Image, part: float, chance: random.Random) -> tuple[bytes, bytes]:
    """Return two frames of a camera at rest; something as wide and high as `part` of the picture moves between them."""
    pixels = np.asarray(photo)
    height, width = pixels.shape[:2]
    across, down = round(width * part), round(height * part)
    left, top = chance.randint(0, width - 2 * across), chance.randint(0, height - down)
    mask = np.zeros((height, width), np.float32)
    center = (left + across // 2, top + down // 2)
    cv2.ellipse(mask, center, (across // 2, down // 2), 0, 0, 360, 1, -1)
    by = round(across * chance.uniform(0.15, 0.6))
    onto = np.array([[1, 0, by], [0, 1, 0]], np.float32)
    there = cv2.GaussianBlur(cv2.warpAffine(mask, onto, (width, height)), (0, 0), 1.5)[..., None]
    other = cv2.warpAffine(pixels, onto, (width, height), borderMode=cv2.BORDER_REFLECT)
    left_open = cv2.inpaint(
        cv2.resize(pixels, (width // 4, height // 4)),
        cv2.resize((mask > 0).astype(np.uint8), (width // 4, height // 4)),
        3,
        cv2.INPAINT_TELEA,
    )
    ground = np.where(mask[..., None] > 0, cv2.resize(left_open, (width, height)), pixels)
    return _frames(pixels, np.clip(other * there + ground * (1 - there), 0, 255).astype(np.uint8), chance)


def _depth(height: int, width: int, chance: random.Random) -> npt.NDArray[np.float32]:
    """Return depths from 0 to 1: a ground that comes nearer below, and some things that stand before it."""
    rng = np.random.default_rng(chance.getrandbits(32))
    depth = np.repeat(np.linspace(0, 0.4, height, dtype=np.float32)[:, None], width, axis=1)
    for _ in range(chance.randint(2, 4)):
        noise = cv2.GaussianBlur(rng.normal(size=(24, 32)).astype(np.float32), (0, 0), chance.uniform(2, 4))
        field = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        depth[field > np.quantile(field, chance.uniform(0.6, 0.85))] = chance.uniform(0.5, 1)
    return cv2.GaussianBlur(depth, (0, 0), max(0.5, width / 400)).astype(np.float32, copy=False)


def _camera(pixels: npt.NDArray[np.generic], chance: random.Random) -> npt.NDArray[np.generic]:
    height, width = pixels.shape[:2]
    turned = cv2.getRotationMatrix2D(
        (width / 2, height / 2), chance.uniform(-DEGREES, DEGREES), 1 + chance.uniform(0, ZOOM)
    )
    turned[:, 2] += [chance.uniform(-SHIFT, SHIFT) * width, chance.uniform(-SHIFT, SHIFT) * height]
    full = np.vstack([turned, [chance.uniform(-TILT, TILT) / width, chance.uniform(-TILT, TILT) / height, 1]])
    return cv2.warpPerspective(pixels, full, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def _frames(first: Pixels, second: Pixels, chance: random.Random) -> tuple[bytes, bytes]:
    """Return both as files, each with noise of its own, and without the margin that a moving camera leaves open."""
    height, width = first.shape[:2]
    cut = (slice(round(height * 0.06), round(height * 0.94)), slice(round(width * 0.06), round(width * 0.94)))
    files = []
    for pixels in (first[cut], second[cut]):
        rng = np.random.default_rng(chance.getrandbits(32))
        seen = pixels * chance.uniform(1 - EXPOSURE, 1 + EXPOSURE) + rng.normal(0, chance.uniform(*NOISE), pixels.shape)
        file = BytesIO()
        Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
        files.append(file.getvalue())
    return files[0], files[1]
