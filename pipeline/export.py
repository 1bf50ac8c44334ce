"""Everything out again: originals, and a CSV and a JSON file of all that is known about them.

The CSV is for spreadsheets: a text that a spreadsheet would take for a formula gets an apostrophe in front. The JSON
is exact.
"""

import csv
import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO, Protocol, Self

from pipeline.access import visible
from pipeline.backend import Backend
from pipeline.description import FLAT_COLUMNS, describe, describe_flat
from pipeline.errors import ConfigurationError, ObjectNotFound
from pipeline.file_names import SafeNames
from pipeline.filters import Filter
from pipeline.images import ImageRecord
from pipeline.originals import open_original
from pipeline.principals import Principal
from pipeline.spreadsheets import as_cell
from pipeline.stores import records_images, records_listing

IMAGES_PER_READ = 500
COPY_BYTES = 1 << 20  # read from an original at once
EARLIEST_ZIP_YEAR = 1980  # the ZIP format knows no earlier times

ORIGINALS = "originals"
CSV_NAME = "metadata.csv"
JSON_NAME = "metadata.json"


COLUMNS = ("file", *FLAT_COLUMNS)


@dataclass(frozen=True)
class Exported:
    """One image: the name of its file in the export, or None and the sentence that says why it has none."""

    image: ImageRecord
    file: str | None
    problem: str = ""


class Target(Protocol):
    """Where an export is written."""

    def put(self, name: str, stream: BinaryIO, modified: datetime) -> None:
        """Write a file under a relative name."""
        ...


def list_rows(backend: Backend, where: Filter, principal: Principal) -> list[int]:
    """Return the rows of all images in any state that pass `where` and that `principal` may see, oldest first.

    The libraries of `where` may be names or ids.
    """
    seen = visible(backend, where, principal)
    colored = backend.swatches.rows_with(seen)
    with backend.database.read() as connection:
        found = records_listing.list_rows(connection, seen, principal, colored=colored, limit=sys.maxsize)
    return found[::-1]


def export(backend: Backend, rows: Sequence[int], target: Target) -> Iterator[Exported]:
    """Write the images of `rows` to `target` and yield what became of each, then write the metadata.

    Images that were purged meanwhile are left out. An original that is gone is told, and its metadata are written.
    """
    names = SafeNames()
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        with _Metadata(Path(folder)) as metadata:
            for start in range(0, len(rows), IMAGES_PER_READ):
                for image, sources in _read(backend, rows[start : start + IMAGES_PER_READ]):
                    done = _export_original(backend, image, names, target)
                    metadata.add(done, sources)
                    yield done
        for name in (CSV_NAME, JSON_NAME):
            with Path(folder, name).open("rb") as stream:
                target.put(name, stream, datetime.now(UTC))


class FolderTarget:
    """Writes into a folder, which is made if it is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ORIGINALS).mkdir(parents=True, exist_ok=True)

    def put(self, name: str, stream: BinaryIO, modified: datetime) -> None:
        """Write a file below the folder."""
        del modified
        with Path(self.folder, name).open("wb") as file:
            shutil.copyfileobj(stream, file, COPY_BYTES)


class ZipTarget:
    """Writes into a ZIP archive; pictures are compressed already, so they are stored as they are."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def put(self, name: str, stream: BinaryIO, modified: datetime) -> None:
        """Write a file into the archive."""
        moment = max(modified, datetime(EARLIEST_ZIP_YEAR, 1, 1, tzinfo=UTC))
        entry = zipfile.ZipInfo(name, moment.timetuple()[:6])
        with self.archive.open(entry, "w", force_zip64=True) as file:
            shutil.copyfileobj(stream, file, COPY_BYTES)


@contextmanager
def zip_file(path: Path) -> Iterator[ZipTarget]:
    """Give a target whose archive appears at `path` when it is complete; what was there before is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            yield ZipTarget(archive)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_free(place: Path) -> None:
    """Raise ConfigurationError if something lies at `place` that an export would write over."""
    if place.is_dir() and not any(place.iterdir()):
        return
    if place.exists():
        raise ConfigurationError(
            f"{place} is there already. Please choose another place, or overwrite it with --force."
        )


def _read(backend: Backend, rows: Sequence[int]) -> list[tuple[ImageRecord, list[dict[str, str | None]]]]:
    with backend.database.read() as connection:
        images = records_images.get_by_rows(connection, rows)
        sources = records_images.sources_of(connection, rows)
    return [
        (
            image,
            [
                {"filename": source.filename, "path": source.path, "created_at": source.created_at.isoformat()}
                for source in sources[image.row]
            ],
        )
        for image in images
    ]


def _export_original(backend: Backend, image: ImageRecord, names: SafeNames, target: Target) -> Exported:
    try:
        original = open_original(backend, image)
    except ObjectNotFound as error:
        return Exported(image, None, error.user_message)
    name = f"{ORIGINALS}/{names.give(image.filename)}"
    with original:
        target.put(name, original, image.created_at)
    return Exported(image, name)


class _Metadata:
    """The two metadata files in a folder, written image by image."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        self._csv: IO[str] = (self.folder / CSV_NAME).open(
            "w", encoding="utf-8-sig", newline=""
        )  # Excel needs the mark
        self._json: IO[str] = (self.folder / JSON_NAME).open("w", encoding="utf-8")
        self._writer = csv.DictWriter(self._csv, COLUMNS)
        self._writer.writeheader()
        self._json.write('{"images": [')
        self._between = "\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._json.write("\n]}\n")
        self._csv.close()
        self._json.close()

    def add(self, exported: Exported, sources: list[dict[str, str | None]]) -> None:
        known = {"file": exported.file, **describe(exported.image), "exif": exported.image.exif, "sources": sources}
        self._json.write(self._between + json.dumps(known, ensure_ascii=False))
        self._between = ",\n"
        row = {"file": exported.file, **describe_flat(exported.image)}
        self._writer.writerow({name: as_cell(value) for name, value in row.items()})
