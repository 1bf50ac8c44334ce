"""The space of the `lite` encoder: from the 1,280 features of the network to 512 numbers.

Features are centered by the mean feature of ordinary photographs and projected onto the directions in which
the rows of the network's own classifier differ most; the rows themselves go the same way, and so a class and
its pictures meet. The numbers lie beside this module, made by `bench/fit_lite_space.py`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelUnusable

SPACE_FILE = Path(__file__).parent / "lite_projection.npy"
MEAN_FILE = Path(__file__).parent / "lite_mean.npy"

DIMENSION = 512

SMALLEST_NORM = 1e-12
"""Keeps a vector of zeros from becoming not-a-number; no picture has been seen to come near."""


@dataclass(frozen=True)
class LiteSpace:
    """`mean` is (1280,), `projection` (1280, 512) with orthonormal columns; `fingerprint` identifies both."""

    mean: npt.NDArray[np.float32]
    projection: npt.NDArray[np.float32]
    fingerprint: str

    def place_features(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (n, 512) of unit length for (n, 1280) features of pictures."""
        return unit_rows(np.asarray((features - self.mean) @ self.projection))

    def place_classes(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (n, 512) of unit length for all (n, 1280) rows of the classifier."""
        centered = rows - rows.mean(axis=0, dtype=np.float32)
        return unit_rows(centered @ self.projection)


def load_space() -> LiteSpace:
    """Return the space that is part of the package. Raises ModelUnusable when its files are damaged."""
    try:
        mean = np.load(MEAN_FILE, allow_pickle=False).astype(np.float32)
        projection = np.load(SPACE_FILE, allow_pickle=False).astype(np.float32)
    except (OSError, ValueError) as error:
        raise ModelUnusable(
            "The numbers of the encoder lite cannot be read. Please install Likeness again.",
            detail=repr(error),
        ) from error
    if projection.shape != (mean.size, DIMENSION):
        raise ModelUnusable(
            "The numbers of the encoder lite do not fit together. Please install Likeness again.",
            detail=f"{mean.shape} and {projection.shape}",
        )
    digest = hashlib.sha256(mean.tobytes() + projection.tobytes()).hexdigest()
    return LiteSpace(mean, projection, digest)


def unit_rows(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return each row of `rows` divided by its length."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), SMALLEST_NORM)
    return np.asarray(rows / lengths, np.float32)
