"""What cosines mean for an encoder in this library: measured on its own pictures, when an encoder takes over.

Two pictures taken at random are, nearly always, nothing to each other, and so are a word and a picture. How their
cosines are distributed is the background; a hit is strong when hardly any of the background is as near. So the words
"strong" and "possible" mean the same for each encoder, whatever its cosines are.
"""

import numpy as np
import numpy.typing as npt

from pipeline.backend import Backend
from pipeline.errors import InvalidQuery
from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.stores import records_encoders

MOST_VECTORS = 1500  # sampled: a million pairs, of which thousands are beyond the rarest quantile below
FEWEST_VECTORS = 200  # below which pairs say little; the encoder's own bands are used then

PICTURE_STRONG, PICTURE_POSSIBLE = 0.9948, 0.984
TEXT_STRONG, TEXT_POSSIBLE = 0.992, 0.97
"""The part of the background below which a cosine is not strong, or not possible. Those of the constants that `lite`
came with, on labeled pictures (`bench/background.py`), so that a change of encoder does not change the words."""

MOST_COSINE = 0.95
"""Where a band lies at most: in a library of bursts, pairs at random may be nearly the same picture."""

WORDS = (
    "dog", "cat", "bird", "fish", "horse", "flower", "tree", "mountain", "beach", "car", "airplane", "boat", "bicycle",
    "train", "bridge", "church", "castle", "chair", "table", "lamp", "clock", "computer", "telephone", "guitar",
    "piano", "cup", "bottle", "bread", "pizza", "fruit", "ball", "shoe", "hat", "umbrella", "book", "butterfly",
    "elephant", "tiger", "snake", "spider",
)  # fmt: skip
"""Things that every encoder knows by name, and that few pictures of a library show."""


def measure(backend: Backend) -> SimilarityBands | None:
    """Return the bands of the encoder of `backend` on the pictures of its database; None when there are too few."""
    with backend.database.read() as connection:
        vectors = records_encoders.sample_vectors(connection, backend.encoder.fingerprint, MOST_VECTORS)
    if len(vectors) < FEWEST_VECTORS:
        return None
    lengths = np.linalg.norm(vectors, axis=1)
    usable = np.isfinite(lengths) & (lengths > 0)
    vectors = vectors[usable] / lengths[usable, None]
    pairs = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    by_words = _texts(backend) @ vectors.T
    quantiles = (
        *np.quantile(pairs, (PICTURE_STRONG, PICTURE_POSSIBLE)),
        *np.quantile(by_words, (TEXT_STRONG, TEXT_POSSIBLE)),
    )
    return SimilarityBands(*(round(min(float(cosine), MOST_COSINE), 4) for cosine in quantiles))


def _texts(backend: Backend) -> npt.NDArray[np.float32]:
    found = []
    for word in WORDS:
        try:
            found.append(backend.encoder.embed_text(word).vector)
        except InvalidQuery:  # a small vocabulary; the others will do
            continue
    return np.array(found, np.float32).reshape(-1, backend.encoder.dimension)
