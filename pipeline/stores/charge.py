"""Which place is in charge of the data: what the table `moves` says to a process about the stores it has opened.

A database knows by itself that its data has moved away. An object store is known by a random id that lies in it, and
not by its address: one folder or bucket has many names. Where the pictures have ever moved, the database knows the id
of the store that they are in, and whoever has opened another one may change nothing.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import ObjectNotFound
from pipeline.stores.protocols import ObjectStore
from pipeline.stores.tables import moves

MOVED = "This data has moved to other stores. Please start Likeness with their addresses."
ARRIVING = "This database is being filled by `likeness move`. Please wait until that is done, or run it again."

MARKS = "installation"
"""What the keys begin with that say whose a store is."""

ID_KEY = f"{MARKS}/store"
ID_BYTES = 16


@dataclass(frozen=True)
class GivenUp:
    """That nothing may be changed here: the sentence, since when, and whether all of it is elsewhere by now."""

    sentence: str
    since: datetime
    is_elsewhere: bool


class StoreId:
    """The id of an object store, read when it is first asked for and then remembered; None as long as it has none."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: str | None = None

    def __call__(self) -> str | None:
        """Return the id. Raises StoreUnavailable."""
        if self._known is None:
            self._known = read_id(self._store)
        return self._known


def given_up(connection: Connection, store_id: Callable[[], str | None] | None) -> GivenUp | None:
    """Return why nothing that lasts may be written by those who keep pictures in the store with this id.

    `store_id` is asked only where pictures have moved; None for who keeps none. Raises StoreUnavailable when the id
    cannot be read.
    """
    wanted = sa.select(moves.c.kind, moves.c.origin, moves.c.moved_at)
    found = connection.execute(wanted.where(moves.c.kind.in_(["arrival", "database", "objects"]))).all()
    for kind, origin, since in sorted(found):
        if kind != "objects" or (store_id and store_id() != origin):
            return GivenUp(ARRIVING if kind == "arrival" else MOVED, since, kind != "arrival")
    return None


def read_id(store: ObjectStore) -> str | None:
    """Return the id of a store, or None when it has none. Raises StoreUnavailable."""
    try:
        with store.open(ID_KEY) as stream:
            return stream.read(2 * ID_BYTES).decode("ascii", "replace") or None
    except ObjectNotFound:
        return None


def give_id(store: ObjectStore, *, unlike: str | None) -> str:
    """Return the id of a store, giving it one where it has none, or that of the store it was copied from by hand."""
    known = read_id(store)
    if known is None or known == unlike:
        known = secrets.token_hex(ID_BYTES)
        store.put(ID_KEY, BytesIO(known.encode()))
    return known


def are_one(store: ObjectStore, other: ObjectStore) -> bool:
    """Whether two addresses lead to the same store: what is put into the one is looked for in the other."""
    if store.address == other.address:
        return True
    probe = f"{MARKS}/{secrets.token_hex(ID_BYTES)}"
    other.put(probe, BytesIO(b""), durable=False)
    try:
        return store.exists(probe)
    finally:
        other.delete(probe)
