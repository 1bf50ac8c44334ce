"""Figures for the status page and the API."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.images import ImageState
from pipeline.stores.tables import images


@dataclass(frozen=True)
class Figures:
    """Bytes of all originals that are not purged, and how many images became READY lately."""

    original_bytes: int
    analyzed_recently: int


def figures(connection: Connection, *, since: datetime) -> Figures:
    """Return the figures; `since` is when lately begins."""
    total = connection.execute(sa.select(sa.func.coalesce(sa.func.sum(images.c.bytes), 0))).scalar_one()
    recent = connection.execute(
        sa.select(sa.func.count()).where(images.c.state == ImageState.READY, images.c.analyzed_at >= since)
    ).scalar_one()
    return Figures(int(total), int(recent))


def failed_rows(connection: Connection, libraries: tuple[str, ...] | None, limit: int) -> list[int]:
    """Return the rows of the images whose analysis failed, newest first."""
    statement = (
        sa.select(images.c.row)
        .where(images.c.state == ImageState.FAILED, images.c.deleted_at.is_(None))
        .order_by(images.c.row.desc())
        .limit(limit)
    )
    if libraries is not None:
        statement = statement.where(images.c.library.in_(libraries))
    return list(connection.scalars(statement))
