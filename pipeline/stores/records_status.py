"""Figures for the status page and the API."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.principals import Principal
from pipeline.stores.filter_sql import library_conditions
from pipeline.stores.principal_sql import unheld
from pipeline.stores.tables import images


@dataclass(frozen=True)
class Figures:
    """Bytes of all originals that are not purged, and how many images became READY lately."""

    original_bytes: int
    analyzed_recently: int


def figures(connection: Connection, where: Filter, principal: Principal, *, since: datetime) -> Figures:
    """Return the figures of the libraries of `where`, without what is held back from `principal`.

    `since` is when lately begins.
    """
    narrowed = (*library_conditions(where), unheld(principal))
    total = connection.execute(
        sa.select(sa.func.coalesce(sa.func.sum(images.c.bytes), 0)).where(*narrowed)
    ).scalar_one()
    recent = connection.execute(
        sa.select(sa.func.count()).where(images.c.state == ImageState.READY, images.c.analyzed_at >= since, *narrowed)
    ).scalar_one()
    return Figures(int(total), int(recent))


def failed_rows(connection: Connection, where: Filter, principal: Principal, limit: int) -> list[int]:
    """Return the rows of the images whose analysis failed, in the libraries of `where`, newest first.

    What is held back from `principal` is left out.
    """
    failed = (images.c.state == ImageState.FAILED, images.c.deleted_at.is_(None), unheld(principal))
    statement = (
        sa.select(images.c.row).where(*failed, *library_conditions(where)).order_by(images.c.row.desc()).limit(limit)
    )
    return list(connection.scalars(statement))
