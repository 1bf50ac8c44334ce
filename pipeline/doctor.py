"""What is wrong with an installation, and what to do about it: a finding for each thing that can be looked at.

Where nothing was started yet, it makes nothing but a file to try writing with, which is gone at once. Elsewhere it
opens what a start opens, so a folder or network that has been removed since is made again. What can be repaired is
repaired by `reconcile`, `reindex` and `retry`, whose names the findings tell.
"""

import io
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import numpy as np
from PIL import Image

from pipeline.backend import Backend, open_backend
from pipeline.doorbell import ask_queue
from pipeline.errors import LikenessError, ObjectNotFound, StoreUnavailable
from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.originals import open_original
from pipeline.principals import OWNER
from pipeline.settings import Settings, doubtful_variables
from pipeline.stores import (
    records_embeddings,
    records_images,
    records_listing,
    records_moves,
    records_repair,
    records_status,
)
from pipeline.stores.charge import read_id
from pipeline.stores.database import Connection, Database, sqlite_file
from pipeline.stores.database_address import without_secrets
from pipeline.stores.opening import naming, open_database, open_objects, open_vectors
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.vectors_current import CurrentVectors

GIBIBYTE = 1 << 30
LOW_SPACE_BYTES = GIBIBYTE
"""Free space below which the next import soon fails; a photo takes some 5 MB with its thumbnails."""

FEW_OPEN_FILES = 512
"""Soft limit of open files below which many connections at once fail; most systems give 1,024."""

MOST_ORIGINALS = 200  # originals that are looked at; every one would take minutes for a million
MOST_FAILURES = 20  # failed images that are told one by one

TEST_PICTURE_PX = 64
UNIT_TOLERANCE = 1e-3  # how far the length of an embedding may be from 1; float16 is exact to about 5e-4

MOST_COUNTS = 10  # tries to count records and vectors while nothing changes; a count takes milliseconds

IN_MEMORY = "sqlite://"  # a database for who needs one and asks it nothing
NO_ENCODER = EncoderRow("0" * 64, "none", 1)  # for an engine that is asked nothing but whether it answers

NO_DATABASE = "There is none yet; it is made at the first start."
OLD_DATABASE = "It answers; its tables are brought to the newest version at the next start."

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """What was found about one `subject`. A problem's sentence says what to do; a note asks for nothing."""

    subject: str
    level: Level
    sentence: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each thing that was looked at, as it is found. Nothing is raised for what is wrong."""
    for sentence in doubtful_variables():
        yield Finding("Settings", "note", sentence)
    folder = _checked("Data folder", lambda: _look_at_folder(settings.data))
    yield folder
    if folder.level == "problem":
        return
    yield _look_at_space(_nearest(settings.data))
    yield _look_at_open_files()
    database = _checked("Database", lambda: _look_at_database(settings))
    yield database
    yield _checked("Picture files", lambda: _look_at_objects(settings))
    if database.level == "problem" or database.sentence in {NO_DATABASE, OLD_DATABASE}:
        yield _checked("Vector engine", lambda: _ask_vectors(settings))
    yield from _look_at_queue(settings)
    if database.level == "problem":
        return
    if database.sentence in {NO_DATABASE, OLD_DATABASE}:
        yield Finding("Start", "ok", "The rest can be looked at when `likeness serve` has been started once.")
        return
    try:
        backend = open_backend(settings)
    except LikenessError as error:
        yield Finding("Start", "problem", error.user_message)
        return
    with backend:
        yield _checked("Decoder and encoder", lambda: _try_a_picture(backend))
        yield _checked("Vector index", lambda: _look_at_vectors(backend))
        yield from _look_where_vectors_are(backend)
        yield _checked("Originals", lambda: _look_at_originals(backend))
        yield _checked("Pictures", lambda: _count_states(backend))
        yield from _list_failures(backend)


def _checked(subject: str, look: Callable[[], Finding | str]) -> Finding:
    """Return what `look` finds; a sentence means that all is well, an error of ours is the problem."""
    try:
        found = look()
    except LikenessError as error:
        return Finding(subject, "problem", error.user_message)
    except OSError as error:
        return Finding(subject, "problem", f"{error.filename or subject}: {error.strerror}. Please mend that.")
    return Finding(subject, "ok", found) if isinstance(found, str) else found


def _look_at_folder(folder: Path) -> Finding | str:
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            return f"{folder} can be {'written to' if folder.exists() else 'made; it is at the first start'}."
    except OSError as error:
        sentence = f"{folder} cannot be written to ({error.strerror}). Please mend that, or set LIKENESS_DATA."
        return Finding("Data folder", "problem", sentence)


def _nearest(folder: Path) -> Path:
    """Return `folder`, or the nearest one around it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def _look_at_space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    said = f"{free / GIBIBYTE:,.1f} GB are free on the disk of the data folder."
    if free < LOW_SPACE_BYTES:
        return Finding("Free space", "problem", f"{said} Please make room, or imports will fail.")
    return Finding("Free space", "ok", said)


def _look_at_open_files() -> Finding:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    said = f"This process may open {limit:,} files." if limit != resource.RLIM_INFINITY else "There is no limit."
    if limit != resource.RLIM_INFINITY and limit < FEW_OPEN_FILES:
        return Finding("Open files", "problem", f"{said} Please raise that with `ulimit -n 4096`.")
    return Finding("Open files", "ok", said)


