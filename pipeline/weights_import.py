"""Bringing a model in without a network: from a folder or an archive that somebody carried here.

It holds either a `card.json` with its files, as an export writes it, or the files of a model of the catalog under the
names they have on the hub. Of an archive only the files that the card names are read, each into a place of our own; one
with links, or with names that lead out of it, is refused as a whole.
"""

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from pipeline.errors import ModelUnusable
from pipeline.features.encoders import lite
from pipeline.features.encoders.cards import CARD_FILE, ModelCard, ModelFile, check_name
from pipeline.features.encoders.catalog import CATALOG
from pipeline.features.encoders.clip import open_clip
from pipeline.features.encoders.model_folder import LONGEST_CARD, parse_card
from pipeline.features.encoders.protocol import Encoder
from pipeline.features.encoders.trial import try_out
from pipeline.model_files import (
    PIECE_BYTES,
    changing,
    digest_of,
    drop_folder,
    exchange_folder,
    need_space,
    put_in_place,
    write_card,
)

LARGEST_FILE_BYTES = 20_000_000_000
"""What a file of a model may have where its card does not say it: far more than any we know, less than a disk."""

MOST_MEMBERS = 10_000  # of an archive; a model has a handful

UNREADABLE = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError),  # zipfile's: a method of packing it does not know, and a password
)
"""What comes of an archive that is damaged, or of one that we cannot read."""

Progress = Callable[[int, int], None]


class _Source:
    """The files of a folder or archive by their names, their sizes, and how each is opened."""

    def __init__(self, sizes: Mapping[str, int], open_file: Callable[[str], IO[bytes]]) -> None:
        self.sizes = sizes
        self.open = open_file


def install_from(
    path: Path,
    models_dir: Path,
    name: str | None = None,
    on_progress: Progress = lambda _done, _total: None,
    *,
    check: Callable[[Encoder], None] = lambda _encoder: None,
) -> ModelCard:
    """Return the card of the model that was in the folder or archive `path` and is now in `models_dir`.

    `name` is what it is to be called; without a `card.json` it says which model of the catalog it is. A model of that
    name that is there already is replaced, after the one that came was tried out and given to `check`. Raises
    ModelUnusable, or what `check` raises, and then nothing has changed.
    """
    if name:
        check_name(name)
    with _opened(path) as source:
        prefix, card = _card_in(source, path, name)
        found = [_found(source, prefix, file, card) for file in card.files]
        total = sum(source.sizes[member] for member in found)
        with changing(models_dir, card.name) as folder:
            need_space(models_dir, card.name, total)
            arriving = models_dir / f".{card.name}.import"
            drop_folder(arriving)
            try:
                card = _copy(source, found, card, arriving, lambda done: on_progress(done, total))
                write_card(arriving, card)
                encoder = open_clip(arriving, card, device="cpu")
                try_out(encoder)
                check(encoder)
                exchange_folder(arriving, folder)
            except BaseException:
                shutil.rmtree(arriving, ignore_errors=True)
                raise
    return card


@contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    try:
        if path.is_dir():
            files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
            sizes = {name: file.stat().st_size for name, file in files.items()}
            yield _Source(sizes, lambda name: files[name].open("rb"))
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                yield _zip(packed)
        else:
            with tarfile.open(path) as packed_tar:
                yield _tar(packed_tar)
    except FileNotFoundError as error:
        raise ModelUnusable(f"There is no file or folder {path}.") from error
    except UNREADABLE as error:
        raise ModelUnusable(
            f"{path} is no folder, and no ZIP or TAR archive that can be read. Please pack the model again.",
            detail=repr(error),
        ) from error


def _zip(packed: zipfile.ZipFile) -> _Source:
    members = [member for member in packed.infolist() if not member.is_dir()]
    links = [member.filename for member in members if stat.S_ISLNK(member.external_attr >> 16)]
    _refuse_hostile([member.filename for member in packed.infolist()], links)
    return _Source({member.filename: member.file_size for member in members}, packed.open)


def _tar(packed: tarfile.TarFile) -> _Source:
    members = {}
    for number, member in enumerate(packed):
        _refuse_hostile([member.name], [] if member.isreg() or member.isdir() else [member.name], number)
        if member.size > LARGEST_FILE_BYTES:  # before it is unpacked only to get behind it
            raise ModelUnusable(f"The file {member.name!r} of this archive is too large for a model.")
        if member.isreg():
            members[member.name.removeprefix("./")] = member

    def open_file(name: str) -> IO[bytes]:
        file = packed.extractfile(members[name])
        if file is None:
            raise ModelUnusable(f"The file {name} of this archive cannot be read. Please pack the model again.")
        return file

    return _Source({name: member.size for name, member in members.items()}, open_file)


