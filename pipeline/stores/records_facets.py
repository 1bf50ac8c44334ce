"""How many visible images each value of a filter would keep, under all the other filters."""

import json
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.picture import COLOR_NAMES
from pipeline.filters import NAMED_COLOR_SHARE, Filter
from pipeline.stores import records_images
from pipeline.stores.filter_sql import VISIBLE, conditions
from pipeline.stores.tables import color_share_column, images, tags

MOST_TAGS = 30


@dataclass(frozen=True)
class Facets:
    """Value -> count for each group; values that no image has are left out."""

    category: dict[str, int]
    color_name: dict[str, int]
    scheme: dict[str, int]
    library: dict[str, int]
    tag: dict[str, int]


def count(connection: Connection, where: Filter) -> Facets:
    """Count every group under the filters of the other groups.

    Inside a group the values widen each other, so its own choice is left out; tags narrow each other and stay.
    """
    return Facets(
        category=_by_column(connection, replace(where, categories=()), images.c.category),
        color_name=_color_names(connection, replace(where, color_names=())),
        scheme=_by_column(connection, replace(where, schemes=()), images.c.scheme),
        library=_by_column(connection, where, images.c.library),
        tag=_tags(connection, where),
    )


def _narrowed(connection: Connection, where: Filter) -> list[sa.ColumnElement[bool]]:
    narrowed = [VISIBLE, *conditions(where)]
    if where.colors:
        narrowed.append(images.c.row.in_(_table_of(records_images.filtered_rows(connection, where))))
    return narrowed


def _table_of(rows: list[int]) -> sa.Select[tuple[int]]:
    """Return any number of rows as one value, because a list of parameters has a limit."""
    each = sa.func.json_each(json.dumps(rows)).table_valued("value")
    return sa.select(each.c.value)


def _by_column(connection: Connection, where: Filter, column: sa.Column[str]) -> dict[str, int]:
    found = connection.execute(
        sa.select(column, sa.func.count())
        .where(*_narrowed(connection, where), column.is_not(None))
        .group_by(column)
        .order_by(sa.func.count().desc(), column)
    )
    return dict(found.all())


def _color_names(connection: Connection, where: Filter) -> dict[str, int]:
    sums = [
        sa.func.count(sa.case((images.c[color_share_column(name)] >= NAMED_COLOR_SHARE, 1))) for name in COLOR_NAMES
    ]
    numbers = connection.execute(sa.select(*sums).where(*_narrowed(connection, where))).one()
    return {name: number for name, number in zip(COLOR_NAMES, numbers, strict=True) if number}


def _tags(connection: Connection, where: Filter) -> dict[str, int]:
    found = connection.execute(
        sa.select(tags.c.tag, sa.func.count())
        .join(images, images.c.row == tags.c.image_row)
        .where(*_narrowed(connection, where))
        .group_by(tags.c.tag)
        .order_by(sa.func.count().desc(), tags.c.tag)
        .limit(MOST_TAGS)
    )
    return dict(found.all())
