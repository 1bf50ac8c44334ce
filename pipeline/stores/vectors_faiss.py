"""Vectors in the process, searched exactly by FAISS: the embedded default.

The index is a cache of the `embeddings` table. Every process follows the table by its change counter, so that
`serve`, `worker`, `import` and `search` on one data folder agree: the committed row is the put. Beside the index lie
the columns that filters look at, as NumPy arrays; a filter becomes a bit mask inside the scan, so exactness is kept.
"""

import threading
from collections.abc import Callable

import faiss
import numpy as np
import numpy.typing as npt

from pipeline.filters import Filter
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.filter_columns import FilterColumns
from pipeline.stores.protocols import Neighbor
from pipeline.stores.records_embeddings import Change

CHANGES_PER_READ = 4096  # rows fetched at once: 4 MB of 512 float16 each
TIES = 16
"""Fetched beyond the limit, so that equal similarities at its edge are cut by row number, not by chance; where that
many are equal, twice as many are fetched until one is not."""

LEAST_COMPACTED = 1024  # vectors below which dead ones cost nothing
DEAD_SHARE = 0.25
"""The part of the index that replaced or removed vectors may take before it is built anew; a scan pays for them."""


class FaissVectors:
    """A VectorStore over the embeddings of one encoder, identified by its fingerprint."""

    def __init__(self, database: Database, encoder: str, dimension: int) -> None:
        self.address = "faiss://"
        self.database = database
        self.encoder = encoder
        self.dimension = dimension
        self._lock = threading.Lock()
        self._seen = 0
        self._dead = 0
        self._index = self._empty_index()
        self._columns = FilterColumns()
        self._slot_of_row: dict[int, int] = {}

    def catch_up(self) -> int:
        """Apply every change committed since the last one seen; return how many there were."""
        with self.database.read() as connection:
            newest = records_embeddings.last_change(connection)
        if newest == self._seen:
            return 0
        applied = 0
        with self._lock:
            while changes := self._next_changes():
                self._apply(changes)
                applied += len(changes)
            self._seen = max(self._seen, newest)  # the newest may be of another encoder, and is no news again
            if self._index.ntotal > LEAST_COMPACTED and self._dead > DEAD_SHARE * self._index.ntotal:
                self._compact()
        return applied

    def nearest(
        self,
        embedding: npt.NDArray[np.float32],
        limit: int,
        *,
        where: Filter,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[Neighbor]:
        """Return up to `limit` visible images that pass, most similar first, ties by row number."""
        if embedding.shape != (self.dimension,):
            raise ValueError(f"expected a vector of {self.dimension} numbers, got shape {embedding.shape}")
        self.catch_up()
        with self._lock:
            mask = self._columns.mask(where, rows)
            found = int(mask.sum())
            if not found or limit <= 0:
                return []
            wanted = limit + TIES
            similarities, slots = self._scan(embedding, min(wanted, found), mask)
            while wanted == len(similarities) and similarities[limit - 1] == similarities[-1]:
                wanted *= 2
                similarities, slots = self._scan(embedding, min(wanted, found), mask)
            numbers = self._columns.rows(slots)
        order = np.lexsort((numbers, -similarities))[:limit]
        return [Neighbor(int(numbers[place]), float(similarities[place])) for place in order]

    def count(self) -> int:
        """Return how many vectors of visible images are held."""
        self.catch_up()
        with self._lock:
            return self._columns.count_visible()

    def rebuild(self, on_progress: Callable[[int], None] | None = None) -> int:
        """Throw the index away and read the whole table again."""
        with self._lock:
            self._seen = self._dead = 0
            self._index, self._columns, self._slot_of_row = self._empty_index(), FilterColumns(), {}
        changes = self.catch_up()
        if on_progress:
            on_progress(changes)
        return self.count()

    def check(self) -> None:
        """Return when the table can be read."""
        self.catch_up()

    def close(self) -> None:
        """Do nothing: there is nothing to end."""

    def _empty_index(self) -> faiss.IndexScalarQuantizer:
        """Return an index that holds float16, which is what the table holds: half the memory, and nothing lost."""
        kind = faiss.ScalarQuantizer.QT_fp16
        return faiss.IndexScalarQuantizer(self.dimension, kind, faiss.METRIC_INNER_PRODUCT)

    def _next_changes(self) -> list[Change]:
        with self.database.read() as connection:
            return records_embeddings.changes_since(connection, self.encoder, self._seen, CHANGES_PER_READ)

    def _apply(self, changes: list[Change]) -> None:
        """Append the vectors of `changes` and hide what they replace; memory in place is never moved about."""
        for change in changes:
            slot = self._slot_of_row.pop(change.row, None)
            if slot is not None:
                self._columns.hide(slot)
                self._dead += 1
        kept = [change for change in changes if change.vector]
        if kept:
            self._append(kept)
        self._seen = changes[-1].number

    def _append(self, changes: list[Change]) -> None:
        self._slot_of_row |= {change.row: slot for slot, change in enumerate(changes, self._index.ntotal)}
        self._columns.append(changes)
        vectors = np.frombuffer(b"".join(change.vector or b"" for change in changes), np.float16)
        self._index.add(vectors.astype(np.float32).reshape(len(changes), self.dimension))

    def _scan(
        self, embedding: npt.NDArray[np.float32], limit: int, mask: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        bits = np.packbits(mask, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type] # its Python form takes the array
        query = np.ascontiguousarray(embedding, np.float32)[None, :]
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg] # fields are set by name
        similarities, slots = self._index.search(query, limit, params=parameters)
        held = slots[0] >= 0
        return similarities[0][held], slots[0][held]

    def _compact(self) -> None:
        live = np.array(sorted(self._slot_of_row.values()), np.int64)
        vectors = self._index.reconstruct_batch(live)
        self._columns.keep(live)
        self._index = self._empty_index()
        self._index.add(vectors)
        self._slot_of_row = {int(row): slot for slot, row in enumerate(self._columns.rows())}
        self._dead = 0
