"""The encoders of a database: which one is searched, which one is being filled beside it, and how far that is.

Only one is active and only one building at a time, which the database itself watches. The embeddings of each stand in
a table of their own right, so the change from one to the other is the change of two words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.features.picture import Meaning
from pipeline.images import ImageState
from pipeline.stores import copies, records_embeddings, records_words
from pipeline.stores.records_embeddings import WHOLE, EncoderRow
from pipeline.stores.tables import embeddings, encoders, images, insert_into, keywords_json, vector_copies

ACTIVE, BUILDING, OLD = "active", "building", "old"

DROP_BATCH = 5000  # embeddings removed in one transaction, so that nobody waits long for the database


@dataclass(frozen=True)
class EncoderState:
    """An encoder of this database. `resting` is whether the filling of a building one is paused.

    `begun_with` images had their vector at `begun_at`, when the filling was begun or went on. `bands` are what was
    measured in this database, if it was. `trouble` is why the filling rests, when nobody wished it.
    """

    encoder: EncoderRow
    state: str
    resting: bool
    begun_at: datetime | None
    begun_with: int
    bands: SimilarityBands | None
    trouble: str | None = None


@dataclass(frozen=True)
class Taken:
    """Images to be embedded next, found when those up to the row `behind` had been taken.

    `is_all` is whether none is left without a vector, taken or not.
    """

    rows: tuple[int, ...]
    behind: int
    is_all: bool


def list_encoders(connection: Connection) -> list[EncoderState]:
    """Return all encoders that ever were used here, the active one first."""
    order = sa.case({ACTIVE: 0, BUILDING: 1}, value=encoders.c.state, else_=2)
    found = connection.execute(sa.select(*_COLUMNS).order_by(order, encoders.c.created_at))
    return [_state(row) for row in found]


def building(connection: Connection) -> EncoderState | None:
    """Return the encoder that is being filled, or None."""
    found = connection.execute(sa.select(*_COLUMNS).where(encoders.c.state == BUILDING)).first()
    return _state(found) if found else None


def begin(connection: Connection, encoder: EncoderRow) -> None:
    """Let `encoder` be filled from now on; what it has from an earlier time is kept, what it lacked is tried again."""
    fresh = {"state": BUILDING, "resting": False, "bands": sa.null(), "bands_images": sa.null(), "trouble": None}
    fresh |= _FROM_THE_FIRST | _beginning(connection, encoder.fingerprint)
    added = insert_into(connection, encoders).values(**asdict(encoder), created_at=datetime.now(UTC), **fresh)
    connection.execute(added.on_conflict_do_update(index_elements=[encoders.c.fingerprint], set_=fresh))


def rest(connection: Connection, *, resting: bool) -> bool:
    """Pause the filling, or go on with it, with what could not be embedded too; return whether there is one."""
    found = building(connection)
    if found is None:
        return False
    values = {} if resting else {"trouble": None} | _beginning(connection, found.encoder.fingerprint)
    if not resting and found.trouble:  # who was stopped by it had taken some
        values |= _FROM_THE_FIRST
    connection.execute(_building().values(resting=resting, **values))
    return True


def stop_for(connection: Connection, encoder: str, trouble: str) -> None:
    """Pause the filling of `encoder`, if it is still the one, because of what the sentence `trouble` says."""
    connection.execute(_building().where(encoders.c.fingerprint == encoder).values(resting=True, trouble=trouble))


def give_up(connection: Connection) -> bool:
    """End the filling without a change; what has been computed is kept as that of an old encoder."""
    return connection.execute(_building().values(state=OLD, resting=False, ended_at=datetime.now(UTC))).rowcount == 1


def look_for(connection: Connection, encoder: str, limit: int, lease: timedelta) -> Taken:
    """Return the next images that have no vector of `encoder`, unless it rests or is not being filled any more.

    When the last image has been passed and some still lack theirs, because who took them died or they came in
    meanwhile, they are returned again when the last time is a `lease` ago. Whoever wants them has to `take` them.
    """
    passed = connection.execute(
        sa.select(encoders.c.claimed_row, encoders.c.claimed_at).where(
            encoders.c.fingerprint == encoder, encoders.c.state == BUILDING, encoders.c.resting.is_(False)
        )
    ).first()
    if passed is None:
        return Taken((), 0, is_all=False)
    row, at = passed
    rows = _lacking(connection, encoder, row, limit)
    if not rows and row and _lacking(connection, encoder, 0, 1):
        if at is not None and datetime.now(UTC) - at < lease:
            return Taken((), row, is_all=False)
        rows = _lacking(connection, encoder, 0, limit)
    return Taken(tuple(rows), row, is_all=not rows)


def take(connection: Connection, encoder: str, found: Taken) -> bool:
    """Take what was found, unless somebody else was quicker; return whether it is ours. Looks at one row only."""
    still = (encoders.c.fingerprint == encoder, encoders.c.state == BUILDING, encoders.c.claimed_row == found.behind)
    taken = encoders.update().where(*still).values(claimed_row=found.rows[-1], claimed_at=datetime.now(UTC))
    return connection.execute(taken).rowcount == 1


def put(
    connection: Connection,
    encoder: EncoderRow,
    found: Mapping[int, tuple[npt.NDArray[np.float32], Meaning] | None],
) -> None:
    """Write embedding and meaning of images by their row, in ascending order; None for one that cannot be read.

    Those that have been purged meanwhile, or wait to be analyzed again, are left out, and all of them when the filling
    has been ended meanwhile. Who searches with the active encoder sees the new category at once, as filters do.
    """
    wanted = building(connection)
    if wanted is None or wanted.encoder != encoder:
        return
    held = sa.select(images.c.row).where(images.c.row.in_(found), images.c.state == ImageState.READY)
    there = sorted(connection.scalars(held.order_by(images.c.row).with_for_update()))
    seen = {row: features[1] for row in there if (features := found[row]) is not None}
    _put_meanings(connection, encoder, seen)
    records_embeddings.touch(connection, there)
    for row in there:
        features = found[row]
        if features is None:
            records_embeddings.note_unreadable(connection, row, encoder.fingerprint)
        else:
            records_embeddings.put(connection, row, encoder.fingerprint, features[0])


def switch(connection: Connection, encoder: str) -> bool:
    """Let the encoder that was filled be the one that is searched, if nothing lacks and it does not rest.

    To be called ALONE: nobody finishes an analysis with the old encoder meanwhile. Returns whether it was done.
    """
    found = building(connection)
    if found is None or found.encoder.fingerprint != encoder or found.resting or _lacking(connection, encoder, 0, 1):
        return False
    connection.execute(
        encoders.update().where(encoders.c.state == ACTIVE).values(state=OLD, ended_at=datetime.now(UTC))
    )
    connection.execute(_building().values(state=ACTIVE))
    return True


def count_vectors(connection: Connection, encoder: str) -> int:
    """Return how many images, those in the trash among them, have been through `encoder`."""
    counted = sa.select(sa.func.count()).select_from(embeddings.join(images, images.c.row == embeddings.c.image_row))
    return connection.scalar(counted.where(embeddings.c.encoder == encoder, images.c.state == ImageState.READY)) or 0


def count_unreadable(connection: Connection, encoder: str) -> int:
    """Return how many images, those in the trash among them, have been through `encoder` and got no vector."""
    noted = (embeddings.c.encoder == encoder, records_embeddings.IS_UNREADABLE, images.c.state == ImageState.READY)
    counted = sa.select(sa.func.count()).select_from(embeddings.join(images, images.c.row == embeddings.c.image_row))
    return connection.scalar(counted.where(*noted)) or 0


def count_images(connection: Connection) -> int:
    """Return how many images there are to be embedded, those in the trash among them."""
    counted = sa.select(sa.func.count()).select_from(images).where(images.c.state == ImageState.READY)
    return connection.scalar(counted) or 0


def are_there(connection: Connection) -> bool:
    """Whether the tables are those of this version; a command that changes none looks before it asks."""
    inspector = sa.inspect(connection)
    known = inspector.has_table(encoders.name)
    return known and {column["name"] for column in inspector.get_columns(encoders.name)} >= set(encoders.c.keys())


def bands_of(connection: Connection, encoder: str) -> SimilarityBands | None:
    """Return what was measured of the cosines of `encoder` in this database, or None."""
    found = (state.bands for state in list_encoders(connection) if state.encoder.fingerprint == encoder)
    return next(found, None)


def measured_on(connection: Connection, encoder: str) -> int:
    """Return how many pictures could be seen when the bands of `encoder` were measured; 0 when they were not."""
    return connection.scalar(sa.select(encoders.c.bands_images).where(encoders.c.fingerprint == encoder)) or 0


def keep_bands(connection: Connection, encoder: str, bands: SimilarityBands, measured: int) -> None:
    """Remember what was found of the cosines of `encoder` when `measured` pictures could be seen."""
    values = {"bands": asdict(bands), "bands_images": measured}
    connection.execute(encoders.update().where(encoders.c.fingerprint == encoder).values(values))


def sample_vectors(connection: Connection, encoder: str, limit: int) -> npt.NDArray[np.float32]:
    """Return (n, dimension) float32, the vectors of about `limit` visible images, spread over all rows."""
    every = max(1, -(-copies.count_visible(connection, encoder) // limit))  # rounded up, or the last rows never come
    ours = (embeddings.c.encoder == encoder, embeddings.c.region == WHOLE, embeddings.c.vector.is_not(None))
    visible = (images.c.state == ImageState.READY, images.c.deleted_at.is_(None), images.c.row % every == 0)
    joined = embeddings.join(images, images.c.row == embeddings.c.image_row)
    found = connection.scalars(sa.select(embeddings.c.vector).select_from(joined).where(*ours, *visible).limit(limit))
    return np.array([np.frombuffer(vector, np.float16) for vector in found], np.float32)


def drop_some(connection: Connection, encoder: str) -> int:
    """Remove a batch of the embeddings of an old encoder; return how many, which is 0 when nothing of it is left."""
    old = sa.select(encoders.c.fingerprint).where(encoders.c.fingerprint == encoder, encoders.c.state == OLD)
    if connection.scalar(old) is None:
        return 0
    rows = list(
        connection.scalars(sa.select(embeddings.c.image_row).where(embeddings.c.encoder == encoder).limit(DROP_BATCH))
    )
    if rows:
        connection.execute(embeddings.delete().where(embeddings.c.encoder == encoder, embeddings.c.image_row.in_(rows)))
    else:
        connection.execute(vector_copies.delete().where(vector_copies.c.encoder == encoder))
        connection.execute(encoders.delete().where(encoders.c.fingerprint == encoder))
    return len(rows)


def find(connection: Connection, name: str, state: str) -> Sequence[EncoderRow]:
    """Return the encoders of this name in this state; a model that was pulled anew has another fingerprint."""
    return [found.encoder for found in list_encoders(connection) if (found.encoder.name, found.state) == (name, state)]


def has_ended_after(connection: Connection, encoder: str, moment: datetime) -> bool:
    """Whether an old encoder was in use, or being filled, later than `moment`."""
    ended = sa.select(encoders.c.ended_at).where(encoders.c.fingerprint == encoder)
    at = connection.scalar(ended)
    return at is not None and at > moment


def not_read(connection: Connection, encoder: EncoderRow, limit: int) -> dict[int, npt.NDArray[np.float32]]:
    """Return up to `limit` vectors of `encoder`, by row, of images for which it has not said category and keywords.

    Another one has after a filling that was ended, or after going back; an older version of Likeness said no keywords.
    Looks through all images.
    """
    ours = (embeddings.c.encoder == encoder.fingerprint, embeddings.c.region == WHOLE, embeddings.c.vector.is_not(None))
    is_theirs = sa.or_(images.c.encoder != encoder.name, images.c.keywords.is_(sa.null()))
    theirs = (images.c.state == ImageState.READY, is_theirs)
    found = connection.execute(
        sa.select(images.c.row, embeddings.c.vector)
        .select_from(embeddings.join(images, images.c.row == embeddings.c.image_row))
        .where(*ours, *theirs)
        .limit(limit)
    )
    return {row: np.frombuffer(vector, np.float16).astype(np.float32) for row, vector in found}


def put_meanings(connection: Connection, encoder: EncoderRow, found: Mapping[int, Meaning]) -> None:
    """Write what `encoder` makes of images, by row."""
    held = sa.select(images.c.row, images.c.category).where(images.c.row.in_(found), images.c.state == ImageState.READY)
    before = dict(connection.execute(held.order_by(images.c.row).with_for_update()).all())
    _put_meanings(connection, encoder, {row: found[row] for row in before})
    # Filters see categories and no keywords, so an index need not look again at those whose keywords alone are new.
    records_embeddings.touch(connection, sorted(row for row in before if before[row] != found[row].category.name))


def _put_meanings(connection: Connection, encoder: EncoderRow, found: Mapping[int, Meaning]) -> None:
    """Write categories and keywords in one journey to the database."""
    if found:
        each = images.update().where(images.c.row == sa.bindparam("changed"))
        values = {
            "category": sa.bindparam("named"),
            "category_scores": sa.bindparam("scored"),
            "keywords": sa.bindparam("said"),
            "encoder": encoder.name,
        }
        connection.execute(
            each.values(values),
            [
                {
                    "changed": row,
                    "named": one.category.name,
                    "scored": one.category.scores,
                    "said": keywords_json(one.keywords),
                }
                for row, one in found.items()
            ],
        )
        records_words.refresh(connection, sorted(found))


_COLUMNS = (
    encoders.c.fingerprint,
    encoders.c.name,
    encoders.c.dimension,
    encoders.c.state,
    encoders.c.resting,
    encoders.c.begun_at,
    encoders.c.begun_with,
    encoders.c.bands,
    encoders.c.trouble,
)

_FROM_THE_FIRST = {"claimed_row": 0, "claimed_at": None}


def _state(row: sa.Row[*tuple[Any, ...]]) -> EncoderState:
    return EncoderState(
        EncoderRow(row.fingerprint, row.name, row.dimension),
        row.state,
        row.resting,
        row.begun_at,
        row.begun_with,
        SimilarityBands(**row.bands) if row.bands else None,
        row.trouble,
    )


def _beginning(connection: Connection, encoder: str) -> dict[str, object]:
    """Forget what `encoder` could not embed, and return what else a filling begins with."""
    forgotten = records_embeddings.forget_unreadable(connection, encoder=encoder)
    begun = {"begun_at": datetime.now(UTC), "begun_with": count_vectors(connection, encoder)}
    return begun | (_FROM_THE_FIRST if forgotten else {})


def _building() -> sa.Update:
    return encoders.update().where(encoders.c.state == BUILDING)


def _lacking(connection: Connection, encoder: str, behind: int, limit: int) -> list[int]:
    has_one = sa.exists().where(embeddings.c.image_row == images.c.row, embeddings.c.encoder == encoder)
    lacking = (images.c.state == ImageState.READY, images.c.row > behind, ~has_one)
    return list(connection.scalars(sa.select(images.c.row).where(*lacking).order_by(images.c.row).limit(limit)))
