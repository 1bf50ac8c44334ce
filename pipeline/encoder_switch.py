"""Changing the encoder of a database that is in use: begun, watched, paused, ended; the filling is the workers' work.

The embeddings of the next encoder are computed from the originals beside those that are searched. When none is
missing, one transaction lets the next one be the active encoder, and every process goes over to it. Those of the
old encoder are kept, so that going back takes seconds, until somebody drops them.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.backend import Backend, row_of
from pipeline.errors import Conflict, NotAllowed
from pipeline.features.encoders import registry
from pipeline.features.encoders.trial import try_out
from pipeline.principals import Principal
from pipeline.settings import Settings
from pipeline.stores import records_embeddings, records_encoders, records_principals
from pipeline.stores.database import Connection, sqlite_file
from pipeline.stores.opening import open_database
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.records_encoders import BUILDING, OLD, EncoderState

DROP_MINUTES = 3
"""After a change: processes go over within seconds, and let go of the old index a minute later."""

log = logging.getLogger(__name__)

NONE_UNDER_WAY = "No change of encoder is under way. `likeness models use NAME` begins one."
UNDER_WAY = (
    "The change to the encoder {name} is under way. Please wait for it, or end it with `likeness models cancel` first."
)
IN_USE = "Searches use the encoder {name} already."
NOT_KEPT = "No vectors of an old encoder {name} are kept here. `likeness models list` shows what is."
STILL_FRESH = (
    "Some processes may still be searching with the encoder {name}. Please try again in {minutes} minutes, and see "
    "that every server has gone over to the new encoder."
)
NEEDED = "The database works with {name}. Please change to another encoder with `likeness models use` first."
NEEDED_AS_IT_IS = (
    "The database works with other files of {name}. Please give these a name of their own with --name, or change to "
    "another encoder with `likeness models use` first."
)
NOT_ADMINISTRATOR = "Only an administrator changes the encoder, because it is that of all libraries."


@dataclass(frozen=True)
class Filling:
    """How far the next encoder is: `done` of `total` images, `begun_with` of them at `begun_at`.

    `resting` is whether it is paused, `trouble` the sentence that says why, if nobody wished it. `left_out` of the done
    ones could not be embedded.
    """

    name: str
    done: int
    total: int
    resting: bool
    begun_at: datetime
    begun_with: int = 0
    left_out: int = 0
    trouble: str | None = None

    @property
    def share(self) -> float:
        """Return the part that is done, 0 to 1."""
        return self.done / max(1, self.total)

    @property
    def seconds_left(self) -> float | None:
        """Return about how long it will take, from how long it has taken; None when that says nothing yet."""
        fresh = self.done - self.begun_with
        if fresh <= 0 or self.resting:
            return None
        return (datetime.now(UTC) - self.begun_at).total_seconds() * (self.total - self.done) / fresh


def begin(backend: Backend, principal: Principal, name: str) -> EncoderRow:
    """Let the workers fill the encoder `name`, which has to be installed here, and go over to it when it is full.

    Asked again for the one that is being filled, it goes on, also with pictures that could not be embedded before.
    Raises NotAllowed, ModelUnusable when a part of it is damaged, or Conflict when it is in use, or another change is
    under way.
    """
    encoder = registry.open_encoder(name, backend.settings.models_folder)
    try_out(encoder)
    row = row_of(encoder)
    with backend.database.write() as connection:
        _check(connection, principal)
        active = records_embeddings.active_encoder(connection)
        if active and active.fingerprint == row.fingerprint:
            raise Conflict(IN_USE.format(name=name))
        under_way = records_encoders.building(connection)
        if under_way and under_way.encoder.fingerprint != row.fingerprint:
            raise Conflict(UNDER_WAY.format(name=under_way.encoder.name))
        if under_way:
            records_encoders.rest(connection, resting=False)
        else:
            records_encoders.begin(connection, row)
    log.info("a change to the encoder %s has begun", name)
    return row


def filling(backend: Backend) -> Filling | None:
    """Return how far the change under way is, or None when there is none."""
    with backend.database.read() as connection:
        found = records_encoders.building(connection)
        if found is None:
            return None
        done = records_encoders.count_vectors(connection, found.encoder.fingerprint)
        total = records_encoders.count_images(connection)
        left_out = records_encoders.count_unreadable(connection, found.encoder.fingerprint)
    begun_at = found.begun_at or datetime.now(UTC)
    return Filling(
        found.encoder.name,
        done,
        max(total, done),
        found.resting,
        begun_at,
        found.begun_with,
        left_out,
        found.trouble,
    )


def count_left_out(backend: Backend) -> int:
    """Return how many pictures of all libraries the encoder in use could not embed when it was filled."""
    with backend.database.read() as connection:
        active = records_embeddings.active_encoder(connection)
        return records_encoders.count_unreadable(connection, active.fingerprint) if active else 0


def active_name(backend: Backend) -> str:
    """Return the name of the encoder that the database works with now."""
    with backend.database.read() as connection:
        active = records_embeddings.active_encoder(connection)
    return active.name if active else backend.encoder.name


def rest(backend: Backend, principal: Principal, *, resting: bool) -> None:
    """Pause the change under way, or go on with it, also with pictures that could not be embedded before.

    Raises NotAllowed, or Conflict when there is none.
    """
    with backend.database.write() as connection:
        _check(connection, principal)
        if not records_encoders.rest(connection, resting=resting):
            raise Conflict(NONE_UNDER_WAY)


def cancel(backend: Backend, principal: Principal) -> None:
    """End the change under way; what was computed is kept for another time.

    Raises NotAllowed, or Conflict when there is none.
    """
    with backend.database.write() as connection:
        _check(connection, principal)
        if not records_encoders.give_up(connection):
            raise Conflict(NONE_UNDER_WAY)


def known(backend: Backend) -> list[EncoderState]:
    """Return the encoders whose vectors are in the database, the active one first."""
    with backend.database.read() as connection:
        return records_encoders.list_encoders(connection)


def drop(backend: Backend, principal: Principal, name: str) -> int:
    """Remove the vectors of old encoders of this name; return how many.

    An engine that is shared keeps its copy of them, which nothing uses any more. Raises NotAllowed, or Conflict when
    there are none, or when processes may not have gone over to another encoder yet.
    """
    with backend.database.read() as connection:
        _check(connection, principal)
        rows = records_encoders.find(connection, name, OLD)
        is_building = bool(records_encoders.find(connection, name, BUILDING))
        moment = datetime.now(UTC) - timedelta(minutes=DROP_MINUTES)
        is_fresh = any(records_encoders.has_ended_after(connection, row.fingerprint, moment) for row in rows)
    if not rows:
        raise Conflict(UNDER_WAY.format(name=name) if is_building else NOT_KEPT.format(name=name))
    if is_fresh:
        raise Conflict(STILL_FRESH.format(name=name, minutes=DROP_MINUTES))
    dropped = 0
    for row in rows:
        while True:
            with backend.database.write() as connection:
                removed = records_encoders.drop_some(connection, row.fingerprint)
            dropped += removed
            if not removed:
                break
        for file in (backend.settings.data / "index").glob(f"{row.fingerprint[:16]}.*"):
            file.unlink(missing_ok=True)
    return dropped


def roles(settings: Settings) -> dict[str, str]:
    """Return which encoder the database of `settings` searches, fills or keeps: ACTIVE, BUILDING or OLD by name.

    Of two versions of one model the first of these counts. Nothing is there before the first start, or before the
    tables are brought to this version.
    """
    return {found.encoder.name: found.state for found in reversed(_known_to(settings))}


def check_unneeded(settings: Settings, name: str, *, but_for: str = "") -> None:
    """Return when files of the model `name` may go. Raises Conflict when the database of `settings` works with them.

    `but_for` is the fingerprint of files that may take their place.
    """
    for found in _known_to(settings):
        if found.encoder.name == name and found.state != OLD and found.encoder.fingerprint != but_for:
            raise Conflict((NEEDED_AS_IT_IS if but_for else NEEDED).format(name=name))


def _known_to(settings: Settings) -> list[EncoderState]:
    file = sqlite_file(settings.database_url)
    if file is not None and not file.exists():
        return []
    database = open_database(settings)
    try:
        with database.read() as connection:
            return records_encoders.list_encoders(connection) if records_encoders.are_there(connection) else []
    finally:
        database.close()


def _check(connection: Connection, principal: Principal) -> None:
    if not records_principals.current(connection, principal).may_administrate():
        raise NotAllowed(NOT_ADMINISTRATOR)
