"""What has become of the files that were imported from a folder."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.images import ImageState
from pipeline.stores.tables import image_sources, images


def count_waiting(connection: Connection, library: str, places: Sequence[str]) -> int:
    """Return how many images of `library` from in or below `places` still wait for analysis."""
    return connection.execute(
        sa.select(sa.func.count(sa.distinct(images.c.row)))
        .join(image_sources, image_sources.c.image_row == images.c.row)
        .where(_from(library, ImageState.WAITING, places))
    ).scalar_one()


def failures(connection: Connection, library: str, places: Sequence[str]) -> list[tuple[str, str]]:
    """Return (path, sentence) of each imported file in or below `places` whose analysis failed, by path."""
    found = connection.execute(
        sa.select(image_sources.c.path, images.c.error)
        .join(images, images.c.row == image_sources.c.image_row)
        .where(_from(library, ImageState.FAILED, places))
        .order_by(image_sources.c.path)
    )
    return [(path, sentence or "") for path, sentence in found]


def _from(library: str, state: ImageState, places: Sequence[str]) -> sa.ColumnElement[bool]:
    path = image_sources.c.path
    inside = [sa.or_(path == place, _begins_with(path, _folder_prefix(place))) for place in places]
    return sa.and_(images.c.state == state, images.c.library == library, images.c.deleted_at.is_(None), sa.or_(*inside))


def _begins_with(column: sa.ColumnElement[str | None], prefix: str) -> sa.ColumnElement[bool]:
    # Not LIKE, which on SQLite takes "Photos" and "photos" for the same folder.
    return sa.func.substr(column, 1, len(prefix)) == prefix


def _folder_prefix(place: str) -> str:
    return place if place.endswith("/") else f"{place}/"
