"""The one stand-in of the tests: an encoder without a network, so that most of them need no weights."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidQuery
from pipeline.features.encoders.protocol import SimilarityBands, TextEmbedding
from pipeline.features.picture import CATEGORIES, Category, Keyword, Picture

GRID = 4
DIMENSION = GRID * GRID * 3
OFFSET = 16.0  # added to every value, so that a black picture has a direction too

WORDS = {"red": (220, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 220)}
"""What it understands of texts: the embedding of a word is that of a plain picture of its color."""


class GridEncoder:
    """An Encoder whose embedding is the mean color of each cell of a 4x4 grid, scaled to unit length."""

    name = "grid"
    fingerprint = hashlib.sha256(b"grid 4x4").hexdigest()
    dimension = DIMENSION
    bands = SimilarityBands(picture_strong=0.98, picture_possible=0.9, text_strong=0.95, text_possible=0.8)

    def embed_pictures(self, pictures: Sequence[Picture]) -> npt.NDArray[np.float32]:
        return np.stack([_unit(_grid(picture.pixels)) for picture in pictures]).astype(np.float32)

    def embed_text(self, text: str) -> TextEmbedding:
        words = text.lower().split()
        understood = tuple(word for word in words if word in WORDS)
        if not understood:
            raise InvalidQuery(f"No word of “{text}” is known. Please use another.")
        mean = np.mean([WORDS[word] for word in understood], axis=0)
        vector = _unit(np.tile(mean, GRID * GRID)).astype(np.float32)
        return TextEmbedding(vector, understood, tuple(word for word in words if word not in WORDS))

    def classify(self, embeddings: npt.NDArray[np.float32]) -> list[Category]:
        """Call everything the category that has the number of its largest value: any answer will do."""
        found = []
        for vector in embeddings:
            name = CATEGORIES[int(np.argmax(vector)) % len(CATEGORIES)]
            scores = {category: 0.55 if category == name else 0.05 for category in CATEGORIES}
            found.append(Category(name, scores[name], scores))
        return found

    def keywords(self, embeddings: npt.NDArray[np.float32]) -> list[tuple[Keyword, ...]]:
        """Say the word for its color of a picture that is nearly plain."""
        vectors = np.array([self.embed_text(word).vector for word in WORDS])
        return [
            tuple(
                Keyword(word, float(cosine))
                for word, cosine in zip(WORDS, row, strict=True)
                if cosine > self.bands.text_strong
            )
            for row in embeddings @ vectors.T
        ]


def _grid(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    rows = np.array_split(pixels.astype(np.float64), min(GRID, pixels.shape[0]), axis=0)
    means = [
        part.reshape(-1, 3).mean(axis=0)
        for row in rows
        for part in np.array_split(row, min(GRID, pixels.shape[1]), axis=1)
    ]
    return np.resize(np.concatenate(means), DIMENSION)


def _unit(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = values + OFFSET
    return shifted / np.linalg.norm(shifted)
