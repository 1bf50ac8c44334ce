"""PDQ hashes: 256 bits that stay nearly the same when a picture is encoded again, resized, blurred or recolored.

Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019). Computed as its reference
implementation does: blurred by two box filters each way (Jarosz), 64 by 64 points of it, the lowest 16 by 16 waves of
their cosine transform without the constant ones, and for each whether it is above the median.
"""

import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 64  # points each way that the blurred picture is sampled at
WAVES = 16  # of the cosine transform, each way
HASH_BITS = WAVES * WAVES
HASH_BYTES = HASH_BITS // 8

PASSES = 2
"""Box filters one after another; two are a triangle, which is close enough to a Gaussian."""

QUALITY_DIVISOR = 90
"""What the reference divides the sum of slopes by, so that pictures with something to tell reach 100."""

cv2.setNumThreads(1)  # several workers analyze side by side, and threads for steps this small cost more than they save

Gray = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in what is hashed, as the reference has them (ITU-R BT.601)."""


def pdq(gray: Gray) -> tuple[bytes, int]:
    """Return the PDQ hash of a picture, 32 bytes, and its quality, 0 to 100, below 50 for hashes that say little.

    `gray` is (height, width), uint8 or float32, 0 to 255, as `luma` makes it. What is smaller than 5 pixels, or of a
    single color, has quality 0.
    """
    rows = _sampled_rows(np.asarray(gray, np.float32, order="C"))
    small = _sampled_rows(rows.T.copy()).T
    return _hash(small), _quality(small)


def in_orientations(gray: Gray) -> tuple[bytes, int]:
    """Return the PDQ hashes of a picture in its eight orientations, 8 times 32 bytes, and its quality.

    It is turned by 0, 90, 180 and 270 degrees clockwise, then the same is done to its mirror image. Each hash is the
    one that `pdq` has for the turned picture, not only near it.
    """
    values = np.asarray(gray, np.float32, order="C")
    upright, turned = (_sampled_rows(each).T.copy() for each in (values, cv2.flip(values, 0)))
    plain, mirrored = (_sampled_rows(each).T for each in (upright, cv2.flip(upright, 0)))
    upside_down, half = (_sampled_rows(each).T for each in (turned, cv2.flip(turned, 0)))
    straight = (plain, upside_down.T, half, mirrored.T)
    swapped = (mirrored, half.T, upside_down, plain.T)
    return b"".join(_hash(small) for small in (*straight, *swapped)), _quality(plain)


def luma(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the brightness of a picture, (height, width) of 0 to 255, from its RGB of (height, width, 3) uint8."""
    return np.asarray(cv2.transform(pixels.astype(np.float32), np.array([LUMA], np.float32)), np.float32)


def to_hex(digest: bytes) -> str:
    """Return a hash as ThreatExchange and HMA write it: 64 hexadecimal digits."""
    return digest.hex()


def from_hex(text: str) -> bytes:
    """Return the hash that 64 hexadecimal digits stand for. What is none is a ValueError."""
    digest = bytes.fromhex(text.strip())
    if len(digest) != HASH_BYTES:
        raise ValueError("A PDQ hash is written as 64 hexadecimal digits.")
    return digest


def distances(hashes: npt.NDArray[np.uint8], one: bytes) -> npt.NDArray[np.int64]:
    """Return in how many bits, 0 to 256, each of `hashes`, (n, 32) uint8, differs from `one`, 32 bytes."""
    if not len(hashes):
        return np.zeros(0, np.int64)
    differing = np.bitwise_xor(hashes, np.frombuffer(one, np.uint8))
    words = np.ascontiguousarray(differing).view(np.uint64)
    return np.asarray(np.bitwise_count(words).sum(axis=1, dtype=np.int64))


def _sampled_rows(picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return 64 rows, between the first and the last, of a picture blurred down its columns."""
    values = picture
    side = len(values)
    window = (side + 2 * SIDE - 1) // (2 * SIDE)
    reach = (window + 2) // 2  # from its own place on; a box of an even size reaches farther on than back
    at = np.arange(side)
    shares = 1 / (np.minimum(at + reach, side) - np.maximum(at + reach - window, 0)).astype(np.float32)
    for _ in range(PASSES):  # a box is cut off at the edges, so that its mean is of fewer pixels there
        sums = cv2.boxFilter(
            values, cv2.CV_32F, (1, window), anchor=(0, window - reach), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        values = np.multiply(sums, shares[:, None])
    return np.asarray(values[((np.arange(SIDE) + 0.5) * side / SIDE).astype(np.int64)])


def _hash(small: npt.NDArray[np.float32]) -> bytes:
    """Return the 256 bits that say which waves of 64 by 64 points are above their median, the highest first."""
    matrix = _cosines()
    found = matrix @ small @ matrix.T
    middle = (HASH_BITS - 1) // 2
    median = np.partition(found, middle, axis=None)[middle]
    return bytes(np.packbits((found > median).ravel()[::-1]))


def _quality(small: npt.NDArray[np.float32]) -> int:
    """Return the reference's measure of 64 by 64 points, 0 to 100: the sum of their slopes, each cut to a percent."""
    steps = (np.abs(np.trunc(np.diff(small, axis=axis) * 100 / 255)).sum() for axis in (0, 1))
    return min(100, int(sum(steps) / QUALITY_DIVISOR))


@lru_cache(maxsize=1)
def _cosines() -> npt.NDArray[np.float32]:
    wave, point = np.arange(1, WAVES + 1)[:, None], np.arange(SIDE)[None, :]
    return np.asarray(math.sqrt(2 / SIDE) * np.cos(math.pi / (2 * SIDE) * wave * (2 * point + 1)), np.float32)
