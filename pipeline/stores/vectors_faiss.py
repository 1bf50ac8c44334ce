"""Vectors in the process, searched exactly by FAISS: the embedded default.

The index is a cache of the `embeddings` table. Every process follows the table by its change counter, so that
`serve`, `worker`, `import` and `search` on one data folder agree: the committed row is the put. Beside the index lie
the columns that filters look at, as NumPy arrays; a filter becomes a bit mask inside the scan, so exactness is kept.
"""

import threading
from datetime import UTC, datetime

import faiss
import numpy as np
import numpy.typing as npt

from pipeline.filters import Filter
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.protocols import Neighbor
from pipeline.stores.records_embeddings import Change

CHANGES_PER_READ = 4096  # rows fetched at once: 4 MB of 512 float16 each
FIRST_CAPACITY = 1024
TIES = 16
"""Fetched beyond the limit, so that equal similarities at its edge are cut by row number, not by chance; where that
many are equal, twice as many are fetched until one is not."""

DEAD_SHARE = 0.25
"""The part of the index that replaced or removed vectors may take before it is built anew; a scan pays for them."""

COLUMNS = np.dtype(
    [
        ("row", np.int64),
        ("visible", np.bool_),
        ("library", np.int32),
        ("category", np.int32),
        ("scheme", np.int32),
        ("brightness", np.float64),
        ("saturation", np.float64),
        ("width", np.int32),
        ("height", np.int32),
        ("created_at", np.float64),
    ]
)


class FaissVectors:
    """A VectorStore over the embeddings of one encoder, identified by its fingerprint."""

    def __init__(self, database: Database, encoder: str, dimension: int) -> None:
        self.address = "faiss://"
        self.database = database
        self.encoder = encoder
        self.dimension = dimension
        self._lock = threading.Lock()
        self._reset()

    def catch_up(self) -> int:
        """Apply every change committed since the last one seen; return how many there were."""
        with self.database.read() as connection:
            if records_embeddings.last_change(connection) == self._seen:
                return 0
        applied = 0
        with self._lock:
            while changes := self._next_changes():
                self._apply(changes)
                applied += len(changes)
            if self._index.ntotal > FIRST_CAPACITY and self._dead > DEAD_SHARE * self._index.ntotal:
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
            mask = self._mask(where, rows)
            found = int(mask.sum())
            if not found or limit <= 0:
                return []
            wanted = limit + TIES
            similarities, slots = self._scan(embedding, min(wanted, found), mask)
            while wanted == len(similarities) and similarities[limit - 1] == similarities[-1]:
                wanted *= 2
                similarities, slots = self._scan(embedding, min(wanted, found), mask)
            numbers = self._columns["row"][slots]
        order = np.lexsort((numbers, -similarities))[:limit]
        return [Neighbor(int(numbers[place]), float(similarities[place])) for place in order]

    def count(self) -> int:
        """Return how many vectors of visible images are held."""
        self.catch_up()
        with self._lock:
            return int(self._columns["visible"][: self._index.ntotal].sum())

    def rebuild(self) -> int:
        """Throw the index away and read the whole table again."""
        with self._lock:
            self._reset()
        self.catch_up()
        return self.count()

    def check(self) -> None:
        """Return when the table can be read."""
        self.catch_up()

    def _reset(self) -> None:
        self._seen = 0
        self._dead = 0
        self._index = faiss.IndexFlatIP(self.dimension)
        self._columns = np.zeros(FIRST_CAPACITY, COLUMNS)
        self._slot_of_row: dict[int, int] = {}
        self._codes: dict[str, int] = {}

    def _next_changes(self) -> list[Change]:
        with self.database.read() as connection:
            return records_embeddings.changes_since(connection, self.encoder, self._seen, CHANGES_PER_READ)

    def _apply(self, changes: list[Change]) -> None:
        """Append the vectors of `changes` and hide what they replace; memory in place is never moved about."""
        for change in changes:
            slot = self._slot_of_row.pop(change.row, None)
            if slot is not None:
                self._columns["visible"][slot] = False
                self._dead += 1
        kept = [change for change in changes if change.vector]
        if kept:
            self._append(kept)
        self._seen = changes[-1].number

    def _append(self, changes: list[Change]) -> None:
        start = self._index.ntotal
        while start + len(changes) > len(self._columns):
            self._columns = np.concatenate([self._columns, np.zeros_like(self._columns)])
        for slot, change in enumerate(changes, start):
            self._columns[slot] = self._column_values(change)
            self._slot_of_row[change.row] = slot
        vectors = np.frombuffer(b"".join(change.vector or b"" for change in changes), np.float16)
        self._index.add(vectors.astype(np.float32).reshape(len(changes), self.dimension))

    def _column_values(self, change: Change) -> tuple[object, ...]:
        created = change.created_at or datetime.fromtimestamp(0, UTC)
        return (
            change.row,
            change.visible,
            self._code(change.library),
            self._code(change.category),
            self._code(change.scheme),
            change.brightness or 0.0,
            change.saturation or 0.0,
            change.width or 0,
            change.height or 0,
            created.timestamp(),
        )

    def _code(self, word: str | None) -> int:
        return self._codes.setdefault(word or "", len(self._codes))

    def _mask(self, where: Filter, rows: npt.NDArray[np.int64] | None) -> npt.NDArray[np.bool_]:
        columns = self._columns[: self._index.ntotal]
        mask = columns["visible"].copy()
        for name, values in (
            ("library", where.libraries),
            ("category", where.categories or None),
            ("scheme", where.schemes or None),
        ):
            if values is not None:
                mask &= np.isin(columns[name], [self._codes[value] for value in values if value in self._codes])
        for name, minimum, maximum in (
            ("brightness", where.min_brightness, where.max_brightness),
            ("saturation", where.min_saturation, where.max_saturation),
            ("width", where.min_width, None),
            ("height", where.min_height, None),
            ("created_at", _timestamp(where.created_after), _timestamp(where.created_before)),
        ):
            if minimum is not None:
                mask &= columns[name] >= minimum
            if maximum is not None:
                mask &= columns[name] <= maximum
        if rows is not None:
            mask &= np.isin(columns["row"], rows)
        return mask

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
        vectors = self._index.reconstruct_n(0, self._index.ntotal)[live]
        columns = self._columns[live]
        self._index = faiss.IndexFlatIP(self.dimension)
        self._index.add(vectors)
        self._columns = np.concatenate([columns, np.zeros(FIRST_CAPACITY, COLUMNS)])
        self._slot_of_row = {int(row): slot for slot, row in enumerate(columns["row"])}
        self._dead = 0


def _timestamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
