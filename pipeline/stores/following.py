"""Following the embeddings table with a copy that several processes share, such as a collection on a Milvus server.

How far the copy is stands in the database, beside the truth. One process at a time brings it on; the others wait for
it a little and then answer with what is there. Applying a change twice is harmless; skipping one never happens,
because the position is written after the engine has confirmed, and only by who still has the turn: whoever has lost it
together with its connection finds the position changed, and lets what it did meanwhile be done once more.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from pipeline.errors import StoreUnavailable
from pipeline.stores import records_embeddings
from pipeline.stores.database import Connection, Database, Writing
from pipeline.stores.locks import LOST, Held
from pipeline.stores.records_embeddings import Change
from pipeline.stores.tables import counters, insert_into, vector_copies

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
        with self.database.exclusively(self._lock_name, wait_seconds=float("inf")) as held:
            position = self.position()
            if position is None or not is_there(position.place):
                place = make()
                held.confirm()
                self.begin(place)
                position = self.position()
        if position is None:
            raise RuntimeError("the position of a copy vanished while it was held")
        return position

    def begin(self, place: str, change: int = 0) -> None:
        """Let `place` be the copy that answers; it has everything up to `change`."""
        values = {"place": place, "change": change, "written_at": datetime.now(UTC)}
        with self.database.write(Writing.PASSING) as connection:
            begun = insert_into(connection, vector_copies).values(address=self.address, encoder=self.encoder, **values)
            connection.execute(begun.on_conflict_do_update(index_elements=list(vector_copies.primary_key), set_=values))

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
        number of changes of each step. Raises what `apply` raises; what was applied until then counts. Raises
        StoreUnavailable when the turn was lost.
        """
        with self.database.exclusively(self._lock_name, wait_seconds=wait_seconds) as held:
            position = self.position()
            if not held or position is None or position.is_newest:
                return 0
            return self._advance(held, position, apply, time.monotonic() + work_seconds, on_progress)

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
        with self.database.exclusively(self._lock_name, wait_seconds=float("inf")) as held:
            bring_on()  # what came in meanwhile is little, and nobody else brings the other place on
            held.confirm()
            self.begin(place, change)
        return applied

    def _advance(
        self,
        held: Held,
        position: Position,
        apply: Apply,
        deadline: float,
        on_progress: Callable[[int], None] | None,
    ) -> int:
        applied, is_hurried = 0, deadline < float("inf")
        for changes in self._changes_behind(position.change):
            held.confirm()
            apply(position.place, changes)
            applied += len(changes)
            after = replace(position, change=changes[-1].number, written_at=datetime.now(UTC))
            if not self._record(position, after, is_hurried=is_hurried):
                return applied  # it is found where it was, and brought in once more by the next
            position = after
            if on_progress:
                on_progress(len(changes))
            if time.monotonic() > deadline:
                return applied
        if not position.is_newest:  # what is left is of another encoder, and is no news the next time
            self._record(position, replace(position, change=position.newest), is_hurried=is_hurried)
        return applied

    def _changes_behind(self, change: int) -> Iterator[list[Change]]:
        while True:
            with self.database.read() as connection:
                changes = records_embeddings.changes_since(connection, self.encoder, change, CHANGES_PER_STEP)
            if not changes:
                return
            yield changes
            change = changes[-1].number

    def _record(self, before: Position, after: Position, *, is_hurried: bool) -> bool:
        """Write down where the copy stands now; who `is_hurried` goes on without when that cannot be done at once.

        Returns whether it was done. Raises StoreUnavailable when the copy did not stand where it did `before`: somebody
        else has had the turn. What was written into the place meanwhile may have covered something newer, so all since
        then is brought in again.
        """
        same = (*self._key, vector_copies.c.place == before.place)
        stands = vector_copies.update().where(*same, vector_copies.c.change == before.change)
        again = vector_copies.update().where(*same, vector_copies.c.change > before.change)

        def compared(connection: Connection) -> bool:
            values = {"change": after.change, "written_at": after.written_at}
            is_ours = connection.execute(stands.values(values)).rowcount == 1
            if not is_ours:
                connection.execute(again.values(change=before.change))
            return is_ours

        if is_hurried:
            is_ours = self.database.note(compared, Writing.PASSING)
            if is_ours is None:
                return False
        else:
            with self.database.write(Writing.PASSING) as connection:
                is_ours = compared(connection)
        if not is_ours:
            raise StoreUnavailable(LOST, detail=f"another process has brought {self.address} on meanwhile")
        return True
