"""A picture as it is compared with others: what that needs of it, computed when it is first asked for, and kept."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.features.fingerprint import Fingerprint, fingerprint_of
from pipeline.features.local_features import Corners, LocalFeatures, local_features, mirrored_features
from pipeline.features.picture import Picture
from pipeline.features.trimming import Trim, trim

WORKING_PX = 512 * 384
"""Pixels, width times height, that a picture is brought to: then copies of any size have features of one scale."""

LARGEST_ENLARGEMENT = 4.0  # of the sides; beyond it there is nothing but blur

LONGEST_SIDE = 2048  # pixels of a very wide or very high picture

SMALL_SIDE = 16  # pixels, each way, of the smallest copy
DETAIL_PX = 7  # pixels of `gray`, each way; what is finer counts as detail

Gray = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """A picture and what a comparison needs of it; what is costly is computed when it is first asked for, and kept.

    `embedding` is (dimension,) float32 of unit length, None where it is not known; so is `sha256`, of its bytes.
    """

    picture: Picture
    fingerprint: Fingerprint
    embedding: npt.NDArray[np.float32] | None = None
    sha256: str | None = None

    @cached_property
    def gray(self) -> Gray:
        """The picture in gray, (height, width) uint8, at the size that it is compared at."""
        pixels, scale = self.picture.pixels, self.scale
        height, width = pixels.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))

    @property
    def scale(self) -> float:
        """By which factor the sides of `gray` are longer than those of the picture."""
        height, width = self.picture.pixels.shape[:2]
        return float(
            min(LARGEST_ENLARGEMENT, (WORKING_PX / (height * width)) ** 0.5, LONGEST_SIDE / max(height, width))
        )

    @cached_property
    def small(self) -> npt.NDArray[np.float32]:
        """The picture at 16 by 16 pixels, of mean 0 and length 1; of length 0 where it has but one color."""
        values = cv2.resize(self.gray, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        values = values - values.mean()
        return np.asarray(values / max(1.0, float(np.linalg.norm(values))), np.float32)

    @cached_property
    def detail(self) -> float:
        """How much fine detail there is, in levels: 4 to 14 in most photos, 15 and more on a page of text."""
        values = self.gray.astype(np.float32)
        return float((values - cv2.blur(values, (DETAIL_PX, DETAIL_PX))).std())

    @cached_property
    def _found(self) -> tuple[LocalFeatures, Corners]:
        return local_features(self.gray)

    @property
    def features(self) -> LocalFeatures:
        """Its local features, in pixels of `gray`."""
        return self._found[0]

    @cached_property
    def mirrored_features(self) -> LocalFeatures:
        """Those of its mirror image, where they are in the picture itself."""
        return mirrored_features(self.gray, self._found[1])

    def frame(self, *, trimmed: bool) -> Matrix:
        """Return the transform of the unit square onto the picture without its borders, or onto all of it."""
        if not trimmed:
            return np.eye(3)
        (height, width), left = self.picture.pixels.shape[:2], self.content
        across, down = left.width / width, left.height / height
        return np.array([[across, 0, left.left / width], [0, down, left.top / height], [0, 0, 1]])

    @cached_property
    def content(self) -> Trim:
        """What is left of it without borders, in pixels of the picture."""
        return trim(self.picture.pixels)


def seen_of(
    picture: Picture,
    *,
    fingerprint: Fingerprint | None = None,
    embedding: npt.NDArray[np.float32] | None = None,
    sha256: str | None = None,
) -> Seen:
    """Return what a comparison needs of a picture; its fingerprint is computed where it is not given."""
    return Seen(picture, fingerprint or fingerprint_of(picture), embedding, sha256)
