"""Objects in a folder: the embedded default.

An object is written to a temporary file beside its place, synced, and renamed, so that a reader never sees half of
one and a power cut never loses one that was acknowledged.
"""

import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pipeline.durable import sync_folder
from pipeline.errors import ObjectNotFound, StoreUnavailable
from pipeline.stores.object_keys import is_key, segments_of
from pipeline.stores.protocols import StoredObject

log = logging.getLogger(__name__)

TEMPORARY = ".partial-"
STALE_SECONDS = 24 * 3600  # a temporary file this old was left by a crash
COPY_BYTES = 1 << 20


class FolderObjects:
    """An ObjectStore whose keys are paths below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = folder.as_uri()
        self._lasting: set[Path] = set()  # folders whose names are safe on disk in the folders around them
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.warning("the folder of the pictures cannot be made, so every use of it will fail: %s", error)

    def put(self, key: str, stream: BinaryIO, *, durable: bool = True) -> None:
        """Keep what `stream` gives under `key`, whole or not at all; synced to disk if it is to be `durable`."""
        path = self._path(key)
        with _mapped():
            if not path.parent.is_dir():
                self._lasting.clear()  # somebody may have removed and made again more than this one
                path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
            try:
                with partial.open("xb") as file:
                    shutil.copyfileobj(stream, file, COPY_BYTES)
                    if durable:
                        file.flush()
                        os.fsync(file.fileno())
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
            if durable:
                self._sync_folders(path.parent)

    def open(self, key: str) -> BinaryIO:
        """Return the object as a seekable stream."""
        path = self._path(key)
        with _mapped():
            try:
                return path.open("rb")
            except FileNotFoundError as error:
                self.folder.stat()  # a folder that has vanished is a disk that is not there, not a picture that is gone
                raise ObjectNotFound("The file of this picture is gone from the store.", detail=key) from error

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""
        path = self._path(key)
        with _mapped():
            try:
                path.stat()
            except FileNotFoundError:
                return False
        return True

    def delete(self, key: str) -> None:
        """Remove the object; it is no error when there is none."""
        with _mapped():
            self._path(key).unlink(missing_ok=True)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Remove all these objects; those that are not there are no error."""
        for key in keys:
            self.delete(key)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object whose key begins with `prefix`. Leftovers of crashed writers are swept on the way."""
        oldest = datetime.now(UTC).timestamp() - STALE_SECONDS
        with _mapped():
            for path in self._files():
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                key = self._key(path)
                if path.name.startswith(TEMPORARY):
                    if status.st_mtime < oldest:
                        path.unlink(missing_ok=True)
                elif key is not None and key.startswith(prefix):
                    yield StoredObject(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def check(self) -> None:
        """Return when the folder can be written to."""
        with _mapped():
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / f"{TEMPORARY}{secrets.token_hex(8)}"
            probe.touch()
            probe.unlink()

    def _path(self, key: str) -> Path:
        *folders, name = segments_of(key)
        # The last segment is a hash: its first two letters spread millions of files over 256 folders.
        return self.folder.joinpath(*folders, name[:2], name)

    def _key(self, path: Path) -> str | None:
        """Return the key of the object that lies at `path`; None for a file that somebody else left in the folder."""
        *parents, shard, name = ("", *path.relative_to(self.folder).parts)
        key = "/".join([*parents[1:], name])
        return key if shard == name[:2] and is_key(key) else None

    def _files(self) -> Iterator[Path]:
        for folder, _, names in os.walk(self.folder, onerror=_raise_unless_gone):
            for name in names:
                yield Path(folder, name)

    def _sync_folders(self, folder: Path) -> None:
        """Make the names in `folder` safe on disk, and once in this process those of the folders that lead to it."""
        sync_folder(folder)
        while folder != self.folder and folder not in self._lasting:
            sync_folder(folder.parent)
            self._lasting.add(folder)
            folder = folder.parent


def _raise_unless_gone(error: OSError) -> None:
    """Let a walk pass over a folder that is not there (yet, or any more), and over nothing else."""
    if not isinstance(error, FileNotFoundError):
        raise error


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            "The folder of the pictures cannot be used. Is the disk full, or its permission gone?",
            detail=str(error),
        ) from error
