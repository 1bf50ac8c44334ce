"""What has come in: each image once, when it was analyzed for the first time, in the order of the change counter.

Every function works inside the caller's transaction.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.stores.records_embeddings import WHOLE
from pipeline.stores.tables import embeddings, insert_into
from pipeline.stores.tables_searches import arrivals, saved_searches


@dataclass(frozen=True)
class Arrival:
    """An image that came in with a number. `vector` is float16 bytes, None when the encoder asked for has none."""

    number: int
    row: int
    vector: bytes | None


def note(connection: Connection, row: int, number: int) -> None:
    """Write down that an image was analyzed with this change number, unless it has come in before."""
    added = insert_into(connection, arrivals).values(image_row=row, number=number)
    connection.execute(added.on_conflict_do_nothing())


def withdraw(connection: Connection, row: int) -> None:
    """Let an image come in later, because it is kept back, unless a saved search has seen it come in already."""
    has_seen = sa.exists().where(saved_searches.c.seen >= arrivals.c.number)
    connection.execute(arrivals.delete().where(arrivals.c.image_row == row, ~has_seen))


def newest(connection: Connection) -> int:
    """Return the number of the last image that came in, 0 when none has."""
    return connection.scalar(sa.select(sa.func.max(arrivals.c.number))) or 0


def after(connection: Connection, number: int, encoder: str, limit: int) -> list[Arrival]:
    """Return up to `limit` images that came in after `number`, first ones first, with their vectors by `encoder`."""
    theirs = sa.and_(
        embeddings.c.image_row == arrivals.c.image_row, embeddings.c.encoder == encoder, embeddings.c.region == WHOLE
    )
    found = connection.execute(
        sa.select(arrivals.c.number, arrivals.c.image_row, embeddings.c.vector)
        .select_from(arrivals.outerjoin(embeddings, theirs))
        .where(arrivals.c.number > number)
        .order_by(arrivals.c.number)
        .limit(limit)
    )
    return [Arrival(*values) for values in found]
