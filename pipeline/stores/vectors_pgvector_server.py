"""The PostgreSQL that holds vectors: its address, its connections, its extension, and its errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import ConfigurationError, StoreUnavailable
from pipeline.stores.database import Database

HERE = ("pgvector:", "postgresql:")
"""Addresses, without their slashes, that mean the database of Likeness itself."""

OLDEST_EXTENSION = (0, 8)  # the first pgvector with iterative scans
SECRET_PARAMETERS = ("password", "sslpassword")

DOWN = "The PostgreSQL that holds the vectors does not answer. Please try again in a moment."
NO_EXTENSION = (
    "PostgreSQL has no extension `vector` in the database of the vectors, and it could not be made. Please install "
    "pgvector 0.8 or newer and run CREATE EXTENSION vector as an administrator."
)
OLD_EXTENSION = (
    "The extension `vector` of PostgreSQL is too old. Please install pgvector 0.8 or newer and run "
    "ALTER EXTENSION vector UPDATE as an administrator."
)
NO_RIGHTS = "The user of PostgreSQL may not make tables for the vectors. Please grant it CREATE on the schema."
NOT_POSTGRESQL = (
    "LIKENESS_VECTORS_URL is pgvector://, the database of Likeness itself, but that is not PostgreSQL. Please set "
    "LIKENESS_DATABASE_URL to one, or name another with pgvector://user:password@host/name."
)
UNKNOWN = "LIKENESS_VECTORS_URL cannot be used. It looks like pgvector:// or pgvector://user:password@host/name."

VANISHED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedObject)


class PlaceVanished(Exception):
    """A table, its column of vectors or the extension is gone: wiped, or replaced by another process."""


class PgvectorServer:
    """The database at `url`, which is that of Likeness itself where the address names none.

    `address` has no password in it. Raises ConfigurationError for an address that means nothing.
    """

    def __init__(self, url: str, database: Database, *, connections: int) -> None:
        self._own: Database | None = None
        self.address = "pgvector://"
        if url.rstrip("/") not in HERE:
            self._own = _open(url, connections)
            self.address = without_secrets(self._own.url)
        elif database.is_sqlite:
            raise ConfigurationError(NOT_POSTGRESQL)
        self._engine = (self._own or database).engine

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection. Raises StoreUnavailable or PlaceVanished; mistakes of ours stay what they are."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.TimeoutError as error:
            raise StoreUnavailable(DOWN, detail=str(error)) from error
        except sa.exc.DBAPIError as error:
            raise _told(error.orig or error) from error
        except psycopg.Error as error:  # from the driver itself, by which vectors are copied in
            raise _told(error) from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are committed together, or not at all when the block raises."""
        with self.connection() as connection, connection.begin():
            yield connection

    def ensure_extension(self) -> None:
        """Make the extension where there is none. Raises StoreUnavailable where that, or its version, will not do."""
        with self.writing() as connection:
            try:
                connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
            except sa.exc.DBAPIError as error:
                if isinstance(error.orig, psycopg.errors.InsufficientPrivilege | psycopg.errors.FeatureNotSupported):
                    raise StoreUnavailable(NO_EXTENSION, detail=str(error.orig)) from error
                raise
            asked = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
            version = connection.exec_driver_sql(asked).scalar_one()
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_EXTENSION:
            raise StoreUnavailable(OLD_EXTENSION, detail=f"pgvector {version}")

    def close(self) -> None:
        """Close the connections that are not those of the database of Likeness."""
        if self._own:
            self._own.close()


def without_secrets(url: sa.URL) -> str:
    """Return the address of a database without what is secret in it."""
    query = {name: value for name, value in url.query.items() if name not in SECRET_PARAMETERS}
    name = "pgvector" if url.get_backend_name() == "postgresql" else url.drivername
    return sa.URL.create(name, url.username, None, url.host, url.port, url.database, query).render_as_string()


def _open(url: str, connections: int) -> Database:
    try:
        address = sa.make_url(url).set(drivername="postgresql")
    except (sa.exc.ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise ConfigurationError(UNKNOWN, detail=str(error)) from error
    return Database(address.render_as_string(hide_password=False), connections=connections)


def _told(error: BaseException) -> BaseException:
    """Return the error to raise for one of PostgreSQL's."""
    detail = str(error).strip().split("\n")[0]
    if isinstance(error, VANISHED):
        return PlaceVanished(detail)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return StoreUnavailable(NO_RIGHTS, detail=detail)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return StoreUnavailable(DOWN, detail=detail)
    return error
