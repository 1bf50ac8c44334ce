"""The queue of moderation: which images wait or were settled, in pages, and how many.

An image stands in the queue once, at the place of its oldest open case; what was settled stands there once for each
time that it was. Both are read by key, so that a page costs the same however far down it is.

Every function works inside the caller's transaction.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.stores.filter_sql import library_conditions
from pipeline.stores.records_cases import OPEN, SETTLED
from pipeline.stores.tables import images
from pipeline.stores.tables_duplicates import moderation_cases as cases


class Tab(StrEnum):
    """A part of the queue: held and reported images that moderators decide on, escalated ones, and what is done."""

    HELD = "held"
    REPORTED = "reported"
    ESCALATED = "escalated"
    SETTLED = "settled"


@dataclass(frozen=True)
class Asked:
    """Which part of the queue is wanted.

    `where` is narrowed to libraries that are moderated, and nothing else of it counts. `reason` and `who` are parts of
    what was said, and of the name of who said or settled it, in one of the cases of an image.
    """

    tab: Tab
    where: Filter
    reason: str = ""
    who: str = ""


@dataclass(frozen=True)
class Place:
    """An image in the queue: the id of the case that it stands there for, and the batch in which that was settled."""

    case: str
    image_row: int
    batch: str | None


def places(connection: Connection, asked: Asked, *, behind: str | None, limit: int) -> list[Place]:
    """Return up to `limit` places behind the case of an id: oldest first, and what is settled newest first."""
    found = sa.select(cases.c.id, cases.c.image_row, cases.c.batch).select_from(_cases()).where(*_conditions(asked))
    other = cases.alias()
    same = (other.c.image_row == cases.c.image_row, other.c.id < cases.c.id)
    if asked.tab is Tab.SETTLED:
        found = found.where(~sa.exists().where(*same, other.c.batch == cases.c.batch))
        found = found.order_by(cases.c.batch.desc(), cases.c.id.desc())
        if behind is not None:
            last = sa.select(cases.c.batch, cases.c.id).where(cases.c.id == behind).subquery()
            found = found.where(sa.tuple_(cases.c.batch, cases.c.id) < sa.select(last).scalar_subquery())
    else:
        found = found.where(~sa.exists().where(*same, other.c.state == OPEN)).order_by(cases.c.id)
        if behind is not None:
            found = found.where(cases.c.id > behind)
    return [Place(*values) for values in connection.execute(found.limit(limit))]


def count_images(connection: Connection, asked: Asked) -> int:
    """Return how many images wait in a part of the queue."""
    counted = sa.select(sa.func.count(sa.distinct(cases.c.image_row))).select_from(_cases())
    return connection.scalar(counted.where(*_conditions(asked))) or 0


def _cases() -> sa.Join:
    return cases.join(images, images.c.row == cases.c.image_row)


def _conditions(asked: Asked) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [*library_conditions(asked.where)]
    same: Any = cases.alias()
    theirs = same.c.image_row == cases.c.image_row
    if asked.tab is Tab.SETTLED:
        found.append(cases.c.state == SETTLED)
        theirs &= same.c.batch == cases.c.batch
    else:
        found += [
            cases.c.state == OPEN,
            images.c.deleted_at.is_(None),
            cases.c.escalated == (asked.tab is Tab.ESCALATED),
        ]
        theirs &= same.c.state == OPEN
        if asked.tab is not Tab.ESCALATED:
            is_held = images.c.state == ImageState.HELD
            found.append(is_held if asked.tab is Tab.HELD else ~is_held)
    if asked.reason:
        said = same.c.reason.icontains(asked.reason, autoescape=True)
        said |= same.c.outcome_reason.icontains(asked.reason, autoescape=True)
        found.append(sa.exists().where(theirs, said))
    if asked.who:
        named = same.c.reporter.icontains(asked.who, autoescape=True)
        named |= same.c.settled_by.icontains(asked.who, autoescape=True)
        found.append(sa.exists().where(theirs, named))
    return found
