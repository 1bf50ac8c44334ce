"""Whether a copy of the vectors holds what the `embeddings` table says, and how far it has come with that."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.filter_sql import VISIBLE
from pipeline.stores.protocols import VectorStore
from pipeline.stores.records_embeddings import WHOLE
from pipeline.stores.tables import LONGEST_ORIGIN, embeddings, images, vector_copies

MOST_COUNTS = 10  # tries to count both while nothing changes; a count takes milliseconds


@dataclass(frozen=True)
class Holding:
    """How many vectors a copy holds, and how many it should."""

    held: int
    expected: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing or too much."""
        return self.held == self.expected


def count_visible(connection: Connection, encoder: str) -> int:
    """Return how many visible images have a vector of `encoder`."""
    counted = sa.select(sa.func.count()).select_from(embeddings.join(images, images.c.row == embeddings.c.image_row))
    return connection.scalar(counted.where(*_theirs(encoder), embeddings.c.vector.is_not(None), VISIBLE)) or 0


def count_rows(connection: Connection, encoder: str) -> int:
    """Return how many changes a copy of the vectors of `encoder` that begins anew goes through."""
    return connection.scalar(sa.select(sa.func.count()).select_from(embeddings).where(*_theirs(encoder))) or 0


def count_followed(connection: Connection, encoder: str, address: str) -> int:
    """Return how many of those the copy at `address` has gone through."""
    position = sa.select(vector_copies.c.change).where(
        vector_copies.c.address == address[:LONGEST_ORIGIN], vector_copies.c.encoder == encoder
    )
    followed = sa.select(sa.func.count()).select_from(embeddings).where(*_theirs(encoder))
    return connection.scalar(followed.where(embeddings.c.change <= position.scalar_subquery())) or 0


def compare(database: Database, encoder: str, vectors: VectorStore) -> Holding | None:
    """Count the vectors in a copy and in the table; None when they come and go too quickly for that."""
    for _ in range(MOST_COUNTS):
        with database.read() as connection:
            change = records_embeddings.last_change(connection)
            expected = count_visible(connection, encoder)
        vectors.catch_up()
        held = vectors.count()
        with database.read() as connection:
            if records_embeddings.last_change(connection) == change:
                return Holding(held, expected)
    return None


def _theirs(encoder: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (embeddings.c.encoder == encoder, embeddings.c.region == WHOLE)
