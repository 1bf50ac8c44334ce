"""A Filter as SQL conditions on the `images` table."""

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.color import ciede2000, hex_to_lab
from pipeline.filters import NAMED_COLOR_SHARE, Filter
from pipeline.images import ImageState
from pipeline.stores.tables import color_share_column, images, palette, tags

LIGHTNESS_PER_DELTA_E = 1.75
"""In CIEDE2000 a difference of lightness is divided by at most 1.75 (S_L at L* = 0 or 100), so colors within a
tolerance t differ by at most 1.75 t in L*: a range that an index can serve. Sharma, Wu, Dalal 2005, equation 15."""

VISIBLE = (images.c.state == ImageState.READY) & images.c.deleted_at.is_(None)


def conditions(where: Filter) -> list[sa.ColumnElement[bool]]:
    """Return everything `where` asks but its colors, which `rows_of_colors` decides."""
    found: list[sa.ColumnElement[bool]] = []
    columns = images.c
    if where.libraries is not None:
        found.append(columns.library.in_(where.libraries))
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


def rows_of_colors(connection: Connection, where: Filter) -> npt.NDArray[np.int64] | None:
    """Return the sorted rows of images in which every color of `where` has its share; None when none is asked."""
    rows: npt.NDArray[np.int64] | None = None
    for color in where.colors:
        found = _rows_of_color(connection, color, where.color_tolerance, where.color_share)
        rows = found if rows is None else np.intersect1d(rows, found, assume_unique=True)
    return rows


def _rows_of_color(connection: Connection, color: str, tolerance: float, share: float) -> npt.NDArray[np.int64]:
    wanted = hex_to_lab(color)
    reach = tolerance * LIGHTNESS_PER_DELTA_E
    swatches = connection.execute(
        sa.select(palette.c.image_row, palette.c.l, palette.c.a, palette.c.b, palette.c.share).where(
            palette.c.l.between(float(wanted[0]) - reach, float(wanted[0]) + reach)
        )
    ).all()
    if not swatches:
        return np.empty(0, np.int64)
    table = np.array(swatches, np.float64)
    close = table[ciede2000(table[:, 1:4], np.asarray(wanted, np.float64)) <= tolerance]
    rows, where_found = np.unique(close[:, 0].astype(np.int64), return_inverse=True)
    shares = np.bincount(where_found, weights=close[:, 4], minlength=len(rows))
    return rows[shares >= share]
