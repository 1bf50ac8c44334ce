"""What every encoder promises, whichever network is behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.features.picture import Category, Keyword, Meaning, Picture

Embedding = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TextEmbedding:
    """The embedding of a text, (dimension,) float32 of unit length, and how much of the text it stands for.

    `understood` and `ignored` are the words of the text, in order. An encoder with a whole text tower
    ignores none; `lite` knows only the things its classifier names. `is_broad` is true of a text that stands for so
    many kinds of things that its cosines are much smaller than those of the name of one.
    """

    vector: Embedding
    understood: tuple[str, ...]
    ignored: tuple[str, ...]
    is_broad: bool = False


@dataclass(frozen=True)
class SimilarityBands:
    """From which cosine on a hit is strong or possible, for picture and for text queries; below it is weak.

    A cosine means something else for each encoder, and for text against picture, so each brings its own.
    """

    picture_strong: float
    picture_possible: float
    text_strong: float
    text_possible: float


class Encoder(Protocol):
    """Turns pictures and texts into vectors of one space, in which the cosine says how alike they are.

    `name` is what people call it; `fingerprint` identifies everything its vectors depend on (weights,
    preprocessing, projection), so that vectors of different fingerprints are never compared. Methods may be
    called from several threads at once.
    """

    name: str
    fingerprint: str
    dimension: int
    bands: SimilarityBands

    def embed_pictures(self, pictures: Sequence[Picture]) -> npt.NDArray[np.float32]:
        """Return (len(pictures), dimension) float32, each row of unit length."""
        ...

    def embed_text(self, text: str) -> TextEmbedding:
        """Return the embedding of `text`. Raises InvalidQuery when no word of it is understood."""
        ...

    def classify(self, embeddings: npt.NDArray[np.float32]) -> list[Category]:
        """Return the category of each row of `embeddings`, which this encoder made."""
        ...

    def keywords(self, embeddings: npt.NDArray[np.float32]) -> list[tuple[Keyword, ...]]:
        """Return for each row of `embeddings` the words that stand out, at most MOST_KEYWORDS, the best first."""
        ...


def meanings(encoder: Encoder, embeddings: npt.NDArray[np.float32]) -> list[Meaning]:
    """Return what `encoder` reads off each row of `embeddings`, which it made."""
    read = zip(encoder.classify(embeddings), encoder.keywords(embeddings), strict=True)
    return [Meaning(category, keywords) for category, keywords in read]
