"""Copying objects from one store to another while both are in use.

Every original is read back and compared by its SHA-256, which is also its name; thumbnails, which can be made again,
only by their length. What is there already with the right length is not copied again, so an interrupted copy goes on.
Nothing is ever removed.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from pipeline.errors import ObjectNotFound, StoreUnavailable
from pipeline.images import image_of_key, original_key
from pipeline.stores.protocols import ObjectStore

THREADS = 8
"""Objects copied side by side: what takes time is the answer of a server, or of a disk that syncs."""

KEY_BYTES = 8
"""Of the hash by which a key is remembered, instead of its hundred letters. Among ten million keys two have the same
with a chance of 1 to 370,000."""

DIFFERENT = "A file was different when it was read back from the new store. Please run `likeness move` again."
UNREADABLE = "A file of the old store cannot be read. Is its disk damaged?"


@dataclass
class Copied:
    """How many objects and bytes were copied, and which originals were damaged in the old store already."""

    objects: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)


class Inventory:
    """Which objects a store has, with their lengths: some 140 bytes of memory each."""

    def __init__(self) -> None:
        self._bytes: dict[int, int] = {}

    def add(self, key: str, size: int) -> None:
        """Remember an object of so many bytes."""
        self._bytes[_short(key)] = size

    def size_of(self, key: str) -> int | None:
        """Return the length of an object, or None when there is none under this key."""
        return self._bytes.get(_short(key))

    def __contains__(self, key: str) -> bool:
        return _short(key) in self._bytes


def take_inventory(store: ObjectStore) -> Inventory:
    """Return what is in a store."""
    inventory = Inventory()
    for stored in store.list(""):
        inventory.add(stored.key, stored.bytes)
    return inventory


def has_others(store: ObjectStore, known: ObjectStore) -> bool:
    """Whether `store` holds originals that `known` does not hold, and so those of somebody else."""
    originals = [stored.key for stored in store.list("originals/")]
    return bool(originals) and not set(originals) <= {stored.key for stored in known.list("originals/")}


def copy_objects(
    source: ObjectStore, target: ObjectStore, keys: Iterable[str], held: Inventory, tell: Callable[[int], None]
) -> Copied:
    """Copy the objects `keys`, and add them to what the target has; `tell` is told how many each time some are done.

    Those that are gone from the source are passed over. Raises StoreUnavailable when a store does not answer, or when
    an original is different in the target.
    """
    copied = Copied()
    running: set[Future[tuple[str, int, bool] | None]] = set()
    with _pool() as pool:
        for key in keys:
            running.add(pool.submit(_copy, source, target, key))
            if len(running) >= 2 * THREADS:
                running = _gather(running, copied, held, tell)
        while running:
            running = _gather(running, copied, held, tell)
    return copied


def wanted(source: ObjectStore, held: Inventory, tell: Callable[[int], None]) -> Iterator[str]:
    """Yield the keys of the source that the target lacks or has with another length; `tell` is told of the others."""
    for stored in source.list(""):
        if image_of_key(stored.key) is None or held.size_of(stored.key) == stored.bytes:
            tell(1)
        else:
            yield stored.key


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Give threads; whatever ends the block early ends what has not begun."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="copy")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _gather(
    running: set[Future[tuple[str, int, bool] | None]],
    copied: Copied,
    held: Inventory,
    tell: Callable[[int], None],
) -> set[Future[tuple[str, int, bool] | None]]:
    """Wait for some of what is running; return the rest."""
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        found = future.result()
        if found:
            key, size, is_whole = found
            held.add(key, size)
            copied.objects += 1
            copied.bytes += size
            if not is_whole:
                copied.damaged.append(key)
    tell(len(done))
    return rest


def _copy(source: ObjectStore, target: ObjectStore, key: str) -> tuple[str, int, bool] | None:
    """Copy one object; return its key, its length, and whether it was whole; None when it is gone."""
    owner = image_of_key(key)
    is_original = owner is not None and key == original_key(*owner)
    try:
        stream = source.open(key)
    except ObjectNotFound:  # purged since it was listed
        return None
    with stream:
        digest, size = _digest(stream)
        stream.seek(0)
        target.put(key, stream, durable=is_original)
    if owner is None or not is_original:
        return key, size, True
    with target.open(key) as copy:
        is_same = _digest(copy)[0] == digest
    if not is_same:
        target.delete(key)  # or the next try would take it for copied, because it is as long
        raise StoreUnavailable(DIFFERENT, detail=key)
    return key, size, digest == owner[1]


def _digest(stream: BinaryIO) -> tuple[str, int]:
    try:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type] # any binary stream will do
        return digest, stream.seek(0, 2)
    except OSError as error:
        raise StoreUnavailable(UNREADABLE, detail=str(error)) from error


def _short(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=KEY_BYTES).digest(), "big")
