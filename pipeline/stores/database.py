"""The connection to the SQL database: engine, transactions, locks, migrations.

SQLite runs in WAL mode with full syncs, so that an acknowledged commit survives a power cut, and every writing
transaction begins IMMEDIATE, so that two processes queue for the lock instead of failing halfway. PostgreSQL gets the
same order from an advisory lock that every writing transaction takes first: whoever checks something before acting
writes ALONE, and the few workflows that are many at once, and guard each statement, write BESIDE each other. Nobody who
reads waits for one who writes: what a search needs to write takes no such lock, and what it can do without is noted.
"""

import hashlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection as Connection  # noqa: PLC0414 - workflows pass it on from here
from sqlalchemy.engine import Engine

from pipeline.errors import ConfigurationError, StoreUnavailable, extra_missing
from pipeline.stopwatch import spent_on
from pipeline.stores import locks, postgresql
from pipeline.stores.charge import given_up
from pipeline.stores.locks import NOT_HELD, Held

log = logging.getLogger(__name__)

Written = TypeVar("Written")

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MILLISECONDS = 30_000  # waiting for another process's write; writes take milliseconds, so this is never met
NOTE_SECONDS = 0.5  # that a reader waits to write something on the side, before it goes on without

DOWN = "The database does not answer. Please try again in a moment."
DAMAGED = "The file of the database is damaged or is no database. Please restore it from a copy, or move it away."
UNKNOWN = (
    "LIKENESS_DATABASE_URL cannot be used. It looks like sqlite:////path/to/file.db or postgresql://user@host/name."
)


class Writing(Enum):
    """What a writing transaction lets others do meanwhile. SQLite has but one writer; there all are alike."""

    ALONE = "alone"
    """Nobody else writes, so what was looked at stays as it was until the commit."""

    BESIDE = "beside"
    """Others may write BESIDE as well: each statement guards itself, and a conflict is no mistake."""

    PASSING = "passing"
    """Beside everybody, also who writes ALONE, and also after the data has moved elsewhere.

    Each statement guards itself by the rows that it names, and what is written may be forgotten."""

    MOVING = "moving"
    """ALONE, and also where the data has moved elsewhere or is arriving."""

    @property
    def is_alone(self) -> bool:
        """Whether nobody else may write who takes turns."""
        return self in {Writing.ALONE, Writing.MOVING}

    @property
    def is_for_good(self) -> bool:
        """Whether it is refused where the data is not at home."""
        return self in {Writing.ALONE, Writing.BESIDE}


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite database, which need not be there; None for other databases and impossible URLs."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        return None
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


