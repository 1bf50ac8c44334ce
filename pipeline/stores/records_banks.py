"""Banks in the database, and the known pictures in them.

Every function works inside the caller's transaction. Whoever changes a bank or its entries writes ALONE: who analyzes
an image asks in its last transaction whether the banks are still those that it was compared with, so that none slips
between an entry and the look at what is there.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.bank_rules import BankAction, Kind
from pipeline.stores.tables import insert_into
from pipeline.stores.tables_duplicates import bank_entries, banks

FINISHED = 1 << 62
"""`matched_until` of an entry that every image which was there has been compared with."""

ADDED_AT_ONCE = 500  # entries in one statement


@dataclass(frozen=True)
class Bank:
    """A named set of known pictures; see `tables_duplicates.banks`. `library` is None for one of the whole server."""

    id: str
    library: str | None
    name: str
    kind: Kind
    action: BankAction
    sentence: str
    max_distance: int
    ratio: float
    expires_at: datetime | None
    notes: str
    paused: str | None
    resumed_at: datetime | None
    guarded: bool
    keeps_thumbnails: bool
    created_at: datetime
    created_by: str | None
    version: int = 0
    removals: int = 0

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True)
class NewEntry:
    """A known picture that is to be added: its hash of 32 bytes, PDQ's quality if known, and where it is from."""

    hash: bytes
    quality: int | None
    origin: str
    notes: str = ""
    sha256: str | None = None
    thumbnail: bytes | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True)
class BankEntry:
    """A known picture in a bank. `by` is the id of who added it."""

    id: int
    hash: bytes
    quality: int | None
    sha256: str | None
    has_thumbnail: bool
    origin: str
    notes: str
    expires_at: datetime | None
    added_at: datetime
    by: str | None
    is_compared: bool


_BANK = tuple(banks.c[column.name] for column in fields(Bank))
_ENTRY = (
    bank_entries.c.id,
    bank_entries.c.hash,
    bank_entries.c.quality,
    bank_entries.c.sha256,
    bank_entries.c.thumbnail.is_not(None),
    bank_entries.c.origin,
    bank_entries.c.notes,
    bank_entries.c.expires_at,
    bank_entries.c.added_at,
    bank_entries.c.added_by,
    bank_entries.c.matched_until >= FINISHED,
)


# ---- Banks


def add(connection: Connection, bank: Bank) -> None:
    """Keep a bank."""
    connection.execute(banks.insert().values(asdict(bank)))


def get(connection: Connection, bank_id: str) -> Bank | None:
    """Return a bank, or None."""
    found = connection.execute(sa.select(*_BANK).where(banks.c.id == bank_id)).first()
    return _bank(found) if found else None


def list_all(connection: Connection) -> list[Bank]:
    """Return every bank, by name."""
    found = map(_bank, connection.execute(sa.select(*_BANK)))
    return sorted(found, key=lambda bank: (bank.name.casefold(), bank.id))


def removed_of(connection: Connection, library: str) -> Bank | None:
    """Return the bank of what was removed from a library, the oldest if there were several."""
    mine = (banks.c.library == library, banks.c.kind == Kind.REMOVED)
    found = connection.execute(sa.select(*_BANK).where(*mine).order_by(banks.c.created_at, banks.c.id)).first()
    return _bank(found) if found else None


def versions(connection: Connection, library: str) -> dict[str, int]:
    """Return id -> version of the banks that the uploads to a library are compared with."""
    theirs = banks.c.library.is_(None) | (banks.c.library == library)
    return dict(connection.execute(sa.select(banks.c.id, banks.c.version).where(theirs)).all())


