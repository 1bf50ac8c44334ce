"""What cosines mean for an encoder in this library: measured on its own pictures, and anew as the library grows.

Two pictures taken at random are, nearly always, nothing to each other, and so are a word and a picture. How their
cosines are distributed is the background; a hit is strong when hardly any of the background is as near. So the words
"strong" and "possible" mean the same for each encoder, whatever its cosines are.
"""

from dataclasses import astuple

import numpy as np
import numpy.typing as npt

from pipeline.backend import Backend
from pipeline.errors import InvalidQuery
from pipeline.features.encoders.protocol import Encoder, SimilarityBands
from pipeline.stores import copies, records_embeddings, records_encoders
from pipeline.stores.database import Writing

MOST_VECTORS = 1500  # sampled: a million pairs, of which thousands are beyond the rarest quantile below
FEWEST_VECTORS = 200  # below which pairs say little; the encoder's own bands are used then
FULL_TRUST = 1000  # vectors from which on the bands are those of the library alone
GROWN = 1.5  # by which factor a library has grown, or shrunk, before its background is measured anew

PICTURE_STRONG, PICTURE_POSSIBLE = 0.9974, 0.9918
TEXT_STRONG, TEXT_POSSIBLE = 0.9991, 0.9940
"""The part of the background below which a cosine is not strong, or not possible: where `bench/fit_relevance.py` found
both for `lite` on labeled pictures, 95 % of the right hits being possible and 80 % of the strong ones right."""

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
    return measure_vectors(vectors, backend.encoder)


def measure_vectors(vectors: npt.NDArray[np.float32], encoder: Encoder) -> SimilarityBands | None:
    """Return the bands of `encoder` on a sample of its vectors, (n, dimension); None when there are too few.

    Below FULL_TRUST of them the bands are drawn to those the encoder came with, in proportion. An encoder that knows
    none of WORDS keeps its bands for texts.
    """
    lengths = np.linalg.norm(vectors, axis=1) if len(vectors) else np.zeros(0)
    usable = np.isfinite(lengths) & (lengths > 0)
    if usable.sum() < FEWEST_VECTORS:
        return None
    vectors = vectors[usable] / lengths[usable, None]
    pairs = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    by_words = _texts(encoder) @ vectors.T
    prior = astuple(encoder.bands)
    of_texts = np.quantile(by_words, (TEXT_STRONG, TEXT_POSSIBLE)) if by_words.size else prior[2:]
    quantiles = (*np.quantile(pairs, (PICTURE_STRONG, PICTURE_POSSIBLE)), *of_texts)
    trust = min(1.0, len(vectors) / FULL_TRUST)
    blended = (trust * cosine + (1 - trust) * before for cosine, before in zip(quantiles, prior, strict=True))
    return SimilarityBands(*(round(min(float(cosine), MOST_COSINE), 4) for cosine in blended))


def is_due(measured_on: int, pictures: int) -> bool:
    """Whether bands that were measured on a library of `measured_on` pictures are to be measured anew on `pictures`."""
    if pictures < FEWEST_VECTORS:
        return False
    return pictures >= GROWN * max(measured_on, 1) or GROWN * pictures <= measured_on


def refresh(backend: Backend) -> bool:
    """Measure the bands anew if the library has grown or shrunk enough since; return whether it was done.

    One process measures, and all read the database. To be called now and then.
    """
    encoder = backend.encoder.fingerprint
    with backend.database.read() as connection:
        is_active = (active := records_embeddings.active_encoder(connection)) and active.fingerprint == encoder
        measured_on = records_encoders.measured_on(connection, encoder)
        pictures = copies.count_visible(connection, encoder)
    if not is_active or not is_due(measured_on, pictures):
        return False
    with backend.database.exclusively("measure the background") as held:
        bands = measure(backend) if held else None
        if bands is None:
            return False
        with backend.database.write(Writing.BESIDE) as connection:
            records_encoders.keep_bands(connection, encoder, bands, pictures)
    return True


def _texts(encoder: Encoder) -> npt.NDArray[np.float32]:
    found = []
    for word in WORDS:
        try:
            found.append(encoder.embed_text(word).vector)
        except InvalidQuery:  # a small vocabulary; the others will do
            continue
    return np.array(found, np.float32).reshape(-1, encoder.dimension)
