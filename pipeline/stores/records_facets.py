"""How many visible images each value of a filter would keep, under all the other filters."""

from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.picture import COLOR_NAMES
from pipeline.filters import NAMED_COLOR_SHARE, Filter
from pipeline.stores.filter_sql import VISIBLE, conditions
from pipeline.stores.swatches import Rows
from pipeline.stores.tables import color_share_column, images, tags

Conditions = list[sa.ColumnElement[bool]]
MOST_TAGS = 30


@dataclass(frozen=True)
class Facets:
    """Value -> count for each group; values that no image has are left out."""

    category: dict[str, int]
    color_name: dict[str, int]
    scheme: dict[str, int]
    library: dict[str, int]
    tag: dict[str, int]


def count(connection: Connection, where: Filter, *, colored: Rows | None = None) -> Facets:
    """Count every group under the filters of the other groups.

    Inside a group the values widen each other, so its own choice is left out; tags narrow each other and stay.
    `colored` are the rows that have the colors of `where`, when it asks for any.
    """

    def narrowed(others: Filter) -> list[sa.ColumnElement[bool]]:
        return [VISIBLE, *conditions(others, colored)]

    return Facets(
        category=_by_column(connection, narrowed(replace(where, categories=())), images.c.category),
        color_name=_color_names(connection, narrowed(replace(where, color_names=()))),
        scheme=_by_column(connection, narrowed(replace(where, schemes=())), images.c.scheme),
        library=_by_column(connection, narrowed(where), images.c.library),
        tag=_tags(connection, narrowed(where)),
    )


def _by_column(connection: Connection, narrowed: Conditions, column: sa.Column[str]) -> dict[str, int]:
    found = connection.execute(
        sa.select(column, sa.func.count())
        .where(*narrowed, column.is_not(None))
        .group_by(column)
        .order_by(sa.func.count().desc(), column)
    )
    return dict(found.all())


def _color_names(connection: Connection, narrowed: Conditions) -> dict[str, int]:
    sums = [
        sa.func.count(sa.case((images.c[color_share_column(name)] >= NAMED_COLOR_SHARE, 1))) for name in COLOR_NAMES
    ]
    numbers = connection.execute(sa.select(*sums).where(*narrowed)).one()
    return {name: number for name, number in zip(COLOR_NAMES, numbers, strict=True) if number}


def _tags(connection: Connection, narrowed: Conditions) -> dict[str, int]:
    found = connection.execute(
        sa.select(tags.c.tag, sa.func.count())
        .join(images, images.c.row == tags.c.image_row)
        .where(*narrowed)
        .group_by(tags.c.tag)
        .order_by(sa.func.count().desc(), tags.c.tag)
        .limit(MOST_TAGS)
    )
    return dict(found.all())
