"""Writing into the folder of a model so that a crash, a full disk or a second process leaves nothing half done.

Files come in under another name and are moved when they are right; `card.json` comes last. One process at a time
changes a model: the system releases the lock of one that dies.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.durable import sync_folder
from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import CARD_FILE, ModelCard, ModelFile, as_json
from pipeline.features.encoders.clip_files import sha256_of

POLL_SECONDS = 0.1  # between two tries to get the lock of a model

SPARE_BYTES = 32_000_000
"""What has to stay free on a disk: a database on it would stop working before long."""

READABLE = 0o644  # an image is built by one user and run by another, and there is nothing secret in a model
PIECE_BYTES = 1 << 20

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def changing(models_dir: Path, name: str, *, wait: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """Give the folder of the model `name` to this process alone; `wait` is called now and then before, and may raise.

    Raises ModelUnusable with a sentence when a disk is full or a folder cannot be written, in the block too.
    """
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with (models_dir / f".{name}.lock").open("ab") as file:  # closing it releases the lock
            while not _locked(file.fileno()):
                wait()
                time.sleep(POLL_SECONDS)
            yield models_dir / name
    except OSError as error:
        if error.errno in NO_SPACE:
            raise ModelUnusable(
                f"There is not enough space in {models_dir} for the model {name}. Please make some and try again; what "
                "is there already stays.",
                detail=str(error),
            ) from error
        raise ModelUnusable(
            f"The model {name} cannot be written into {models_dir}: {(error.strerror or str(error)).lower()}. Please "
            "mend that, or choose another folder with LIKENESS_MODELS.",
            detail=str(error),
        ) from error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def need_space(models_dir: Path, name: str, needed: int) -> None:
    """Return when `needed` bytes fit into `models_dir`. Raises ModelUnusable saying how much is missing."""
    free = shutil.disk_usage(models_dir).free
    if needed and needed + SPARE_BYTES > free:
        raise ModelUnusable(
            f"The model {name} needs {needed / 1e6:,.0f} MB more in {models_dir}, where {free / 1e6:,.0f} MB are free. "
            "Please make space, or choose another folder with LIKENESS_MODELS."
        )


def digest_of(path: Path, like: str | None = None) -> str:
    """Return the SHA-256 of a file, or, `like` a digest of 40 digits, the SHA-1 that git gives it."""
    git = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    if like is None or len(like) != git.digest_size * 2:
        return sha256_of(path)
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            git.update(piece)
    return git.hexdigest()


def is_right(path: Path, file: ModelFile) -> bool:
    """Return whether `path` holds `file`, by size and SHA-256 as far as they are known."""
    try:
        size = path.stat().st_size
    except OSError:
        return False
    return file.bytes in {None, size} and (file.sha256 is None or digest_of(path) == file.sha256)


def put_in_place(part: Path, target: Path) -> None:
    """Move a file that is whole to where it belongs, so that a power cut leaves all of it or nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part.chmod(READABLE)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    sync_folder(target.parent)


def write_card(folder: Path, card: ModelCard) -> None:
    """Write `card.json`, whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".card-", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(as_json(card))
        put_in_place(Path(temporary), folder / CARD_FILE)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def exchange_folder(arriving: Path, folder: Path) -> None:
    """Let `arriving` take the place of `folder`; what interrupts that leaves the one or the other there, whole."""
    before = folder.with_name(f".{folder.name}.before")
    try:
        if folder.exists():
            drop_folder(before)
            folder.replace(before)
        arriving.replace(folder)
    except BaseException:
        if before.exists() and not folder.exists():
            before.replace(folder)
        raise
    sync_folder(folder.parent)
    drop_folder(before)


def drop_folder(folder: Path) -> None:
    """Remove the folder of a model, its card first: what is left by an interruption is no model."""
    (folder / CARD_FILE).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
