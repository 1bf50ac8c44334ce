"""Fingerprints of images in the database, and the queue of those that wait for the check for duplicates.

The table is the queue: whoever holds a lease checks, and what was found is written only while the token still holds.
New images come first, in the order in which they came in; then those that were there before the check was, or that an
older one has seen. Every function works inside the caller's transaction.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.fingerprint import ORIENTATIONS, VERSION, Fingerprint
from pipeline.features.pdq import HASH_BYTES
from pipeline.images import ImageState
from pipeline.principals import Principal
from pipeline.stores import records_embeddings
from pipeline.stores.moments import moment
from pipeline.stores.principal_sql import allowed
from pipeline.stores.tables import images, insert_into
from pipeline.stores.tables_duplicates import fingerprints

CHECK_VERSION = 1
"""Written on every image that was checked, and raised when the check would find otherwise: all are checked anew then,
beside the daily work."""

IN_NO_HURRY = 0
"""What `checked` is for an image that waits behind all that have just come in; for these it is NULL."""

UNREADABLE = Fingerprint(bytes(HASH_BYTES), bytes(ORIENTATIONS * HASH_BYTES), quality=0)
"""Kept for an image of which nothing can be read any more: of this quality no hash is compared."""

ROWS_PER_QUERY = 500  # values in one IN (...), as `records_images` has them

_WAITING = (fingerprints.c.checked.is_(None), fingerprints.c.checked < CHECK_VERSION)
"""What waits, those in a hurry first; two conditions, for each of which the index is used."""

_VISIBLE = (images.c.state == ImageState.READY) & images.c.deleted_at.is_(None)
HAS_HASHES = fingerprints.c.version == VERSION
_LACKS_ONE = ~sa.exists().where(fingerprints.c.image_row == images.c.row, HAS_HASHES)
_WITH_IMAGES = fingerprints.join(images, images.c.row == fingerprints.c.image_row)


@dataclass(frozen=True)
class Claim:
    """Rows of images that this worker alone checks while its lease lasts."""

    token: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Progress:
    """How many images have been checked by the present check, of how many that can be found."""

    checked: int
    total: int

    @property
    def left(self) -> int:
        """How many still wait."""
        return self.total - self.checked


def put(connection: Connection, row: int, fingerprint: Fingerprint) -> None:
    """Write the fingerprint of an image that was just analyzed; it is to be checked, again if it had been."""
    _put(connection, row, fingerprint, checked=None)


def put_missing(connection: Connection, found: Mapping[int, Fingerprint]) -> None:
    """Write fingerprints that older versions did not make; the images are to be checked when there is time.

    Those that have been purged meanwhile are left out.
    """
    for row in sorted(hold_images(connection, found)):
        _put(connection, row, found[row], checked=IN_NO_HURRY)
    records_embeddings.touch_analyzed(connection, sorted(found))


def _put(connection: Connection, row: int, fingerprint: Fingerprint, *, checked: int | None) -> None:
    values = {
        "whole": fingerprint.whole,
        "trimmed": fingerprint.trimmed,
        "quality": fingerprint.quality,
        "version": VERSION,
        "checked": checked,
        "lease_until": None,
        "lease_token": None,
    }
    added = insert_into(connection, fingerprints).values(image_row=row, **values)
    connection.execute(added.on_conflict_do_update(index_elements=[fingerprints.c.image_row], set_=values))


def hold_images(connection: Connection, rows: Collection[int]) -> set[int]:
    """Return which of the images have not been purged; they stay until the end of the transaction.

    To be called before anything is written that refers to them: whoever purges takes images first as well.
    """
    there = sa.select(images.c.row).where(images.c.row.in_(rows)).order_by(images.c.row)
    return set(connection.scalars(there.with_for_update(read=True, key_share=True)))


def lacking(connection: Connection, behind: int, limit: int) -> list[int]:
    """Return up to `limit` rows after the row `behind` of images that can be found and have no fingerprint of today."""
    asked = sa.select(images.c.row).where(_VISIBLE, images.c.row > behind, _LACKS_ONE)
    return list(connection.scalars(asked.order_by(images.c.row).limit(limit)))


def count_lacking(connection: Connection) -> int:
    """Return how many images that can be found have no fingerprint of today."""
    counted = sa.select(sa.func.count()).select_from(images).where(_VISIBLE, _LACKS_ONE)
    return connection.scalar(counted) or 0


def get_many(connection: Connection, rows: Sequence[int]) -> dict[int, Fingerprint]:
    """Return the fingerprints of those of the images that have one of today, by row."""
    found = {}
    columns = (fingerprints.c.image_row, fingerprints.c.whole, fingerprints.c.trimmed, fingerprints.c.quality)
    for start in range(0, len(rows), ROWS_PER_QUERY):
        part = fingerprints.c.image_row.in_(rows[start : start + ROWS_PER_QUERY])
        for row, whole, trimmed, quality in connection.execute(sa.select(*columns).where(part, HAS_HASHES)):
            found[row] = Fingerprint(bytes(whole), bytes(trimmed), quality)
    return found


def get(connection: Connection, row: int) -> Fingerprint | None:
    """Return the fingerprint of an image, or None when it has none of today."""
    return get_many(connection, [row]).get(row)


def sample(connection: Connection, limit: int) -> list[int]:
    """Return the rows of about `limit` images that can be found and have a fingerprint, spread over all of them."""
    last = connection.scalar(sa.select(sa.func.max(fingerprints.c.image_row))) or 0
    every = max(1, last // limit)
    asked = sa.select(fingerprints.c.image_row).select_from(_WITH_IMAGES).where(HAS_HASHES, _VISIBLE)
    spread = asked.where(fingerprints.c.image_row % every == 0).order_by(fingerprints.c.image_row)
    return list(connection.scalars(spread.limit(limit)))


# ---- The queue


def claim(
    connection: Connection, *, limit: int, lease: timedelta, only: Collection[int] = (), library: str | None = None
) -> Claim:
    """Take up to `limit` images that wait for the check and that nobody holds, in the order in which they wait.

    `only` are the rows to choose from, if not all, and `library` is the id of the library.
    """
    which = [images.c.library == library] if library is not None else []
    if only:
        which.append(images.c.row.in_(only))
    rows: list[int] = []
    for waiting in _WAITING:
        if len(rows) < limit:
            due = _due(connection, waiting, *which).limit(limit - len(rows))
            rows += connection.scalars(due.with_for_update(of=fingerprints, skip_locked=True))
    token = secrets.token_hex(16)
    if rows:
        values = {"lease_token": token, "lease_until": moment(connection, lease)}
        connection.execute(fingerprints.update().where(fingerprints.c.image_row.in_(rows)).values(values))
    return Claim(token, tuple(rows))


def is_any_due(connection: Connection) -> bool:
    """Whether an image waits for the check that nobody holds."""
    return any(connection.execute(_due(connection, waiting).limit(1)).first() for waiting in _WAITING)


def _due(connection: Connection, *which: sa.ColumnElement[bool]) -> sa.Select[tuple[int]]:
    """Return what selects the rows that nobody holds, in the order of the index, so that the first come at once."""
    unheld = sa.or_(fingerprints.c.lease_until.is_(None), fingerprints.c.lease_until < moment(connection))
    due = sa.select(fingerprints.c.image_row).select_from(_WITH_IMAGES).where(*which, unheld, HAS_HASHES, _VISIBLE)
    return due.order_by(fingerprints.c.checked, fingerprints.c.image_row)


def finish(connection: Connection, row: int, token: str) -> bool:
    """Note that an image was checked, if `token` still holds; return whether it did."""
    ours = fingerprints.c.lease_token == token
    done = {"checked": CHECK_VERSION, "lease_token": None, "lease_until": None}
    written = fingerprints.update().where(fingerprints.c.image_row == row, ours, HAS_HASHES).values(done)
    return connection.execute(written).rowcount == 1


def give_back(connection: Connection, token: str) -> None:
    """Let others check what is held by the token."""
    ours = fingerprints.update().where(fingerprints.c.lease_token == token)
    connection.execute(ours.values(lease_token=None, lease_until=None))


def check_again(connection: Connection, rows: Sequence[int]) -> None:
    """Let images be checked as if they had just come in: they are back after others came in without them."""
    fresh = {"checked": None, "lease_token": None, "lease_until": None}
    for start in range(0, len(rows), ROWS_PER_QUERY):
        part = fingerprints.c.image_row.in_(rows[start : start + ROWS_PER_QUERY])
        connection.execute(fingerprints.update().where(part).values(fresh))


def waiting(connection: Connection, rows: Sequence[int]) -> set[int]:
    """Return those of a few images that have just come in, or come back, and have not been checked since."""
    found: set[int] = set()
    for start in range(0, len(rows), ROWS_PER_QUERY):
        part = fingerprints.c.image_row.in_(rows[start : start + ROWS_PER_QUERY])
        found |= set(
            connection.scalars(sa.select(fingerprints.c.image_row).where(part, fingerprints.c.checked.is_(None)))
        )
    return found


def check_all_again(connection: Connection, library: str | None = None) -> int:
    """Let all images, or those of the library with this id, be checked again when there is time; return how many."""
    which = [fingerprints.c.checked.is_not(None)]
    if library is not None:
        theirs = sa.select(images.c.row).where(images.c.library == library)
        which.append(fingerprints.c.image_row.in_(theirs))
    fresh = {"checked": IN_NO_HURRY, "lease_token": None, "lease_until": None}
    return connection.execute(fingerprints.update().where(*which).values(fresh)).rowcount


def progress(connection: Connection, principal: Principal, library: str | None = None) -> Progress:
    """Return how far the check has come among the images that `principal` may see, or those of one library of these."""
    seen = [_VISIBLE, allowed(principal)] + ([images.c.library == library] if library is not None else [])
    total = sa.select(sa.func.count()).select_from(images).where(*seen)
    of_today = (fingerprints.c.checked == CHECK_VERSION, HAS_HASHES)
    checked = sa.select(sa.func.count()).select_from(_WITH_IMAGES).where(*of_today, *seen)
    return Progress(connection.scalar(checked) or 0, connection.scalar(total) or 0)
