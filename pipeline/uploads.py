"""A file on its way in: spooled to disk, hashed and checked before anything is kept."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.features.limits import check_bytes

PREFIX, SUFFIX = "likeness-", ".upload"  # of spooled files in the system's temporary folder
STALE_SECONDS = 24 * 3600  # a spooled file this old was left by a process that was killed
CHUNK = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class Upload:
    """A file that lies at `path`; `filename` is what its sender called it, `sha256` is of its bytes."""

    path: Path
    filename: str
    bytes: int
    sha256: str


@contextmanager
def spooled(stream: BinaryIO, filename: str, *, max_bytes: int) -> Iterator[Upload]:
    """Write `stream` to a temporary file while hashing it; the file is gone when the block ends.

    Raises TooManyBytes as soon as the limit is passed.
    """
    digest = hashlib.sha256()
    size = 0
    with tempfile.NamedTemporaryFile(prefix=PREFIX, suffix=SUFFIX) as file:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            check_bytes(size, max_bytes)
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        yield Upload(Path(file.name), filename, size, digest.hexdigest())


def existing_file(path: Path, *, max_bytes: int) -> Upload:
    """Return a file that lies on this machine already, hashed. Raises TooManyBytes and OSError."""
    size = path.stat().st_size
    check_bytes(size, max_bytes)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Upload(path, path.name, size, digest)


def file_stamp(status: os.stat_result) -> str:
    """Return size and time of change of a file: while both are the same, nobody has written to it."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def remove_leftovers() -> int:
    """Remove the spooled files that killed processes of this user left a day ago or longer; return how many."""
    oldest = time.time() - STALE_SECONDS
    removed = 0
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*{SUFFIX}"):
        with suppress(FileNotFoundError):  # another process removed it first
            if path.stat().st_mtime < oldest and os.access(path, os.W_OK):
                path.unlink()
                removed += 1
    return removed
