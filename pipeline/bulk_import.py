"""Bringing whole folders in: many files, several at a time, again and again without doing anything twice.

A file that was imported before and has not changed since (same path, size and time of change) is not even read, so an
import that was interrupted is simply started again. A file that cannot be read is told, and never ends the import.
"""

import errno
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pipeline.backend import Backend
from pipeline.current_backend import CurrentBackend
from pipeline.errors import ImageRejected, StoreUnavailable
from pipeline.ingest import Accepted, accept_into
from pipeline.patience import Patience, no_patience
from pipeline.principals import Principal
from pipeline.stores import records_imports
from pipeline.uploads import Upload, existing_file, file_stamp, spooled
from pipeline.worker import Worker

READERS = 4
"""Files taken in side by side. Reading waits for the disk and for its syncs, so a few more than cores pay."""

READ_AHEAD = 64  # files in hand or queued at once; bounds memory, and how much an interrupted import still finishes

NO_FAULT_OF_THE_FILE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors that every further file would meet as well; refusing them one by one would hide what is wrong."""

NO_ROOM = (
    "This machine has run out of room for temporary files, or of open files. Please mend that and run the same "
    "command again."
)
NO_PERMISSION = "There is no permission to read this file."
GONE = "This file is gone, or a link that leads nowhere."
UNREADABLE = "This file could not be read: {reason}."
NAME_NOT_TEXT = (
    "The name of this file is not valid text, so it cannot be used where it lies. Please rename it, "
    "or import without --in-place."
)


class Outcome(StrEnum):
    """What became of one file."""

    NEW = "new"
    EXISTING = "existing"
    RESTORED = "restored"  # its bytes were there already, and deleted
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)  # there may be a million of them
class FileResult:
    """One file, as an absolute path, and its outcome; `sentence` says why it was refused."""

    path: str
    outcome: Outcome
    sentence: str = ""


@dataclass(frozen=True)
class Destination:
    """Into which library files go, for whom, and whether they are referred to `in_place` instead of copied.

    `library` is an id, such as `access.upload_library` finds.
    """

    library: str
    principal: Principal
    in_place: bool = False


def import_files(
    backend: Backend,
    files: Sequence[str],
    places: Sequence[str],
    destination: Destination,
    patience: Patience | None = None,
) -> Iterator[FileResult]:
    """Accept `files`, which lie in or below `places`, and yield what became of each, in order.

    Raises InvalidQuery or NotAllowed for an impossible library, and StoreUnavailable when a store goes away for longer
    than `patience` bears, which is at once without any; what was accepted until then stays. Closing the iterator lets
    the files in hand be finished.
    """
    patience = patience or no_patience()
    known = patience.bear(lambda: _known_stamps(backend, places, destination.library))
    pool = ThreadPoolExecutor(READERS, thread_name_prefix="import")
    pending: deque[Future[FileResult]] = deque()
    try:
        for path in files:
            stamp = known.get(as_text(path))
            pending.append(pool.submit(_import_file, backend, path, stamp, destination, patience))
            if len(pending) >= READ_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        patience.stop()
        pool.shutdown(cancel_futures=True)


def count_waiting(backend: Backend, places: Sequence[str], library: str) -> int:
    """Return how many images from in or below `places` still wait for analysis, by whichever process."""
    with backend.database.read() as connection:
        return records_imports.count_waiting(connection, library, [as_text(place) for place in places])


def list_failures(backend: Backend, places: Sequence[str], library: str) -> list[FileResult]:
    """Return the files from in or below `places` that were accepted and then failed in analysis."""
    with backend.database.read() as connection:
        found = records_imports.failures(connection, library, [as_text(place) for place in places])
    return [FileResult(path, Outcome.REFUSED, sentence) for path, sentence in found]


@contextmanager
def working(backend: Backend | CurrentBackend) -> Iterator[Worker]:
    """Run a worker in a thread for as long as the block lasts; at its end the pictures in hand are finished.

    It follows a change of encoder, which may come while much is imported.
    """
    if isinstance(backend, Backend):
        with CurrentBackend(backend, is_borrowed=True) as current, working(current) as worker:
            yield worker
        return
    worker = Worker(backend)
    thread = threading.Thread(target=worker.run, name="worker", daemon=True)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join()


def as_text(path: str) -> str:
    """Return a path as it is recorded: file systems allow bytes that are no text, databases do not."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _known_stamps(backend: Backend, places: Sequence[str], library: str) -> dict[str, str]:
    known: dict[str, str] = {}
    with backend.database.read() as connection:
        for place in places:
            known |= records_imports.imported_stamps(connection, library, as_text(place))
    return known


def _import_file(
    backend: Backend, path: str, known_stamp: str | None, destination: Destination, patience: Patience
) -> FileResult:
    try:
        stamp = file_stamp(Path(path).stat())
        if stamp == known_stamp:
            return FileResult(path, Outcome.UNCHANGED)
        accepted = patience.bear(lambda: _accept_file(backend, path, stamp, destination))
    except ImageRejected as error:
        return FileResult(path, Outcome.REFUSED, error.user_message)
    except PermissionError:
        return FileResult(path, Outcome.REFUSED, NO_PERMISSION)
    except FileNotFoundError:
        return FileResult(path, Outcome.REFUSED, GONE)
    except OSError as error:
        if error.errno in NO_FAULT_OF_THE_FILE:
            raise StoreUnavailable(NO_ROOM, detail=str(error)) from error
        return FileResult(path, Outcome.REFUSED, UNREADABLE.format(reason=error.strerror or error))
    return FileResult(path, _outcome(accepted))


def _outcome(accepted: Accepted) -> Outcome:
    if accepted.restored:
        return Outcome.RESTORED
    return Outcome.EXISTING if accepted.existing else Outcome.NEW


def _accept_file(backend: Backend, path: str, stamp: str, destination: Destination) -> Accepted:
    limit = backend.settings.max_upload_bytes
    if destination.in_place:
        if as_text(path) != path:
            raise ImageRejected(NAME_NOT_TEXT)
        return _accept(backend, existing_file(Path(path), max_bytes=limit), path, stamp, destination)
    # A copy is taken first, so that what is kept is what was hashed, even if somebody is still writing the file.
    name = os.fsencode(Path(path).name).decode("utf-8", "replace")
    with Path(path).open("rb") as stream, spooled(stream, name, max_bytes=limit) as upload:
        return _accept(backend, upload, path, stamp, destination)


def _accept(backend: Backend, upload: Upload, path: str, stamp: str, destination: Destination) -> Accepted:
    return accept_into(
        backend,
        upload,
        destination.principal,
        destination.library,
        place=Path(as_text(path)),
        in_place=destination.in_place,
        file_stamp=stamp,
    )
