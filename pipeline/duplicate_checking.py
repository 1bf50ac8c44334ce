"""The check for duplicates: each image is compared with what may be a copy of it, and what was found is written.

Any number of workers may check at once. Whoever claims images holds them by a lease; findings and the note that an
image was checked are written in one transaction, and only while the lease holds. So a crash, and a store that is down,
cost time and nothing else.

Each image looks at all others, whichever came in first, because a part finds the whole less often than the whole finds
the part. What a process has compared it remembers for a while, so that hardly any pair is compared from both sides.
"""

import logging
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from pipeline.backend import Backend
from pipeline.duplicate_candidates import Asked, CandidateFinder
from pipeline.errors import DecoderUnavailable, ImageRejected, NotFound, StoreUnavailable
from pipeline.features.comparison import COPIES, Comparison, Verdict
from pipeline.features.fingerprint import Fingerprint
from pipeline.features.verdicts import compare, seen_of
from pipeline.images import ImageRecord, ImageState
from pipeline.originals import original_bytes
from pipeline.principals import Principal
from pipeline.seen_pictures import SeenPictures
from pipeline.stores import (
    records_embeddings,
    records_findings,
    records_fingerprints,
    records_images,
    records_regroup,
)
from pipeline.stores.database import Writing
from pipeline.stores.records_fingerprints import Claim

log = logging.getLogger(__name__)

CheckProgress = records_fingerprints.Progress

BATCH = 8  # images claimed at once: a second or two of work, so that leases hold and others get their share

LEASES = 4
"""How often as long as for an analysis a batch is held, because it is not renewed: a burst takes its time, and nobody
waits for what a dead worker held."""

LATER = (StoreUnavailable, DecoderUnavailable)
"""What delays a check; all else that a picture can be said to be guilty of leaves out a comparison, or the picture."""

MOST_COMPARED = 64
"""Pairs that one image is compared in before copies of its copies are left out; bursts would take minutes."""

REMEMBERED = 1 << 22
"""Pairs that are remembered as compared, at 8 bytes each: those of a million pictures."""

PRIME, SCATTERING = (1 << 61) - 1, 0x9E3779B97F4A7C15
"""Spread pairs of neighboring rows over all places (Knuth's multiplicative hashing)."""

SAME_BYTES = Comparison(Verdict.IDENTICAL, hash_distance=0, similarity=1.0)
"""What two images with the same bytes are to each other, in two libraries: nothing has to be looked at."""


class Checker:
    """Checks images for duplicates, for one process: it keeps what was looked at last. For several threads at once.

    `compared` counts the pairs of pictures that it has looked at.
    """

    def __init__(self) -> None:
        self.compared = 0
        self._seen = SeenPictures()
        self._finder = CandidateFinder()
        self._lately = _Lately()
        self._lock = threading.Lock()

    def step(
        self, backend: Backend, pool: ThreadPoolExecutor, *, only: Collection[int] = (), library: str | None = None
    ) -> int:
        """Check the next images that wait; return how many, 0 when there are none that nobody holds.

        `only` are the rows to choose from, if not all, and `library` is the id of the library. Raises StoreUnavailable
        or DecoderUnavailable; what was not written is checked later.
        """
        lease = timedelta(seconds=LEASES * backend.settings.lease_seconds)
        with backend.database.read() as connection:
            if not records_fingerprints.is_any_due(
                connection
            ):  # nobody who writes has to make room for finding nothing
                return 0
        with backend.database.write(Writing.BESIDE) as connection:
            claim = records_fingerprints.claim(connection, limit=BATCH, lease=lease, only=only, library=library)
        try:
            return sum(pool.map(lambda row: self._check(backend, row, claim), claim.rows))
        except BaseException:
            with suppress(StoreUnavailable), backend.database.write(Writing.BESIDE) as connection:
                records_fingerprints.give_back(connection, claim.token)  # or else the lease runs out by itself
            raise

    def _check(self, backend: Backend, row: int, claim: Claim) -> bool:
        """Check one image; return whether it was ours to the end. An error of ours is in the log, and holds none up."""
        try:
            compared = self._compare_all(backend, row)
        except LATER:
            raise
        except Exception:
            log.exception("left without a check for duplicates", extra={"row": row})
            compared = {}
        with backend.database.write(Writing.BESIDE) as connection:
            there = records_fingerprints.hold_images(connection, [row, *compared])
            is_ours = records_fingerprints.finish(connection, row, claim.token)
            if is_ours:
                found = {other: comparison for other, comparison in compared.items() if other in there}
                records_findings.write(connection, row, found)
                records_regroup.regroup(connection, [row, *found])
        if is_ours:
            for other in compared:
                self._lately.note(row, other)
        return is_ours

    def _compare_all(self, backend: Backend, row: int) -> dict[int, Comparison]:
        """Return what the image is to each that it has to be compared with, by row."""
        mine = _look_up(backend, [row]).get(row)
        if mine is None:  # gone meanwhile, or hidden
            return {}
        candidates = [found.row for found in self._finder.find(backend, Asked(mine.fingerprint, mine.embedding, row))]
        with backend.database.read() as connection:
            candidates += records_images.rows_with_bytes(connection, mine.image.sha256)
            candidates += records_findings.others_of(connection, row)
        compared: dict[int, Comparison] = {}
        looked_at = {row}
        while fresh := [other for other in dict.fromkeys(candidates) if other not in looked_at]:
            looked_at.update(fresh)
            unknown = [other for other in fresh if not self._lately.has(row, other)]
            compared |= self._compared(backend, mine, _look_up(backend, unknown).values())
            if len(compared) >= MOST_COMPARED:
                break
            candidates = self._copies_of_copies(backend, [other for other in fresh if _is_copy(compared.get(other))])
        return compared

    def _copies_of_copies(self, backend: Backend, rows: Sequence[int]) -> list[int]:
        """Return the rows of what is known to be a copy of one of these: copies of one picture shall all be told so."""
        with backend.database.read() as connection:
            return [copy for row in rows for copy in records_findings.others_of(connection, row, COPIES)]

    def _compared(self, backend: Backend, mine: "_Known", others: "Collection[_Known]") -> dict[int, Comparison]:
        compared = {}
        for other in others:
            try:
                compared[other.image.row] = self._compare(backend, mine, other)
            except (ImageRejected, NotFound) as error:  # nothing of one of both can be read any more
                log.info("not compared: %s", error, extra={"row": mine.image.row, "other": other.image.row})
        return compared

    def _compare(self, backend: Backend, mine: "_Known", other: "_Known") -> Comparison:
        if other.image.sha256 == mine.image.sha256:
            return SAME_BYTES
        with self._lock:
            self.compared += 1
        both = [self._seen.get(backend, one.image, one.fingerprint, one.embedding) for one in (mine, other)]
        found = compare(*both)
        return _looked_at_closely(backend, mine, other) if found.verdict is Verdict.IDENTICAL else found


