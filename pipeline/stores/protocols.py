"""The promises of the stores, whichever product is behind them. One contract suite tests every implementation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.filters import Filter


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing tells it: its key, size in bytes and when it was last put."""

    key: str
    bytes: int
    modified_at: datetime


class ObjectStore(Protocol):
    """Bytes under keys. Keys are relative paths of plain segments; anything else is a ValueError.

    Every method raises StoreUnavailable when the store does not answer.
    """

    address: str

    def put(self, key: str, stream: BinaryIO, *, durable: bool = True) -> None:
        """Keep what `stream` gives under `key`, replacing what was there. `modified_at` becomes now.

        Whole or not at all, and safe from a power cut when this returns. With `durable` false, which is quicker and
        for what can be made again, a power cut soon after may lose the object or leave it damaged.
        """
        ...

    def open(self, key: str) -> BinaryIO:
        """Return the object as a seekable stream, to be closed by the caller. Raises ObjectNotFound."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; it is no error when there is none."""
        ...

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove all these objects with as few requests as can be; those that are not there are no error.

        When this raises, some may have been removed.
        """
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object whose key begins with `prefix`, in no promised order."""
        ...

    def check(self) -> None:
        """Return when the store answers and can be written to; raise StoreUnavailable otherwise."""
        ...


class Neighbor(NamedTuple):
    """An image near a query: its row number and the cosine of both vectors, -1 to 1, higher is closer."""

    row: int
    similarity: float


class VectorStore(Protocol):
    """Nearest neighbors among the embeddings of one encoder. The `embeddings` table is the truth; this is a copy.

    Every method raises StoreUnavailable when the engine does not answer.
    """

    address: str

    @property
    def is_shared(self) -> bool:
        """Whether processes share the copy. Whoever changes the table then brings it on, so that no search has to."""
        ...

    def catch_up(self) -> int:
        """Make every committed embedding findable, also those of other processes; return how many changes came."""
        ...

    def nearest(
        self,
        embedding: npt.NDArray[np.float32],
        limit: int,
        *,
        where: Filter,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[Neighbor]:
        """Return up to `limit` visible images that pass `where`, most similar first, ties by row number.

        `embedding` is (dimension,) float32 of unit length and is not modified; another length is a ValueError.
        `rows`, when given, are the only images considered: what `where` asks that the engine cannot decide (colors,
        color names, tags) has been decided by the caller and is ignored here. Fewer than `limit` are returned only
        when there are no more.

        What is committed is considered, also when a copy does not have it yet; a copy that lacks too much for that
        raises StoreUnavailable. An engine that returns a number of rows at most may cut ties among more than so many.
        """
        ...

    def count(self) -> int:
        """Return how many vectors of visible images are held."""
        ...

    def rebuild(self, on_progress: Callable[[int], None] | None = None) -> int:
        """Make the copy anew from the table, while the old one answers; return how many vectors it holds.

        `on_progress` is told the number of changes that came with each step, which are as many as there are rows in
        the table of this encoder.
        """
        ...

    def check(self) -> None:
        """Return when the engine answers; raise StoreUnavailable otherwise."""
        ...

    def close(self) -> None:
        """End threads and connections. Nothing else is called afterwards."""
        ...
