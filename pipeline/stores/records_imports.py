"""What has become of the files that were imported from a folder."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.images import ImageState
from pipeline.stores import records_images
from pipeline.stores.tables import image_sources, images

REPLACED = "replaced"
"""Instead of a stamp, which is of digits: the file was imported again with other bytes."""


def imported_stamps(connection: Connection, library: str, place: str) -> dict[str, str]:
    """Return path -> stamp (size and time of change) of every file that was imported from in or below `place`.

    Deleted images are among them: importing a folder again must not bring back what somebody threw away.
    """
    found = connection.execute(
        sa.select(image_sources.c.path, image_sources.c.file_stamp)
        .join(images, images.c.row == image_sources.c.image_row)
        .where(images.c.library == library, image_sources.c.file_stamp != REPLACED, _lies_in(place))
    )
    return dict(found.all())


def stamps(connection: Connection, row: int) -> dict[str, str]:
    """Return path -> stamp of every file that an image was imported from."""
    found = connection.execute(
        sa.select(image_sources.c.path, image_sources.c.file_stamp).where(
            image_sources.c.image_row == row,
            image_sources.c.path.is_not(None),
            image_sources.c.file_stamp.is_not(None),
        )
    )
    return dict(found.all())


def is_known(connection: Connection, library: str, path: str) -> bool:
    """Whether an image of `library` was imported from `path`."""
    known = sa.select(image_sources.c.id).join(images, images.c.row == image_sources.c.image_row)
    return (
        connection.scalar(known.where(image_sources.c.path == path, images.c.library == library).limit(1)) is not None
    )


def mark_replaced(connection: Connection, library: str, path: str, row: int) -> list[int]:
    """Record that the image `row` is what lies at `path` now; return the images in place that lay there before."""
    before = sa.select(images.c.row).where(images.c.library == library, images.c.row != row)
    connection.execute(
        image_sources.update()
        .where(image_sources.c.path == path, image_sources.c.image_row.in_(before))
        .values(file_stamp=REPLACED)
    )
    lay_there = before.join(image_sources, image_sources.c.image_row == images.c.row)
    return list(connection.scalars(lay_there.where(image_sources.c.path == path, images.c.path == path).distinct()))


def retire(connection: Connection, row: int, elsewhere: str | None) -> None:
    """Let an image whose file was replaced lie `elsewhere`, or delete it when there is no other place."""
    if elsewhere is None:
        records_images.delete(connection, [row])
    else:
        connection.execute(images.update().where(images.c.row == row).values(path=elsewhere))


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
