"""What has become of the files that were imported from a folder."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.images import ImageState
from pipeline.stores.tables import image_sources, images


def imported_stamps(connection: Connection, library: str, place: str) -> dict[str, str]:
    """Return path -> stamp (size and time of change) of every file that was imported from in or below `place`.

    Deleted images are among them: importing a folder again must not bring back what somebody threw away.
    """
    found = connection.execute(
        sa.select(image_sources.c.path, image_sources.c.file_stamp)
        .join(images, images.c.row == image_sources.c.image_row)
        .where(images.c.library == library, image_sources.c.file_stamp.is_not(None), _lies_in(place))
    )
    return dict(found.all())


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
    inside = sa.or_(*(_lies_in(place) for place in places))
    return sa.and_(images.c.state == state, images.c.library == library, images.c.deleted_at.is_(None), inside)


def _lies_in(place: str) -> sa.ColumnElement[bool]:
    """Whether a source is the file `place`, or lies in or below the folder `place`."""
    path = image_sources.c.path
    prefix = place if place.endswith("/") else f"{place}/"
    # Not LIKE, which on SQLite takes "Photos" and "photos" for the same folder.
    return sa.or_(path == place, sa.func.substr(path, 1, len(prefix)) == prefix)
