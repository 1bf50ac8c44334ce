"""A Filter as SQL conditions on the `images` table."""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from pipeline.filters import NAMED_COLOR_SHARE, Filter
from pipeline.images import ImageState
from pipeline.shapes import MEDIA_TYPE_START, SIZE_PIXELS, SIZES, SQUARE_TWENTIETHS
from pipeline.stores.swatch_columns import Rows
from pipeline.stores.tables import color_share_column, image_sources, images, tags
from pipeline.stores.tables_people import people

VISIBLE = (images.c.state == ImageState.READY) & images.c.deleted_at.is_(None)


def conditions(where: Filter, colored: Rows | None) -> list[sa.ColumnElement[bool]]:
    """Return everything `where` asks; `colored` are the rows that have its colors, as `SwatchTable` found them.

    Raises ValueError when colors are asked and nobody has looked for them.
    """
    if where.has_colors and colored is None:
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
    found += [~sa.exists().where(theirs.c.image_row == columns.row, theirs.c.tag == tag) for tag in where.without_tags]
    found += _looks(where)
    if where.uploaders:
        came = image_sources.c.image_row == columns.row
        by = (people.c.id == image_sources.c.uploader) & people.c.name.in_(where.uploaders)
        found.append(sa.exists().where(came, by))
    bounds: list[tuple[sa.ColumnElement[Any], Any, Any]] = [
        (columns.brightness, where.min_brightness, where.max_brightness),
        (columns.saturation, where.min_saturation, where.highest_saturation),
        (columns.created_at, where.created_after, where.created_before),
        (columns.taken_at, where.taken_after, where.taken_before),
        (columns.width, where.min_width, where.max_width),
        (columns.height, where.min_height, where.max_height),
        (columns.bytes, where.min_bytes, where.max_bytes),
    ]
    found += [column >= minimum for column, minimum, _ in bounds if minimum is not None]
    found += [column <= maximum for column, _, maximum in bounds if maximum is not None]
    return found


def _looks(where: Filter) -> list[sa.ColumnElement[bool]]:
    """Return what `where` asks of the shape, format and year of a picture; see `shapes`."""
    columns = images.c
    found: list[sa.ColumnElement[bool]] = []
    if where.orientations:
        upright = (20 * columns.width, SQUARE_TWENTIETHS * columns.height)
        lying = (20 * columns.height, SQUARE_TWENTIETHS * columns.width)
        orientations = {
            "landscape": upright[0] > upright[1],
            "portrait": lying[0] > lying[1],
            "square": (upright[0] <= upright[1]) & (lying[0] <= lying[1]),
        }
        found.append(sa.or_(*(orientations[word] for word in where.orientations)))
    if where.sizes:
        pixels = sa.cast(columns.width, sa.BigInteger) * columns.height
        ends = dict(zip(SIZES, [*list(SIZE_PIXELS.values())[1:], None], strict=True))
        kept = []
        for size in where.sizes:
            end = ends[size]
            beginning = pixels >= SIZE_PIXELS[size]
            kept.append(beginning if end is None else beginning & (pixels < end))
        found.append(sa.or_(*kept))
    if where.formats:
        found.append(columns.media_type.in_([f"{MEDIA_TYPE_START}{name}" for name in where.formats]))
    if where.taken_years:
        years = [
            (columns.taken_at >= datetime(year, 1, 1)) & (columns.taken_at < datetime(year + 1, 1, 1))  # noqa: DTZ001
            for year in where.taken_years
        ]
        found.append(sa.or_(*years))
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


def is_any_of(rows: Rows, column: sa.ColumnElement[int] = images.c.row) -> sa.ColumnElement[bool]:
    """Return whether the row of an image, or what else `column` is, is among `rows`, however many these are."""
    return column.op("IN", is_comparison=True)(_Numbers(sa.literal(json.dumps(rows.tolist()), sa.Text)))
