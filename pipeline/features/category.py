"""The ten categories of a picture, read off its embedding by a linear head that was fitted for that encoder.

Where the numbers come from is told in docs/decisions/0003-categories.md; `bench/fit_category.py` makes them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelUnusable
from pipeline.features.picture import CATEGORIES, Category


@dataclass(frozen=True)
class CategoryHead:
    """Multinomial logistic regression: `weights` is (10, dimension), `biases` (10,), in the order of CATEGORIES."""

    weights: npt.NDArray[np.float32]
    biases: npt.NDArray[np.float32]

    def classify(self, embeddings: npt.NDArray[np.float32]) -> list[Category]:
        """Return the category of each row of `embeddings`, which is (n, dimension) of unit length."""
        return [_category(row) for row in self.probabilities(embeddings)]

    def probabilities(self, embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return (n, 10) probabilities in the order of CATEGORIES; each row sums to 1."""
        logits = (embeddings @ self.weights.T + self.biases).astype(np.float64)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def load_head(path: Path, dimension: int) -> CategoryHead:
    """Return the head in the .npz file at `path`. Raises ModelUnusable when it is none for `dimension`."""
    try:
        with np.load(path, allow_pickle=False) as numbers:
            head = CategoryHead(numbers["weights"].astype(np.float32), numbers["biases"].astype(np.float32))
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnusable(
            f"The file {path.name} of the categories cannot be read. Please install Likeness again.",
            detail=repr(error),
        ) from error
    if head.weights.shape != (len(CATEGORIES), dimension) or head.biases.shape != (len(CATEGORIES),):
        raise ModelUnusable(
            f"The file {path.name} of the categories belongs to another encoder. Please install Likeness again.",
            detail=f"shape {head.weights.shape}",
        )
    return head


def _category(probabilities: npt.NDArray[np.float64]) -> Category:
    best = int(probabilities.argmax())
    scores = {name: float(share) for name, share in zip(CATEGORIES, probabilities, strict=True)}
    return Category(CATEGORIES[best], float(probabilities[best]), scores)
