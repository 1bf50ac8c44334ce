"""The exact answer over given rows, read from the database: for few rows, and to rank what an engine suggests.

An engine of graphs finds most of what is near and knows what a filter sees as it was a moment ago. Whatever it
suggests is compared here with the vectors of the table and with the filter, so that similarities, their order and
the filter are decided by the truth, alike for every engine.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from pipeline.filters import Filter
from pipeline.stores.database import Database
from pipeline.stores.filter_columns import FilterColumns
from pipeline.stores.protocols import Neighbor
from pipeline.stores.records_embeddings import CHANGE_COLUMNS, WHOLE, Change, comparable
from pipeline.stores.tables import embeddings, images

ROWS_PER_READ = 2000  # 2 MB of 512 float16 each; SQLite lets a statement have 32,766 values

SEEN = sa.select(*CHANGE_COLUMNS).select_from(embeddings.join(images, images.c.row == embeddings.c.image_row))


def nearest_among(
    database: Database,
    encoder: str,
    embedding: npt.NDArray[np.float32],
    limit: int,
    *,
    where: Filter,
    rows: npt.NDArray[np.int64],
) -> list[Neighbor]:
    """Return up to `limit` of `rows` that are visible and pass `where`, most similar first, ties by row number.

    Any number of rows may be given, in any order, also twice; memory is taken for a few thousand at a time.
    """
    best_rows, best = np.empty(0, np.int64), np.empty(0, np.float32)
    for changes in _read(database, encoder, np.unique(rows)):
        columns = FilterColumns()
        columns.append(changes)
        slots = np.flatnonzero(columns.mask(where, None))
        vectors = np.frombuffer(b"".join(change.vector or b"" for change in changes), np.float16)
        vectors = vectors.reshape(len(changes), len(embedding))[slots]
        best_rows = np.concatenate([best_rows, columns.rows(slots)])
        best = np.concatenate([best, _similarities(vectors, embedding)])
        order = np.lexsort((best_rows, -best))[:limit]
        best_rows, best = best_rows[order], best[order]
    return [Neighbor(int(row), float(similarity)) for row, similarity in zip(best_rows, best, strict=True)]


def _similarities(vectors: npt.NDArray[np.float16], embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the inner products, summed in double precision: in single, they would depend on who is compared beside."""
    products: npt.NDArray[np.float64] = vectors.astype(np.float64) @ embedding.astype(np.float64)
    return products.astype(np.float32)


def _read(database: Database, encoder: str, rows: npt.NDArray[np.int64]) -> Iterator[list[Change]]:
    for start in range(0, len(rows), ROWS_PER_READ):
        wanted = rows[start : start + ROWS_PER_READ].tolist()
        with database.read() as connection:
            found = connection.execute(
                SEEN.where(
                    embeddings.c.encoder == encoder,
                    embeddings.c.region == WHOLE,
                    embeddings.c.image_row.in_(wanted),
                    embeddings.c.vector.is_not(None),
                )
            )
            changes = [change for change in comparable(Change(*values) for values in found) if change.vector]
        if changes:
            yield changes
