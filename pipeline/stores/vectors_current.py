"""The vector engine that answers now: the one the settings name, or where `likeness reindex --to` has taken it.

Where vectors have gone is written in the database. Every process looks there every two seconds, opens the new engine
beside the old one, and searches go on without noticing. An engine that cannot be opened here is told once in the log,
and the old one, which still follows the database, goes on until it can. So is a database that does not answer.

Whoever opens the vectors begins to fill a copy that processes share, in the background, so that no search has to.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import LikenessError
from pipeline.filters import Filter
from pipeline.settings import Settings
from pipeline.stopwatch import spent_on
from pipeline.stores import records_moves
from pipeline.stores.database import Database
from pipeline.stores.opening import open_vectors
from pipeline.stores.protocols import Neighbor, VectorStore
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.vectors_tending import Tended
from pipeline.telling import ToldOnce

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  # between two looks at where the vectors are; one statement that finds a row by its key

UNSEEN = "whether the vectors have moved cannot be seen now"
UNOPENED = "the vectors have moved to an engine that cannot be opened here"
UNEXPECTED = "looking whether the vectors have moved met an error, and goes on"
UNUSABLE = "the vectors have moved, but their new place cannot be used here yet"


@dataclass
class _Engine:
    """An opened engine, how many are using it at this moment, and whether it is to be closed after them."""

    store: VectorStore
    users: int = 0
    is_retired: bool = False


class CurrentVectors:
    """A VectorStore that is always the engine in use. `address` is that one's; `named` is what the settings say."""

    def __init__(self, database: Database, encoder: EncoderRow, settings: Settings) -> None:
        self.database = database
        self._open: Callable[[str], VectorStore] = lambda url: open_vectors(url, database, encoder, settings)
        self._lock = threading.Lock()
        self._told = ToldOnce(log)
        first = self._open(settings.vectors_url)
        self.named = first.address
        self._engine = _Engine(first)
        self.address = first.address
        if last := self._forwarded(first.address):
            self._replace(last)
        if isinstance(self._engine.store, Tended):
            self._engine.store.tend()
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="vectors", daemon=True)
        self._watcher.start()

    @property
    def is_shared(self) -> bool:
        """Whether processes share the copy that answers now."""
        with self._borrowed() as store:
            return store.is_shared

    def catch_up(self) -> int:
        """Make every committed embedding findable; return how many changes came."""
        with self._borrowed() as store:
            return store.catch_up()

    def nearest(
        self,
        embedding: npt.NDArray[np.float32],
        limit: int,
        *,
        where: Filter,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[Neighbor]:
        """Return up to `limit` visible images that pass, most similar first, ties by row number."""
        with spent_on("index"), self._borrowed() as store:
            return store.nearest(embedding, limit, where=where, rows=rows)

    def count(self) -> int:
        """Return how many vectors of visible images are held."""
        with self._borrowed() as store:
            return store.count()

    def rebuild(self, on_progress: Callable[[int], None] | None = None) -> int:
        """Make the copy anew from the table, while the old one answers; return how many vectors it holds."""
        with self._borrowed() as store:
            return store.rebuild(on_progress)

    def check(self) -> None:
        """Return when the engine answers; raise StoreUnavailable otherwise."""
        with self._borrowed() as store:
            store.check()

    def close(self) -> None:
        """End threads and connections."""
        self._closed.set()
        self._watcher.join()
        self._engine.store.close()

    def look(self) -> None:
        """Go where the vectors have gone, if they have. Raises nothing: an engine that does not answer is not used."""
        try:
            last = self._forwarded(self.address)
        except LikenessError as error:
            self._told.warn(UNSEEN, error)
            return
        self._told.is_over(UNSEEN)
        if last is None:
            return
        try:
            last.check()
            last.catch_up()  # what must be read or filled first is read while the old one answers
        except LikenessError as error:
            last.close()
            self._told.warn(UNUSABLE, error)
            return
        except BaseException:
            last.close()
            raise
        log.info("searches go to %s now", last.address)
        self._replace(last)

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # nobody else would look again
                log.exception(UNEXPECTED)

    def _forwarded(self, address: str) -> VectorStore | None:
        """Return the opened engine at the end of the way from `address`, or None where that is the end.

        Raises StoreUnavailable when the database, in which the way is written, does not answer.
        """
        store: VectorStore | None = None
        try:
            while target := self._target(address):
                try:
                    following = self._open(target)
                except LikenessError as error:
                    self._told.warn(UNOPENED, error)
                    break
                if store:
                    store.close()
                store, address = following, following.address
        except BaseException:
            if store:
                store.close()
            raise
        return store

    def _target(self, address: str) -> str | None:
        with self.database.read() as connection:
            return records_moves.target_of(connection, "vectors", address)

    def _replace(self, store: VectorStore) -> None:
        """Let `store` answer from now on; close the old one when nobody uses it any more."""
        with self._lock:
            old, self._engine, self.address = self._engine, _Engine(store), store.address
            old.is_retired = True
            is_free = not old.users
        if is_free:
            old.store.close()

    @contextmanager
    def _borrowed(self) -> Iterator[VectorStore]:
        """Give the engine in use, which is not closed before the end of the block."""
        with self._lock:
            engine = self._engine
            engine.users += 1
        try:
            yield engine.store
        finally:
            with self._lock:
                engine.users -= 1
                is_last = engine.is_retired and not engine.users
            if is_last:
                engine.store.close()
