"""Which of a few images are nearly the same as the picture that was searched with, by their PDQ hashes."""

import logging
from collections.abc import Sequence

import numpy as np

from pipeline.backend import Backend
from pipeline.errors import DecoderUnavailable, ImageRejected
from pipeline.features.fingerprint import HASH_BYTES, ORIENTATIONS, Fingerprint, fingerprint_of
from pipeline.features.pdq import distances
from pipeline.features.verdicts import HASH_IS_SURE
from pipeline.stores import records_fingerprints
from pipeline.stores.hash_table import GOOD_QUALITY
from pipeline.stores.records_queries import QueryPicture

log = logging.getLogger(__name__)

Pictured = QueryPicture | int
"""The picture that is asked about: one that was sent, or the row of an image."""


def near_duplicates(backend: Backend, pictured: Pictured, rows: Sequence[int]) -> dict[int, int]:
    """Return in how many of 256 bits those of `rows` differ, in the nearest of eight orientations, that hardly do.

    Whole pictures are compared, and those without their borders; hashes that say little are not. That of a picture that
    was sent is made of its thumbnail, which takes some milliseconds, and only where there is something to compare with.
    """
    own = [pictured] if isinstance(pictured, int) else []
    with backend.database.read() as connection:
        known = records_fingerprints.get_many(connection, [*rows, *own])
    theirs = {row: known[row] for row in rows if row in known and known[row].quality >= GOOD_QUALITY}
    if not theirs:
        return {}
    ours = known.get(pictured) if isinstance(pictured, int) else _read(backend, pictured)
    if ours is None or ours.quality < GOOD_QUALITY:
        return {}
    nearest = _nearest(ours, list(theirs.values()))
    return {row: bits for row, bits in zip(theirs, nearest, strict=True) if bits <= HASH_IS_SURE}


def _nearest(ours: Fingerprint, theirs: Sequence[Fingerprint]) -> list[int]:
    whole = np.stack([np.frombuffer(one.whole, np.uint8) for one in theirs])
    upright = np.stack([np.frombuffer(one.trimmed[:HASH_BYTES], np.uint8) for one in theirs])
    turned = [ours.trimmed[at * HASH_BYTES : (at + 1) * HASH_BYTES] for at in range(ORIENTATIONS)]
    found = [distances(whole, ours.whole), *(distances(upright, one) for one in turned)]
    return [int(bits) for bits in np.min(found, axis=0)]


def _read(backend: Backend, picture: QueryPicture) -> Fingerprint | None:
    """Return the hashes of a picture that was sent, or None where it cannot be read now: the search goes on without."""
    try:
        return fingerprint_of(backend.decoders.decode(picture.thumbnail))
    except (DecoderUnavailable, ImageRejected) as error:
        log.warning("a picture that was searched with could not be compared bit by bit: %s", error)
        return None
