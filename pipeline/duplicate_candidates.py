"""Which images a picture may be a copy of: those whose hashes are near, and those whose embeddings are nearest.

Hashes find what was encoded, resized, recolored, turned, mirrored or framed; embeddings find crops, small turns and
overlays. Whether it is a copy says the comparison of both pictures alone, which is dear: so an image is a candidate
only where hardly any other of the library is nearer. docs/measurements.md has what this finds and what it costs.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.backend import Backend
from pipeline.features.fingerprint import Fingerprint
from pipeline.filters import Filter
from pipeline.relevance import in_bands
from pipeline.stores import records_embeddings, records_fingerprints
from pipeline.stores.protocols import Neighbor

MOST_BY_HASH = 24
"""Images with near hashes that are compared, the nearest first. Each is nearly always a copy, and of a picture that is
there a hundred times the oldest ones are enough to tie all together."""

LOOKED_AT = 50
"""Nearest images among which it is seen how crowded it is around each of them."""

OWN_NEAREST = 3
"""How many of the nearest are candidates of a picture: of 458 edited pictures among 3,138 the original was among the
first three for all but parts smaller than a sixth of the original."""

THEIR_NEAREST = 1
"""An image to which no more than so many others are nearer than the picture is a candidate too, however many are nearer
to the picture: that is how a face, of which there are many, finds the photo that it was cut from."""

LEAST_POSITION = 0.6
"""Where the cosine of a candidate lies at least, in units of the bands, where 0 is possible and 1 is strong. The least
of a copy that its hash did not tell was 0.76: one half of a picture, by each side."""

MOST_BESIDE = 2
"""Of these the nearest ones only: some pictures are the nearest to very many."""

BUDGET = 1.85
"""Candidates by embedding that a picture without copies has at most on average. In a large library every picture has
strangers that are near, so the second and third of the nearest have to be nearer there; the others are always looked
at."""

SAMPLED = 200  # pictures by which that is measured: some seconds, once in a process
FEWEST_SAMPLED = 50  # below which all of the nearest are looked at, which costs little where there is little
GROWN = 1.5  # by which factor a library has grown before it is measured anew


@dataclass(frozen=True)
class Asked:
    """A picture whose copies are wanted: what was computed of it, and its own row if it has one."""

    fingerprint: Fingerprint
    embedding: npt.NDArray[np.float32] | None
    row: int | None = None


@dataclass(frozen=True)
class Candidate:
    """An image that may be a copy: in how many of 256 bits its hash differs, if that is near, and its cosine."""

    row: int
    hash_distance: int | None = None
    similarity: float | None = None


class CandidateFinder:
    """Finds candidates, for one process: it remembers how crowded the library is. For several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._crowded: tuple[str, int, float] | None = None  # encoder, number of images, least cosine

    def find(self, backend: Backend, asked: Asked) -> list[Candidate]:
        """Return the images that can be found and may be copies of a picture, the likeliest first.

        They are of all libraries. Raises StoreUnavailable.
        """
        found = [near for near in backend.hashes.near(asked.fingerprint, MOST_BY_HASH + 1) if near.row != asked.row]
        by_hash = {near.row: Candidate(near.row, near.distance) for near in found[:MOST_BY_HASH]}
        if asked.embedding is None:
            return list(by_hash.values())
        nearest = backend.vectors.nearest(asked.embedding, LOOKED_AT + len(by_hash) + 1, where=Filter())
        for neighbor in nearest:
            if neighbor.row in by_hash:
                known = by_hash[neighbor.row]
                by_hash[neighbor.row] = Candidate(known.row, known.hash_distance, neighbor.similarity)
        others = [each for each in nearest if each.row not in by_hash and each.row != asked.row][:LOOKED_AT]
        chosen = self._near_enough(backend, others)
        return [*by_hash.values(), *(Candidate(each.row, similarity=each.similarity) for each in chosen)]

    def _near_enough(self, backend: Backend, nearest: Sequence[Neighbor]) -> list[Neighbor]:
        always, maybe = _parted(backend, nearest)
        least = self._least_cosine(backend) if maybe else 0.0
        chosen = {each.row for each in (*always, *(each for each in maybe if each.similarity >= least))}
        return [each for each in nearest if each.row in chosen]

    def _least_cosine(self, backend: Backend) -> float:
        """Return from which cosine on the second and third of the nearest are candidates in this library."""
        encoder, number = backend.encoder.fingerprint, len(backend.hashes)
        with self._lock:
            known = self._crowded
            if known is None or known[0] != encoder or number > GROWN * known[1]:
                known = self._crowded = (encoder, number, _measured(backend))
        return known[2]


def _position(backend: Backend, similarity: float) -> float:
    return in_bands(similarity, backend.bands, by_picture=True)


def _parted(backend: Backend, nearest: Sequence[Neighbor]) -> tuple[list[Neighbor], list[Neighbor]]:
    """Return which of the nearest are candidates in any case, and which where the library is not too crowded."""
    within = [each for each in nearest if _position(backend, each.similarity) >= LEAST_POSITION]
    first, maybe, rest = within[:1], within[1:OWN_NEAREST], within[OWN_NEAREST:]
    if not rest:
        return first, maybe
    with backend.database.read() as connection:
        rows = [each.row for each in within]
        vectors = records_embeddings.get_vectors(connection, rows, backend.encoder.fingerprint)
    tied = _to_whom_few_are_nearer([each for each in within if each.row in vectors], vectors)
    beside = [each for each in rest if each.row in tied][:MOST_BESIDE]
    return [*first, *beside], maybe


def _to_whom_few_are_nearer(nearest: Sequence[Neighbor], vectors: dict[int, npt.NDArray[np.float32]]) -> set[int]:
    """Return the rows to which no more than THEIR_NEAREST - 1 others of these are nearer than the picture is."""
    matrix = np.stack([vectors[each.row] for each in nearest])
    among = matrix @ matrix.T
    np.fill_diagonal(among, -1.0)
    nearer = (among > np.array([each.similarity for each in nearest])[:, None]).sum(axis=1)
    return {each.row for each, count in zip(nearest, nearer, strict=True) if count < THEIR_NEAREST}


def _measured(backend: Backend) -> float:
    """Return the cosine from which on pictures of this library have BUDGET candidates on average, all in all."""
    with backend.database.read() as connection:
        rows = records_fingerprints.sample(connection, SAMPLED)
        hashes = records_fingerprints.get_many(connection, rows)
        vectors = records_embeddings.get_vectors(connection, rows, backend.encoder.fingerprint)
    if len(vectors) < FEWEST_SAMPLED:
        return -1.0
    number, cosines = 0, []
    for row, vector in vectors.items():
        copies = {near.row for near in backend.hashes.near(hashes[row], MOST_BY_HASH)} | {row}
        nearest = backend.vectors.nearest(vector, LOOKED_AT + len(copies), where=Filter())
        always, maybe = _parted(backend, [each for each in nearest if each.row not in copies])
        number += len(always)
        cosines += [each.similarity for each in maybe]
    allowed = max(0, int(BUDGET * len(vectors)) - number)
    return -1.0 if len(cosines) <= allowed else sorted(cosines, reverse=True)[allowed]
