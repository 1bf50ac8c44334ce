"""What saved searches have found among what came in: each image once for each search.

Every function works inside the caller's transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.images import ImageRecord
from pipeline.principals import Principal
from pipeline.stores import records_images
from pipeline.stores.filter_sql import VISIBLE
from pipeline.stores.principal_sql import allowed
from pipeline.stores.tables import images, insert_into
from pipeline.stores.tables_searches import saved_matches, webhooks

NEVER = ""
"""The delivery of a match that no webhook is told, because there was none when it was found."""


@dataclass(frozen=True)
class Found:
    """An image that a search has found. Both figures are None when nothing was asked but filters."""

    search: str
    row: int
    similarity: float | None
    strength: str | None


@dataclass(frozen=True)
class Match:
    """A match as it is told: the image as it is now. `number` grows with every match."""

    number: int
    image: ImageRecord
    matched_at: datetime
    similarity: float | None
    strength: str | None


def add(connection: Connection, found: Iterable[Found]) -> None:
    """Keep what was found, in the order of the rows; an image that a search has found before stays as it is.

    All of the images must be there, which nobody changes who does not write ALONE.
    """
    now = datetime.now(UTC)
    values = [
        {
            "search": one.search,
            "image_row": one.row,
            "similarity": one.similarity,
            "strength": one.strength,
            "matched_at": now,
        }
        for one in sorted(found, key=lambda one: one.row)
    ]
    if values:
        there = set(
            connection.scalars(sa.select(images.c.row).where(images.c.row.in_({one["image_row"] for one in values})))
        )
        kept = [one for one in values if one["image_row"] in there]
        if kept:
            connection.execute(insert_into(connection, saved_matches).on_conflict_do_nothing(), kept)


def visible(
    connection: Connection, search_id: str, principal: Principal, *, delivery: str | None = None, limit: int
) -> list[Match]:
    """Return up to `limit` matches whose images `principal` may see now, newest first; with `delivery`, of that one."""
    theirs = [saved_matches.c.search == search_id, VISIBLE, allowed(principal)]
    if delivery is not None:
        theirs.append(saved_matches.c.delivery == delivery)
    found = connection.execute(
        sa.select(saved_matches)
        .select_from(saved_matches.join(images, images.c.row == saved_matches.c.image_row))
        .where(*theirs)
        .order_by(saved_matches.c.id.desc())
        .limit(limit)
    ).all()
    records = {
        record.row: record for record in records_images.get_by_rows(connection, [one.image_row for one in found])
    }
    return [
        Match(one.id, records[one.image_row], one.matched_at, one.similarity, one.strength)
        for one in found
        if one.image_row in records
    ]


def count_visible(connection: Connection, search_id: str, principal: Principal) -> int:
    """Return how many matches of a search have images that `principal` may see now."""
    counted = sa.select(sa.func.count()).select_from(
        saved_matches.join(images, images.c.row == saved_matches.c.image_row)
    )
    return connection.scalar(counted.where(saved_matches.c.search == search_id, VISIBLE, allowed(principal))) or 0


def trim(connection: Connection, most: int) -> int:
    """Forget all but the newest `most` matches of each search, and those that are still to be told; return how many."""
    crowded = sa.select(saved_matches.c.search).group_by(saved_matches.c.search).having(sa.func.count() > most)
    removed = 0
    for search in connection.scalars(crowded).all():
        newest = sa.select(saved_matches.c.id).where(saved_matches.c.search == search)
        edge = connection.scalar(newest.order_by(saved_matches.c.id.desc()).offset(most).limit(1))
        untold = sa.exists().where(
            webhooks.c.search == search,
            sa.or_(saved_matches.c.delivery.is_(None), saved_matches.c.delivery == webhooks.c.delivery),
        )
        old = (saved_matches.c.search == search, saved_matches.c.id <= edge, ~untold)
        removed += connection.execute(saved_matches.delete().where(*old)).rowcount
    return removed
