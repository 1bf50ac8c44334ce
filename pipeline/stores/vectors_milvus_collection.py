"""One collection of Milvus: how it is made, written, flushed and asked.

Its rows are those of visible images; its fields are the vector and what filters look at. The library is the partition
key, so a search in one library looks at its part alone.
"""

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pymilvus import DataType, MilvusClient

from pipeline.settings import Settings
from pipeline.stores.records_embeddings import Change, EncoderRow
from pipeline.stores.vectors_milvus_address import MilvusAddress
from pipeline.stores.vectors_milvus_client import CALL_SECONDS, PATIENT_SECONDS, MilvusConnection, PlaceGone
from pipeline.stores.vectors_milvus_filter import EVERYTHING, microseconds

PARTITIONS = 16  # what libraries are spread over by their hash; the server's own default
LONGEST_WORD = 256  # bytes of a library, category or scheme
FINGERPRINT_LETTERS = 12

LEAST_EF = 128
"""Candidates an HNSW search looks at, at least: at 10,000 clustered vectors recall@10 was 0.994 with 64."""

LEAST_EF_NARROWED = 512
"""The same under a filter, which takes links out of the graph."""

MOST_HITS = 16_384  # the most a search or query may return, by Milvus
IDS_PER_READ = 10_000

ROWS_UNFLUSHED = 5000
"""Rows written to a server after which it is asked to build the index over them: until then it searches them with a
coarse one that finds fewer (recall@10 0.957 at 10,000 rows, and 0.72 where a filter keeps 1 %)."""

ROWS_UNFLUSHED_LITE = 200  # each takes Milvus Lite 70 microseconds in every search
LITE_FILL_ROWS = 20_000  # while many rows come in, it is better flushed seldom

NUMBERS = ("brightness", "saturation", "width", "height", "created_at")
WORDS = ("category", "scheme")

_lite_locks: dict[str, threading.Lock] = {}  # Milvus Lite loses rows when two threads write: one lock a folder


