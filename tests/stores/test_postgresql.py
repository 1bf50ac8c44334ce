"""What only a database server can go through: it is killed, full, locked, or lets nobody in; and what text it takes."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread

import pytest
import sqlalchemy as sa
from house import ensure_library
from real_servers import PostgresqlServer

from pipeline import curation
from pipeline.errors import StoreUnavailable
from pipeline.filters import Filter
from pipeline.principals import OWNER
from pipeline.stores import (
    postgresql,
    records_audit,
    records_images,
    records_libraries,
    records_listing,
    records_queue,
)
from pipeline.stores.database import Database, Writing, in_turn
from pipeline.stores.records_audit import Event as AuditEvent
from pipeline.stores.records_images import NewImage
from pipeline.worker import Worker

SECONDS_TO_ANSWER = 5.0  # after which a page must have said that the database is down
A_WHILE = 30.0  # for threads, which in truth need milliseconds


@pytest.fixture
def database_kind() -> str:
    """All of this is on PostgreSQL."""
    return "postgresql"


@pytest.fixture(scope="module")
def mortal() -> Iterator[PostgresqlServer]:
    """A server of these tests alone, which they may stop."""
    server = PostgresqlServer()
    yield server
    server.close()


@pytest.fixture
def doomed(mortal: PostgresqlServer) -> Iterator[Database]:
    database = Database(mortal.new_database())
    database.migrate()
    yield database
    database.close()


def quickly_down(call, match: str = "does not answer") -> None:
    """A call is refused with this sentence before anybody has waited long."""
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match=match):
        call()
    assert time.monotonic() - started < SECONDS_TO_ANSWER


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return records_libraries.list_ids(connection)


def test_a_server_that_is_killed_is_down_and_the_next_question_finds_it_again(mortal, doomed):
    def killed_halfway() -> None:
        with doomed.write() as connection:
            ensure_library(connection, "half")
            mortal.kill()
            ensure_library(connection, "other-half")

    with doomed.write() as connection:
        ensure_library(connection, "kept")
    connections = [doomed.engine.connect() for _ in range(3)]  # which idle in the pool when the server goes
    for connection in connections:
        connection.close()

    quickly_down(killed_halfway)
    quickly_down(lambda: names(doomed))
    mortal.start()

    assert names(doomed) == ["kept", "main"]


def test_a_server_that_was_restarted_while_nobody_asked_is_not_even_noticed(mortal, doomed, monkeypatch):
    monkeypatch.setattr(postgresql, "TRUSTED_SECONDS", 0.0)
    assert names(doomed) == ["main"]
    mortal.kill()
    mortal.start()

    assert names(doomed) == ["main"]


def test_an_address_where_nobody_ever_answers_is_a_database_that_is_down():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql://likeness@127.0.0.1:{silent.getsockname()[1]}/likeness")
        quickly_down(database.migrate)
        quickly_down(database.is_current)
        database.close()


@pytest.mark.parametrize(
    ("role", "database", "sentence"),
    [
        pytest.param("locked:wrong", "postgres", "refuses the name or password", id="a wrong password"),
        pytest.param("nobody:any", "postgres", "refuses the name or password", id="an unknown name"),
        pytest.param("locked:right", "nosuch", "no such database", id="an unknown database"),
    ],
)
def test_whoever_is_not_let_in_is_told_what_to_correct(mortal, role, database, sentence):
    if not mortal.has_role("locked"):
        mortal.execute("CREATE ROLE locked LOGIN PASSWORD 'right' CONNECTION LIMIT 1")
    mortal.ask_for_password("locked")
    refused = Database(mortal.url(database).replace("postgres:@", f"{role}@"))

    quickly_down(refused.migrate, sentence)
    refused.close()


def test_a_host_that_nobody_knows_is_a_mistake_in_the_address():
    database = Database("postgresql://likeness@no-such-host.invalid/likeness")
    quickly_down(database.is_current, "host of the database is not known")
    database.close()


def test_a_port_where_nothing_listens_is_a_database_that_is_down():
    database = Database("postgresql://likeness@127.0.0.1:1/likeness")
    quickly_down(database.is_current)
    database.close()


def test_a_server_that_has_no_connection_left_is_told_from_one_that_is_down(mortal):
    if not mortal.has_role("single"):
        mortal.execute("CREATE ROLE single LOGIN CONNECTION LIMIT 1")
    database = Database(mortal.url("postgres").replace("postgres:@", "single@"))
    with database.read():
        quickly_down(lambda: names(database), "no connection left")
    database.close()


def test_whoever_gets_no_connection_of_the_pool_is_told_in_time(postgresql_url, monkeypatch):
    monkeypatch.setattr(postgresql, "POOL_SECONDS", 0.3)
    database = Database(postgresql_url, connections=1)
    with database.read():
        quickly_down(lambda: names(database))
    database.close()


def test_a_writer_who_waits_too_long_for_another_is_told_to_try_again(backend, postgresql_url, monkeypatch):
    monkeypatch.setattr(postgresql, "LOCK_MILLISECONDS", 300)
    other = Database(postgresql_url)

    def write() -> None:
        with other.write():
            pass

    with backend.database.write():
        quickly_down(write, "busy with other changes")
    write()
    other.close()


def test_those_who_write_beside_each_other_do_not_wait_and_one_alone_waits_for_all(backend):
    database, begun, alone = backend.database, Event(), Event()

    def write_alone() -> None:
        begun.set()
        with database.write():
            alone.set()

    waiting = Thread(target=write_alone)
    with database.write(Writing.BESIDE), database.write(Writing.PASSING):
        waiting.start()
        assert begun.wait(A_WHILE)
        assert not alone.wait(0.1)
    assert alone.wait(A_WHILE)
    waiting.join()


def test_what_is_done_in_turn_waits_for_its_like_and_for_nothing_else(backend):
    database, other, same = backend.database, Event(), Event()

    def name(what: str, done: Event) -> None:
        with database.write(Writing.BESIDE) as connection:
            in_turn(connection, what, "always different" + what)
            done.set()

    with database.write(Writing.BESIDE) as connection:
        in_turn(connection, "a", "b")
        threads = [Thread(target=name, args=told) for told in [("c", other), ("b", same)]]
        for thread in threads:
            thread.start()
        assert other.wait(A_WHILE)
        assert not same.is_set()
    assert same.wait(A_WHILE)
    for thread in threads:
        thread.join()


def test_a_queue_whose_images_others_hold_for_a_moment_is_not_taken_to_be_empty(backend, put):
    row = put().row
    held, worker = Event(), Worker(backend)
    look = worker._stop.wait

    def looked(seconds: float) -> bool:
        held.set()
        return look(seconds)

    worker._stop.wait = looked
    finished: list[int] = []
    draining = Thread(target=lambda: finished.append(worker.drain()))
    with backend.database.write(Writing.BESIDE) as connection:
        assert records_queue.claim(connection, limit=1, lease=timedelta(0), max_attempts=5).attempts == {row: 1}
        draining.start()
        assert held.wait(A_WHILE)
        assert not finished
        connection.rollback()
    draining.join(A_WHILE)

    assert finished == [1]


def test_characters_that_the_server_refuses_are_kept_as_a_mark(backend, put):
    image = put()
    curation.edit(backend, image.id, OWNER, caption="a\0b", tags=["\ud800x"])
    with backend.database.write() as connection:
        new = NewImage("main", "b" * 64, 1, "image/png", 1, 1, "nul\0and\udfff.png")
        named = records_images.add(connection, new)[0]
        records_audit.add(connection, OWNER, AuditEvent.LIBRARY_MADE, "x\0", told={"\0": ["\ud800"]})
        entry = records_audit.entries(connection, None, limit=1)[0]

    assert named.filename == "nul\ufffdand\ufffd.png"
    assert (entry.subject, entry.detail) == ("x\ufffd", {"told": {"\ufffd": ["\ufffd"]}})


@pytest.mark.parametrize("text", ["\0", "\ud800", "main\0"])
def test_characters_that_the_server_refuses_are_found_nowhere(backend, put, text):
    image = put()
    with backend.database.read() as connection:
        assert records_images.get_present(connection, [text, image.id], OWNER) == [image]
        assert records_listing.list_rows(connection, Filter(libraries=(text,)), OWNER, limit=9) == []
        assert records_listing.list_rows(connection, Filter(tags=(text,)), OWNER, limit=9) == []
        assert records_libraries.find(connection, [text]) == []


def test_all_text_is_ordered_by_code_points_whatever_the_language_of_the_server(backend):
    collations = sa.text(
        "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type IN ('text', 'character varying') AND table_name <> 'alembic_version'"
    )
    with backend.database.read() as connection:
        assert list(connection.scalars(collations)) == ["C"]


def test_to_read_costs_no_statement_of_ours_and_to_write_two(backend):
    """The lock, and a look whether the data has moved."""
    statements = []
    sa.event.listen(backend.database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    with backend.database.read() as connection:
        connection.execute(sa.select(1))
    assert len(statements) == 1
    with backend.database.write(Writing.BESIDE) as connection:
        connection.execute(sa.select(1))
    assert len(statements) == 4