class _Lately:
    """Which pairs of rows were compared lately. Of two pairs that fall into one place the later one is remembered.

    So it takes 32 MB at most, whatever is scanned. For several threads at once: each place is one word.
    """

    def __init__(self) -> None:
        self._places = np.zeros(REMEMBERED, np.uint64)

    def note(self, row: int, other: int) -> None:
        """Remember a pair."""
        place, mark = self._place(row, other)
        self._places[place] = mark

    def has(self, row: int, other: int) -> bool:
        """Whether a pair is remembered."""
        place, mark = self._place(row, other)
        return int(self._places[place]) == mark

    @staticmethod
    def _place(row: int, other: int) -> tuple[int, int]:
        mark = min(row, other) << 32 | (max(row, other) & 0xFFFFFFFF)
        return mark * SCATTERING % PRIME % REMEMBERED, mark & 0xFFFFFFFFFFFFFFFF


def _is_copy(comparison: Comparison | None) -> bool:
    return comparison is not None and comparison.verdict.is_copy


@dataclass(frozen=True)
class _Known:
    """An image that can be found, with what was computed of it; it may have no embedding of the present encoder."""

    image: ImageRecord
    fingerprint: Fingerprint
    embedding: npt.NDArray[np.float32] | None


def _look_up(backend: Backend, rows: Sequence[int]) -> dict[int, _Known]:
    """Return those of the images that can be found and have a fingerprint, by row, in the order given."""
    with backend.database.read() as connection:
        images = records_images.get_by_rows(connection, rows)
        hashes = records_fingerprints.get_many(connection, rows)
        vectors = {row: records_embeddings.get_vector(connection, row, backend.encoder.fingerprint) for row in hashes}
    return {
        image.row: _Known(image, hashes[image.row], vectors[image.row])
        for image in images
        if image.state is ImageState.READY and image.deleted_at is None and image.row in hashes
    }


def _looked_at_closely(backend: Backend, mine: _Known, other: _Known) -> Comparison:
    """Return what the originals say of two images whose thumbnails are the same, which show not every pixel.

    Raises ImageRejected or ObjectNotFound when one of them cannot be read any more.
    """
    both = [
        seen_of(
            backend.decoders.decode(original_bytes(backend, one.image)),
            fingerprint=one.fingerprint,
            embedding=one.embedding,
            sha256=one.image.sha256,
        )
        for one in (mine, other)
    ]
    return compare(*both)


# ---- What was found


def waiting_for_check(backend: Backend, images: Sequence[ImageRecord]) -> set[int]:
    """Return the rows of those pictures that are to be compared with the others in a moment."""
    with backend.database.read() as connection:
        return records_fingerprints.waiting(connection, [image.row for image in images])


def copies_of(backend: Backend, image: ImageRecord, principal: Principal) -> list[tuple[ImageRecord, Comparison]]:
    """Return what was found beside an image that exists for `principal`, the closest first, as far as they may see it.

    Each comparison is of `image` with the other. Among them are pictures of the same scene, which are no copies.
    """
    return copies_of_many(backend, [image], principal).get(image.row, [])


def copies_of_many(
    backend: Backend, images: Sequence[ImageRecord], principal: Principal
) -> dict[int, list[tuple[ImageRecord, Comparison]]]:
    """Return the same for several images at once, by row; those beside which nothing was found are left out."""
    with backend.database.read() as connection:
        found = records_findings.of_rows(connection, [image.row for image in images], principal)
        others = sorted({one.other for findings in found.values() for one in findings})
        records = {record.row: record for record in records_images.get_by_rows(connection, others)}
    order = tuple(Verdict)
    return {
        row: sorted(
            ((records[one.other], one.comparison) for one in findings if one.other in records),
            key=lambda pair: (order.index(pair[1].verdict), -(pair[1].agreement or 0.0), pair[0].row),
        )
        for row, findings in found.items()
    }


def progress(backend: Backend, principal: Principal, library: str | None = None) -> CheckProgress:
    """Return how far the check has come among the images that `principal` may see, or those of one library of these."""
    with backend.database.read() as connection:
        return records_fingerprints.progress(connection, principal, library)
