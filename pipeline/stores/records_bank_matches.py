"""Which images looked like which entries of banks, and how far entries have been compared with what was there.

Every function works inside the caller's transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.bank_rules import UNDONE, Deed
from pipeline.errors import RefusedByBank
from pipeline.features.fingerprint import Fingerprint
from pipeline.images import ImageState
from pipeline.principals import Action, Principal
from pipeline.stores import records_fingerprints
from pipeline.stores.principal_sql import allowed, present
from pipeline.stores.records_banks import FINISHED
from pipeline.stores.tables import images, insert_into
from pipeline.stores.tables_duplicates import bank_entries, bank_matches, banks, fingerprints, moderation_cases

ADDED_AT_ONCE = 500  # matches in one statement, and rows in one IN (...)


@dataclass(frozen=True)
class NewMatch:
    """An image that looks like an entry, in how many bits they differ, and what was done."""

    bank: str
    entry: int
    row: int
    distance: int
    deed: Deed


@dataclass(frozen=True)
class BankMatch:
    """A match that was written down. `row` is that of the image."""

    id: int
    entry: int
    row: int
    distance: int
    deed: Deed
    matched_at: datetime


@dataclass(frozen=True)
class Pending:
    """Entries of one bank that have all been compared up to the image `until`: ids, hashes and qualities."""

    bank: str
    until: int
    ids: tuple[int, ...]
    hashes: tuple[bytes, ...]
    qualities: tuple[int | None, ...]


def add(connection: Connection, matches: Sequence[NewMatch]) -> None:
    """Write matches down: the newest word on an image and an entry, but what was `found` there changes none."""
    now = datetime.now(UTC)
    for deed_is_found in (True, False):
        some = [match for match in matches if (match.deed is Deed.FOUND) == deed_is_found]
        for start in range(0, len(some), ADDED_AT_ONCE):
            values = [
                {
                    "bank": match.bank,
                    "entry": match.entry,
                    "image_row": match.row,
                    "distance": match.distance,
                    "action": match.deed,
                    "matched_at": now,
                }
                for match in some[start : start + ADDED_AT_ONCE]
            ]
            statement = insert_into(connection, bank_matches).values(values)
            keys = ["entry", "image_row"]
            if deed_is_found:
                connection.execute(statement.on_conflict_do_nothing(index_elements=keys))
            else:
                newest = {name: statement.excluded[name] for name in ("distance", "action", "matched_at")}
                connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=newest))


def list_visible(
    connection: Connection, bank_id: str, principal: Principal, *, before: int | None = None, limit: int
) -> list[BankMatch]:
    """Return up to `limit` matches of a bank whose images exist for `principal`, newest first."""
    theirs = [bank_matches.c.bank == bank_id, present(principal, deleted_too=True)]
    if before is not None:
        theirs.append(bank_matches.c.id < before)
    match = bank_matches.c
    found = connection.execute(
        sa.select(match.id, match.entry, match.image_row, match.distance, match.action, match.matched_at)
        .join(images, images.c.row == match.image_row)
        .where(*theirs)
        .order_by(match.id.desc())
        .limit(limit)
    )
    return [BankMatch(number, entry, row, apart, Deed(deed), at) for number, entry, row, apart, deed, at in found]


def count_visible(connection: Connection, bank_id: str, principal: Principal) -> int:
    """Return how many images that exist for `principal` have looked like an entry of a bank."""
    number = sa.select(sa.func.count(bank_matches.c.image_row.distinct()))
    joined = number.join(images, images.c.row == bank_matches.c.image_row)
    return connection.scalar(joined.where(bank_matches.c.bank == bank_id, present(principal, deleted_too=True))) or 0


def of_image(connection: Connection, row: int) -> list[tuple[str, BankMatch]]:
    """Return bank and match of everything that an image has looked like, newest first."""
    match = bank_matches.c
    columns = (match.bank, match.id, match.entry, match.image_row, match.distance, match.action, match.matched_at)
    found = connection.execute(sa.select(*columns).where(match.image_row == row).order_by(match.id.desc()))
    return [
        (bank, BankMatch(number, entry, of_row, apart, Deed(deed), at))
        for bank, number, entry, of_row, apart, deed, at in found
    ]


def sentences_of(connection: Connection, row: int) -> list[str]:
    """Return what the banks say that warned of an image, "" for one that has no words of its own."""
    warned = (bank_matches.c.image_row == row, bank_matches.c.action == Deed.WARN)
    statement = sa.select(banks.c.sentence).join(bank_matches, bank_matches.c.bank == banks.c.id).where(*warned)
    return list(dict.fromkeys(connection.scalars(statement.order_by(bank_matches.c.id))))


# ---- Holding what is there


def holdable(
    connection: Connection, bank_id: str, principal: Principal, *, among: Collection[int] | None = None
) -> list[int]:
    """Return the rows of images (`among` some) that a bank has matched, can be found, and `principal` may hold.

    Those that a moderator has settled a case of this bank for are left alone.
    """
    case = moderation_cases.c
    settled = sa.exists().where(case.image_row == images.c.row, case.bank == bank_id)
    rows = (
        sa.select(images.c.row)
        .where(images.c.row.in_(_matched(bank_id)))
        .where(images.c.state == ImageState.READY, present(principal), allowed(principal, Action.CHANGE), ~settled)
        .order_by(images.c.row)
    )
    return list(connection.scalars(rows if among is None else rows.where(images.c.row.in_(among))))


def there(connection: Connection, rows: Collection[int]) -> set[int]:
    """Return those of the images that have not been purged."""
    found: set[int] = set()
    wanted = sorted(set(rows))
    for start in range(0, len(wanted), ADDED_AT_ONCE):
        found |= set(
            connection.scalars(sa.select(images.c.row).where(images.c.row.in_(wanted[start : start + ADDED_AT_ONCE])))
        )
    return found


def _matched(bank_id: str) -> sa.Select[tuple[int]]:
    return sa.select(bank_matches.c.image_row).where(bank_matches.c.bank == bank_id, bank_matches.c.action.in_(UNDONE))


def mark_held(connection: Connection, bank_id: str, rows: Collection[int]) -> None:
    """Note that images were held because of a bank."""
    theirs = (bank_matches.c.bank == bank_id, bank_matches.c.image_row.in_(rows), bank_matches.c.action.in_(UNDONE))
    connection.execute(bank_matches.update().where(*theirs).values(action=Deed.HOLD))


# ---- What is usual


def matched_before(connection: Connection, bank_id: str, moment: datetime) -> int:
    """Return how many images a bank has matched at upload before a moment."""
    theirs = (
        bank_matches.c.bank == bank_id,
        bank_matches.c.matched_at < moment,
        bank_matches.c.action.not_in((Deed.FOUND,)),
    )
    return connection.scalar(sa.select(sa.func.count(bank_matches.c.image_row.distinct())).where(*theirs)) or 0


def uploads_between(connection: Connection, library: str | None, since: datetime, until: datetime) -> int:
    """Return how many images came into a library, or anywhere with None, between two moments."""
    theirs = [images.c.created_at >= since, images.c.created_at < until]
    theirs += [images.c.library == library] if library is not None else []
    return connection.scalar(sa.select(sa.func.count()).select_from(images).where(*theirs)) or 0


# ---- Comparing with what is there


def pending(connection: Connection, limit: int) -> Pending | None:
    """Return up to `limit` entries of one bank that have been compared equally far, those that are farthest on first.

    None when all have been compared with everything.
    """
    waiting = bank_entries.c.matched_until < FINISHED
    newest = sa.select(bank_entries.c.bank, bank_entries.c.matched_until).where(waiting)
    found = connection.execute(newest.order_by(bank_entries.c.matched_until.desc()).limit(1)).first()
    if found is None:
        return None
    bank, until = found
    same = (bank_entries.c.bank == bank, bank_entries.c.matched_until == until)
    columns = (bank_entries.c.id, bank_entries.c.hash, bank_entries.c.quality)
    entries = connection.execute(sa.select(*columns).where(*same).order_by(bank_entries.c.id).limit(limit)).all()
    ids, hashes, qualities = zip(*entries, strict=True)
    return Pending(bank, until, ids, tuple(map(bytes, hashes)), qualities)


def is_any_pending(connection: Connection) -> bool:
    """Whether an entry has not been compared with everything that was there."""
    return (
        connection.execute(sa.select(bank_entries.c.id).where(bank_entries.c.matched_until < FINISHED).limit(1)).first()
        is not None
    )


def count_pending(connection: Connection, bank_id: str) -> int:
    """Return how many entries of a bank have not been compared with everything that was there."""
    waiting = (bank_entries.c.bank == bank_id, bank_entries.c.matched_until < FINISHED)
    return connection.scalar(sa.select(sa.func.count()).select_from(bank_entries).where(*waiting)) or 0


def advance(connection: Connection, done: Pending, until: int) -> None:
    """Note that entries have been compared with the images up to a row; what else was done to them meanwhile stays."""
    same = (
        bank_entries.c.bank == done.bank,
        bank_entries.c.matched_until == done.until,
        bank_entries.c.id.between(done.ids[0], done.ids[-1]),
    )
    connection.execute(bank_entries.update().where(*same).values(matched_until=until))


def fingerprints_behind(
    connection: Connection, row: int, library: str | None, limit: int
) -> list[tuple[int, str, Fingerprint]]:
    """Return (row, sha256, fingerprint) of up to `limit` images behind a row, deleted or not, in their order."""
    columns = (images.c.row, images.c.sha256, fingerprints.c.whole, fingerprints.c.trimmed, fingerprints.c.quality)
    statement = sa.select(*columns).join(fingerprints, fingerprints.c.image_row == images.c.row)
    statement = statement.where(images.c.row > row, records_fingerprints.HAS_HASHES)
    if library is not None:
        statement = statement.where(images.c.library == library)
    found = connection.execute(statement.order_by(images.c.row).limit(limit))
    return [
        (row, sha256, Fingerprint(bytes(whole), bytes(trimmed), quality))
        for row, sha256, whole, trimmed, quality in found
    ]


# ---- What was refused


def refused_before(connection: Connection, moment: datetime, limit: int) -> list[int]:
    """Return up to `limit` rows of images that a bank has refused, the last time before a moment."""
    last = sa.select(sa.func.max(bank_matches.c.matched_at)).where(bank_matches.c.image_row == images.c.row)
    refused = (images.c.state == ImageState.FAILED, images.c.error_code == RefusedByBank.code)
    rows = sa.select(images.c.row).where(*refused, last.scalar_subquery() < moment)
    return list(connection.scalars(rows.order_by(images.c.row).limit(limit)))