class Collections:
    """The collections of one encoder on one server, by name."""

    def __init__(
        self, connection: MilvusConnection, address: MilvusAddress, encoder: EncoderRow, settings: Settings
    ) -> None:
        self.connection = connection
        self.encoder = encoder
        letters = "".join(letter if letter.isalnum() else "_" for letter in encoder.fingerprint)[:FINGERPRINT_LETTERS]
        self.alias = f"{address.prefix}_{letters}"
        self._is_lite = address.folder is not None
        self._graph = {"M": settings.hnsw_m, "efConstruction": settings.hnsw_ef_construction}
        self._write_lock = _lite_locks.setdefault(str(address.folder), threading.Lock()) if self._is_lite else None
        self._replaces: bool | None = None
        self._unflushed = ROWS_UNFLUSHED_LITE if self._is_lite else 0  # what a process before us left is not known

    def exists(self, name: str) -> bool:
        """Whether there is such a collection."""
        return bool(self.connection.call("has_collection", name))

    def make(self) -> str:
        """Make an empty collection, ready to be searched, and return its name."""
        name = f"{self.alias}_{secrets.token_hex(4)}"
        call = partial(self.connection.call, timeout=PATIENT_SECONDS)
        with self._writing():
            call("create_collection", name, schema=self._schema(), num_partitions=PARTITIONS)
            # Nothing is there yet to build an index over; the client would look for each only after half a second.
            call("create_index", name, self._indexes(), sync=False)
            call("load_collection", name)
        return name

    def show(self, name: str) -> None:
        """Let the alias, by which people find it, stand for this collection."""
        try:
            known = self.connection.call("describe_alias", self.alias)["collection_name"]
        except PlaceGone:
            self.connection.call("create_alias", name, self.alias)
            return
        if known != name:
            self.connection.call("alter_alias", name, self.alias)

    def drop(self, name: str) -> None:
        """Remove a collection; it is no error when there is none."""
        if self.exists(name):
            with self._writing():
                self.connection.call("drop_collection", name, timeout=PATIENT_SECONDS)

    def load(self, name: str) -> None:
        """Make a collection answer again that somebody released."""
        self.connection.call("load_collection", name, timeout=PATIENT_SECONDS)

    def write(self, name: str, changes: Sequence[Change], timeout: float = CALL_SECONDS) -> None:
        """Keep the rows of visible images and remove the others."""
        kept = [self._row(change) for change in changes if change.visible and change.vector]
        numbers = {row["row"] for row in kept}
        gone = [change.row for change in changes if change.row not in numbers]
        if self._replaces is None:
            self._replaces = self.connection.replaces_rows
        with self._writing():
            if self._replaces:
                self._delete(name, gone, timeout)
                if kept:
                    self.connection.call("upsert", name, kept, timeout=timeout)
            else:
                self._delete(name, [change.row for change in changes], timeout)
                if kept:
                    self.connection.call("insert", name, kept, timeout=timeout)
            self._unflushed += len(changes)
            if self._is_lite and self._unflushed >= LITE_FILL_ROWS:
                self._flush(name)

    def settle(self, name: str, *, patiently: bool) -> None:
        """Have the index built over what was written lately, if that is much; only Milvus Lite has it done at once."""
        if self._is_lite and self._unflushed >= ROWS_UNFLUSHED_LITE:
            with self._writing():
                self._flush(name)
        elif patiently and self._unflushed >= ROWS_UNFLUSHED:
            self._flush(name)

    def count(self, name: str) -> int:
        """Return how many rows there are. Statistics would be quicker and forget what was deleted."""
        found = self.connection.call(
            "query", name, filter=EVERYTHING, output_fields=["count(*)"], consistency_level="Strong"
        )
        return int(found[0]["count(*)"])

    def some(self, name: str, expression: str, limit: int, level: str) -> npt.NDArray[np.int64]:
        """Return the numbers of up to `limit` rows for which an expression holds, in no order."""
        found = self.connection.call(
            "query", name, filter=expression, output_fields=["row"], limit=limit, consistency_level=level
        )
        return np.fromiter((row["row"] for row in found), np.int64)

    def every(self, name: str, expression: str, level: str, most: int) -> npt.NDArray[np.int64]:
        """Return the numbers of all rows for which an expression holds, or of more than `most` where they are more."""
        pages = self.connection.call(
            "query_iterator",
            name,
            batch_size=IDS_PER_READ,
            filter=expression or EVERYTHING,
            output_fields=["row"],
            consistency_level=level,
        )
        numbers: list[int] = []
        with self.connection.mapped():
            while len(numbers) <= most and (page := pages.next()):
                numbers += [row["row"] for row in page]
            pages.close()
        return np.array(numbers, np.int64)

    def nearest(
        self, name: str, embedding: npt.NDArray[np.float32], limit: int, expression: str, level: str
    ) -> npt.NDArray[np.int64]:
        """Return the numbers of up to `limit` rows near `embedding` for which an expression holds."""
        least = LEAST_EF_NARROWED if expression else LEAST_EF
        [hits] = self.connection.call(
            "search",
            name,
            [np.ascontiguousarray(embedding, np.float32)],
            limit=limit,
            filter=expression,
            search_params={"metric_type": "COSINE", "params": {"ef": max(least, 2 * limit)}},
            consistency_level=level,
        )
        return np.array(hits.ids, np.int64)

    def _schema(self) -> Any:
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("row", DataType.INT64, is_primary=True)
        schema.add_field("library", DataType.VARCHAR, max_length=LONGEST_WORD, is_partition_key=True)
        for name in WORDS:
            schema.add_field(name, DataType.VARCHAR, max_length=LONGEST_WORD)
        for name in NUMBERS:
            real = name in {"brightness", "saturation"}  # doubles, as the database has them: a bound belongs to both
            schema.add_field(name, DataType.DOUBLE if real else DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.encoder.dimension)
        return schema

    def _indexes(self) -> Any:
        """Return the indexes. The kinds are written out here: Milvus Lite takes any word for one and then scans.

        Those over fields are of kinds that 2.3 has; the current release would also have INVERTED for all of them.
        Milvus Lite, which is for few rows, goes without.
        """
        indexes = MilvusClient.prepare_index_params()
        indexes.add_index("vector", index_type="HNSW", metric_type="COSINE", params=self._graph)
        if not self._is_lite:
            for name in ("library", *WORDS):
                indexes.add_index(name, index_type="Trie")
            for name in NUMBERS:
                indexes.add_index(name, index_type="STL_SORT")
        return indexes

    def _row(self, change: Change) -> dict[str, object]:
        return {
            "row": change.row,
            "library": change.library or "",
            "category": change.category or "",
            "scheme": change.scheme or "",
            "brightness": change.brightness or 0.0,
            "saturation": change.saturation or 0.0,
            "width": change.width or 0,
            "height": change.height or 0,
            "created_at": microseconds(change.created_at),
            "vector": np.frombuffer(change.vector or b"", np.float16).astype(np.float32),
        }

    def _delete(self, name: str, rows: Sequence[int], timeout: float) -> None:
        if rows:
            self.connection.call("delete", name, ids=list(rows), timeout=timeout)

    def _flush(self, name: str) -> None:
        self.connection.call("flush", name, timeout=PATIENT_SECONDS)
        self._unflushed = 0

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._write_lock is None:
            yield
            return
        with self._write_lock:
            yield
