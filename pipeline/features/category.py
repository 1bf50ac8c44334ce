"""The ten categories of a picture, read off its embedding by a small head that was fitted for that encoder.

The head looks at the embedding itself and at how the things vote that the encoder knows by name: each is a vector
in the same space and belongs to a category, so what is close to "tabby" is an animal wherever the picture came
from. For portraits, text and patterns there are few names or none, and the embedding decides. Where the numbers come
from is told in docs/decisions/0003-categories.md; `bench/fit_category.py` makes them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelUnusable
from pipeline.features.picture import CATEGORIES, Category

VOTE_SHARPNESS = 15.0
"""Cosines are multiplied by this before the softmax over all things: a thing 0.1 closer has 4.5 times the vote."""

VOTE_FLOOR = 1e-3
"""Added to each category's share of the votes, so that its logarithm stays within 7 of zero."""

VOTE_SCALE = 0.3
"""What the logarithms are multiplied by, so that votes and embedding are of like size when the head is fitted."""

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Voters:
    """The things that vote.

    `vectors` is (n, dimension) of unit length; `categories` (n,) holds the place of each one's category in
    CATEGORIES, or -1 where it has none.
    """

    vectors: Numbers
    categories: npt.NDArray[np.int8]

    def describe(self, embeddings: Numbers) -> Numbers:
        """Return (n, dimension + 10): each embedding, followed by how the votes fell on the ten categories."""
        closeness = VOTE_SHARPNESS * (embeddings @ self.vectors.T)
        votes = np.exp(closeness - closeness.max(axis=1, keepdims=True))
        votes /= votes.sum(axis=1, keepdims=True)
        membership = self.categories[:, None] == np.arange(len(CATEGORIES))
        tally = VOTE_SCALE * np.log(votes @ membership.astype(np.float32) + VOTE_FLOOR)
        return np.hstack([embeddings, tally]).astype(np.float32)


@dataclass(frozen=True)
class CategoryHead:
    """Multinomial logistic regression on what Voters.describe returns.

    `weights` is (10, dimension + 10) and `biases` (10,), both in the order of CATEGORIES.
    """

    voters: Voters
    weights: Numbers
    biases: Numbers

    def classify(self, embeddings: Numbers) -> list[Category]:
        """Return the category of each row of `embeddings`, which is (n, dimension) of unit length."""
        return [category_of(row) for row in self.probabilities(embeddings)]

    def probabilities(self, embeddings: Numbers) -> npt.NDArray[np.float64]:
        """Return (n, 10) probabilities in the order of CATEGORIES; each row sums to 1."""
        logits = (self.voters.describe(embeddings) @ self.weights.T + self.biases).astype(np.float64)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def load_head(path: Path, voting_vectors: Numbers) -> CategoryHead:
    """Return the head in the .npz file at `path`, in which the things at `voting_vectors` vote.

    Raises ModelUnusable when the file cannot be read or belongs to another encoder.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as numbers:
            voters = Voters(voting_vectors, numbers["voter_categories"].astype(np.int8))
            head = CategoryHead(voters, numbers["weights"].astype(np.float32), numbers["biases"].astype(np.float32))
    except Exception as error:  # a damaged archive raises from zipfile, zlib and NumPy alike
        raise ModelUnusable(
            f"The file {path.name} of the categories cannot be read. Please install Likeness again.",
            detail=repr(error),
        ) from error
    things, dimension = voting_vectors.shape
    expected = ((len(CATEGORIES), dimension + len(CATEGORIES)), (len(CATEGORIES),), (things,))
    if (head.weights.shape, head.biases.shape, voters.categories.shape) != expected:
        raise ModelUnusable(
            f"The file {path.name} of the categories belongs to another encoder. Please install Likeness again.",
            detail=f"weights {head.weights.shape} for {things} things of {dimension} dimensions",
        )
    return head


def category_of(probabilities: npt.NDArray[np.float64]) -> Category:
    """Return the category that (10,) probabilities in the order of CATEGORIES, which sum to 1, speak for."""
    best = int(probabilities.argmax())
    scores = {name: float(share) for name, share in zip(CATEGORIES, probabilities, strict=True)}
    return Category(CATEGORIES[best], float(probabilities[best]), scores)
