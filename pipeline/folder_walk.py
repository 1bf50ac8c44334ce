"""Which files an import looks at: everything below a folder that may be a picture, in a stable order.

Hidden files and what operating systems and network drives leave behind are passed over. What is in a file is decided
by whoever reads it.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

LITTER = frozenset(
    {
        "$recycle.bin",
        "#recycle",
        "@eadir",
        "__macosx",
        "desktop.ini",
        "ehthumbs.db",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)
"""Names, in lower case, of files and folders that Windows, macOS, Linux and Synology make beside pictures."""

NO_FOLDER_PERMISSION = "There is no permission to look into this folder."
NO_FOLDER = "This folder could not be read: {reason}."

FolderIdentity = tuple[int, int]
"""Device and inode: the same for a folder and every link to it."""


@dataclass(frozen=True)
class Unreadable:
    """A path that could not be used, and a sentence saying why."""

    path: str
    reason: str


@dataclass
class Listing:
    """The regular files that were found, as absolute paths, and the folders that could not be read."""

    files: list[str] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def list_files(places: Sequence[str], *, exclude: Sequence[str] = (), never_enter: Sequence[str] = ()) -> Listing:
    """Return the files in and below `places`, as absolute paths, a folder's files before its subfolders, by name.

    `exclude` are globs, matched with the name and with the path below the place. Links to folders are followed,
    but no folder is entered twice, so a link that leads back to itself ends there. Folders of `never_enter`
    are left out unless they are asked for by name.
    """
    listing = Listing()
    walk = _Walk(listing, tuple(exclude), {identity for path in never_enter if (identity := _identity(path))})
    for place in places:
        walk.enter_place(place)
    return listing


@dataclass
class _Walk:
    listing: Listing
    exclude: tuple[str, ...]
    entered: set[FolderIdentity]

    def enter_place(self, place: str) -> None:
        if Path(place).is_dir():
            self.entered.discard(_identity(place) or (0, 0))
            self._enter(place, place)
        else:
            self.listing.files.append(place)

    def _enter(self, folder: str, place: str) -> None:
        pending = [folder]
        while pending:
            current = pending.pop()
            identity = _identity(current)
            if identity is None or identity in self.entered:
                continue
            self.entered.add(identity)
            subfolders = []
            for entry in self._wanted(current, place):
                if entry.is_dir():
                    subfolders.append(entry.path)
                elif _is_regular(entry):
                    self.listing.files.append(entry.path)
            pending += reversed(subfolders)

    def _wanted(self, folder: str, place: str) -> Iterator["os.DirEntry[str]"]:
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            permission = isinstance(error, PermissionError)
            reason = NO_FOLDER_PERMISSION if permission else NO_FOLDER.format(reason=error.strerror)
            self.listing.unreadable.append(Unreadable(folder, reason))
            return
        for entry in found:
            if entry.name.startswith(".") or entry.name.lower() in LITTER:
                continue
            below = os.path.relpath(entry.path, place)
            if not any(fnmatch(entry.name, glob) or fnmatch(below, glob) for glob in self.exclude):
                yield entry


def _identity(path: str) -> FolderIdentity | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_regular(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a file with an end: opening a pipe or a device could wait for ever.

    A link that leads nowhere counts, so that whoever opens it says what is wrong.
    """
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return True
