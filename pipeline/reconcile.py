"""Repairing what crashes left behind, in both directions, and forgetting what is due.

The database is the truth. Images that lost their embedding are analyzed again; objects that no record names are
removed once they are old enough to belong to no upload in progress. Only this module removes objects.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.backend import Backend
from pipeline.stores import records_images, records_queries, records_repair, records_uploads

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
    return repairs


def _purge_trash(backend: Backend, before: datetime) -> int:
    purged = 0
    while True:
        with backend.database.write() as connection:
            rows = records_images.rows_deleted_before(connection, before, PURGE_BATCH)
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
        kind, library, name = stored.key.split("/", 2)
        sha256 = name.split("-", 1)[0]
        if kind == "originals":
            seen.add((library, sha256))
        if stored.modified_at >= oldest_in_progress:
            continue
        # The write transaction keeps an upload of the same bytes from being recorded between look and removal.
        with backend.database.write() as connection:
            if not records_repair.is_known(connection, library, sha256):
                backend.objects.delete(stored.key)
                removed += 1
    with backend.database.read() as connection:
        expected = records_repair.stored_originals(connection)
    return removed, len(expected - seen)
