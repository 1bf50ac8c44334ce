"""The fingerprint of a picture: PDQ hashes by which copies are found again.

PDQ: Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019).
"""

from dataclasses import dataclass

from pipeline.features.pdq import HASH_BYTES as _PDQ_BYTES
from pipeline.features.pdq import in_orientations, luma, pdq
from pipeline.features.picture import Picture
from pipeline.features.trimming import trim

VERSION = 1
"""Raised when fingerprints are computed otherwise, so that older ones can be told apart."""

ORIENTATIONS = 8
HASH_BYTES = _PDQ_BYTES


@dataclass(frozen=True)
class Fingerprint:
    """PDQ hashes of one picture, 256 bits each, as other tools write them: the first byte has the highest bits.

    `whole` is that of the picture as it is. `trimmed` are those of the picture without its borders, 8 times 32 bytes:
    turned by 0, 90, 180 and 270 degrees clockwise, then the same of the picture mirrored left to right. `quality` is
    PDQ's own measure, 0 to 100, of how much there is to tell; below 50 a hash says little.
    """

    whole: bytes
    trimmed: bytes
    quality: int


def fingerprint_of(picture: Picture) -> Fingerprint:
    """Return the hashes of a picture. One too plain to tell from others has quality 0, whatever its hashes say."""
    gray = luma(picture.pixels)
    left = trim(picture.pixels)
    inner = gray[left.top : left.top + left.height, left.left : left.left + left.width]
    trimmed, quality = in_orientations(inner)
    whole, quality = (trimmed[:HASH_BYTES], quality) if inner.shape == gray.shape else pdq(gray)
    return Fingerprint(whole, trimmed, quality)
