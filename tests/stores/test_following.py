"""How a shared copy of the vectors follows the table when whoever brings it on loses the turn."""

from collections.abc import Iterator
from threading import Event, Thread

import pytest
import sqlalchemy as sa
from fakes import GridEncoder

from pipeline.errors import StoreUnavailable
from pipeline.stores.database import Database
from pipeline.stores.following import Follower
from pipeline.stores.records_embeddings import Change

A_WHILE = 30.0  # for threads, which in truth need milliseconds

LOSE_LOCKS = sa.text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.fixture
def database_kind() -> str:
    """Only a server lets a connection die under a process that lives on."""
    return "postgresql"


class Copy:
    """Places with rows in them, a process that stops once in the middle of writing, and another one."""

    def __init__(self, database: Database, other: Database) -> None:
        self.database, self.other = database, other
        self.rows: dict[str, dict[int, bool]] = {"old": {}, "new": {}}
        self.inside, self.go_on = Event(), Event()
        self.raised: list[StoreUnavailable] = []

    def follower(self) -> Follower:
        """Return that of the other process."""
        return self._follower(self.other)

    def _follower(self, database: Database) -> Follower:
        return Follower(database, GridEncoder.fingerprint, "engine://somewhere")

    def write(self, place: str, changes: list[Change]) -> None:
        self.rows[place] |= {change.row: change.visible for change in changes}

    def write_slowly(self, place: str, changes: list[Change]) -> None:
        self.inside.set()
        assert self.go_on.wait(A_WHILE)
        self.write(place, changes)

    def advance_slowly(self) -> None:
        try:
            self._follower(self.database).advance(self.write_slowly, wait_seconds=A_WHILE)
        except StoreUnavailable as error:
            self.raised.append(error)

    def lose_the_turn(self) -> Thread:
        """Begin to bring the copy on, and return when the lock is lost in the middle of it."""
        slow = Thread(target=self.advance_slowly)
        slow.start()
        assert self.inside.wait(A_WHILE)
        with self.database.engine.connect() as connection:
            assert connection.scalar(LOSE_LOCKS) == 1
        return slow


@pytest.fixture
def copy(backend, shelf, postgresql_url) -> Iterator[Copy]:
    shelf.add_many([shelf.axis(0)] * 3)
    other = Database(postgresql_url)
    made = Copy(backend.database, other)
    made.follower().establish(lambda _place: True, lambda: "old")
    yield made
    other.close()


def test_who_lost_the_turn_does_not_tell_of_another_place_what_it_has_not(copy, shelf):
    slow = copy.lose_the_turn()
    copy.follower().fill("new", copy.write)
    later = shelf.add("later", shelf.axis(1))
    copy.go_on.set()
    slow.join(A_WHILE)

    position = copy.follower().position()
    assert (position.place, position.change) == ("new", position.newest - 1)
    assert len(copy.raised) == 1
    assert copy.follower().advance(copy.write, wait_seconds=A_WHILE) == 1
    assert later.row in copy.rows["new"]


def test_what_who_lost_the_turn_has_covered_with_something_older_is_brought_in_again(copy):
    slow = copy.lose_the_turn()
    assert copy.follower().advance(copy.write, wait_seconds=A_WHILE) == 3
    copy.go_on.set()
    slow.join(A_WHILE)

    assert len(copy.raised) == 1
    assert copy.follower().position().change == 0
    assert copy.follower().advance(copy.write, wait_seconds=A_WHILE) == 3
    assert copy.follower().position().is_newest


def test_who_has_lost_a_lock_is_told_whenever_they_ask(backend):
    with backend.database.exclusively("something") as held:
        held.confirm()
        with backend.database.engine.connect() as connection:
            assert connection.scalar(LOSE_LOCKS) == 1
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                held.confirm()
        assert not held
