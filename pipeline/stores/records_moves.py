"""What the databases say about moves: which installation they belong to, and what has moved away or is arriving."""

import secrets
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.stores import records_people
from pipeline.stores.tables import LONGEST_ORIGIN, images, moves, vector_copies

INSTALLATION = "installation"
"""The name of the secret that tells one installation from another. It is copied with the data."""

Kind = Literal["database", "objects", "vectors", "arrival"]


def installation(connection: Connection) -> str | None:
    """Return what the installation is known by, or None when nothing has ever been moved."""
    return records_people.server_secret(connection, INSTALLATION)


def name_installation(connection: Connection) -> str:
    """Return what the installation is known by, making it up the first time."""
    known = installation(connection)
    if known is None:
        known = secrets.token_hex(16)
        records_people.keep_server_secret(connection, INSTALLATION, known)
    return known


def target_of(connection: Connection, kind: Kind, origin: str | None = None) -> str | None:
    """Return where what was at `origin`, or anywhere, is now; None when it has not moved."""
    found = sa.select(moves.c.target).where(moves.c.kind == kind)
    if origin is not None:
        found = found.where(moves.c.origin == origin[:LONGEST_ORIGIN])
    return connection.scalar(found.limit(1))


def record(connection: Connection, kind: Kind, origin: str, target: str) -> None:
    """Record that what was at `origin` is at `target` now."""
    forget(connection, kind, origin)
    values = {"kind": kind, "origin": origin[:LONGEST_ORIGIN], "target": target, "moved_at": datetime.now(UTC)}
    connection.execute(moves.insert().values(values))


def forget(connection: Connection, kind: Kind, origin: str | None = None) -> None:
    """Forget that what was at `origin`, or anywhere, has moved."""
    statement = moves.delete().where(moves.c.kind == kind)
    if origin is not None:
        statement = statement.where(moves.c.origin == origin[:LONGEST_ORIGIN])
    connection.execute(statement)


def store_in_charge(connection: Connection) -> tuple[str, str] | None:
    """Return the id and the address of the store that the pictures are in; None when they have never moved."""
    found = connection.execute(sa.select(moves.c.origin, moves.c.target).where(moves.c.kind == "objects")).first()
    return (found.origin, found.target) if found else None


def put_in_charge(connection: Connection, store: tuple[str, str] | None) -> None:
    """Let this, an id and an address, be the store that the pictures are in."""
    forget(connection, "objects")
    if store:
        record(connection, "objects", *store)


def forget_copies(connection: Connection) -> None:
    """Forget how far the vector engines have followed a database that is to be filled with another's data."""
    connection.execute(vector_copies.delete())


def count_in_place(connection: Connection) -> int:
    """Return how many images are files that were imported in place, which no move touches."""
    return connection.scalar(sa.select(sa.func.count()).select_from(images).where(images.c.path.is_not(None))) or 0


def copies_left(connection: Connection) -> list[tuple[str, str]]:
    """Return the address and the name of every collection or table that follows this database, which a move leaves."""
    wanted = sa.select(vector_copies.c.address, vector_copies.c.place).where(vector_copies.c.place != "")
    return [(address, place) for address, place in connection.execute(wanted.order_by(*wanted.selected_columns))]
