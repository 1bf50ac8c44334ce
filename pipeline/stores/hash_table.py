"""The hashes of all images in memory: which of them are nearly the same picture, turned and mirrored as it may be.

Like the index of vectors this is a cache in the process that follows the database by its change number: a fingerprint
is written in the transaction that writes the embedding of its image, or that touches it. An image takes 74 bytes. Of
its eight orientations one is kept, because whoever looks for it comes with all eight of theirs.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.fingerprint import HASH_BYTES, ORIENTATIONS, VERSION, Fingerprint
from pipeline.images import ImageState
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.tables import images
from pipeline.stores.tables_duplicates import fingerprints

Rows = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

REACH = 48
"""Bits of 256 in which two hashes may differ at most for one to be a neighbor of the other. Of five million pairs of
pictures that have nothing to do with each other two are within it, and thirteen within 63: in a million pictures each
would have one stranger then. What is farther is left to embeddings, which found all of it (docs/measurements.md)."""

POOR_REACH = 10
"""The same for hashes that say little: those of a page of text or a sky are near very many others."""

GOOD_QUALITY = 50
"""Quality from which on a hash says enough: the limit that the paper on PDQ recommends."""

HALF_REACH = 36
"""Bits of the first 128 that may differ. Where a pair differs in 48 of 256, half of them are expected here, so hardly
any is lost, and of all others nearly every one is ruled out without a look at its second half."""

IMAGES_PER_READ = 20_000  # 4 MB while they are read
IMAGES_PER_STEP = 15_000  # compared at once: 120 kB a word, which stays in the cache, and which malloc need not map
LEAST_ROOM = 1024  # images for which there is room at first
MORE_ROOM = 1.05  # by which factor there is more of it when it is full: 5 % of the memory, and rarely copied

WORDS = HASH_BYTES // 8


class Near(NamedTuple):
    """An image whose hash is near: its row, and in how many of 256 bits the nearest orientation differs."""

    row: int
    distance: int


@dataclass
class _Columns:
    """Slots of images, `used` of them. `reach` is 1 more than the bits that may differ, and 0 for what is not shown."""

    rows: Rows
    reach: npt.NDArray[np.uint8]
    whole: Words
    trimmed: Words
    used: int = 0


class HashTable:
    """The hashes of every image that can be found. May be used from several threads at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._columns = _room(LEAST_ROOM)
        self._seen = -1  # before every change there can be

    def __len__(self) -> int:
        """Return how many images are held and can be found."""
        columns = self._columns
        return int(np.count_nonzero(columns.reach[: columns.used]))

    @property
    def bytes_held(self) -> int:
        """Return how much memory the columns take, with the room for more."""
        columns = self._columns
        return sum(array.nbytes for array in (columns.rows, columns.reach, columns.whole, columns.trimmed))

    def near(self, asked: Fingerprint, limit: int) -> list[Near]:
        """Return up to `limit` images that can be found and whose hash is near, nearest first, ties by row.

        Compared are whole pictures, and the trimmed ones in any orientation. Where one of both hashes is of poor
        quality, they have to be nearly the same. Raises StoreUnavailable when the database does not answer.
        """
        if asked.quality <= 0:
            self._caught_up()
            return []
        columns = self._caught_up()
        own = REACH if asked.quality >= GOOD_QUALITY else POOR_REACH
        found = list(_compared(columns, asked, own))
        if not found:
            return []
        slots = np.concatenate([part[0] for part in found])
        distances = np.concatenate([part[1] for part in found])
        order = np.lexsort((columns.rows[slots], distances))[:limit]
        return [Near(int(columns.rows[slots[at]]), int(distances[at])) for at in order]

    def catch_up(self) -> None:
        """Read what was committed since; the first time it is everything, four seconds for a million images."""
        self._caught_up()

    def _caught_up(self) -> _Columns:
        with self._lock:
            with self.database.read() as connection:
                newest = records_embeddings.last_change(connection)
                if self._seen < 0:
                    self._columns = _read_all(connection)
                elif newest != self._seen:
                    for start in range(self._seen, newest, IMAGES_PER_READ):
                        changed = records_embeddings.rows_changed_between(start, min(start + IMAGES_PER_READ, newest))
                        rows = np.unique(np.array(list(connection.scalars(changed)), np.int64))
                        if len(rows):
                            self._columns = _brought_on(self._columns, rows, _read(connection, rows=changed))
            self._seen = newest
            # A value of its own: what comes in later is written behind its end, or into other arrays.
            columns = self._columns
            return _Columns(columns.rows, columns.reach, columns.whole, columns.trimmed, columns.used)


