"""Vectors on a Milvus server, or in Milvus Lite: a copy that all processes share.

Milvus names candidates; the database decides. Its graph finds nearly all that is near, but a moment late, and under
a filter that keeps few it may find fewer than there are. So more are asked for than are needed, what was written
lately is added, and all of it is compared in the database with the vectors and with the filter; where few rows pass,
they are compared one by one and the graph is not asked.

A search returns 16,384 rows at most. Where more are so alike that these are all equally near, the list is made of
those that came: ties are then cut by row number among them only.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import StoreUnavailable
from pipeline.filters import Filter
from pipeline.settings import Settings
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.exact_search import nearest_among
from pipeline.stores.following import CHANGES_PER_STEP, Follower, Position
from pipeline.stores.protocols import Neighbor
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.vectors_behind import MOST_BEHIND, Rows, rows_behind
from pipeline.stores.vectors_milvus_address import parse_address
from pipeline.stores.vectors_milvus_client import DOWN, PATIENT_SECONDS, MilvusConnection, PlaceGone
from pipeline.stores.vectors_milvus_collection import MOST_HITS, Collections
from pipeline.stores.vectors_milvus_filter import expression
from pipeline.stores.vectors_tending import Tender

EXACT_ROWS = 2000
"""Rows that a filter keeps up to which all of them are compared: 2 MB of vectors, read in about ten milliseconds."""

EXACT_GIVEN_ROWS = 5000  # the same for rows that the caller names, which Milvus would have to be told
SPARE = 32  # candidates beyond the limit, at least
GROWTH = 4  # how many times as many candidates are asked for when there were too few

SETTLED_SECONDS = 15.0
"""After which a confirmed write is in every answer: reads may be five seconds behind (`gracefulTime` of Milvus)."""

SETTLED_CLOCK_SECONDS = 60.0  # the same by clocks of several machines, which may differ
MOST_RECENT = 1000  # written changes compared with each question; when there are more, Milvus waits until it has them
MOST_READ = 20_000  # rows that a filter keeps up to which all are compared when the graph led to fewer than there are
MOST_ROWS = sys.maxsize  # the same when it led to fewer than the list has room for, so that none is left out
SEARCH_WAIT_SECONDS = 0.2  # for another process that is writing; what it has not written yet is compared here
SEARCH_WORK_SECONDS = 1.0  # of copying in a search
PATIENCE_SECONDS = 60.0  # for another process that is writing, where nobody waits
TURN_SECONDS = 1.0  # for the same in the background, and as long it writes itself before it looks whether to end
ATTEMPTS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class _Sample:
    """What was written at a moment, on the monotonic clock."""

    moment: float
    place: str
    change: int


class MilvusVectors:
    """A VectorStore on Milvus over the embeddings of one encoder."""

    def __init__(self, url: str, database: Database, encoder: EncoderRow, settings: Settings) -> None:
        parsed = parse_address(url)
        self.address = parsed.shown
        self.database = database
        self.encoder = encoder
        self._is_lite = parsed.folder is not None
        self._connection = MilvusConnection(parsed)
        self._collections = Collections(self._connection, parsed, encoder, settings)
        self._follower = Follower(database, encoder.fingerprint, self.address)
        self._leftovers = [
            Follower(database, encoder.fingerprint, f"{self.address} {what}") for what in ("filled", "replaced")
        ]
        self._samples_lock = threading.Lock()
        self._samples: list[_Sample] = []
        self._tender = Tender("Milvus", lambda: self._retrying(self._tend_for_a_while))

    @property
    def is_shared(self) -> bool:
        """Yes, also by Milvus Lite, where that is one process only."""
        return True

    def catch_up(self) -> int:
        """Write every change that the copy does not have; return how many there were."""
        changes = self._retrying(self._catch_up)
        position = self._follower.position()
        if position and position.place:
            self._settled_change(position)  # from now on it can grow old
            self._collections.settle(position.place, patiently=True)
        return changes

    def tend(self) -> None:
        """Begin to write, in the background, what the copy does not have."""
        self._tender.begin()

    def nearest(
        self,
        embedding: npt.NDArray[np.float32],
        limit: int,
        *,
        where: Filter,
        rows: Rows | None = None,
    ) -> list[Neighbor]:
        """Return up to `limit` visible images that pass, most similar first, ties by row number."""
        if embedding.shape != (self.encoder.dimension,):
            raise ValueError(f"expected a vector of {self.encoder.dimension} numbers, got shape {embedding.shape}")
        if limit <= 0 or where.libraries == () or (rows is not None and not len(rows)):
            return []
        if rows is not None and len(rows) <= EXACT_GIVEN_ROWS:
            return self._among(embedding, limit, where, rows)
        return self._retrying(lambda: self._search(embedding, limit, where, rows))

    def count(self) -> int:
        """Return how many vectors of visible images are held."""
        self.catch_up()
        return self._retrying(lambda: self._collections.count(self._position().place))

    def rebuild(self, on_progress: Callable[[int], None] | None = None) -> int:
        """Fill a new collection while the old one answers, then drop the old one."""
        with self.database.exclusively(f"rebuild {self._follower.address}", wait_seconds=float("inf")):
            old = self._follower.position()
            self._drop_leftovers()
            new = self._collections.make()
            for follower, place in zip(self._leftovers, (new, old.place if old else ""), strict=True):
                follower.begin(place)  # so that a process after us finds them, should this one be killed
            write = partial(self._collections.write, timeout=PATIENT_SECONDS)
            self._follower.fill(new, write, on_progress, settle=partial(self._collections.settle, patiently=True))
            self._drop_leftovers()
        return self.count()

    def check(self) -> None:
        """Return when the server answers."""
        self._connection.call("get_server_version")

    def close(self) -> None:
        """End what goes on in the background, and the connection."""
        self._tender.stop()
        if not self._is_lite:  # what is on its way to a server that hangs is not waited for
            self._connection.close()
        self._tender.close()
        self._connection.close()  # also one that was opened meanwhile

    def _search(
        self, embedding: npt.NDArray[np.float32], limit: int, where: Filter, rows: Rows | None
    ) -> list[Neighbor]:
        position = self._position()
        if rows is not None and len(rows) <= MOST_BEHIND and not position.is_newest:
            return self._among(embedding, limit, where, rows)
        recent, level = self._recent(position)
        place, narrowed = position.place, expression(where)

        def ranked(found: Rows, limit: int) -> list[Neighbor]:
            candidates = np.concatenate([found, recent])
            if rows is not None:
                candidates = np.intersect1d(candidates, rows)
            return self._among(embedding, limit, where, candidates)

        if narrowed:
            passing = self._collections.some(place, narrowed, EXACT_ROWS + 1, level)
            if len(passing) <= EXACT_ROWS:
                return ranked(passing, limit)
        asked = min(limit + max(limit, SPARE), MOST_HITS)
        while True:
            hits = self._collections.nearest(place, embedding, asked, narrowed, level)
            neighbors = ranked(hits, len(hits) + len(recent))
            if _is_complete(neighbors, limit, hits):
                return neighbors[:limit]
            if len(hits) < asked or asked == MOST_HITS:
                break
            asked = min(GROWTH * asked, MOST_HITS)
        if len(neighbors) >= limit and len(hits) == MOST_HITS:
            return neighbors[:limit]  # cut among as many equal ones as Milvus returns
        most = MOST_READ if len(neighbors) >= limit else MOST_ROWS
        everything = rows if rows is not None else self._collections.every(place, narrowed, level, most)
        return neighbors[:limit] if len(everything) > most else ranked(everything, limit)

    def _among(self, embedding: npt.NDArray[np.float32], limit: int, where: Filter, rows: Rows) -> list[Neighbor]:
        return nearest_among(self.database, self.encoder.fingerprint, embedding, limit, where=where, rows=rows)

    def _position(self) -> Position:
        """Return where the copy stands, after having brought it on as far as a search can wait."""
        position = self._follower.position() or self._establish()
        if not position.is_newest:
            is_far = position.newest - position.change > CHANGES_PER_STEP
            self._follower.advance(
                self._collections.write,
                wait_seconds=0.0 if is_far else SEARCH_WAIT_SECONDS,
                work_seconds=SEARCH_WORK_SECONDS,
            )
            position = self._follower.position() or position
            self._collections.settle(position.place, patiently=False)
            if not position.is_newest:
                self.tend()
        return position

    def _recent(self, position: Position) -> tuple[Rows, str]:
        """Return the rows changed so lately that an answer may not have them, and the consistency it must have.

        A Strong answer has everything that was confirmed before the question; it waits for the next tick of
        Milvus' clock, 0.2 s. A Bounded one waits for nothing.
        """
        settled = self._settled_change(position)
        behind = rows_behind(self._follower, position)
        if settled is None:
            return behind, "Strong"
        with self.database.read() as connection:
            written = records_embeddings.rows_changed_after(
                connection, self.encoder.fingerprint, settled, until=position.change, limit=MOST_RECENT + 1
            )
        if len(written) > MOST_RECENT:
            return behind, "Strong"
        return np.concatenate([behind, np.array(written, np.int64)]), "Bounded"

    def _settled_change(self, position: Position) -> int | None:
        """Return the number of a change that surely is in every answer, or None when none is known.

        By the clock of this process: whatever the copy had a while ago has settled since.
        """
        now = time.monotonic()
        with self._samples_lock:
            samples = [sample for sample in self._samples if sample.place == position.place]
            if not samples and (datetime.now(UTC) - position.written_at).total_seconds() > SETTLED_CLOCK_SECONDS:
                samples = [_Sample(now - SETTLED_SECONDS, position.place, position.change)]
            if not samples or now - samples[-1].moment >= SETTLED_SECONDS:
                samples = [*samples[-1:], _Sample(now, position.place, position.change)]
            self._samples = samples
        settled = [sample.change for sample in samples if now - sample.moment >= SETTLED_SECONDS]
        return settled[-1] if settled else None

    def _catch_up(self) -> int:
        if self._follower.position() is None:
            self._establish()
        write = partial(self._collections.write, timeout=PATIENT_SECONDS)
        return self._follower.advance(write, wait_seconds=PATIENCE_SECONDS)

    def _tend_for_a_while(self) -> bool:
        position = self._follower.position() or self._establish()
        if position.is_newest:
            self._settled_change(position)  # from now on it can grow old
            self._collections.settle(position.place, patiently=True)
            return False
        write = partial(self._collections.write, timeout=PATIENT_SECONDS)
        self._follower.advance(write, wait_seconds=TURN_SECONDS, work_seconds=TURN_SECONDS)
        return True

    def _establish(self) -> Position:
        position = self._follower.establish(self._collections.exists, self._collections.make)
        self._collections.show(position.place)
        return position

    def _drop_leftovers(self) -> None:
        """Drop collections that no longer answer, or never did because their filling was interrupted."""
        position = self._follower.position()
        if position:
            self._collections.show(position.place)  # one that the alias stands for cannot be dropped
        for follower in self._leftovers:
            left = follower.position()
            if left and left.place and (position is None or left.place != position.place):
                self._collections.drop(left.place)
                follower.begin("")

    def _retrying(self, work: Callable[[], T]) -> T:
        """Do what may find the collection gone; make and fill it again then, or look where it is now."""
        for _ in range(ATTEMPTS):
            try:
                return work()
            except PlaceGone as gone:
                place = self._establish().place
                if gone.is_there:
                    self._collections.load(place)
        raise StoreUnavailable(DOWN, detail="the collection is gone again and again")


def _is_complete(neighbors: list[Neighbor], limit: int, hits: Rows) -> bool:
    """Whether none that is not among `hits` belongs to the first `limit`: one of the hits comes after them all."""
    if len(neighbors) <= limit:
        return False
    known = set(hits.tolist())
    farthest = min((neighbor.similarity for neighbor in neighbors if neighbor.row in known), default=float("inf"))
    return neighbors[limit - 1].similarity > farthest