def _refuse_hostile(names: list[str], links: list[str], number: int = 0) -> None:
    """Raise ModelUnusable for an archive that nobody packs who means well."""
    for name in names:
        parts = name.replace("\\", "/").split("/")
        if parts[0] == "" or ".." in parts or ":" in parts[0]:
            raise ModelUnusable(f"This archive has a file {name!r}, which leads out of it. Nothing was imported.")
    if links:
        raise ModelUnusable(
            f"This archive has {links[0]!r}, which is a link or no file at all. Nothing was imported; please pack the "
            "files themselves."
        )
    if max(number, len(names)) > MOST_MEMBERS:
        raise ModelUnusable(f"This archive has more than {MOST_MEMBERS:,} files, so it is no model.")


def _card_in(source: _Source, path: Path, name: str | None) -> tuple[str, ModelCard]:
    """Return the folder within the source that the files lie in, and the card under the name it will have."""
    cards = sorted((member for member in source.sizes if PurePosixPath(member).name == CARD_FILE), key=len)
    if cards:
        with source.open(cards[0]) as file:
            card = parse_card(file.read(LONGEST_CARD + 1))
        prefix = cards[0].removesuffix(CARD_FILE)
        card = _as_known(replace(card, name=name or card.name))
    elif name and name in CATALOG:
        prefix, card = "", CATALOG[name]
    else:
        raise ModelUnusable(
            f"{path} has no {CARD_FILE}. Please say with --name which of these models it is: {', '.join(CATALOG)}."
        )
    return prefix, card


def _as_known(card: ModelCard) -> ModelCard:
    """Return the card of a model whose name the program knows as the program has it, with the files that came.

    So nobody's card says how such a model is used or what its licence allows. Raises ModelUnusable for another model
    under that name.
    """
    known = CATALOG.get(card.name)
    if known is None and card.name != lite.NAME:
        return card
    came = {(file.role, file.path): file for file in card.files}
    if (
        known is None
        or (card.architecture, card.dimension, card.repository)
        != (known.architecture, known.dimension, known.repository)
        or came.keys() != {(file.role, file.path) for file in known.files}
        or any(file.sha256 not in {None, came[file.role, file.path].sha256} for file in known.files)
    ):
        raise ModelUnusable(
            f"This is not the model that Likeness knows as {card.name}. Please give it another name with --name."
        )
    files = ((ours, came[ours.role, ours.path]) for ours in known.files)
    return replace(known, files=tuple(replace(ours, bytes=one.bytes, sha256=one.sha256) for ours, one in files))


def _found(source: _Source, prefix: str, file: ModelFile, card: ModelCard) -> str:
    """Return the member that holds `file`: at its path, or as it lies on the hub, perhaps one folder further down."""
    wanted = [f"{prefix}{place}" for place in (file.path, file.source) if place]
    below = [member for member in source.sizes if member.partition("/")[2] in wanted] if not prefix else []
    for member in (*wanted, *below):
        if member in source.sizes:
            if source.sizes[member] > (LARGEST_FILE_BYTES if file.bytes is None else file.bytes):
                raise ModelUnusable(
                    f"The file {file.path} of {card.name} is larger than its card says, so it is not the right one. "
                    "Nothing was imported."
                )
            return member
    raise ModelUnusable(f"The file {file.path} of {card.name} is missing, so nothing was imported.")


def _copy(
    source: _Source, found: list[str], card: ModelCard, arriving: Path, on_progress: Callable[[int], None]
) -> ModelCard:
    """Return the pinned card when every file is in the folder `arriving`. Raises ModelUnusable for a wrong checksum."""
    done = 0
    pinned = []
    for file, member in zip(card.files, found, strict=True):
        target = arriving / file.path
        part = target.with_name(f"{target.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        with source.open(member) as taken, part.open("wb") as written:
            while (piece := taken.read(PIECE_BYTES)) and written.tell() <= source.sizes[member]:
                written.write(piece)
                on_progress(done + written.tell())
        size, digest = part.stat().st_size, digest_of(part)
        if file.sha256 not in {None, digest} or file.bytes not in {None, size}:
            raise ModelUnusable(
                f"The file {file.path} of {card.name} has the wrong checksum, so nothing was imported. Please copy it "
                "again from where it came from."
            )
        put_in_place(part, target)
        pinned.append(replace(file, bytes=size, sha256=digest))
        done += size
    return replace(card, files=tuple(pinned))
