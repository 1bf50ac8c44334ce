"""The space of the `lite` encoder: from the 1,280 features of the network to 512 numbers.

The first 463 are the features, centered by the mean feature of ordinary photographs and projected onto the
directions in which the rows of the network's own classifier differ most; the rows go the same way, and so a class
and its pictures meet. The other 49 say how the classes near a picture divide among kinds ("dog", "boat", "animal"):
the mean of 118 dogs points at no dog, so a broad word needs a direction of its own. The numbers lie beside this
module: the means and the projection were made by `bench/fit_lite_space.py`, the kinds by hand.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.lexicon import expand_spans
from pipeline.features.encoders.lite_network import CLASSES, FEATURES

HERE = Path(__file__).parent
PROJECTION_FILE = HERE / "lite_projection.npy"
MEAN_FILE = HERE / "lite_mean.npy"
KIND_MEAN_FILE = HERE / "lite_kind_mean.npy"
KINDS_FILE = HERE / "lite_kinds.json"

DIMENSION = 512

SHARPNESS = 15.0
"""Cosines to the classes are multiplied by this before their softmax. At 25 one class takes all and "animal" is
found worse; docs/evaluation-lite.md has the figures."""

KIND_SCALE = 0.4
"""What the kinds weigh in a picture's embedding. They change P@10 little (0.704 to 0.707 on Caltech-101) and give
broad words what they need: the average precision of "dog" rises from 0.14 to 0.56."""

SMALLEST_PART = 0.6
"""A phrase that means less than this part of a kind says nothing about the kind: a terrier is not all dogs."""

SMALLEST_NORM = 1e-12
"""Keeps a vector of zeros from becoming not-a-number; no picture has been seen to come near."""

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LiteSpace:
    """The numbers of the space, and the ways into it.

    `mean` is (1280,), `projection` (1280, 463) with orthonormal columns, `classes` (1000, 463) the projected rows of
    the classifier, of unit length, `kinds` (1000, 49) with 1 where a class is of a kind, `kind_mean` (49,) what
    ordinary photographs have there.
    """

    mean: Numbers
    projection: Numbers
    classes: Numbers
    kinds: Numbers
    kind_mean: Numbers

    @property
    def fingerprint(self) -> str:
        """Return what identifies all numbers on which the vectors of pictures depend."""
        parts = (self.mean, self.projection, self.kinds, self.kind_mean, np.array([SHARPNESS, KIND_SCALE], np.float32))
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()

    @property
    def class_vectors(self) -> Numbers:
        """Return (1000, 512) of unit length: the classes, without a word about kinds."""
        return np.hstack([self.classes, np.zeros_like(self.kinds)])

    def place_features(self, features: Numbers) -> Numbers:
        """Return (n, 512) of unit length for (n, 1280) features of pictures."""
        return self.place_things(unit_rows((features - self.mean) @ self.projection))

    def place_things(self, things: Numbers) -> Numbers:
        """Return (n, 512) of unit length for the (n, 463) projected features, of unit length, of pictures."""
        return unit_rows(np.hstack([things, KIND_SCALE * (self.kind_shares(things) - self.kind_mean)]))

    def kind_shares(self, things: Numbers) -> Numbers:
        """Return (n, 49): the square root of each kind's share of the votes of the classes near each thing."""
        closeness = SHARPNESS * (things @ self.classes.T)
        votes = np.exp(closeness - closeness.max(axis=1, keepdims=True))
        votes /= votes.sum(axis=1, keepdims=True)
        return np.asarray(np.sqrt(votes @ self.kinds), np.float32)

    def place_phrase(self, meant: Sequence[int]) -> Numbers:
        """Return (512,), not of unit length, for a phrase that means these classes.

        The mean of classes that lie far apart is short, so a vague phrase gives way to one that says more.
        """
        return np.concatenate([self.classes[list(meant)].mean(axis=0), self._kinds_meant(meant)])

    def _kinds_meant(self, meant: Sequence[int]) -> Numbers:
        members = np.zeros(CLASSES, np.float32)
        members[list(meant)] = 1
        parts = np.asarray((members @ self.kinds) / self.kinds.sum(axis=0), np.float32)
        parts[parts < SMALLEST_PART] = 0
        for whole in np.flatnonzero(parts):  # "animal" is said once, and not again for each kind of animal
            inside = self.kinds[:, whole] @ self.kinds == self.kinds.sum(axis=0)
            parts[inside & (np.arange(parts.size) != whole)] = 0
        return np.asarray(unit_rows(parts[None])[0], np.float32)


def load_space(classifier_rows: Numbers) -> LiteSpace:
    """Return the space that is part of the package, given the (1000, 1280) rows of the classifier.

    Raises ModelUnusable when its files are damaged.
    """
    try:
        mean, kind_mean, projection = (
            np.load(path, allow_pickle=False).astype(np.float32)
            for path in (MEAN_FILE, KIND_MEAN_FILE, PROJECTION_FILE)
        )
        kinds = read_kinds()
    except (OSError, ValueError) as error:
        raise ModelUnusable(
            "The numbers of the encoder lite cannot be read. Please install Likeness again.", detail=repr(error)
        ) from error
    if (mean.shape, projection.shape, kind_mean.size) != ((FEATURES,), (FEATURES, DIMENSION), kinds.shape[1]):
        raise ModelUnusable(
            "The numbers of the encoder lite do not fit together. Please install Likeness again.",
            detail=f"{mean.shape}, {projection.shape}, {kind_mean.shape}, {kinds.shape}",
        )
    return assemble_space(classifier_rows, mean, projection, kinds, kind_mean)


def assemble_space(
    classifier_rows: Numbers, mean: Numbers, projection: Numbers, kinds: Numbers, kind_mean: Numbers
) -> LiteSpace:
    """Return the space in which the kinds take the place of the last directions of `projection`."""
    leading = np.ascontiguousarray(projection[:, : DIMENSION - kinds.shape[1]])
    centered = classifier_rows - classifier_rows.mean(axis=0, dtype=np.float32)
    return LiteSpace(mean, leading, unit_rows(centered @ leading), kinds, kind_mean)


def read_kinds() -> Numbers:
    """Return (1000, 49), with 1 where a class is of a kind."""
    spans = json.loads(KINDS_FILE.read_text(encoding="utf-8")).values()
    kinds = np.zeros((CLASSES, len(spans)), np.float32)
    for column, span in enumerate(spans):
        kinds[list(expand_spans(span)), column] = 1
    return kinds


def unit_rows(rows: npt.NDArray[np.floating]) -> Numbers:
    """Return each row of `rows` divided by its length."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), SMALLEST_NORM)
    return np.asarray(rows / lengths, np.float32)
