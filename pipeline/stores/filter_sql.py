"""A Filter as SQL conditions on the `images` table."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

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
        found.append(is_any_of(colored))
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


class _Numbers(FunctionElement[int]):
    """Any number of row numbers as the rows of a subquery, sent as one value: a list of parameters has a limit."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(_Numbers, "sqlite")
def _numbers_on_sqlite(element: _Numbers, compiler: SQLCompiler, **options: Any) -> str:
    sent = compiler.process(element.clauses, **options)
    return f"(SELECT value FROM json_each({sent}))"  # noqa: S608 - a placeholder, which the compiler has made


@compiles(_Numbers, "postgresql")
def _numbers_on_postgresql(element: _Numbers, compiler: SQLCompiler, **options: Any) -> str:
    sent = compiler.process(element.clauses, **options)
    return f"(SELECT jsonb_array_elements_text(CAST({sent} AS JSONB))::BIGINT)"


def is_any_of(rows: Rows) -> sa.ColumnElement[bool]:
    """Return whether the row of an image is among `rows`, however many these are."""
    return images.c.row.op("IN", is_comparison=True)(_Numbers(sa.literal(json.dumps(rows.tolist()), sa.Text)))
