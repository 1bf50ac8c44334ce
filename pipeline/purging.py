"""Forgetting images for good: first their records, then at once their files.

Whoever forgets an image calls `purge` or `purge_in_parts`, or `forget` and then `remove_files`; objects that no record
names are removed by `remove_orphans` alone, which `reconcile` calls for those that it finds.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from pipeline.backend import Backend
from pipeline.errors import StoreUnavailable
from pipeline.images import ImageRecord, original_key, thumbnail_key
from pipeline.originals import SIZES
from pipeline.principals import Principal
from pipeline.stores import records_image_audit, records_images, records_repair
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event

log = logging.getLogger(__name__)

PURGE_BATCH = 500  # images purged in one transaction, so that others need not wait long for the database
ORPHANS_AT_ONCE = 100  # removed in one transaction, with one request to an object store on the network

Owner = tuple[str, str]
"""Library and sha256 of an image."""

CARETAKER = Principal("Likeness")
"""Who forgets what is due, in the audit log."""


def purge(backend: Backend, rows: Sequence[int], *, deleted_before: datetime | None = None) -> int:
    """Forget the images of these rows, and remove their originals and thumbnails; return how many images there were.

    It is for what is due. With `deleted_before`, those that were restored or deleted again meanwhile stay. Files that
    were imported in place are left alone. When the object store does not answer, the records are gone nevertheless,
    and a later sweep of `reconcile` removes the files.
    """
    if not rows:
        return 0
    with backend.database.write() as connection:
        images = records_images.get_by_rows(connection, rows)
        if deleted_before:
            images = [image for image in images if image.deleted_at and image.deleted_at < deleted_before]
        forget(connection, images, CARETAKER)
    remove_files(backend, images)
    return len(images)


def purge_in_parts(
    backend: Backend, find: Callable[[Connection, int], Sequence[int]], *, deleted_before: datetime | None = None
) -> int:
    """Purge what `find` returns, some rows at a time, until there are no more; return how many images there were.

    `find` is given a connection and the most rows that it may return. With `deleted_before` as `purge` has it.
    """
    purged = 0
    while True:
        with backend.database.read() as connection:
            rows = find(connection, PURGE_BATCH)
        purged += purge(backend, rows, deleted_before=deleted_before)
        if len(rows) < PURGE_BATCH:
            return purged


def forget(connection: Connection, images: Sequence[ImageRecord], principal: Principal) -> None:
    """Forget images whose files `remove_files` removes once this is committed; `principal` may do so."""
    records_images.purge(connection, [image.row for image in images])
    records_image_audit.add(connection, principal, Event.IMAGES_PURGED, images)


def remove_files(backend: Backend, images: Sequence[ImageRecord]) -> None:
    """Remove the originals and thumbnails of images that have been forgotten, or leave them to a later sweep."""
    owners = [(image.library, image.sha256) for image in images]
    try:
        remove_orphans(backend, [(key, owner) for owner in owners for key in _keys(*owner)])
    except StoreUnavailable as error:
        log.warning("the files of purged images stay until the next sweep: %s", error)


def remove_orphans(backend: Backend, orphans: Sequence[tuple[str, Owner]]) -> int:
    """Remove objects, unless their images have been recorded meanwhile; return how many were removed.

    While one of its transactions lasts nobody records an image; `ingest.accept` makes sure of the original inside its
    own. So they are short: a server is asked once in each.
    """
    removed = 0
    for start in range(0, len(orphans), ORPHANS_AT_ONCE):
        part = orphans[start : start + ORPHANS_AT_ONCE]
        with backend.database.write() as connection:
            known = records_repair.known_rows(connection, {owner for _, owner in part})
            keys = [key for key, owner in part if owner not in known]
            backend.objects.delete_many(keys)
        removed += len(keys)
    return removed


def _keys(library: str, sha256: str) -> list[str]:
    return [original_key(library, sha256), *(thumbnail_key(library, sha256, px) for px in SIZES)]
