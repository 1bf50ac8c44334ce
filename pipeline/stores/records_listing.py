"""Which images there are: rows of the images that pass a filter, listed and counted.

Every function works inside the caller's transaction. `colored`, where a function takes it, are the rows that have the
colors of the filter (`SwatchTable.rows_with`); it is needed when the filter asks for colors, and None otherwise.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.stores.filter_sql import VISIBLE, conditions
from pipeline.stores.swatches import Rows
from pipeline.stores.tables import images


def list_rows(
    connection: Connection,
    where: Filter,
    *,
    colored: Rows | None = None,
    states: tuple[ImageState, ...] = tuple(ImageState),
    before_row: int | None = None,
    limit: int,
    offset: int = 0,
) -> list[int]:
    """Return up to `limit` rows that are not deleted and pass `where`, newest first, those below `before_row`."""
    passing = sa.select(images.c.row).where(images.c.deleted_at.is_(None), *conditions(where, colored))
    if len(states) < len(ImageState):
        passing = passing.where(images.c.state.in_(states))
    if before_row is not None:
        passing = passing.where(images.c.row < before_row)
    return list(connection.scalars(passing.order_by(images.c.row.desc()).limit(limit).offset(offset)))


def visible_rows(connection: Connection, where: Filter, *, colored: Rows | None = None) -> list[int]:
    """Return the rows of all visible images that pass `where`, in ascending order."""
    return list(connection.scalars(_visible(where, colored)))


def passing_rows(
    connection: Connection, rows: Sequence[int], where: Filter, *, colored: Rows | None = None
) -> list[int]:
    """Return those of a few `rows` whose images are visible and pass `where`, in ascending order."""
    if not rows:
        return []
    return list(connection.scalars(_visible(where, colored).where(images.c.row.in_(rows))))


def _visible(where: Filter, colored: Rows | None) -> sa.Select[int]:
    return sa.select(images.c.row).where(VISIBLE, *conditions(where, colored)).order_by(images.c.row)


def count_states(connection: Connection, library_names: tuple[str, ...] | None = None) -> dict[ImageState, int]:
    """Return how many images that are not deleted are in each state."""
    statement = sa.select(images.c.state, sa.func.count()).where(images.c.deleted_at.is_(None))
    if library_names is not None:
        statement = statement.where(images.c.library.in_(library_names))
    counts = dict.fromkeys(ImageState, 0)
    counts |= {ImageState(state): number for state, number in connection.execute(statement.group_by(images.c.state))}
    return counts


def count_by_library(connection: Connection) -> dict[str, int]:
    """Return how many images that are not deleted each library has; one without any is left out."""
    kept = sa.select(images.c.library, sa.func.count()).where(images.c.deleted_at.is_(None))
    return dict(connection.execute(kept.group_by(images.c.library)).all())


def deleted_rows(
    connection: Connection, library_names: tuple[str, ...] | None, *, limit: int, offset: int
) -> list[int]:
    """Return the rows of deleted images, those deleted last first."""
    statement = sa.select(images.c.row).where(images.c.deleted_at.is_not(None))
    if library_names is not None:
        statement = statement.where(images.c.library.in_(library_names))
    newest_first = statement.order_by(images.c.deleted_at.desc(), images.c.row.desc())
    return list(connection.scalars(newest_first.limit(limit).offset(offset)))


def rows_deleted_before(connection: Connection, moment: datetime, limit: int) -> list[int]:
    """Return up to `limit` rows of images that were deleted before `moment`."""
    return list(connection.scalars(sa.select(images.c.row).where(images.c.deleted_at < moment).limit(limit)))