class Database:
    """An engine and the two kinds of transaction.

    Every method raises StoreUnavailable when the database cannot be reached. `connections` is the most that are open
    at once to PostgreSQL, but for one more that asks for a moment whether it answers when a statement takes long; a
    request that gets none in time finds the database unavailable. `store_id` is set to what tells the id of the
    object store that is used beside it: where the pictures are in another one, nothing may be changed either.
    """

    store_id: Callable[[], str | None] | None = None

    def __init__(self, url: str, *, connections: int = 20) -> None:
        self._turns: dict[str, threading.Lock] = {}
        try:
            self.url = _dialect(sa.make_url(url))
            self.is_sqlite = self.url.get_backend_name() == "sqlite"
            options = {} if self.is_sqlite else postgresql.engine_options(connections)
            self.engine = sa.create_engine(self.url, **options)
        except ImportError as error:
            raise ConfigurationError(extra_missing("PostgreSQL", "servers"), detail=str(error)) from error
        except sa.exc.ArgumentError as error:
            raise ConfigurationError(UNKNOWN, detail=str(error)) from error
        if self.is_sqlite:
            if self.url.database and not self.url.database.startswith("file:"):  # an address, which SQLite reads itself
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            _configure_sqlite(self.engine)
        else:
            postgresql.configure(self.engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading, with one consistent view."""
        with spent_on("database"), _mapped(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def write(self, writing: Writing = Writing.ALONE) -> Iterator[Connection]:
        """Give a connection whose changes are committed together, or not at all when the block raises.

        Raises StoreUnavailable also when the data has moved elsewhere, if it is written for good.
        """
        with self._transaction(writing) as connection:
            if writing.is_for_good and (gone := given_up(connection, self.store_id)):
                raise StoreUnavailable(gone.sentence)
            yield connection

    def note(self, write: Callable[[Connection], Written], writing: Writing = Writing.BESIDE) -> Written | None:
        """Do what somebody who reads writes on the side, and return what that gives.

        It has its turn BESIDE others, or none PASSING them, also after the data has moved. When that does not come soon
        nothing is written, which is None: no reading fails for it, or waits long.
        """
        try:
            with self._transaction(writing, wait_seconds=NOTE_SECONDS) as connection:
                return write(connection)
        except StoreUnavailable as error:
            log.debug("something that was to be noted on the side was not: %s", error)
            return None

    @contextmanager
    def exclusively(self, name: str, *, wait_seconds: float = 0.0) -> Iterator[Held]:
        """Hold the lock `name`, which one thread of all processes on this database can have; give whether it is held.

        It is waited for at most so long. A process that dies loses it, and so does one whose connection dies: whoever
        holds it for long asks with `confirm` before each step. Others may write meanwhile.
        """
        deadline = time.monotonic() + wait_seconds
        with locks.in_process(self._turns, name, deadline) as is_our_turn:
            if not is_our_turn:
                yield NOT_HELD
            elif self.is_sqlite:
                with locks.file_lock(self.url.database or "", name, deadline) as is_held:
                    yield Held() if is_held else NOT_HELD
            else:
                with _mapped(), self._advisory_lock(name, deadline) as held:
                    yield held

    @contextmanager
    def _advisory_lock(self, name: str, deadline: float) -> Iterator[Held]:
        # The number stands in the statement itself: one with parameters keeps its view of the data until the end of
        # the transaction, and building an index beside others waits for all who have such a view.
        attempt = sa.select(sa.func.pg_try_advisory_xact_lock(sa.literal_column(str(_number(name)))))
        while True:
            # Whoever waits has no connection meanwhile: others need it, and be it to finish what is waited for.
            with self.engine.connect() as connection:
                if connection.scalar(attempt):
                    yield Held(lambda: self._ask(connection))
                    return
            if time.monotonic() >= deadline:
                break
            time.sleep(locks.POLL_SECONDS)
        yield NOT_HELD

    def _ask(self, connection: Connection) -> None:
        """Return when a transaction is still there, and with it the locks that it holds."""
        with _mapped():
            connection.scalar(sa.select(sa.literal_column("1")))

    def migrate(self) -> None:
        """Bring the tables to the newest version. Several processes may call this at once."""
        with _mapped(), self.engine.connect() as connection:
            if self._is_current(connection):
                return
        with self._transaction(Writing.ALONE, wait_seconds=float("inf")) as connection:
            if self._is_current(connection):
                return
            config = _migrations()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def is_current(self) -> bool:
        """Whether the tables have the newest version. Changes nothing but makes an empty SQLite file if there is none.

        Raises ConfigurationError when they are of a version that this program does not know.
        """
        with self.read() as connection:
            return self._is_current(connection)

    @contextmanager
    def _transaction(self, writing: Writing, *, wait_seconds: float | None = None) -> Iterator[Connection]:
        """Give a transaction, after its turn if it takes turns; who is in the way is waited for at most so long."""
        with spent_on("database"), _mapped(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.execution_options(likeness_write=True, likeness_wait_seconds=wait_seconds)
            with connection.begin():
                if not self.is_sqlite:
                    alone = writing.is_alone if writing is not Writing.PASSING else None
                    connection.execute(postgresql.lock_writers(alone=alone, wait_seconds=wait_seconds))
                yield connection

    def _is_current(self, connection: Connection) -> bool:
        known, newest = _revisions()
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in known:
            raise ConfigurationError(
                "This data was written by a newer version of Likeness. Please start that version or a newer one.",
                detail=f"revision {current}",
            )
        return current == newest

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@cache
def _revisions() -> tuple[frozenset[str], str | None]:
    """Return the versions of the tables that this program knows, and the newest; each is a file that has to be run."""
    scripts = ScriptDirectory.from_config(_migrations())
    return frozenset(script.revision for script in scripts.walk_revisions()), scripts.get_current_head()


def _dialect(url: sa.URL) -> sa.URL:
    """Return the address as the driver of ours understands it. Raises ArgumentError for a database we do not know."""
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise sa.exc.ArgumentError(f"unknown database {url.drivername}")
    return url


def in_turn(connection: Connection, *names: str) -> None:
    """Wait for all other transactions that named one of these, and let those to come wait for the end of this one.

    For what is looked at and then written BESIDE others: on SQLite there are no others.
    """
    if connection.dialect.name != "sqlite":
        numbers = sorted(
            _number(name) for name in names
        )  # in the same order everywhere, so that nobody waits in a ring
        connection.execute(sa.select(*(sa.func.pg_advisory_xact_lock(number) for number in numbers)))


def _number(name: str) -> int:
    """Return the number by which PostgreSQL knows a lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def _mapped() -> Iterator[None]:
    """Turn what a database that is down raises into StoreUnavailable; programming errors stay as they are."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        if _is_mistake(error):
            raise
        raise StoreUnavailable(postgresql.sentence(error) or DOWN, detail=str(error).splitlines()[0]) from error
    except sa.exc.DatabaseError as error:
        if type(error) is not sa.exc.DatabaseError:  # a kind of its own: a mistake of ours
            raise
        raise StoreUnavailable(DAMAGED, detail=str(error).splitlines()[0]) from error


def _is_mistake(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether a statement cannot run as it is written, which the drivers call operational, as they do a full disk.

    SQLITE_ERROR stands for everything that has no code of its own: a syntax error, a table that is not there, an
    expression that is too large. What can be tried again has another code, such as SQLITE_BUSY.
    """
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_ERROR or postgresql.is_too_large(error)


def _configure_sqlite(engine: Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def set_pragmas(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined] # BEGIN is ours, below
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("likeness_write"):
            connection.exec_driver_sql("BEGIN")
            return
        wait = options.get("likeness_wait_seconds")
        milliseconds = BUSY_MILLISECONDS if wait is None or wait == float("inf") else int(wait * 1000)
        if milliseconds != BUSY_MILLISECONDS:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={milliseconds}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            if milliseconds != BUSY_MILLISECONDS:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
