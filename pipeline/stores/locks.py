"""A lock between the processes on one data folder: a file beside the database that one thread at a time has locked."""

import fcntl
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import StoreUnavailable

POLL_SECONDS = 0.02  # between two tries to get a lock that another process has

_memory_locks: dict[str, threading.Lock] = {}  # for databases in memory, which no other process can see


@contextmanager
def file_lock(database: str, name: str, deadline: float) -> Iterator[bool]:
    """Give whether the lock `name` beside the file `database` was got before `deadline`, on the monotonic clock.

    The system releases the lock of a process that dies. Raises StoreUnavailable when its file cannot be made.
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    if not database or database == ":memory:":
        with _memory_lock(digest, deadline) as held:
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
def _memory_lock(name: str, deadline: float) -> Iterator[bool]:
    lock = _memory_locks.setdefault(name, threading.Lock())
    held = lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
    try:
        yield held
    finally:
        if held:
            lock.release()
