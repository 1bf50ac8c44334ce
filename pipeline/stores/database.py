"""The connection to the SQL database: engine, transactions, migrations.

SQLite runs in WAL mode with full syncs, so that an acknowledged commit survives a power cut, and every writing
transaction begins IMMEDIATE, so that two processes queue for the lock instead of failing halfway.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection as Connection  # noqa: PLC0414 - workflows pass it on from here
from sqlalchemy.engine import Engine

from pipeline.errors import ConfigurationError, StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MILLISECONDS = 30_000  # waiting for another process's write; writes take milliseconds, so this is never met

DOWN = "The database does not answer. Please try again in a moment."
DAMAGED = "The file of the database is damaged or is no database. Please restore it from a copy, or move it away."


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite database, which need not be there; None for other databases and impossible URLs."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        return None
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


class Database:
    """An engine and the two kinds of transaction.

    Every method raises StoreUnavailable when the database cannot be reached.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
            self.engine = sa.create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
        except (sa.exc.ArgumentError, ImportError) as error:
            raise ConfigurationError(
                "LIKENESS_DATABASE_URL cannot be used. It looks like sqlite:////path/to/file.db.",
                detail=str(error),
            ) from error
        self.url = parsed
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            _configure_sqlite(self.engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading, with one consistent view on SQLite."""
        with _mapped(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are committed together, or not at all when the block raises."""
        with _mapped(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.execution_options(likeness_write=True)
            with connection.begin():
                yield connection

    def migrate(self) -> None:
        """Bring the tables to the newest version. Several processes may call this at once."""
        with _mapped(), self.engine.connect() as connection:
            if self._is_current(connection):
                return
        with self.write() as connection:
            if self._is_current(connection):
                return
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def is_current(self) -> bool:
        """Whether the tables have the newest version. Changes nothing but makes an empty SQLite file if there is none.

        Raises ConfigurationError when they are of a version that this program does not know.
        """
        with self.read() as connection:
            return self._is_current(connection)

    def _is_current(self, connection: Connection) -> bool:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        scripts = ScriptDirectory.from_config(config)
        current = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in scripts.walk_revisions()}
        if current is not None and current not in known:
            raise ConfigurationError(
                "This data was written by a newer version of Likeness. Please start that version or a newer one.",
                detail=f"revision {current}",
            )
        return current == scripts.get_current_head()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def _mapped() -> Iterator[None]:
    """Turn what a database that is down raises into StoreUnavailable; programming errors stay as they are."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        if _is_mistake(error):
            raise
        raise StoreUnavailable(DOWN, detail=str(error).splitlines()[0]) from error
    except sa.exc.DatabaseError as error:
        if type(error) is not sa.exc.DatabaseError:  # a kind of its own: a mistake of ours
            raise
        raise StoreUnavailable(DAMAGED, detail=str(error).splitlines()[0]) from error


def _is_mistake(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether SQLite cannot run a statement as it is written; it calls that operational, as it does a full disk.

    SQLITE_ERROR stands for everything that has no code of its own: a syntax error, a table that is not there, an
    expression that is too large. What can be tried again has another code, such as SQLITE_BUSY.
    """
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


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
        writing = connection.get_execution_options().get("likeness_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
