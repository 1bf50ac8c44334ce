"""Following the embeddings table with a copy that several processes share, such as a collection on a Milvus server.

How far the copy is stands in the database, beside the truth. One process at a time brings it on; the others wait for
it a little and then answer with what is there. Applying a change twice is harmless; skipping one never happens,
because the position is written after the engine has confirmed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from pipeline.stores import records_embeddings
from pipeline.stores.database import Database, Writing
from pipeline.stores.records_embeddings import Change
from pipeline.stores.tables import counters, vector_copies

CHANGES_PER_STEP = 2000  # 4 MB of 512 float32 each: far below the 64 MB a message to Milvus may have

Apply = Callable[[str, list[Change]], None]
"""Bring changes, oldest first, into a place of the engine: keep what is visible, remove what is not."""


@dataclass(frozen=True)
class Position:
    """The `place` that answers now, the last `change` that is in it, and when it was last written to.

    `newest` is the number of the newest change of all.
    """

    place: str
    change: int
    written_at: datetime
    newest: int

    @property
    def is_newest(self) -> bool:
        """Whether nothing has changed since."""
        return self.change >= self.newest


class Follower:
    """The position of one copy, known by the address of its engine (without a password) and its encoder."""

    def __init__(self, database: Database, encoder: str, address: str) -> None:
        self.database = database
        self.encoder = encoder
        self.address = address
        self._key = (vector_copies.c.address == address, vector_copies.c.encoder == encoder)
        self._lock_name = f"vectors {address} {encoder}"

    def position(self) -> Position | None:
        """Return where the copy stands, or None when there is none yet."""
        newest = sa.select(counters.c.value).where(counters.c.name == "change").scalar_subquery()
        wanted = (vector_copies.c.place, vector_copies.c.change, vector_copies.c.written_at, newest)
        with self.database.read() as connection:
            found = connection.execute(sa.select(*wanted).where(*self._key)).first()
        return Position(*found) if found else None

    def establish(self, is_there: Callable[[str], bool], make: Callable[[], str]) -> Position:
        """Return where the copy stands; when its place is not there (any more), `make` an empty one and begin anew."""
        with self.database.exclusively(self._lock_name, wait_seconds=float("inf")):
            position = self.position()
            if position is None or not is_there(position.place):
                self.begin(make())
                position = self.position()
        if position is None:
            raise RuntimeError("the position of a copy vanished while it was held")
        return position

    def begin(self, place: str, change: int = 0) -> None:
        """Let `place` be the copy that answers; it has everything up to `change`."""
        with self.database.write(Writing.PASSING) as connection:
            connection.execute(vector_copies.delete().where(*self._key))
            connection.execute(
                vector_copies.insert().values(
                    address=self.address, encoder=self.encoder, place=place, change=change, written_at=datetime.now(UTC)
                )
            )

    def advance(
        self,
        apply: Apply,
        *,
        wait_seconds: float,
        work_seconds: float = float("inf"),
        on_progress: Callable[[int], None] | None = None,
    ) -> int:
        """Bring the copy on until nothing is left or `work_seconds` have passed; return how many changes came.

        When another process is at it, that one is waited for, `wait_seconds` at most. `on_progress` is told the
        number of changes of each step. Raises what `apply` raises; what was applied until then counts.
        """
        with self.database.exclusively(self._lock_name, wait_seconds=wait_seconds) as held:
            position = self.position()
            if not held or position is None or position.is_newest:
                return 0
            return self._advance(position, apply, time.monotonic() + work_seconds, on_progress)

    def fill(
        self,
        place: str,
        apply: Apply,
        on_progress: Callable[[int], None] | None = None,
        *,
        settle: Callable[[str], None] | None = None,
    ) -> int:
        """Fill an empty `place` while another one answers, then let it answer; return how many changes came.

        `settle` is called with the filled place while the other one still answers, for what takes long at the end,
        such as building a graph.
        """
        change = applied = 0

        def bring_on() -> None:
            nonlocal change, applied
            for changes in self._changes_behind(change):
                apply(place, changes)
                change = changes[-1].number
                applied += len(changes)
                if on_progress:
                    on_progress(len(changes))

        bring_on()
        if settle:
            settle(place)
            bring_on()
        with self.database.exclusively(self._lock_name, wait_seconds=float("inf")):
            bring_on()  # what came in meanwhile is little, and nobody else brings the other place on
            self.begin(place, change)
        return applied

    def _advance(
        self, position: Position, apply: Apply, deadline: float, on_progress: Callable[[int], None] | None
    ) -> int:
        change, applied = position.change, 0
        for changes in self._changes_behind(change):
            apply(position.place, changes)
            change = changes[-1].number
            self._record(change, {"written_at": datetime.now(UTC)})
            applied += len(changes)
            if on_progress:
                on_progress(len(changes))
            if time.monotonic() > deadline:
                return applied
        if change < position.newest:  # what is left is of another encoder, and is no news the next time
            self._record(position.newest, {})
        return applied

    def _changes_behind(self, change: int) -> Iterator[list[Change]]:
        while True:
            with self.database.read() as connection:
                changes = records_embeddings.changes_since(connection, self.encoder, change, CHANGES_PER_STEP)
            if not changes:
                return
            yield changes
            change = changes[-1].number

    def _record(self, change: int, others: Mapping[str, object]) -> None:
        with self.database.write(Writing.PASSING) as connection:
            connection.execute(vector_copies.update().where(*self._key).values(change=change, **others))
