"""What `reconcile` and `doctor` ask the database about its own soundness."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.images import ImageState
from pipeline.stores.tables import embeddings, images


def requeue_without_embedding(connection: Connection, encoder: str) -> int:
    """Let READY images that have no vector of `encoder` wait for analysis again; return how many."""
    has_vector = sa.exists().where(
        embeddings.c.image_row == images.c.row,
        embeddings.c.encoder == encoder,
        embeddings.c.vector.is_not(None),
    )
    return connection.execute(
        images.update()
        .where(images.c.state == ImageState.READY, ~has_vector)
        .values(state=ImageState.WAITING, attempts=0, not_before=datetime.now(UTC))
    ).rowcount


def is_known(connection: Connection, library: str, sha256: str) -> bool:
    """Whether there is a record, deleted or not, of these bytes in `library`."""
    return (
        connection.execute(
            sa.select(sa.literal(1)).where(images.c.library == library, images.c.sha256 == sha256)
        ).first()
        is not None
    )


def stored_originals(connection: Connection) -> set[tuple[str, str]]:
    """Return (library, sha256) of every image whose original is in the object store."""
    found = connection.execute(sa.select(images.c.library, images.c.sha256).where(images.c.path.is_(None)))
    return {(library, sha256) for library, sha256 in found}


def quick_check(connection: Connection) -> str:
    """Return "ok", or what SQLite finds wrong with its file; other databases check themselves."""
    if connection.dialect.name != "sqlite":
        return "ok"
    return str(connection.exec_driver_sql("PRAGMA quick_check").scalar())
