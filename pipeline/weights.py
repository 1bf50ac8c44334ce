"""Where model files come from: pulling them from a hub, comparing them with their checksums, removing them.

A file is moved to its place when its checksum is right, and `card.json`, with the revision, sizes and checksums of all
that was pulled, is written when every file is there. What an interruption leaves is used by the next pull.
"""

import logging
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pipeline.errors import ModelHubUnavailable, ModelUnusable
from pipeline.features.encoders import lite
from pipeline.features.encoders.cards import ModelCard, ModelFile
from pipeline.features.encoders.catalog import CATALOG
from pipeline.features.encoders.clip_files import checked_path
from pipeline.features.encoders.model_folder import check_sizes, installed_card, installed_names
from pipeline.features.encoders.registry import find
from pipeline.model_files import changing, digest_of, drop_folder, is_right, need_space, put_in_place, write_card
from pipeline.model_hub import ModelHub, RemoteFile

logger = logging.getLogger(__name__)

PARTS = ".parts"
"""The folder, in that of a model, of what is not whole yet. A part is called by the checksum it will have."""

MOST_INTERRUPTIONS = 20  # of one file; a connection that breaks after each megabyte is not worth more

Progress = Callable[[int, int], None]
"""Is told how many bytes of how many are there. What it raises ends a pull, and what was fetched stays."""

State = Literal["here", "partly", "missing"]


@dataclass(frozen=True)
class _Wanted:
    """A file to fetch: what the card says of it, what the hub says, and the revision to ask for."""

    file: ModelFile
    remote: RemoteFile
    revision: str

    @property
    def digest(self) -> str:
        return self.file.sha256 or self.remote.digest or ""

    @property
    def bytes(self) -> int:
        return self.file.bytes if self.file.bytes is not None else self.remote.bytes or 0


def pull(name: str, models_dir: Path, hub: ModelHub, on_progress: Progress = lambda _done, _total: None) -> ModelCard:
    """Return the card of the model `name` when all of it is in `models_dir`; fetch what lacks or is damaged from `hub`.

    Two processes may do so at once: the second waits, calling `on_progress` with (0, 0). Raises ModelUnusable, with a
    sentence that says what to do, and its ModelHubUnavailable when the hub is at fault.
    """
    card = _card_to_pull(name, models_dir)
    if (installed := _sound(name, models_dir)) is not None:  # in a folder, perhaps, that may only be read
        return installed
    with changing(models_dir, name, wait=lambda: on_progress(0, 0)) as folder:
        if (installed := _sound(name, models_dir)) is not None:
            return installed
        pinned = _fetch(card, folder, hub, on_progress)
        write_card(folder, pinned)
        shutil.rmtree(folder / PARTS, ignore_errors=True)
    return pinned


def state(name: str, models_dir: Path) -> State:
    """Return whether the model is here, by the sizes of its files."""
    if _whole(name, models_dir):
        return "here"
    try:
        return "partly" if any((models_dir / name).iterdir()) else "missing"
    except OSError:
        return "missing"


def _sound(name: str, models_dir: Path) -> ModelCard | None:
    card = _whole(name, models_dir)
    return card if card and all(is_right(models_dir / name / file.path, file) for file in card.files) else None


def _whole(name: str, models_dir: Path) -> ModelCard | None:
    try:
        card = installed_card(models_dir, name)
        if card:
            check_sizes(models_dir / name, card)
    except ModelUnusable as error:
        logger.info("%s", error)
        return None
    return card


def present(models_dir: Path) -> list[str]:
    """Return the names of the models that are in `models_dir`, or a part of them, in alphabetical order."""
    return sorted({*installed_names(models_dir), *(name for name in CATALOG if state(name, models_dir) != "missing")})


def faults(name: str, models_dir: Path) -> list[str]:
    """Return what is wrong with the model `name` in `models_dir`: a sentence for each file that is not as it should be.

    Raises ModelUnusable when nothing of it is there.
    """
    if name not in present(models_dir):
        raise ModelUnusable(f"The model {name} is not here. `likeness models list` shows which are.")
    try:
        card = installed_card(models_dir, name)
    except ModelUnusable as error:
        return [error.user_message]
    if card is None:
        return [f"Only a part of the model {name} is here. Please run `likeness models pull {name}`."]
    found = []
    for file in card.files:
        try:
            checked_path(models_dir / name, card, file)
        except ModelUnusable as error:
            found.append(error.user_message)
    return found


def remove(name: str, models_dir: Path) -> None:
    """Remove the files of a model. Raises ModelUnusable when there are none."""
    if name == lite.NAME:
        raise ModelUnusable(f"The encoder {lite.NAME} comes with the program and cannot be removed.")
    if name not in CATALOG:
        find(name, models_dir)
    if state(name, models_dir) == "missing":
        raise ModelUnusable(f"The model {name} is not here, so nothing was removed.")
    with changing(models_dir, name) as folder:
        drop_folder(folder)


