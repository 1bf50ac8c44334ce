"""Repairing what crashes left behind, in both directions, and forgetting what is due.

The database is the truth. Images that lost their embedding are analyzed again; objects that no record names are
removed once they are old enough to belong to no upload in progress.
"""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np

from pipeline import calibration, throttle
from pipeline.backend import Backend, row_of
from pipeline.bank_upkeep import purge_refused
from pipeline.duplicate_groups import regroup_all
from pipeline.features.encoders.protocol import meanings
from pipeline.images import image_of_key, original_key
from pipeline.libraries import purge_deleted
from pipeline.purging import Owner, purge_in_parts, remove_orphans
from pipeline.stores import (
    copies,
    records_embeddings,
    records_encoders,
    records_listing,
    records_matches,
    records_people,
    records_queries,
    records_repair,
    records_sessions,
    records_uploads,
)
from pipeline.stores.database import Writing
from pipeline.stores.protocols import StoredObject
from pipeline.uploads import remove_leftovers

log = logging.getLogger(__name__)

REQUEUE_BATCH = 5000  # images that wait again after one transaction
READ_BATCH = 500  # images that get the category and keywords of the encoder in use in one transaction
SWEEP_BATCH = 500  # objects or images compared in one transaction
MATCHES_KEPT = (
    1000  # of each saved search; its feed tells the last fifty, and those that may not be seen are passed over
)
UPLOAD_LIST_DAYS = 7  # how long the list of an upload can be looked at again


@dataclass(frozen=True)
class Repairs:
    """How many of each were mended or forgotten. `missing_originals` cannot be mended, only told.

    `removed_objects` are those that a sweep found; the files of purged images are not among them.
    """

    analyzed_again: int
    purged_images: int
    removed_objects: int
    missing_originals: int
    forgotten_queries: int
    lost_vectors: int = 0

    @property
    def is_any(self) -> bool:
        """Whether there is anything to tell; queries are forgotten every day."""
        counts = (self.analyzed_again, self.purged_images, self.removed_objects, self.missing_originals)
        return any((*counts, self.lost_vectors))

    def sentence(self) -> str:
        """Say it to a person."""
        if not self.is_any:
            return "Everything is in order; nothing had to be repaired."
        said = (
            f"{self.analyzed_again} images will be analyzed again, {self.purged_images} deleted images were purged, "
            f"{self.removed_objects} files without a record were removed, "
            f"{self.missing_originals} originals are missing."
        )
        if self.lost_vectors:
            said += f" The vector index was {self.lost_vectors} vectors off and was filled anew."
        return said


def reconcile(backend: Backend, *, sweep_objects: bool = False) -> Repairs:
    """Repair the database and, with `sweep_objects`, compare every stored object and the vector index with it as well.

    Groups of duplicates are made anew then, too.

    May run in several processes at once. The sweep lists the whole object store, so it is made only when asked for;
    deleted images whose time is over take their files with them without it.
    """
    now = datetime.now(UTC)
    again = _analyze_again(backend)
    _read_again(backend)
    with backend.database.write() as connection:
        queries = records_queries.forget_before(connection, now - timedelta(days=backend.settings.query_picture_days))
        records_matches.trim(connection, MATCHES_KEPT)
        records_uploads.forget_before(connection, now - timedelta(days=UPLOAD_LIST_DAYS))
        records_people.forget_expired_links(connection, now)
        records_sessions.forget_expired(connection, now)
        records_sessions.forget_failures(connection, before=now - throttle.WINDOW)
    if sweep_objects:
        regroup_all(backend)
    due = now - timedelta(days=backend.settings.trash_days)
    purged = _purge_trash(backend, due) + purge_deleted(backend, due) + purge_refused(backend, due)
    removed, missing = _sweep(backend, now) if sweep_objects else (0, 0)
    lost = 0
    if backend.vectors.is_shared:  # one of a process of its own is read when there is something to search
        backend.vectors.catch_up()
        lost = _refill_vectors(backend) if sweep_objects else 0
    if calibration.refresh(backend):
        log.info("the words for similarities were measured anew on this library")
    repairs = Repairs(again, purged, removed, missing, queries, lost)
    if repairs.is_any:
        log.info("reconciled: %s", repairs.sentence())
    remove_leftovers()
    return repairs