def is_acting(bank: sa.FromClause, now: datetime | sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
    """Return whether a row of `banks`, or of an alias of it, is a bank that may hold or refuse what comes in."""
    lasting = bank.c.expires_at.is_(None) | (bank.c.expires_at > now)
    flagging = bank.c.action.in_((BankAction.HOLD, BankAction.REFUSE)) & (bank.c.kind != Kind.GOOD)
    return flagging & bank.c.paused.is_(None) & (bank.c.ratio > 0) & lasting


def is_any_acting(connection: Connection, library: str, now: datetime) -> bool:
    """Whether the uploads to a library are compared with a bank that may hold or refuse them."""
    theirs = banks.c.library.is_(None) | (banks.c.library == library)
    return connection.execute(sa.select(banks.c.id).where(theirs, is_acting(banks, now)).limit(1)).first() is not None


def change(connection: Connection, bank_id: str, **values: object) -> None:
    """Set columns of a bank."""
    changed = {**values, "version": banks.c.version + 1}
    connection.execute(banks.update().where(banks.c.id == bank_id).values(changed))


def pause(connection: Connection, bank_id: str, sentence: str) -> bool:
    """Let a bank rest, and say why; return whether it was not resting already."""
    awake = (banks.c.id == bank_id, banks.c.paused.is_(None))
    paused = banks.update().where(*awake).values(paused=sentence, version=banks.c.version + 1)
    return connection.execute(paused).rowcount == 1


def remove(connection: Connection, bank_id: str) -> None:
    """Forget a bank with its entries and matches."""
    connection.execute(banks.delete().where(banks.c.id == bank_id))


def _bank(values: sa.Row[tuple[object, ...]]) -> Bank:
    found = dict(values._mapping)  # noqa: SLF001 - the public name of a row's mapping
    return Bank(**found | {"kind": Kind(found["kind"]), "action": BankAction(found["action"])})


# ---- Entries


def add_entries(connection: Connection, bank_id: str, entries: Iterable[NewEntry], by: str | None) -> int:
    """Add known pictures and return how many; those whose hash is in the bank already stay as they are."""
    # First of all, so that who adds to a bank waits for whoever does: ids are then seen in their order.
    change(connection, bank_id)
    now, before = datetime.now(UTC), count(connection, [bank_id]).get(bank_id, 0)
    added = list(entries)
    for start in range(0, len(added), ADDED_AT_ONCE):
        part = added[start : start + ADDED_AT_ONCE]
        values = [vars(entry) | {"bank": bank_id, "added_at": now, "added_by": by} for entry in part]
        statement = insert_into(connection, bank_entries).on_conflict_do_nothing(index_elements=["bank", "hash"])
        connection.execute(statement, values)
    return count(connection, [bank_id]).get(bank_id, 0) - before


def count(connection: Connection, bank_ids: Collection[str]) -> dict[str, int]:
    """Return how many entries each bank has; one without any is left out."""
    theirs = sa.select(bank_entries.c.bank, sa.func.count()).where(bank_entries.c.bank.in_(bank_ids))
    return dict(connection.execute(theirs.group_by(bank_entries.c.bank)).all())


def list_entries(connection: Connection, bank_id: str, *, before: int | None = None, limit: int) -> list[BankEntry]:
    """Return up to `limit` entries of a bank, newest first; `before` is an entry's id."""
    statement = sa.select(*_ENTRY).where(bank_entries.c.bank == bank_id)
    if before is not None:
        statement = statement.where(bank_entries.c.id < before)
    found = connection.execute(statement.order_by(bank_entries.c.id.desc()).limit(limit))
    return [BankEntry(*values) for values in found]


def get_entries(connection: Connection, bank_id: str, ids: Collection[int]) -> dict[int, BankEntry]:
    """Return id -> entry of those that are in a bank."""
    found: dict[int, BankEntry] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), ADDED_AT_ONCE):
        part = bank_entries.c.id.in_(wanted[start : start + ADDED_AT_ONCE])
        rows = connection.execute(sa.select(*_ENTRY).where(bank_entries.c.bank == bank_id, part))
        found |= {values[0]: BankEntry(*values) for values in rows}
    return found


def thumbnail(connection: Connection, bank_id: str, entry_id: int) -> bytes | None:
    """Return the thumbnail of an entry, or None when there is no such entry or it has none."""
    one = (bank_entries.c.bank == bank_id, bank_entries.c.id == entry_id)
    return connection.scalar(sa.select(bank_entries.c.thumbnail).where(*one))


def entries_with(connection: Connection, bank_id: str, sha256: str) -> list[int]:
    """Return the ids of the entries of a bank that were made of a picture with these bytes."""
    theirs = (bank_entries.c.bank == bank_id, bank_entries.c.sha256 == sha256)
    return list(connection.scalars(sa.select(bank_entries.c.id).where(*theirs)))


def remove_entries(connection: Connection, bank_id: str, ids: Collection[int]) -> int:
    """Forget entries of a bank with their matches; return how many there were."""
    change(connection, bank_id, removals=banks.c.removals + 1)
    theirs = (bank_entries.c.bank == bank_id, bank_entries.c.id.in_(ids))
    return connection.execute(bank_entries.delete().where(*theirs)).rowcount


def change_entry(connection: Connection, bank_id: str, entry_id: int, **values: object) -> bool:
    """Set columns of an entry; return whether there is one."""
    change(connection, bank_id, removals=banks.c.removals + 1)
    one = (bank_entries.c.bank == bank_id, bank_entries.c.id == entry_id)
    return connection.execute(bank_entries.update().where(*one).values(values)).rowcount == 1


def forget_thumbnails(connection: Connection, bank_id: str) -> None:
    """Keep nothing but the hashes of a bank."""
    connection.execute(bank_entries.update().where(bank_entries.c.bank == bank_id).values(thumbnail=None))


def compare_again(connection: Connection, bank_id: str | None = None) -> None:
    """Have the entries of a bank, or of all, compared anew with what is there."""
    theirs = () if bank_id is None else (bank_entries.c.bank == bank_id,)
    connection.execute(bank_entries.update().where(*theirs).values(matched_until=0))


def read_hashes(
    connection: Connection, bank_id: str, after: int, limit: int
) -> Sequence[tuple[int, bytes, int | None, datetime | None]]:
    """Return (id, hash, quality, expiry) of up to `limit` entries of a bank behind an id, in the order of their ids."""
    columns = (bank_entries.c.id, bank_entries.c.hash, bank_entries.c.quality, bank_entries.c.expires_at)
    theirs = (bank_entries.c.bank == bank_id, bank_entries.c.id > after)
    return connection.execute(sa.select(*columns).where(*theirs).order_by(bank_entries.c.id).limit(limit)).all()