def _card_to_pull(name: str, models_dir: Path) -> ModelCard:
    if name == lite.NAME:
        raise ModelUnusable(f"The encoder {lite.NAME} comes with the program; there is nothing to pull.")
    card = CATALOG.get(name) or find(name, models_dir).card
    if card is None or not card.repository:
        raise ModelUnusable(f"The model {name} did not come from a model hub. Please export or import it again.")
    return card


def _fetch(card: ModelCard, folder: Path, hub: ModelHub, on_progress: Progress) -> ModelCard:
    """Return the pinned card when each of its files is in its place."""
    parts = folder / PARTS
    parts.mkdir(parents=True, exist_ok=True)
    present = [file for file in card.files if file.sha256 and is_right(folder / file.path, file)]
    wanted = _ask(card, [file for file in card.files if file not in present], hub)
    lacking = [item for item in wanted if not _is_there(item, folder)]
    total = sum(_size(folder / file.path) for file in present) + sum(item.bytes for item in wanted)
    there = total - sum(item.bytes for item in lacking)
    begun = {item.digest: _size(_part(parts, item)) for item in lacking}
    need_space(folder.parent, card.name, sum(max(0, item.bytes - begun[item.digest]) for item in lacking))
    for item in lacking:
        _fetch_file(card, item, folder, hub, _after(there, total, on_progress))
        there += item.bytes
    return replace(
        card,
        revision=next((item.revision for item in wanted), card.revision),
        files=tuple(_pinned(file, folder) for file in card.files),
    )


def _ask(card: ModelCard, files: list[ModelFile], hub: ModelHub) -> list[_Wanted]:
    """Return what `hub` says about `files`, all of one revision. Raises ModelUnusable when it is unexpected."""
    revision = card.revision or "main"
    wanted: list[_Wanted] = []
    for file in files:
        remote = hub.describe(card.repository or "", revision, file.source or file.path)
        revision = card.revision or remote.revision or revision
        item = _Wanted(file, remote, revision)
        differs = file.sha256 and len(remote.digest or "") == len(file.sha256) and remote.digest != file.sha256
        if differs or (file.bytes is not None and remote.bytes not in {None, file.bytes}):
            raise ModelUnusable(
                f"The model hub has another {file.path} of {card.name} than the one this version of Likeness knows. "
                "Please update Likeness, or ask another hub with LIKENESS_HUB.",
                detail=f"{remote} instead of {file}",
            )
        if not item.bytes or len(item.digest) not in {40, 64} or set(item.digest) - set("0123456789abcdef"):
            raise ModelHubUnavailable(
                f"The model hub does not tell the size and checksum of {file.path} of {card.name}. Please ask another "
                "one with LIKENESS_HUB.",
                detail=str(remote),
            )
        wanted.append(item)
    return wanted


def _fetch_file(
    card: ModelCard, item: _Wanted, folder: Path, hub: ModelHub, on_progress: Callable[[int], None]
) -> None:
    """Put the file in its place. Raises ModelUnusable, and removes what came, when the checksum is wrong."""
    part = _part(folder / PARTS, item)
    if _size(part) > item.bytes:
        part.unlink()
    for _ in range(MOST_INTERRUPTIONS):
        before = _size(part)
        if part.exists() and before == item.bytes:
            break
        try:
            _append(card, item, part, hub, on_progress)
        except ModelHubUnavailable:
            if _size(part) <= before:
                raise
            logger.info("The download of %s was interrupted after %d bytes and goes on.", part, _size(part))
    if _size(part) != item.bytes or digest_of(part, item.digest) != item.digest:
        part.unlink(missing_ok=True)
        raise ModelUnusable(
            f"What came as {item.file.path} of {card.name} has the wrong checksum and was thrown away. Please try "
            "again, or ask another hub with LIKENESS_HUB."
        )
    put_in_place(part, folder / item.file.path)


def _append(card: ModelCard, item: _Wanted, part: Path, hub: ModelHub, on_progress: Callable[[int], None]) -> None:
    """Fetch what `part` lacks, at most what the file should have."""
    pieces = hub.read(card.repository or "", item.revision, item.file.source or item.file.path, _size(part))
    with closing(pieces), part.open("ab") as file:
        for place, piece in pieces:
            file.truncate(place)
            file.write(piece)
            file.flush()
            on_progress(place + len(piece))
            if place + len(piece) > item.bytes:
                break


def _is_there(item: _Wanted, folder: Path) -> bool:
    """Whether an earlier pull has put the file in its place; of one that is not pinned only the hub can tell."""
    path = folder / item.file.path
    return _size(path) == item.bytes and digest_of(path, item.digest) == item.digest


def _after(before: int, total: int, on_progress: Progress) -> Callable[[int], None]:
    return lambda done: on_progress(before + done, total)


def _part(parts: Path, item: _Wanted) -> Path:
    return parts / f"{item.digest}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _pinned(file: ModelFile, folder: Path) -> ModelFile:
    path = folder / file.path
    return replace(file, bytes=path.stat().st_size, sha256=file.sha256 or digest_of(path))
