"""Copying objects from one store to another while both are in use.

Every original is read back and compared by its SHA-256, which is also its name, also one that was there already;
thumbnails, which can be made again, only by their length. What is there already and whole is not copied again, so an
interrupted copy goes on. Nothing is ever removed.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from pipeline.errors import ObjectNotFound, StoreUnavailable
from pipeline.images import image_of_key, original_key
from pipeline.stores.inventories import Inventory
from pipeline.stores.protocols import ObjectStore

THREADS = 8
"""Objects copied side by side: what takes time is the answer of a server, or of a disk that syncs."""

DIFFERENT = "A file was different when it was read back from the new store. Please run `likeness move` again."
UNREADABLE = "A file of the old store cannot be read. Is its disk damaged?"


@dataclass
class Copied:
    """How many objects and bytes were copied, and which originals were damaged in the old store already.

    `found` originals were in the new store before, as they are in the old one.
    """

    objects: int = 0
    bytes: int = 0
    found: int = 0
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Done:
    """One object that is in the new store now: whether it was copied, and whether it is as its name says."""

    key: str
    size: int
    is_copied: bool
    is_whole: bool


def copy_objects(
    source: ObjectStore, target: ObjectStore, keys: Iterable[str], held: Inventory, tell: Callable[[int], None]
) -> Copied:
    """Copy the objects `keys`, and add them to what the target has; `tell` is told how many each time some are done.

    Originals that the target has already are copied only if they are not whole.

    Those that are gone from the source are passed over. Raises StoreUnavailable when a store does not answer, or when
    an original is different in the target.
    """
    copied = Copied()
    running: set[Future[_Done | None]] = set()
    with _pool() as pool:
        for key in keys:
            running.add(pool.submit(_bring, source, target, key, is_there=key in held))
            if len(running) >= 2 * THREADS:
                running = _gather(running, copied, held, tell)
        while running:
            running = _gather(running, copied, held, tell)
    return copied


def wanted(source: ObjectStore, held: Inventory, tell: Callable[[int], None]) -> Iterator[str]:
    """Yield the keys of the source that are to be brought to the target; `tell` is told of the others.

    They are those that it lacks, or has with another length, and originals that have not been verified there.
    """
    for stored in source.list(""):
        is_there = held.size_of(stored.key) == stored.bytes
        if image_of_key(stored.key) is None or (
            is_there and (not _is_original(stored.key) or held.is_verified(stored.key))
        ):
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
    running: set[Future[_Done | None]],
    copied: Copied,
    held: Inventory,
    tell: Callable[[int], None],
) -> set[Future[_Done | None]]:
    """Wait for some of what is running; return the rest."""
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        found = future.result()
        if found is None:
            continue
        if found.is_whole and _is_original(found.key):
            held.verify(found.key, found.size)
        else:
            held.add(found.key, found.size)
        copied.objects += found.is_copied
        copied.bytes += found.size if found.is_copied else 0
        copied.found += not found.is_copied
        if not found.is_whole:
            copied.damaged.append(found.key)
    tell(len(done))
    return rest


def _bring(source: ObjectStore, target: ObjectStore, key: str, *, is_there: bool) -> _Done | None:
    """Let one object be in the target, which may have it already; return None when the source has it no more."""
    if not _is_original(key):
        return _copy_thumbnail(source, target, key)
    name = key.rpartition("/")[2]
    there = _digest_of(target, key) if is_there else None
    if there and there[0] == name:
        return _Done(key, there[1], is_copied=False, is_whole=True)
    try:
        stream = source.open(key)
    except ObjectNotFound:  # purged since it was listed
        return None
    with stream:
        digest, size = _digest(stream)
        if there and there[0] == digest:  # as damaged as it is here
            return _Done(key, size, is_copied=False, is_whole=False)
        stream.seek(0)
        target.put(key, stream)
    copy = _digest_of(target, key)
    if copy is None or copy[0] != digest:
        target.delete(key)  # whoever looks for what is there shall not find it
        raise StoreUnavailable(DIFFERENT, detail=key)
    return _Done(key, size, is_copied=True, is_whole=digest == name)


def _copy_thumbnail(source: ObjectStore, target: ObjectStore, key: str) -> _Done | None:
    try:
        stream = source.open(key)
    except ObjectNotFound:
        return None
    with stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        target.put(key, stream, durable=False)
    return _Done(key, size, is_copied=True, is_whole=True)


def _is_original(key: str) -> bool:
    owner = image_of_key(key)
    return owner is not None and key == original_key(*owner)


def _digest_of(store: ObjectStore, key: str) -> tuple[str, int] | None:
    """Return the SHA-256 and the length of an object, or None when there is none."""
    try:
        with store.open(key) as stream:
            return _digest(stream)
    except ObjectNotFound:
        return None


def _digest(stream: BinaryIO) -> tuple[str, int]:
    try:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type] # any binary stream will do
        return digest, stream.seek(0, 2)
    except OSError as error:
        raise StoreUnavailable(UNREADABLE, detail=str(error)) from error
