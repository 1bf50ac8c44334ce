"""How many visible images each value of a filter would keep, under all the other filters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.picture import CATEGORIES, COLOR_NAMES, SCHEMES
from pipeline.filters import NAMED_COLOR_SHARE, Filter
from pipeline.stores import records_libraries
from pipeline.stores.filter_sql import VISIBLE, conditions
from pipeline.stores.swatches import Rows
from pipeline.stores.tables import color_share_column, images, tags

Conditions = list[sa.ColumnElement[bool]]
Group = Mapping[str, sa.ColumnElement[bool]]
"""Value -> what holds for an image that has it."""

MOST_TAGS = 30
MOST_LIBRARIES_TOGETHER = 20  # counted with everything else; sorting the images by library costs as much as these


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

    def narrowed(others: Filter) -> Conditions:
        return [VISIBLE, *conditions(others, colored)]

    groups: dict[str, Group] = {
        "category": _values_of(images.c.category, CATEGORIES),
        "color_name": {name: images.c[color_share_column(name)] >= NAMED_COLOR_SHARE for name in COLOR_NAMES},
        "scheme": _values_of(images.c.scheme, SCHEMES),
    }
    counts: dict[str, dict[str, int]] = {}
    libraries = _possible(connection, where)
    if len(libraries) <= MOST_LIBRARIES_TOGETHER:
        groups["library"] = _values_of(images.c.library, libraries)
    else:
        counts["library"] = _libraries(connection, narrowed(where))
    chosen = {
        "category": (where.categories, replace(where, categories=())),
        "color_name": (where.color_names, replace(where, color_names=())),
        "scheme": (where.schemes, replace(where, schemes=())),
    }
    for name, (choice, others) in chosen.items():
        if choice:
            counts |= _count(connection, narrowed(others), {name: groups.pop(name)})
    # All others are under the same conditions, so the images are looked through once for them together.
    counts |= _count(connection, narrowed(where), groups)
    return Facets(**counts, tag=_tags(connection, narrowed(where)))


def _possible(connection: Connection, where: Filter) -> list[str]:
    """Return the libraries that images passing `where` can be in; no other takes any time."""
    if where.libraries is not None:
        return sorted(where.libraries)
    return [library for library in records_libraries.list_ids(connection) if library not in where.without_libraries]


def _values_of(column: sa.Column[str], values: Iterable[str]) -> Group:
    return {value: column == value for value in values}


def _count(connection: Connection, narrowed: Conditions, groups: Mapping[str, Group]) -> dict[str, dict[str, int]]:
    """Count every value of every group in one scan of the images."""
    values = [(name, value, holds) for name, group in groups.items() for value, holds in group.items()]
    sums = [sa.func.count(sa.case((holds, 1))) for _, _, holds in values]
    counts: dict[str, dict[str, int]] = {name: {} for name in groups}
    if not sums:
        return counts
    numbers = connection.execute(sa.select(*sums).where(*narrowed)).one()
    largest_first = sorted(zip(numbers, values, strict=True), key=lambda item: (-item[0], item[1][1]))
    for number, (name, value, _) in largest_first:
        if number:
            counts[name][value] = number
    return counts


def _libraries(connection: Connection, narrowed: Conditions) -> dict[str, int]:
    found = connection.execute(
        sa.select(images.c.library, sa.func.count())
        .where(*narrowed)
        .group_by(images.c.library)
        .order_by(sa.func.count().desc(), images.c.library)
    )
    return dict(found.all())


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
