"""Finding the hashes of 256 bits that are within some bits of others, among a million in a millisecond or few.

Two hashes that differ in at most d bits agree in one of their sixteen words of 16 bits up to d // 16 bits, so that it
is enough to look at those that have such a word: M. Norouzi, A. Punjani, D. Fleet, "Fast Exact Search in Hamming Space
with Multi-Index Hashing" (2014). Nothing is left out. Few hashes are simply all compared.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

HASH_BYTES = 32
WORDS, WORD_BITS = 16, 16
VALUES = 1 << WORD_BITS

SCANNED = 4096
"""Up to so many hashes are compared one by one: an index of fewer would save nothing, and takes 4 MB at least."""

FARTHEST = 63
"""The largest distance in bits that can be asked: from 64 on every word may differ in four bits, and a look at all
hashes is quicker."""

Hashes = npt.NDArray[np.uint8]
"""(n, 32) bytes."""


@dataclass(frozen=True)
class Near:
    """Pairs of a hash and a question, nearest first: their places, and how many bits they differ in."""

    places: npt.NDArray[np.int64]
    questions: npt.NDArray[np.int64]
    distances: npt.NDArray[np.int64]


class NearHashes:
    """A set of hashes that can be asked. It never changes; `with_more` returns a larger one."""

    def __init__(self, hashes: Hashes) -> None:
        self.hashes = np.ascontiguousarray(hashes, np.uint8).reshape(-1, HASH_BYTES)
        self._index = _Index(self.hashes) if len(self.hashes) > SCANNED else None

    def __len__(self) -> int:
        return len(self.hashes)

    def with_more(self, hashes: Hashes) -> "NearHashes":
        """Return these and others behind them. The index is made anew only when many have come."""
        grown = NearHashes.__new__(NearHashes)
        grown.hashes = np.concatenate([self.hashes, np.asarray(hashes, np.uint8).reshape(-1, HASH_BYTES)])
        indexed = self._index.size if self._index else 0
        many = len(grown.hashes) - indexed > max(SCANNED, indexed // 50)
        grown._index = _Index(grown.hashes) if many else self._index  # noqa: SLF001 - its own
        return grown

    def within(self, questions: Hashes, farthest: int) -> Near:
        """Return each pair of one of these hashes and one of `questions`, (m, 32), at most `farthest` bits apart.

        Raises ValueError for more than `FARTHEST`.
        """
        if not 0 <= farthest <= FARTHEST:
            raise ValueError(f"hashes are looked for within 0 to {FARTHEST} bits, not {farthest}")
        asked = np.ascontiguousarray(questions, np.uint8).reshape(-1, HASH_BYTES)
        indexed = self._index.size if self._index else 0
        found = [_scanned(self.hashes[indexed:], indexed, asked, farthest)]
        if self._index:
            found.append(self._index.within(self.hashes, asked, farthest))
        pairs = np.concatenate(found)
        pairs = pairs[np.lexsort((pairs[:, 0], pairs[:, 1], pairs[:, 2]))]
        return Near(pairs[:, 0], pairs[:, 1], pairs[:, 2])


def bits_apart(hashes: Hashes, one: Hashes) -> npt.NDArray[np.int64]:
    """Return by how many bits each of `hashes` (n, 32) differs from `one` (32) or, row by row, from (n, 32)."""
    differing = _words(hashes) ^ _words(one)
    apart: npt.NDArray[np.int64] = np.bitwise_count(differing).sum(axis=-1, dtype=np.int64)
    return apart


def _words(hashes: Hashes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(hashes, np.uint8).view(np.uint64)


def _scanned(hashes: Hashes, first: int, asked: Hashes, farthest: int) -> npt.NDArray[np.int64]:
    """Return (place, question, distance) rows; the hashes begin at the place `first`."""
    rows = [np.empty((0, 3), np.int64)]
    for number, one in enumerate(asked):
        apart = bits_apart(hashes, one)
        places = np.flatnonzero(apart <= farthest)
        rows.append(np.column_stack((places + first, np.full(len(places), number), apart[places])))
    return np.concatenate(rows)


class _Index:
    """For each of the sixteen words, the places of the hashes in the order of its values, and where each begins."""

    def __init__(self, hashes: Hashes) -> None:
        self.size = len(hashes)
        words = hashes.view(np.uint16)
        self._order = np.empty((WORDS, self.size), np.int32)
        self._starts = np.zeros((WORDS, VALUES + 1), np.int32)
        for word in range(WORDS):
            values = np.ascontiguousarray(words[:, word])
            self._order[word] = np.argsort(values, kind="stable")
            np.cumsum(np.bincount(values, minlength=VALUES), out=self._starts[word, 1:])

    def within(self, hashes: Hashes, asked: Hashes, farthest: int) -> npt.NDArray[np.int64]:
        """Return (place, question, distance) rows, each pair once."""
        rows = [np.empty((0, 3), np.int64)]
        flips = _flips(farthest // WORDS)
        which = np.arange(WORDS)[:, None]
        for number, one in enumerate(asked):
            values = one.view(np.uint16)[:, None] ^ flips
            begins = self._starts[which, values].astype(np.int64)
            lengths = self._starts[which, values.astype(np.int64) + 1] - begins
            flat = (which * self.size + begins).ravel()
            counts = lengths.ravel()
            ends = np.cumsum(counts)
            steps = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
            places = self._order.ravel()[np.repeat(flat, counts) + steps].astype(np.int64)
            apart = bits_apart(hashes[places], one)
            near = apart <= farthest
            places, kept = np.unique(places[near], return_index=True)
            rows.append(np.column_stack((places, np.full(len(places), number), apart[near][kept])))
        return np.concatenate(rows)


@cache
def _flips(most: int) -> npt.NDArray[np.uint16]:
    """Return every word of 16 bits with at most so many of them set."""
    masks = [sum(1 << bit for bit in bits) for size in range(most + 1) for bits in combinations(range(WORD_BITS), size)]
    return np.array(masks, np.uint16)
