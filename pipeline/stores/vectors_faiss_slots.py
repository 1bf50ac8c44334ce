"""The vectors that a process holds, each in a numbered slot, with what filters see of its image beside it.

A slot is written once; a vector that comes in the place of another gets a slot of its own and leaves the old one dead,
so that memory in place is never moved about, and a graph over the slots stays right. Nothing here locks.
"""

import itertools
from collections.abc import Callable, Sequence

import faiss
import numpy as np
import numpy.typing as npt

from pipeline.filters import Filter
from pipeline.stores.filter_columns import FilterColumns
from pipeline.stores.records_embeddings import Change

FIRST_ROWS = 1024
BYTES_PER_NUMBER = 2  # float16, which is what the table holds: half the memory, and nothing lost

GATHERED = 2000
"""Slots up to which the vectors are copied together before they are compared: 1000 of them took 0.2 ms. Beyond that
passing over the others is quicker, which takes 3 ns for each slot there is."""

Found = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Cosines of slots, the highest first, and their numbers."""

_numberings = itertools.count(1)


class Slots:
    """Grows by following changes. `seen` is the number of the last change that is in it.

    `numbering` changes whenever slots get other numbers; no two collections have the same.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.seen = 0
        self.numbering = next(_numberings)
        self.columns = FilterColumns()
        self._flat = self._empty()
        self._slot_of_row = np.full(FIRST_ROWS, -1, np.int64)
        self._live = 0

    def __len__(self) -> int:
        return int(self._flat.ntotal)

    @property
    def live(self) -> int:
        """How many slots have the vector of an image, hidden ones included."""
        return self._live

    @property
    def dead(self) -> int:
        """How many slots have a vector that was replaced or removed; a search passes over them."""
        return len(self) - self._live

    def apply(self, changes: Sequence[Change]) -> None:
        """Take in changes, oldest first. An image whose vector stayed as it was keeps its slot."""
        self._make_room(max(change.row for change in changes))
        appended: list[Change] = []
        for change in changes:
            slot = self._slot_of_row[change.row]
            if slot >= 0 and change.vector == self.code(int(slot)):
                self.columns.replace(int(slot), change)
                continue
            if slot >= 0:
                self.columns.hide(int(slot))
                self._slot_of_row[change.row] = -1
                self._live -= 1
            if change.vector:
                appended.append(change)
        if appended:
            self._append(appended)
        self.seen = changes[-1].number

    def mask(self, where: Filter, rows: npt.NDArray[np.int64] | None) -> npt.NDArray[np.bool_]:
        """Return for each slot whether its image is visible and allowed."""
        return self.columns.mask(where, rows)

    def nearest(self, embedding: npt.NDArray[np.float32], limit: int, mask: npt.NDArray[np.bool_]) -> Found:
        """Return the cosines and numbers of up to `limit` slots of `mask`, most similar first, compared exactly."""
        if np.count_nonzero(mask) <= GATHERED:
            return self._gathered(embedding, limit, np.flatnonzero(mask))
        return self._scanned(embedding, limit, mask)

    def nearest_among(self, embedding: npt.NDArray[np.float32], limit: int, slots: npt.NDArray[np.int64]) -> Found:
        """Return the same of the given slots. Equal vectors have the same cosine, whichever way they were compared."""
        if len(slots) <= GATHERED:
            return self._gathered(embedding, limit, slots)
        mask = np.zeros(len(self), np.bool_)
        mask[slots] = True
        return self._scanned(embedding, limit, mask)

    def vectors(self, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the vectors of slots, (slots, dimension)."""
        halves = self._codes()[slots].view(np.float16)
        return halves.astype(np.float32)

    def code(self, slot: int) -> bytes:
        """Return the float16 bytes of a slot."""
        return bytes(self._codes()[slot])

    def codes(self, begin: int, end: int) -> npt.NDArray[np.uint8]:
        """Return a copy of the float16 bytes of a range of slots, (slots, bytes)."""
        return self._codes()[begin:end].copy()

    def slot_of(self, row: int) -> int | None:
        """Return the slot of an image, or None when it has no vector."""
        slot = int(self._slot_of_row[row]) if row < len(self._slot_of_row) else -1
        return slot if slot >= 0 else None

    def held(self) -> npt.NDArray[np.int64]:
        """Return the slots that are not dead, in their order."""
        slots = self._slot_of_row[self._slot_of_row >= 0]
        slots.sort()
        return slots

    def keep(self, slots: npt.NDArray[np.int64]) -> None:
        """Drop all slots but these, which are numbered anew in this order; dead ones among them stay dead."""
        held = np.zeros(len(self), np.bool_)
        held[self.held()] = True
        flat = self._empty()
        flat.add_sa_codes(np.ascontiguousarray(self._codes()[slots]))
        self._flat = flat
        self.columns.keep(slots)
        self._number_rows(held[slots])
        self.numbering = next(_numberings)

    def fill(
        self,
        columns: FilterColumns,
        is_live: npt.NDArray[np.bool_],
        read_codes: Callable[[npt.NDArray[np.uint8]], None],
    ) -> None:
        """Take everything from elsewhere: `read_codes` writes the float16 bytes of all slots into the array it gets."""
        self.columns = columns
        self._flat.codes.resize(len(is_live) * self.dimension * BYTES_PER_NUMBER)
        self._flat.ntotal = len(is_live)
        if len(is_live):
            read_codes(self._codes().reshape(-1))
        self._number_rows(is_live)

    def _gathered(self, embedding: npt.NDArray[np.float32], limit: int, slots: npt.NDArray[np.int64]) -> Found:
        few = self._empty()
        few.add_sa_codes(np.ascontiguousarray(self._codes()[slots]))
        similarities, places = few.search(_as_batch(embedding), min(limit, len(slots)))
        return similarities[0], slots[places[0]]

    def _scanned(self, embedding: npt.NDArray[np.float32], limit: int, mask: npt.NDArray[np.bool_]) -> Found:
        bits = np.packbits(mask, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type] # its Python form takes the array
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg] # fields are set by name
        similarities, slots = self._flat.search(_as_batch(embedding), limit, params=parameters)
        held = slots[0] >= 0
        return similarities[0][held], slots[0][held]

    def _append(self, changes: list[Change]) -> None:
        first = len(self)
        codes = np.frombuffer(b"".join(change.vector or b"" for change in changes), np.uint8)
        self._flat.add_sa_codes(codes.reshape(len(changes), -1))
        self.columns.append(changes)
        self._slot_of_row[[change.row for change in changes]] = np.arange(first, len(self))
        self._live += len(changes)

    def _number_rows(self, is_live: npt.NDArray[np.bool_]) -> None:
        rows = self.columns.rows()[is_live]
        self._slot_of_row = np.full(max(FIRST_ROWS, int(rows.max(initial=0)) + 1), -1, np.int64)
        self._slot_of_row[rows] = np.flatnonzero(is_live)
        self._live = len(rows)

    def _make_room(self, row: int) -> None:
        if row >= len(self._slot_of_row):
            grown = np.full(max(row + 1, 2 * len(self._slot_of_row)), -1, np.int64)
            grown[: len(self._slot_of_row)] = self._slot_of_row
            self._slot_of_row = grown

    def _codes(self) -> npt.NDArray[np.uint8]:
        """Return the float16 bytes of all slots as they lie in memory; appending makes what was returned invalid."""
        if not len(self):
            return np.empty((0, self.dimension * BYTES_PER_NUMBER), np.uint8)
        memory = faiss.rev_swig_ptr(self._flat.codes.data(), self._flat.codes.size())
        return memory.reshape(len(self), -1)

    def _empty(self) -> faiss.IndexScalarQuantizer:
        kind = faiss.ScalarQuantizer.QT_fp16
        return faiss.IndexScalarQuantizer(self.dimension, kind, faiss.METRIC_INNER_PRODUCT)


def _as_batch(embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(embedding, np.float32)[None, :]