def _purge_trash(backend: Backend, before: datetime) -> int:
    return purge_in_parts(
        backend,
        lambda connection, most: records_listing.rows_deleted_before(connection, before, most),
        deleted_before=before,
    )


def _analyze_again(backend: Backend) -> int:
    """Let images that lost their embedding wait again. Nobody is kept waiting while they are looked for."""
    again, encoder = 0, backend.encoder.fingerprint
    with backend.database.read() as connection:
        active = records_embeddings.active_encoder(connection)
    if active and active.fingerprint != encoder:
        return 0  # this process has not gone over to the new encoder yet, and would miss the wrong vectors
    while True:
        with backend.database.read() as connection:
            rows = records_repair.without_embedding(connection, encoder, REQUEUE_BATCH)
        if not rows:
            return again
        with backend.database.write() as connection:
            again += records_repair.requeue(connection, rows, encoder)


def _read_again(backend: Backend) -> None:
    """Let the encoder in use say what another one said, before a change was ended or taken back, or older code not."""
    encoder = row_of(backend.encoder)
    while True:
        with backend.database.read() as connection:
            is_active = records_embeddings.active_encoder(connection) == encoder
            if not is_active or records_encoders.building(connection):
                return
            vectors = records_encoders.not_read(connection, encoder, READ_BATCH)
        if not vectors:
            return
        unit = np.stack([each / np.linalg.norm(each) for each in vectors.values()])
        read = meanings(backend.encoder, unit)
        with backend.database.write(Writing.BESIDE) as connection:
            records_encoders.put_meanings(connection, encoder, dict(zip(vectors, read, strict=True)))


def _sweep(backend: Backend, now: datetime) -> tuple[int, int]:
    """Remove old objects that no record names; return how many, and how many originals are missing."""
    oldest_in_progress = now - timedelta(seconds=backend.settings.grace_seconds)
    with_original: set[int] = set()
    removed = 0
    for batch in _batches_of_ours(backend):
        owners = {owner for _, owner in batch}
        with backend.database.read() as connection:
            rows = records_repair.known_rows(connection, owners)
        with_original |= {
            rows[owner] for stored, owner in batch if owner in rows and stored.key == original_key(*owner)
        }
        old = [(stored.key, owner) for stored, owner in batch if stored.modified_at < oldest_in_progress]
        removed += remove_orphans(backend, [(key, owner) for key, owner in old if owner not in rows])
    return removed, _count_missing(backend, with_original)


def _batches_of_ours(backend: Backend) -> Iterator[list[tuple[StoredObject, Owner]]]:
    """Give every stored object that belongs to an image, with its library and sha256; others are not ours to judge."""
    listed = ((stored, image_of_key(stored.key)) for stored in backend.objects.list(""))
    ours = ((stored, owner) for stored, owner in listed if owner is not None)
    while batch := list(islice(ours, SWEEP_BATCH)):
        yield batch


def _refill_vectors(backend: Backend) -> int:
    """Fill the vector index anew if it holds another number of vectors than the database; return how many it was off.

    An engine that processes share may have lost some, such as by being restored from an old backup.
    """
    with backend.database.exclusively("refill the vector index") as held:
        holding = copies.compare(backend.database, backend.encoder.fingerprint, backend.vectors) if held else None
        if holding is None or holding.is_whole:
            return 0
        log.warning("the vector index holds %s vectors of %s and is filled anew", holding.held, holding.expected)
        backend.vectors.rebuild()
        return abs(holding.held - holding.expected)


def _count_missing(backend: Backend, with_original: Collection[int]) -> int:
    """Return how many images have lost their original, given the rows whose original has been listed."""
    missing = last = 0
    while True:
        with backend.database.read() as connection:
            images = records_repair.originals_behind(connection, last, SWEEP_BATCH)
        unseen = [owner for row, owner in images if row not in with_original]
        # What arrived behind the back of the listing is there nevertheless.
        missing += sum(not backend.objects.exists(original_key(*owner)) for owner in unseen)
        if len(images) < SWEEP_BATCH:
            return missing
        last = images[-1][0]
