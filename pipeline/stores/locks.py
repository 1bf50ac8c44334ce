"""Locks between threads, and between the processes on one data folder: a file beside the database that one has locked.

`Held` is what whoever asks for a lock gets, also for a lock that a database server keeps.
"""

import fcntl
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import StoreUnavailable

POLL_SECONDS = 0.02  # between two tries to get a lock that another process has

LOST = "The connection to the database was lost in the middle of something. Please try again."


class Held:
    """Whether a lock is held, for `if`. `ask`, if any, raises StoreUnavailable when it has been lost since."""

    def __init__(self, ask: Callable[[], None] | None = None, *, is_held: bool = True) -> None:
        self._ask = ask
        self._is_held = is_held

    def __bool__(self) -> bool:
        return self._is_held

    def confirm(self) -> None:
        """Return when the lock is held still. Raises StoreUnavailable otherwise."""
        if not self._is_held:
            raise StoreUnavailable(LOST)
        if self._ask:
            try:
                self._ask()
            except StoreUnavailable:
                self._is_held = False
                raise


NOT_HELD = Held(is_held=False)

_memory_locks: dict[str, threading.Lock] = {}  # for databases in memory, which no other process can see


@contextmanager
def file_lock(database: str, name: str, deadline: float) -> Iterator[bool]:
    """Give whether the lock `name` beside the file `database` was got before `deadline`, on the monotonic clock.

    The system releases the lock of a process that dies. Raises StoreUnavailable when its file cannot be made.
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    if not database or database == ":memory:":
        with in_process(_memory_locks, digest, deadline) as held:
            yield held
        return
    path = Path(f"{database}.{digest}.lock")
    try:
        file = path.open("ab")
    except OSError as error:
        raise StoreUnavailable("The folder of the database cannot be written to.", detail=str(error)) from error
    with file:  # closing it releases the lock
        held = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    break
                time.sleep(POLL_SECONDS)
            else:
                held = True
                break
        yield held


@contextmanager
def in_process(known: dict[str, threading.Lock], name: str, deadline: float) -> Iterator[bool]:
    """Give whether the lock `name` of those `known` was got from the other threads before `deadline`."""
    lock = known.setdefault(name, threading.Lock())
    held = lock.acquire(timeout=min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX))
    try:
        yield held
    finally:
        if held:
            lock.release()
