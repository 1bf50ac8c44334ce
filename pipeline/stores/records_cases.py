"""What waits for a moderator: images that are held or were reported, and what became of them.

All open cases of an image are looked at, escalated and settled together; the oldest of them says where the image stands
in the queue. A held image that is not deleted always has an open case.

Every function works inside the caller's transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.images import ImageState, new_image_id
from pipeline.stores.tables import images
from pipeline.stores.tables_duplicates import moderation_cases as cases

HELD, REPORTED, ESCALATED = "held", "reported", "escalated"
"""What a case can be: the image is kept back, somebody has said that it should be looked at, or a moderator has left it
to the owners of its library."""

OPEN, SETTLED = "open", "settled"

APPROVED, REMOVED = "approved", "removed"
"""How a case can end."""


RETURNED = "A moderator had removed this picture, and it was sent again or restored."
"""Why a picture waits that comes back from the trash."""


@dataclass(frozen=True)
class Case:
    """Why an image waits, or waited, for a moderator; see the table. `reporter` is empty where it was a bank."""

    id: str
    image_row: int
    kind: str
    state: str
    reason: str
    reporter_id: str | None
    reporter: str
    bank: str | None
    opened_at: datetime
    escalated: bool
    settled_at: datetime | None
    settled_by: str
    outcome: str
    outcome_reason: str
    batch: str | None
    was_held: bool


_COLUMNS = tuple(cases.c[field.name] for field in fields(Case))


def add(
    connection: Connection,
    row: int,
    kind: str,
    reason: str,
    *,
    reporter_id: str | None = None,
    reporter: str = "",
    bank: str | None = None,
    for_owners: bool = False,
) -> None:
    """Open a case; it is escalated where the others of this image are, or if it is `for_owners`."""
    escalated = for_owners or any(case.escalated for case in open_of(connection, [row]))
    values = {"id": new_image_id(), "image_row": row, "kind": kind, "state": OPEN, "reason": reason}
    values |= {"reporter_id": reporter_id, "reporter": reporter, "bank": bank, "opened_at": datetime.now(UTC)}
    values |= {"escalated": escalated, "settled_by": "", "outcome": "", "outcome_reason": "", "was_held": False}
    connection.execute(cases.insert().values(values))


def open_of(connection: Connection, rows: Collection[int]) -> list[Case]:
    """Return the open cases of a few images, oldest first."""
    return _cases(connection, cases.c.image_row.in_(rows), cases.c.state == OPEN)


def of_batch(connection: Connection, batch: str) -> list[Case]:
    """Return what was settled in one go, oldest first."""
    return _cases(connection, cases.c.batch == batch, cases.c.state == SETTLED)


def last_settled(connection: Connection, rows: Collection[int]) -> dict[int, Case]:
    """Return by row the case of each of a few images that was settled last; images without one are left out."""
    found = _cases(connection, cases.c.image_row.in_(rows), cases.c.state == SETTLED)
    found.sort(key=lambda case: (case.settled_at or case.opened_at, case.id))
    return {case.image_row: case for case in found}


def settle(
    connection: Connection,
    rows: Collection[int],
    *,
    batch: str,
    outcome: str,
    reason: str,
    by: str,
) -> set[int]:
    """Settle all open cases of the images, whose `was_held` is taken from their state; return which rows had any."""
    is_held = sa.select(images.c.state == ImageState.HELD).where(images.c.row == cases.c.image_row).scalar_subquery()
    settled = (
        cases.update()
        .where(cases.c.image_row.in_(rows), cases.c.state == OPEN)
        .values(
            state=SETTLED,
            settled_at=datetime.now(UTC),
            settled_by=by,
            outcome=outcome,
            outcome_reason=reason,
            batch=batch,
            was_held=is_held,
        )
        .returning(cases.c.image_row)
    )
    return set(connection.scalars(settled))


def unsettle(connection: Connection, ids: Collection[str]) -> None:
    """Open settled cases again, as if nobody had looked at them."""
    fresh = {"state": OPEN, "settled_at": None, "settled_by": "", "outcome": "", "outcome_reason": "", "batch": None}
    connection.execute(cases.update().where(cases.c.id.in_(ids)).values(was_held=False, **fresh))


def escalate(connection: Connection, rows: Collection[int]) -> set[int]:
    """Leave the open cases of the images to the owners of their libraries; return which rows had any to leave."""
    escalated = cases.update().where(cases.c.image_row.in_(rows), cases.c.state == OPEN, cases.c.escalated.is_(False))
    return set(connection.scalars(escalated.values(escalated=True).returning(cases.c.image_row)))


def left_to_owners(connection: Connection, rows: Collection[int]) -> set[int]:
    """Return those of a few images about which only the owners of their libraries decide.

    Those are images that were left to them and wait, and such as they have removed.
    """
    waiting = {case.image_row for case in open_of(connection, rows) if case.escalated}
    in_trash = (images.c.row.in_(rows), images.c.state == ImageState.HELD, images.c.deleted_at.is_not(None))
    removed = last_settled(connection, list(connection.scalars(sa.select(images.c.row).where(*in_trash))))
    return waiting | {row for row, case in removed.items() if case.escalated}


def open_again(connection: Connection, rows: Sequence[int]) -> None:
    """Open the last case of those held images that have none open: a moderator had removed them, and they come back."""
    waiting = sa.exists().where(cases.c.image_row == images.c.row, cases.c.state == OPEN)
    held = sa.select(images.c.row).where(images.c.row.in_(rows), images.c.state == ImageState.HELD, ~waiting)
    back = list(connection.scalars(held))
    for row, case in sorted(last_settled(connection, back).items()):
        add(connection, row, HELD, RETURNED, bank=case.bank, for_owners=case.escalated)


def count_reporters(connection: Connection, row: int) -> int:
    """Return how many people have an open report of an image."""
    theirs = (cases.c.image_row == row, cases.c.state == OPEN, cases.c.kind == REPORTED)
    who = sa.func.coalesce(cases.c.reporter_id, "")
    return connection.scalar(sa.select(sa.func.count(sa.distinct(who))).where(*theirs)) or 0


def has_reported(connection: Connection, row: int, reporter_id: str | None) -> bool:
    """Whether somebody has an open report of an image."""
    theirs = (cases.c.image_row == row, cases.c.state == OPEN, cases.c.kind == REPORTED)
    mine = cases.c.reporter_id.is_not_distinct_from(reporter_id)
    return connection.execute(sa.select(cases.c.id).where(*theirs, mine).limit(1)).first() is not None


def reports_since(connection: Connection, reporter_id: str | None, moment: datetime) -> int:
    """Return how many reports somebody has made since `moment`, open or settled."""
    theirs = (cases.c.kind == REPORTED, cases.c.opened_at > moment)
    mine = cases.c.reporter_id.is_not_distinct_from(reporter_id)
    return connection.scalar(sa.select(sa.func.count()).where(*theirs, mine)) or 0


def _cases(connection: Connection, *conditions: sa.ColumnElement[bool]) -> list[Case]:
    found = connection.execute(sa.select(*_COLUMNS).where(*conditions).order_by(cases.c.id))
    return [Case(*values) for values in found]
