"""Pictures that people searched with, kept for a day under keys that cannot be guessed, and their frozen results."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.stores.protocols import Neighbor
from pipeline.stores.tables import frozen_results, insert_into, query_pictures
from pipeline.stores.tables_searches import saved_searches

RESULTS_KEPT = 50
"""Result lists of one picture, of 12 kB at most each: nobody pages through more regions and filters of it at once."""

_STAMP_DIGITS, _DIGEST_DIGITS = 12, 52
"""What `frozen_results.filter_digest` has: when a list was kept, in milliseconds, and 208 bits of its digest."""


@dataclass(frozen=True)
class QueryPicture:
    """A picture that was searched with. `embedding` is (dimension,) float32; `thumbnail` is WebP."""

    key: str
    sha256: str
    encoder: str
    embedding: npt.NDArray[np.float32]
    thumbnail: bytes
    width: int
    height: int


def keep(connection: Connection, picture: QueryPicture) -> None:
    """Remember a picture under its key."""
    connection.execute(
        query_pictures.insert().values(
            key=picture.key,
            sha256=picture.sha256,
            encoder=picture.encoder,
            vector=picture.embedding.astype(np.float32).tobytes(),
            thumbnail=picture.thumbnail,
            width=picture.width,
            height=picture.height,
            created_at=datetime.now(UTC),
        )
    )


def replace_embedding(connection: Connection, picture: QueryPicture) -> None:
    """Write what another encoder has made of a picture that was kept."""
    values = {"encoder": picture.encoder, "vector": picture.embedding.astype(np.float32).tobytes()}
    connection.execute(query_pictures.update().where(query_pictures.c.key == picture.key).values(values))


def new_key() -> str:
    """Return a key of 256 random bits."""
    return secrets.token_urlsafe(32)


def get(connection: Connection, key: str) -> QueryPicture | None:
    """Return the picture kept under `key`, or None when there is none (any more)."""
    found = connection.execute(sa.select(query_pictures).where(query_pictures.c.key == key)).mappings().first()
    if not found:
        return None
    return QueryPicture(
        key=found["key"],
        sha256=found["sha256"],
        encoder=found["encoder"],
        embedding=np.frombuffer(found["vector"], np.float32),
        thumbnail=found["thumbnail"],
        width=found["width"],
        height=found["height"],
    )


def freeze(connection: Connection, key: str, filter_digest: str, neighbors: list[Neighbor]) -> None:
    """Keep a result list, so that its pages do not shift while somebody reads them; those kept longest make room."""
    values = {
        "rows": np.array([neighbor.row for neighbor in neighbors], np.int64).tobytes(),
        "similarities": np.array([neighbor.similarity for neighbor in neighbors], np.float32).tobytes(),
    }
    column = frozen_results.c.filter_digest
    own = frozen_results.c.key == key
    connection.execute(frozen_results.delete().where(own, _is_of(filter_digest)))
    # Nothing for a picture that has been forgotten meanwhile, and none is forgotten before this is committed.
    kept = sa.select(
        query_pictures.c.key,
        sa.literal(_stamp(datetime.now(UTC)) + filter_digest[:_DIGEST_DIGITS], sa.String),
        *(sa.literal(value, sa.LargeBinary) for value in values.values()),
    ).where(query_pictures.c.key == key)
    kept = kept.with_for_update(read=True, key_share=True)
    frozen_now = insert_into(connection, frozen_results).from_select(["key", "filter_digest", *values], kept)
    connection.execute(frozen_now.on_conflict_do_update(index_elements=list(frozen_results.primary_key), set_=values))
    newest = sa.select(column).where(own).order_by(column.desc()).limit(RESULTS_KEPT)
    connection.execute(frozen_results.delete().where(own, column.not_in(newest)))


def frozen(connection: Connection, key: str, filter_digest: str) -> list[Neighbor] | None:
    """Return the result list that was frozen, or None."""
    found = connection.execute(
        sa.select(frozen_results.c.rows, frozen_results.c.similarities)
        .where(frozen_results.c.key == key, _is_of(filter_digest))
        .order_by(frozen_results.c.filter_digest.desc())
    ).first()
    if not found:
        return None
    rows = np.frombuffer(found.rows, np.int64).tolist()
    similarities = np.frombuffer(found.similarities, np.float32).tolist()
    return [Neighbor(row, similarity) for row, similarity in zip(rows, similarities, strict=True)]


def forget_before(connection: Connection, moment: datetime) -> int:
    """Remove the results kept before `moment`, and the pictures but for those of saved searches; return how many."""
    is_saved = sa.exists().where(saved_searches.c.picture_key == query_pictures.c.key)
    column = frozen_results.c.filter_digest
    # Those that claim to be of a time to come were kept by a version that wrote no moment.
    is_old = (column < _stamp(moment)) | (column > _stamp(datetime.now(UTC) + timedelta(days=1)))
    connection.execute(frozen_results.delete().where(is_old))
    return connection.execute(query_pictures.delete().where(query_pictures.c.created_at < moment, ~is_saved)).rowcount


def _stamp(moment: datetime) -> str:
    """Return the milliseconds since 1970 as digits whose alphabetical order is that of time."""
    return f"{int(moment.timestamp() * 1000):0{_STAMP_DIGITS}x}"


def _is_of(filter_digest: str) -> sa.ColumnElement[bool]:
    return sa.func.substr(frozen_results.c.filter_digest, _STAMP_DIGITS + 1) == filter_digest[:_DIGEST_DIGITS]
