"""A PostgreSQL that hangs: nobody waits for it, and nothing that merely takes long is ended."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from command import wait_until
from real_servers import PostgresqlServer

from pipeline.errors import StoreUnavailable
from pipeline.stores import postgresql, postgresql_pulse
from pipeline.stores.database import Database

A_WHILE = 30.0
"""For what ends within five seconds on a machine that has nothing else to do, and never without what is tested."""


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
    yield database
    database.close()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What was found whenever somebody asked whether the server answers."""
    outcomes: list[bool] = []
    ask = postgresql_pulse.Pulse.beats

    def noted(pulse: postgresql_pulse.Pulse) -> bool:
        outcomes.append(ask(pulse))
        return outcomes[-1]

    monkeypatch.setattr(postgresql_pulse.Pulse, "beats", noted)
    return outcomes


@contextmanager
def hanging(server: PostgresqlServer) -> Iterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.go_on()


def look(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(1)).scalar_one()


def sleep(database: Database, seconds: float) -> None:
    with database.read() as connection:
        connection.execute(sa.select(sa.func.pg_sleep(seconds)))


def is_busy(server: PostgresqlServer, database: Database) -> bool:
    sleeping = f"SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '{database.url.database}'"
    return bool(server.execute(sleeping))


def is_answered(database: Database) -> bool:
    try:
        return bool(look(database))
    except StoreUnavailable:
        return False


def test_a_server_that_hangs_is_down_for_all_who_ask_and_is_found_again(mortal, doomed):
    many = 2 * doomed.engine.pool.size() + 20  # more than there are connections
    with ThreadPoolExecutor(many) as threads:
        assert list(threads.map(lambda _: look(doomed), range(many))) == [1] * many
        with hanging(mortal):
            answers = list(threads.map(lambda _: is_answered(doomed), range(many), timeout=A_WHILE))
            assert not any(answers)

    wait_until(lambda: is_answered(doomed))


def test_connections_that_idled_when_the_server_began_to_hang_keep_nobody_waiting(mortal, doomed, monkeypatch):
    monkeypatch.setattr(postgresql, "TRUSTED_SECONDS", 0.0)
    assert look(doomed) == 1
    with ThreadPoolExecutor() as threads, hanging(mortal):
        assert not threads.submit(is_answered, doomed).result(A_WHILE)
    wait_until(lambda: is_answered(doomed))


def test_a_statement_under_way_ends_when_the_server_hangs(mortal, doomed):
    with ThreadPoolExecutor() as threads:
        sleeping = threads.submit(sleep, doomed, 2 * A_WHILE)
        wait_until(lambda: is_busy(mortal, doomed))
        with hanging(mortal), pytest.raises(StoreUnavailable, match="does not answer"):
            sleeping.result(A_WHILE)
    wait_until(lambda: is_answered(doomed))


def test_a_statement_that_has_taken_long_is_not_given_up_for_a_short_hang(mortal, doomed, found, monkeypatch):
    monkeypatch.setattr(postgresql_pulse, "LONG_SECONDS", 0.0)
    with ThreadPoolExecutor() as threads:
        sleeping = threads.submit(sleep, doomed, 3.0)
        wait_until(lambda: is_busy(mortal, doomed))
        with hanging(mortal):
            wait_until(lambda: False in found)
        sleeping.result(A_WHILE)


def test_a_statement_takes_as_long_as_it_takes_when_others_are_answered_even_if_not_let_in(mortal, found, monkeypatch):
    monkeypatch.setattr(postgresql_pulse, "QUIET_SECONDS", 0.1)
    mortal.execute("CREATE ROLE lonely LOGIN CONNECTION LIMIT 1")
    database = Database(mortal.url("postgres").replace("postgres:@", "lonely@"))

    sleep(database, 1.0)
    database.close()

    assert len(found) > 1
    assert all(found)
