"""Which images there are: rows of the images that pass a filter, listed and counted.

Every function works inside the caller's transaction. `colored`, where a function takes it, are the rows that have the
colors of the filter (`SwatchTable.rows_with`); it is needed when the filter asks for colors, and None otherwise.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.principals import OWNER, Principal
from pipeline.sorting import Sort
from pipeline.stores.filter_sql import VISIBLE, conditions, is_any_of, library_conditions
from pipeline.stores.principal_sql import allowed, present, unheld
from pipeline.stores.swatch_columns import Rows
from pipeline.stores.tables import images

EVERYWHERE = Filter()
KEPT_BACK = frozenset(ImageState) - {ImageState.READY}  # states with images that are kept back from some
ROWS_PER_LOOK = 5000  # of which one statement says whether they are shown, in about 5 ms


def list_rows(
    connection: Connection,
    where: Filter,
    principal: Principal,
    *,
    own_held_too: bool = False,
    colored: Rows | None = None,
    states: tuple[ImageState, ...] = tuple(ImageState),
    behind: sa.ColumnElement[bool] | None = None,
    sort: Sort = Sort.NEWEST,
    limit: int,
    offset: int = 0,
) -> list[int]:
    """Return up to `limit` rows that are not deleted and pass `where`, in order, those `behind` a place.

    What is held back from `principal` is left out; with `own_held_too` not what they have sent.
    """
    passing = sa.select(images.c.row).where(images.c.deleted_at.is_(None), *conditions(where, colored))
    if KEPT_BACK & set(states):
        passing = passing.where(unheld(principal, own_too=own_held_too))
    if len(states) < len(ImageState):
        passing = passing.where(images.c.state.in_(states))
    if behind is not None:
        passing = passing.where(behind)
    return list(connection.scalars(passing.order_by(*_order(sort)).limit(limit).offset(offset)))


def _order(sort: Sort) -> list[sa.ColumnElement[Any]]:
    """Return what rows are sorted by, as `ImageTable` sorts them."""
    columns = images.c
    if sort is Sort.OLDEST:
        return [columns.row]
    if sort is Sort.LARGEST:
        return [(sa.cast(columns.width, sa.BigInteger) * columns.height).desc(), columns.row.desc()]
    if sort is Sort.TAKEN_NEWEST:
        return [columns.taken_at.is_(None), columns.taken_at.desc(), columns.row.desc()]
    if sort is Sort.TAKEN_OLDEST:
        return [columns.taken_at.is_(None), columns.taken_at, columns.row]
    return [columns.row.desc()]


def shown_rows(connection: Connection, rows: Sequence[int], where: Filter) -> list[int]:
    """Return those of `rows` whose images are visible and in the libraries of `where`, in the order given."""
    asked = sa.select(images.c.row).where(VISIBLE, *library_conditions(where))
    there: set[int] = set()
    for start in range(0, len(rows), ROWS_PER_LOOK):
        part = np.array(rows[start : start + ROWS_PER_LOOK], np.int64)
        there |= set(connection.scalars(asked.where(is_any_of(part))))
    return [row for row in rows if row in there]


def place_behind(connection: Connection, image_id: str, principal: Principal) -> sa.ColumnElement[bool]:
    """Return what holds for images that come behind an image in a list, newest first.

    If there is none with this id that `principal` may see, behind are those with a smaller id, which is in the order
    of time as well; so an id tells nobody whether something is there.
    """
    row = connection.scalar(sa.select(images.c.row).where(images.c.id == image_id, allowed(principal)))
    return images.c.row < row if row is not None else images.c.id < image_id


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


def count_states(
    connection: Connection, where: Filter = EVERYWHERE, principal: Principal = OWNER
) -> dict[ImageState, int]:
    """Return how many images that are not deleted are in each state, in the libraries of `where`.

    What is held back from `principal` is not counted.
    """
    kept = (images.c.deleted_at.is_(None), *library_conditions(where), unheld(principal))
    statement = sa.select(images.c.state, sa.func.count()).where(*kept)
    counts = dict.fromkeys(ImageState, 0)
    counts |= {ImageState(state): number for state, number in connection.execute(statement.group_by(images.c.state))}
    return counts


def count_unfinished(
    connection: Connection, where: Filter, principal: Principal, *, colored: Rows | None = None
) -> dict[ImageState, int]:
    """Return how many images that pass `where` are in each state but READY; states of which there are none are not.

    What is held back from `principal` is not counted.
    """
    others = [state for state in ImageState if state is not ImageState.READY]
    kept = (images.c.state.in_(others), images.c.deleted_at.is_(None), unheld(principal), *conditions(where, colored))
    counted = sa.select(images.c.state, sa.func.count()).where(*kept).group_by(images.c.state)
    return {ImageState(state): number for state, number in connection.execute(counted)}


def deleted_rows(connection: Connection, principal: Principal, *, limit: int, offset: int) -> list[int]:
    """Return the rows of deleted images that `principal` may restore, those deleted last first."""
    restorable = (images.c.deleted_at.is_not(None), present(principal, deleted_too=True))
    statement = sa.select(images.c.row).where(*restorable)
    newest_first = statement.order_by(images.c.deleted_at.desc(), images.c.row.desc())
    return list(connection.scalars(newest_first.limit(limit).offset(offset)))


def rows_deleted_before(connection: Connection, moment: datetime, limit: int) -> list[int]:
    """Return up to `limit` rows of images that were deleted before `moment`."""
    return list(connection.scalars(sa.select(images.c.row).where(images.c.deleted_at < moment).limit(limit)))