def _compared(columns: _Columns, asked: Fingerprint, own: int) -> Iterator[tuple[Rows, npt.NDArray[np.uint16]]]:
    """Yield the slots of images that are near, and how far each is."""
    whole = np.frombuffer(asked.whole, np.uint64)
    turned = np.frombuffer(asked.trimmed, np.uint64).reshape(ORIENTATIONS, WORDS)
    for start in range(0, columns.used, IMAGES_PER_STEP):
        end = min(start + IMAGES_PER_STEP, columns.used)
        reach = columns.reach[start:end]
        both = [(columns.whole[:, start:end], whole), *((columns.trimmed[:, start:end], one) for one in turned)]
        best = np.full(end - start, HALF_REACH + 1, np.uint8)
        for theirs, ours in both:
            first = np.bitwise_count(theirs[0] ^ ours[0])
            first += np.bitwise_count(theirs[1] ^ ours[1])
            np.minimum(best, first, out=best)
        maybe = np.flatnonzero((best <= min(own, HALF_REACH)) & (best < reach))
        if not len(maybe):
            continue
        distances = np.min([_differing(theirs[:, maybe], ours) for theirs, ours in both], axis=0)
        is_near = (distances <= own) & (distances < reach[maybe])
        if is_near.any():
            yield maybe[is_near] + start, distances[is_near]


def _differing(theirs: Words, ours: Words) -> npt.NDArray[np.uint16]:
    """Return in how many bits each of `theirs`, (4, n), differs from `ours`, (4,)."""
    return np.asarray(np.bitwise_count(theirs ^ ours[:, None]).sum(axis=0, dtype=np.uint16))


# ---- Following the database


@dataclass(frozen=True)
class _Read:
    rows: Rows
    reach: npt.NDArray[np.uint8]
    whole: Words
    trimmed: Words


def _room(slots: int) -> _Columns:
    def words() -> Words:
        return np.zeros((WORDS, slots), np.uint64)

    return _Columns(np.zeros(slots, np.int64), np.zeros(slots, np.uint8), words(), words())


def _read(
    connection: Connection, *, rows: sa.Select[tuple[int]] | None = None, after: int = 0, limit: int | None = None
) -> _Read:
    """Return what is to be known of images, in ascending order of rows."""
    visible = (images.c.state == ImageState.READY) & images.c.deleted_at.is_(None)
    first = sa.func.substr(fingerprints.c.trimmed, 1, HASH_BYTES)
    asked = (
        sa.select(fingerprints.c.image_row, fingerprints.c.quality, visible, fingerprints.c.whole, first)
        .select_from(fingerprints.join(images, images.c.row == fingerprints.c.image_row))
        .where(fingerprints.c.version == VERSION, fingerprints.c.image_row > after)
        .order_by(fingerprints.c.image_row)
        .limit(limit)
    )
    found = connection.execute(asked if rows is None else asked.where(fingerprints.c.image_row.in_(rows))).all()
    numbers, quality, is_visible, whole, trimmed = zip(*found, strict=True) if found else ((),) * 5
    allowed = np.where(np.array(quality, np.int64) >= GOOD_QUALITY, REACH + 1, POOR_REACH + 1)
    shown = np.array(is_visible, np.bool_) & (np.array(quality, np.int64) > 0)
    return _Read(
        np.array(numbers, np.int64), np.where(shown, allowed, 0).astype(np.uint8), _words(whole), _words(trimmed)
    )


def _words(hashes: tuple[bytes, ...]) -> Words:
    """Return hashes as words, (words, n)."""
    return np.ascontiguousarray(np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, WORDS).T)


def _read_all(connection: Connection) -> _Columns:
    columns, last = _room(LEAST_ROOM), 0
    while len((some := _read(connection, after=last, limit=IMAGES_PER_READ)).rows):
        columns = _added(columns, some)
        last = int(some.rows[-1])
    return columns


def _brought_on(columns: _Columns, changed: Rows, now: _Read) -> _Columns:
    """Return the columns with images that have changed as they are now."""
    held = columns.rows[: columns.used]
    if columns.used and changed[0] <= held.max():
        stale = np.flatnonzero(np.isin(held, changed))
        if len(stale):  # who compares at this moment goes on with the old ones
            columns = _Columns(columns.rows, columns.reach.copy(), columns.whole, columns.trimmed, columns.used)
            columns.reach[stale] = 0
            if np.count_nonzero(columns.reach[: columns.used]) < columns.used // 2:
                columns = _without_the_dead(columns)
    return _added(columns, now)


def _without_the_dead(columns: _Columns) -> _Columns:
    alive = np.flatnonzero(columns.reach[: columns.used])
    fresh = _room(len(alive) + LEAST_ROOM)
    return _added(
        fresh,
        _Read(columns.rows[alive], columns.reach[alive], columns.whole[:, alive], columns.trimmed[:, alive]),
    )


def _added(columns: _Columns, some: _Read) -> _Columns:
    """Return the columns with more images behind their end; the arrays are the same while there is room."""
    end = columns.used + len(some.rows)
    if end > len(columns.rows):
        roomier = _room(max(end, int(MORE_ROOM * len(columns.rows)) + LEAST_ROOM))
        for name in ("rows", "reach"):
            getattr(roomier, name)[: columns.used] = getattr(columns, name)[: columns.used]
        for name in ("whole", "trimmed"):
            getattr(roomier, name)[:, : columns.used] = getattr(columns, name)[:, : columns.used]
        roomier.used = columns.used
        columns = roomier
    here = slice(columns.used, end)
    columns.rows[here], columns.reach[here] = some.rows, some.reach
    columns.whole[:, here], columns.trimmed[:, here] = some.whole, some.trimmed
    return _Columns(columns.rows, columns.reach, columns.whole, columns.trimmed, end)
