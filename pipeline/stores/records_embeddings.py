"""Embeddings and encoders in the database, and the change counter that indexes follow.

The counter is raised inside the transaction that makes the change. Writers queue for its row (on SQLite for the
whole database), so changes become visible in the order of their numbers and a follower never misses one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import ImageRejected
from pipeline.images import ImageState
from pipeline.stores.tables import counters, embeddings, encoders, images, insert_into

WHOLE = "whole"
"""The region of an embedding that stands for the whole picture."""

ROWS_PER_LOOK = 500  # values in one IN (...), as `records_images` has them

UNREADABLE = "unreadable"
"""The region under which is noted that an encoder was to see an image of which nothing could be read any more."""

IS_UNREADABLE = embeddings.c.region == sa.literal_column(f"'{UNREADABLE}'")
"""As `ix_embeddings_unreadable` has it: with a parameter in its place SQLite would not use that index."""

NOT_NUMBERS = (
    "This picture cannot be compared with others: what the encoder computed for it is no number. "
    "Please upload another version of it."
)


@dataclass(frozen=True)
class EncoderRow:
    """An encoder as the database knows it; the active one is the one whose vectors are searched."""

    fingerprint: str
    name: str
    dimension: int


@dataclass(frozen=True)
class Change:
    """A row of the embeddings table with what filters see of its image.

    `vector` is float16 bytes. An image that is hidden or gone is not `visible`; one that is gone has no vector, and
    neither has one whose vector in the table is not all numbers, which no engine can compare.
    """

    row: int
    number: int
    vector: bytes | None
    visible: bool
    library: str | None
    category: str | None
    scheme: str | None
    brightness: float | None
    saturation: float | None
    width: int | None
    height: int | None
    created_at: datetime | None


_VISIBLE = (images.c.state == ImageState.READY) & images.c.deleted_at.is_(None)
CHANGE_COLUMNS = (
    embeddings.c.image_row,
    embeddings.c.change,
    embeddings.c.vector,
    sa.func.coalesce(_VISIBLE, sa.false()),
    images.c.library,
    images.c.category,
    images.c.scheme,
    images.c.brightness,
    images.c.saturation,
    images.c.width,
    images.c.height,
    images.c.created_at,
)
"""What a Change is made of, in its order, from `embeddings` joined with `images`."""


def active_encoder(connection: Connection) -> EncoderRow | None:
    """Return the encoder this database works with, or None when that is undecided."""
    found = connection.execute(
        sa.select(encoders.c.fingerprint, encoders.c.name, encoders.c.dimension).where(encoders.c.state == "active")
    ).first()
    return EncoderRow(*found) if found else None


def activate_encoder(connection: Connection, encoder: EncoderRow) -> None:
    """Record the first encoder of an empty database."""
    connection.execute(
        encoders.insert().values(
            fingerprint=encoder.fingerprint,
            name=encoder.name,
            dimension=encoder.dimension,
            state="active",
            created_at=datetime.now(UTC),
        )
    )


def put(connection: Connection, row: int, encoder: str, vector: npt.NDArray[np.float32]) -> int:
    """Write the embedding of an image, replacing the one there was; return the number of this change.

    Raises ImageRejected for one that is not all numbers, also when only float16 is too small for them: engines refuse
    such a vector, or would find it everywhere and nowhere.
    """
    with np.errstate(over="ignore"):
        half = vector.astype(np.float16)
    if not np.isfinite(half).all():
        raise ImageRejected(NOT_NUMBERS)
    number = _next_changes(connection, 1)[0]
    values = {"change": number, "vector": half.tobytes()}
    added = insert_into(connection, embeddings).values(image_row=row, encoder=encoder, region=WHOLE, **values)
    connection.execute(added.on_conflict_do_update(index_elements=list(embeddings.primary_key), set_=values))
    return number


def note_unreadable(connection: Connection, row: int, encoder: str) -> None:
    """Write that `encoder` was to see an image that cannot be read any more. No index follows it."""
    values = {"change": _next_changes(connection, 1)[0], "vector": None}
    added = insert_into(connection, embeddings).values(image_row=row, encoder=encoder, region=UNREADABLE, **values)
    connection.execute(added.on_conflict_do_nothing())


def forget_unreadable(connection: Connection, *, encoder: str | None = None, row: int | None = None) -> int:
    """Let an encoder be shown again what could not be read, or an image be shown again; return how many notes went."""
    notes = embeddings.delete().where(IS_UNREADABLE)
    if encoder is not None:
        notes = notes.where(embeddings.c.encoder == encoder)
    if row is not None:
        notes = notes.where(embeddings.c.image_row == row)
    return connection.execute(notes).rowcount


def touch(connection: Connection, rows: Sequence[int]) -> None:
    """Tell followers that what filters see of these images has changed."""
    _change(connection, rows)


def touch_analyzed(connection: Connection, rows: Sequence[int]) -> None:
    """Do the same where some of the images may still wait; of these nobody follows anything, so no number is taken."""
    analyzed: set[int] = set()
    for start in range(0, len(rows), ROWS_PER_LOOK):
        part = rows[start : start + ROWS_PER_LOOK]
        analyzed |= set(connection.scalars(sa.select(embeddings.c.image_row).where(embeddings.c.image_row.in_(part))))
    _change(connection, sorted(analyzed))


def bury(connection: Connection, rows: Sequence[int]) -> None:
    """Leave a row without a vector for each image, so that followers forget it."""
    _change(connection, rows, vector=None)


def get_vector(connection: Connection, row: int, encoder: str) -> npt.NDArray[np.float32] | None:
    """Return the embedding of an image as float32, or None when it has none of this encoder that can be compared."""
    found = connection.execute(
        sa.select(embeddings.c.vector).where(
            embeddings.c.image_row == row, embeddings.c.encoder == encoder, embeddings.c.region == WHOLE
        )
    ).scalar()
    return np.frombuffer(found, np.float16).astype(np.float32) if found and _is_finite(found) else None


def get_vectors(connection: Connection, rows: Sequence[int], encoder: str) -> dict[int, npt.NDArray[np.float32]]:
    """Return the embeddings of those of the images that have one of this encoder that can be compared, by row."""
    found = {}
    for start in range(0, len(rows), ROWS_PER_LOOK):
        part = embeddings.c.image_row.in_(rows[start : start + ROWS_PER_LOOK])
        theirs = (part, embeddings.c.encoder == encoder, embeddings.c.region == WHOLE, embeddings.c.vector.is_not(None))
        for row, vector in connection.execute(sa.select(embeddings.c.image_row, embeddings.c.vector).where(*theirs)):
            if _is_finite(vector):
                found[row] = np.frombuffer(vector, np.float16).astype(np.float32)
    return found


def last_change(connection: Connection) -> int:
    """Return the number of the newest change of any encoder."""
    return int(connection.execute(sa.select(counters.c.value).where(counters.c.name == "change")).scalar_one())


def rows_changed_between(after: int, until: int) -> sa.Select[tuple[int]]:
    """Return what selects the rows of images that changed after one number and until another, by any encoder."""
    # The encoders are named because the index of changes begins with them; without, every vector would be passed by.
    known = embeddings.c.encoder.in_(sa.select(encoders.c.fingerprint))
    return sa.select(embeddings.c.image_row).where(known, embeddings.c.change > after, embeddings.c.change <= until)


def changes_since(connection: Connection, encoder: str, number: int, limit: int) -> list[Change]:
    """Return up to `limit` changes after `number`, oldest first."""
    found = connection.execute(
        sa.select(*CHANGE_COLUMNS)
        .select_from(embeddings.outerjoin(images, images.c.row == embeddings.c.image_row))
        .where(embeddings.c.encoder == encoder, embeddings.c.region == WHOLE, embeddings.c.change > number)
        .order_by(embeddings.c.change)
        .limit(limit)
    )
    return comparable(Change(*values) for values in found)


def rows_changed_after(
    connection: Connection, encoder: str, number: int, *, until: int | None = None, limit: int
) -> list[int]:
    """Return the rows of up to `limit` changes after `number`, and not after `until`, newest first."""
    asked = sa.select(embeddings.c.image_row).where(
        embeddings.c.encoder == encoder, embeddings.c.region == WHOLE, embeddings.c.change > number
    )
    if until is not None:
        asked = asked.where(embeddings.c.change <= until)
    return list(connection.scalars(asked.order_by(embeddings.c.change.desc()).limit(limit)))


def comparable(changes: Iterable[Change]) -> list[Change]:
    """Return the changes; those whose vector is not all numbers are without it."""
    found = list(changes)
    if _is_finite(b"".join(change.vector or b"" for change in found)):  # nearly always, and quicker than one by one
        return found
    return [
        replace(change, vector=None) if change.vector and not _is_finite(change.vector) else change for change in found
    ]


def _is_finite(vector: bytes) -> bool:
    return bool(np.isfinite(np.frombuffer(vector, np.float16)).all())


def _change(connection: Connection, rows: Sequence[int], **values: object) -> None:
    """Give the embeddings of each image a number of their own and these values, in one journey to the database."""
    if rows:
        each = embeddings.update().where(embeddings.c.image_row == sa.bindparam("changed"))
        numbers = _next_changes(connection, len(rows))
        connection.execute(
            each.values(change=sa.bindparam("number"), **values),
            [{"changed": row, "number": number} for row, number in zip(rows, numbers, strict=True)],
        )


def _next_changes(connection: Connection, count: int) -> range:
    """Take numbers. Until the commit nobody else gets one, so let it be the last thing that is waited for."""
    raised = counters.update().where(counters.c.name == "change").values(value=counters.c.value + count)
    last = int(connection.execute(raised.returning(counters.c.value)).scalar_one())
    return range(last - count + 1, last + 1)
