"""A Filter as SQL conditions on the `images` table."""

import json

import sqlalchemy as sa

from pipeline.filters import NAMED_COLOR_SHARE, Filter
from pipeline.images import ImageState
from pipeline.stores.swatches import Rows
from pipeline.stores.tables import color_share_column, images, tags

VISIBLE = (images.c.state == ImageState.READY) & images.c.deleted_at.is_(None)


def conditions(where: Filter, colored: Rows | None) -> list[sa.ColumnElement[bool]]:
    """Return everything `where` asks; `colored` are the rows that have its colors, as `SwatchTable` found them.

    Raises ValueError when colors are asked and nobody has looked for them.
    """
    if where.colors and colored is None:
        raise ValueError("the rows that have the colors of this filter are missing")
    found: list[sa.ColumnElement[bool]] = []
    if colored is not None:
        found.append(images.c.row.in_(_any_of(colored)))
    found += library_conditions(where)
    columns = images.c
    if where.categories:
        found.append(columns.category.in_(where.categories))
    if where.schemes:
        found.append(columns.scheme.in_(where.schemes))
    if where.color_names:
        shares = [columns[color_share_column(name)] >= NAMED_COLOR_SHARE for name in where.color_names]
        found.append(sa.or_(*shares))
    theirs = tags.alias()  # a name of its own, so that a statement which counts tags can be narrowed by tags too
    found += [sa.exists().where(theirs.c.image_row == columns.row, theirs.c.tag == tag) for tag in where.tags]
    bounds: list[tuple[sa.ColumnElement[object], object, bool]] = [
        (columns.brightness, where.min_brightness, True),
        (columns.brightness, where.max_brightness, False),
        (columns.saturation, where.min_saturation, True),
        (columns.saturation, where.max_saturation, False),
        (columns.created_at, where.created_after, True),
        (columns.created_at, where.created_before, False),
        (columns.width, where.min_width, True),
        (columns.height, where.min_height, True),
    ]
    found += [
        column >= bound if is_minimum else column <= bound for column, bound, is_minimum in bounds if bound is not None
    ]
    return found


def library_conditions(where: Filter) -> list[sa.ColumnElement[bool]]:
    """Return what `where` asks of the library of an image alone."""
    found: list[sa.ColumnElement[bool]] = []
    if where.libraries is not None:
        found.append(images.c.library.in_(where.libraries))
    if where.without_libraries:
        found.append(images.c.library.not_in(where.without_libraries))
    return found


def _any_of(rows: Rows) -> sa.Select[tuple[int]]:
    """Return any number of rows as one value, because a list of parameters has a limit."""
    each = sa.func.json_each(json.dumps(rows.tolist())).table_valued("value")
    return sa.select(each.c.value)
