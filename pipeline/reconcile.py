"""Repairing what crashes left behind, in both directions, and forgetting what is due.

The database is the truth. Images that lost their embedding are analyzed again; objects that no record names are
removed once they are old enough to belong to no upload in progress. Only this module removes objects.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.backend import Backend
from pipeline.images import image_of_key, original_key
from pipeline.stores import records_images, records_listing, records_queries, records_repair, records_uploads
from pipeline.uploads import remove_leftovers

log = logging.getLogger(__name__)

PURGE_BATCH = 500  # images purged in one transaction, so that others need not wait long for the database
UPLOAD_LIST_DAYS = 7  # how long the list of an upload can be looked at again


@dataclass(frozen=True)
class Repairs:
    """How many of each were mended or forgotten. `missing_originals` cannot be mended, only told."""

    analyzed_again: int
    purged_images: int
    removed_objects: int
    missing_originals: int
    forgotten_queries: int

    def sentence(self) -> str:
        """Say it to a person."""
        if not any((self.analyzed_again, self.purged_images, self.removed_objects, self.missing_originals)):
            return "Everything is in order; nothing had to be repaired."
        return (
            f"{self.analyzed_again} images will be analyzed again, {self.purged_images} deleted images were purged, "
            f"{self.removed_objects} files without a record were removed, "
            f"{self.missing_originals} originals are missing."
        )


def reconcile(backend: Backend, *, sweep_objects: bool = False) -> Repairs:
    """Repair the database and, with `sweep_objects`, compare every stored object with it as well.

    May run in several processes at once. The sweep lists the whole object store, so it is not part of the timer.
    """
    now = datetime.now(UTC)
    with backend.database.write() as connection:
        again = records_repair.requeue_without_embedding(connection, backend.encoder.fingerprint)
        queries = records_queries.forget_before(connection, now - timedelta(days=backend.settings.query_picture_days))
        records_uploads.forget_before(connection, now - timedelta(days=UPLOAD_LIST_DAYS))
    purged = _purge_trash(backend, now - timedelta(days=backend.settings.trash_days))
    removed, missing = _sweep(backend, now) if sweep_objects or purged else (0, 0)
    repairs = Repairs(again, purged, removed, missing, queries)
    if again or purged or removed or missing:
        log.info("reconciled: %s", repairs.sentence())
    backend.vectors.catch_up()
    remove_leftovers()
    return repairs


def _purge_trash(backend: Backend, before: datetime) -> int:
    purged = 0
    while True:
        with backend.database.write() as connection:
            rows = records_listing.rows_deleted_before(connection, before, PURGE_BATCH)
            records_images.purge(connection, rows)
        purged += len(rows)
        if len(rows) < PURGE_BATCH:
            return purged


def _sweep(backend: Backend, now: datetime) -> tuple[int, int]:
    """Remove old objects that no record names; return how many, and how many originals are missing."""
    oldest_in_progress = now - timedelta(seconds=backend.settings.grace_seconds)
    seen: set[tuple[str, str]] = set()
    removed = 0
    for stored in backend.objects.list(""):
        owner = image_of_key(stored.key)
        if owner is None:
            continue  # not ours to judge
        if stored.key == original_key(*owner):
            seen.add(owner)
        if stored.modified_at < oldest_in_progress and not _is_known(backend, owner):
            removed += _remove_orphan(backend, stored.key, owner)
    with backend.database.read() as connection:
        unseen = records_repair.stored_originals(connection) - seen
    # What arrived behind the back of the listing is there nevertheless.
    return removed, sum(not backend.objects.exists(original_key(*owner)) for owner in unseen)


def _is_known(backend: Backend, owner: tuple[str, str]) -> bool:
    with backend.database.read() as connection:
        return records_repair.is_known(connection, *owner)


def _remove_orphan(backend: Backend, key: str, owner: tuple[str, str]) -> bool:
    """Remove an object, unless its image has been recorded meanwhile; return whether it was removed.

    While this transaction lasts nobody records an image; `ingest.accept` makes sure of the original inside its own.
    """
    with backend.database.write() as connection:
        if records_repair.is_known(connection, *owner):
            return False
        backend.objects.delete(key)
    return True
