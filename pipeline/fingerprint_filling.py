"""Fingerprints of images that were analyzed before there were any, made beside the daily work.

They are made of the originals, as the analysis makes them: in one of forty pictures a thumbnail has its borders trimmed
otherwise. Where an original cannot be read any more, its thumbnail is better than nothing.
Everything is in the database, so a restart goes on where it was. One process of all makes them at a time.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pipeline.backend import Backend
from pipeline.errors import ImageRejected, NotFound
from pipeline.features.fingerprint import Fingerprint, fingerprint_of
from pipeline.images import ImageRecord
from pipeline.originals import original_bytes
from pipeline.seen_pictures import small_picture
from pipeline.stores import records_fingerprints, records_images
from pipeline.stores.database import Writing
from pipeline.stores.records_fingerprints import UNREADABLE

log = logging.getLogger(__name__)

BATCH = 32  # images whose fingerprints are written at once: a second of work


class FingerprintFiller:
    """Makes the fingerprints that lack, for one process, which looks through all images once."""

    def __init__(self) -> None:
        self._behind = 0
        self._is_done = False

    def step(self, backend: Backend, pool: ThreadPoolExecutor) -> int:
        """Make some of those that lack; return how many, 0 when none does, or when another process is at it.

        Raises StoreUnavailable or DecoderUnavailable; what was not written is made the next time.
        """
        if self._is_done:
            return 0
        with backend.database.exclusively("fingerprints") as held:
            if not held:
                return 0
            with backend.database.read() as connection:
                rows = records_fingerprints.lacking(connection, self._behind, BATCH)
                images = records_images.get_by_rows(connection, rows)
            if not rows:
                self._is_done = True
                return 0
            made = pool.map(partial(_fingerprint, backend), images)
            found = dict(zip((image.row for image in images), made, strict=True))
            with backend.database.write(Writing.BESIDE) as connection:
                records_fingerprints.put_missing(connection, found)
            self._behind = rows[-1]
        return len(rows)


def count_lacking(backend: Backend) -> int:
    """Return how many images that can be found have no fingerprint of today."""
    with backend.database.read() as connection:
        return records_fingerprints.count_lacking(connection)


def _fingerprint(backend: Backend, image: ImageRecord) -> Fingerprint:
    try:
        return fingerprint_of(backend.decoders.decode(original_bytes(backend, image)))
    except (ImageRejected, NotFound) as error:
        log.warning("its fingerprint is made of its thumbnail: %s", error, extra={"image_id": image.id})
    try:
        return fingerprint_of(small_picture(backend, image))
    except (ImageRejected, NotFound) as error:
        log.warning("left without a fingerprint: %s", error, extra={"image_id": image.id})
        return UNREADABLE