def _look_at_database(settings: Settings) -> Finding | str:
    file = sqlite_file(settings.database_url)
    if file and not file.exists():
        return NO_DATABASE
    database = open_database(settings)
    try:
        with naming(without_secrets(database.url)):
            if not database.is_current():
                return OLD_DATABASE
        with database.read() as connection:
            elsewhere = _where_it_moved(connection, settings)
            verdict = records_repair.quick_check(connection)
        if elsewhere:
            return Finding("Database", "problem", elsewhere)
        if verdict == "ok":
            sound = ", and its file is sound" if file else ""  # a server looks after its own files
            return f"It answers, its tables are of the newest version{sound}."
        return Finding("Database", "problem", f"Its file is damaged ({verdict}). Please restore it from a backup.")
    finally:
        database.close()


def _where_it_moved(connection: Connection, settings: Settings) -> str | None:
    """Say where the data is now that was here, or None when it is here."""
    if there := records_moves.target_of(connection, "database"):
        return f"This data has moved to {there}. Please set LIKENESS_DATABASE_URL to that."
    if records_moves.target_of(connection, "arrival"):
        return "It is being filled by `likeness move`. Please run that again, until it says that it is done."
    at = records_moves.store_in_charge(connection)
    with suppress(StoreUnavailable):  # which is told of the picture files
        if at and read_id(open_objects(settings.objects_url)) != at[0]:
            return f"The pictures have moved to {at[1]}. Please set LIKENESS_OBJECTS_URL to that."
    return None


def _look_at_objects(settings: Settings) -> str:
    parts = urlsplit(settings.objects_url)
    if parts.scheme == "file" and not Path(unquote(parts.path)).exists():
        return "There is no folder for them yet; it is made at the first start."
    objects = open_objects(settings.objects_url)
    with naming(objects.address):
        objects.check()
    return f"{objects.address} can be written to."


def _ask_vectors(settings: Settings) -> str:
    """Ask the engine that the settings name whether it answers, and make nothing there."""
    parts = urlsplit(settings.vectors_url)
    if parts.scheme == "faiss":
        return "Vectors are searched in the process."
    is_elsewhere = bool(parts.hostname) or sqlite_file(settings.database_url) is not None
    database = Database(IN_MEMORY) if is_elsewhere else open_database(settings)
    try:
        engine = open_vectors(settings.vectors_url, database, NO_ENCODER, settings)
        try:
            if not parts.hostname and parts.path.strip("/"):
                return f"{engine.address} is a folder; it is made at the first start."
            with naming(engine.address):
                engine.check()
        finally:
            engine.close()
    finally:
        database.close()
    return f"{engine.address} answers."


def _look_at_queue(settings: Settings) -> Iterator[Finding]:
    if report := ask_queue(settings)():
        at = f" It was looked for at {report.address}." if not report.healthy else ""
        yield Finding("Queue", "ok" if report.healthy else "problem", f"{report.sentence}{at}")


def _try_a_picture(backend: Backend) -> Finding | str:
    picture = backend.decoders.decode(_draw_picture())
    embedding = backend.encoder.embed_pictures([picture])[0]
    if abs(float(np.linalg.norm(embedding)) - 1) > UNIT_TOLERANCE:
        sentence = f"The encoder {backend.encoder.name} gives nonsense. Please install Likeness again."
        return Finding("Decoder and encoder", "problem", sentence)
    return f"A drawn picture was decoded, and the encoder {backend.encoder.name} gave its {len(embedding)} numbers."


def _draw_picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((TEST_PICTURE_PX, TEST_PICTURE_PX)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def _look_at_vectors(backend: Backend) -> Finding | str:
    for _ in range(MOST_COUNTS):
        with backend.database.read() as connection:
            change = records_embeddings.last_change(connection)
            expected = records_listing.count_states(connection)[ImageState.READY]
        held = backend.vectors.count()
        with backend.database.read() as connection:
            if records_embeddings.last_change(connection) == change:
                break
    else:
        return "It follows pictures that come and go at this moment."
    if held == expected:
        return f"It holds the vectors of all {held:,} analyzed pictures."
    sentence = f"It holds {held:,} vectors for {expected:,} analyzed pictures. Please run `likeness reconcile`."
    return Finding("Vector index", "problem", sentence)


def _look_where_vectors_are(backend: Backend) -> Iterator[Finding]:
    vectors = backend.vectors
    if isinstance(vectors, CurrentVectors) and vectors.named != vectors.address:
        named, used = vectors.named, vectors.address
        sentence = (
            f"LIKENESS_VECTORS_URL names {named}, but the vectors were moved to {used} and are searched there. Please "
            f"set it to the new address; `likeness reindex --to {named}` goes back."
        )
        yield Finding("Vector engine", "note", sentence)


def _look_at_originals(backend: Backend) -> Finding | str:
    with backend.database.read() as connection:
        rows = records_listing.list_rows(connection, Filter(), OWNER, limit=sys.maxsize)
        step = max(1, len(rows) // MOST_ORIGINALS)
        images = records_images.get_by_rows(connection, rows[::step])
    missing = []
    for image in images:
        try:
            open_original(backend, image).close()
        except ObjectNotFound:
            missing.append(image.filename)
    said = f"{len(images):,} of {len(rows):,} were looked at"
    if not missing:
        return f"{said}; all are there."
    sentence = f"{said}; {len(missing):,} are missing, such as {missing[0]}. Please import or upload them again."
    return Finding("Originals", "problem", sentence)


def _count_states(backend: Backend) -> str:
    with backend.database.read() as connection:
        counts = records_listing.count_states(connection)
    return ", ".join(f"{number:,} {state.value}" for state, number in counts.items()) + "."


def _list_failures(backend: Backend) -> Iterator[Finding]:
    with backend.database.read() as connection:
        rows = records_status.failed_rows(connection, Filter(), OWNER, MOST_FAILURES)
        images = records_images.get_by_rows(connection, rows)
    for image in images:
        yield Finding("Failed picture", "note", f"{image.filename}: {image.error}")
    if images:
        yield Finding("Failed pictures", "note", "`likeness retry` analyzes them again.")
