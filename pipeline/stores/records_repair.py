"""What `reconcile` and `doctor` ask the database about its own soundness."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.images import ImageState
from pipeline.stores.records_embeddings import UNREADABLE
from pipeline.stores.records_images import AT_ONCE
from pipeline.stores.tables import embeddings, images


def without_embedding(connection: Connection, encoder: str, limit: int) -> list[int]:
    """Return up to `limit` rows of READY images that have no vector of `encoder`. Looks through all images.

    Those of which it is noted that nothing could be read when the encoder was changed stay as they are.
    """
    statement = sa.select(images.c.row).where(_lacks_vector(encoder)).limit(limit)
    return list(connection.scalars(statement))


def requeue(connection: Connection, rows: Sequence[int], encoder: str) -> int:
    """Let those of a few images that still are READY without a vector wait for analysis again; return how many."""
    return connection.execute(
        images.update()
        .where(images.c.row.in_(rows), _lacks_vector(encoder))
        .values(state=ImageState.WAITING, attempts=0, not_before=AT_ONCE)
    ).rowcount


def _lacks_vector(encoder: str) -> sa.ColumnElement[bool]:
    has_vector = sa.exists().where(
        embeddings.c.image_row == images.c.row,
        embeddings.c.encoder == encoder,
        embeddings.c.vector.is_not(None) | (embeddings.c.region == UNREADABLE),
    )
    return (images.c.state == ImageState.READY) & ~has_vector


def known_rows(connection: Connection, owners: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return those of a few (library, sha256) that have a record, deleted or not, each with its row."""
    asked = {sha256 for _, sha256 in owners}
    found = connection.execute(
        sa.select(images.c.library, images.c.sha256, images.c.row).where(images.c.sha256.in_(asked))
    )
    return {(library, sha256): row for library, sha256, row in found if (library, sha256) in owners}


def originals_behind(connection: Connection, row: int, limit: int) -> list[tuple[int, tuple[str, str]]]:
    """Return row and (library, sha256) of the next images behind `row` whose original is in the object store."""
    found = connection.execute(
        sa.select(images.c.row, images.c.library, images.c.sha256)
        .where(images.c.path.is_(None), images.c.row > row)
        .order_by(images.c.row)
        .limit(limit)
    )
    return [(number, (library, sha256)) for number, library, sha256 in found]


def quick_check(connection: Connection) -> str:
    """Return "ok", or what SQLite finds wrong with its file; other databases check themselves."""
    if connection.dialect.name != "sqlite":
        return "ok"
    return str(connection.exec_driver_sql("PRAGMA quick_check").scalar())
