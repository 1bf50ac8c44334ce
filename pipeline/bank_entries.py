"""What is in a bank: known pictures, added as pictures, as files of hashes or from images; taken out; tried out.

Of a picture its hash is kept, and a small thumbnail unless the bank keeps none. Who may do it says `banks`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pipeline.access import get_images
from pipeline.backend import Backend
from pipeline.bank_files import ReadHash, RefusedLine, csv_lines
from pipeline.bank_matching import Judgement, Ranked, judge_alone, ranked
from pipeline.bank_rights import find, find_now
from pipeline.bank_rules import LEAST_QUALITY, MOST_DISTANCE
from pipeline.errors import Conflict, ImageRejected, InvalidQuery, NotFound
from pipeline.features.fingerprint import Fingerprint, fingerprint_of
from pipeline.features.pdq import HASH_BYTES
from pipeline.features.picture import Picture
from pipeline.features.thumbnail import encode as encode_thumbnail
from pipeline.images import ImageRecord
from pipeline.labels import clean_caption, clean_filename
from pipeline.originals import original_bytes
from pipeline.principals import Action, Principal
from pipeline.stores import records_audit, records_banks, records_fingerprints
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_banks import Bank, NewEntry
from pipeline.uploads import Upload

BankEntry = records_banks.BankEntry

MOST_ENTRIES = 2_000_000
"""Known pictures in one bank: 300 MB of memory in every process that analyzes."""

THUMBNAIL_PX = 160  # long side: enough to know a picture again
ADDED_AT_ONCE = 20_000  # hashes of a file in one transaction, in which nobody else writes
MOST_REFUSED_TOLD = 1000  # lines of a file that are told one by one
MOST_SHOWN = 12  # entries that a picture that is tried out is shown with
EXPORTED_AT_ONCE = 5000
LONGEST_NOTES = 255

UNKNOWN = "There is no such entry. It may have been removed."
TOO_MANY = f"A bank can have {MOST_ENTRIES:,} entries. Please make another one for the rest."
PLAIN = "There is so little to see in this picture that it cannot be told from others."


@dataclass(frozen=True)
class Added:
    """How many entries were added, how many were there already, and which lines or pictures could not be used."""

    added: int
    known: int
    refused: tuple[RefusedLine, ...] = ()
    refused_count: int = 0


@dataclass(frozen=True)
class TriedOut:
    """What a bank would say of a picture: the nearest entries, and what would happen if that were all.

    `quality` is that of the picture's hash; `looked` is how far entries were looked for, in bits.
    """

    judgement: Judgement
    nearest: tuple[Ranked, ...]
    quality: int
    looked: int = MOST_DISTANCE

    @property
    def is_plain(self) -> bool:
        """Whether the picture is so plain that it matches only at the strictest level."""
        return self.quality < LEAST_QUALITY


# ---- Looked at


def list_entries(
    backend: Backend, principal: Principal, bank_id: str, *, before: int | None = None, limit: int
) -> list[BankEntry]:
    """Return up to `limit` entries of a bank, newest first; `before` is an entry's id. Raises NotFound."""
    with backend.database.read() as connection:
        bank = find(connection, principal, bank_id)
        return records_banks.list_entries(connection, bank.id, before=before, limit=limit)


def get_thumbnail(backend: Backend, principal: Principal, bank_id: str, entry_id: int) -> bytes:
    """Return the thumbnail of an entry, a WebP file. Raises NotFound when it has none, or there is none."""
    with backend.database.read() as connection:
        bank = find(connection, principal, bank_id)
        found = records_banks.thumbnail(connection, bank.id, entry_id)
    if found is None:
        raise NotFound(UNKNOWN)
    return bytes(found)


def export_lines(backend: Backend, principal: Principal, bank_id: str) -> Iterator[str]:
    """Return the hashes of a bank as lines of CSV, newest first. Raises NotFound at once, before the first line."""
    with backend.database.read() as connection:
        find(connection, principal, bank_id)
    return csv_lines(_exported(backend, bank_id))


def _exported(backend: Backend, bank_id: str) -> Iterator[ReadHash]:
    before: int | None = None
    while True:
        with backend.database.read() as connection:
            some = records_banks.list_entries(connection, bank_id, before=before, limit=EXPORTED_AT_ONCE)
        yield from (ReadHash(bytes(entry.hash), entry.quality, entry.notes) for entry in some)
        if len(some) < EXPORTED_AT_ONCE:
            return
        before = some[-1].id


def try_out(backend: Backend, principal: Principal, bank_id: str, upload: Upload) -> TriedOut:
    """Return what a bank would say of a picture, which is not kept. Raises NotFound, NotAllowed or ImageRejected."""
    with backend.database.read() as connection:
        bank = find(connection, principal, bank_id, Action.CHANGE)
    fingerprint = fingerprint_of(backend.decoders.decode(upload.path))
    known = next((one for one in backend.banks.known() if one.bank.id == bank.id), None)
    if known is None:
        raise NotFound(UNKNOWN)
    nearest = ranked(known, fingerprint, datetime.now(UTC), MOST_DISTANCE, beyond=True)
    judged = judge_alone(known, upload.sha256, fingerprint)
    return TriedOut(judged, tuple(nearest[:MOST_SHOWN]), fingerprint.quality)


def entries_by_id(backend: Backend, principal: Principal, bank_id: str, ids: Sequence[int]) -> dict[int, BankEntry]:
    """Return id -> entry of those that are in a bank. Raises NotFound."""
    with backend.database.read() as connection:
        bank = find(connection, principal, bank_id)
        return records_banks.get_entries(connection, bank.id, ids)


# ---- Added


def add_picture(backend: Backend, principal: Principal, bank_id: str, upload: Upload, *, notes: str = "") -> Added:
    """Keep what a picture looks like. Raises NotFound, NotAllowed, ImageRejected, InvalidQuery or Conflict."""
    with backend.database.read() as connection:
        bank = find(connection, principal, bank_id, Action.CHANGE)
    picture = backend.decoders.decode(upload.path)
    entry = _entry(bank, picture, fingerprint_of(picture), f"upload:{clean_filename(upload.filename)}", notes)
    return _add(backend, principal, bank_id, [replace(entry, sha256=upload.sha256)])


def add_images(
    backend: Backend, principal: Principal, bank_id: str, image_ids: Sequence[str], *, notes: str = ""
) -> Added:
    """Keep what images look like that `principal` may change, whether or not they are deleted.

    Raises NotFound, NotAllowed, ImageRejected for one that cannot be read, InvalidQuery or Conflict.
    """
    with backend.database.read() as connection:
        bank = find(connection, principal, bank_id, Action.CHANGE)
    images = get_images(backend, image_ids, principal, Action.CHANGE, deleted_too=True)
    if not images:
        raise NotFound("There is no such picture. It may have been deleted for good.")
    return _add(backend, principal, bank_id, [_entry_of(backend, bank, image, notes) for image in images])


def add_hashes(
    backend: Backend,
    principal: Principal,
    bank_id: str,
    lines: Iterable[ReadHash | RefusedLine],
    *,
    origin: str,
    on_progress: Callable[[int], None] | None = None,
) -> Added:
    """Keep hashes as `bank_files.read_hashes` gives them, in several transactions; what was refused is told.

    `origin` is the name of their file, "" for what was typed.

    Raises NotFound, NotAllowed, or Conflict when the bank is full.
    """
    with backend.database.read() as connection:
        find(connection, principal, bank_id, Action.CHANGE)
    source = f"file:{clean_filename(origin)}" if origin else "typed:"
    added = known = refused_count = 0
    refused: list[RefusedLine] = []
    waiting: list[NewEntry] = []

    def keep() -> None:
        nonlocal added, known
        done = _add(backend, principal, bank_id, waiting)
        added, known = added + done.added, known + done.known
        if on_progress:
            on_progress(len(waiting))
        waiting.clear()

    for line in lines:
        if isinstance(line, RefusedLine):
            refused_count += 1
            refused += [line] if len(refused) < MOST_REFUSED_TOLD else []
            continue
        waiting.append(NewEntry(line.hash, line.quality, source, line.notes))
        if len(waiting) >= ADDED_AT_ONCE:
            keep()
    if waiting:
        keep()
    return Added(added, known, tuple(refused), refused_count)


def _add(backend: Backend, principal: Principal, bank_id: str, entries: Sequence[NewEntry]) -> Added:
    with backend.database.write() as connection:
        principal, bank = find_now(connection, principal, bank_id, Action.CHANGE)
        there = records_banks.count(connection, [bank.id]).get(bank.id, 0)
        if there + len(entries) > MOST_ENTRIES:
            raise Conflict(TOO_MANY)
        added = records_banks.add_entries(connection, bank.id, entries, principal.person_id)
        _tell(connection, principal, bank, Event.BANK_ENTRIES_ADDED, added)
    return Added(added, len(entries) - added)


def _entry(bank: Bank, picture: Picture, fingerprint: Fingerprint, origin: str, notes: str) -> NewEntry:
    if not any(fingerprint.trimmed[:HASH_BYTES]):
        raise ImageRejected(PLAIN)
    return NewEntry(
        hash=fingerprint.trimmed[:HASH_BYTES],
        quality=fingerprint.quality,
        origin=origin,
        notes=_notes(notes),
        thumbnail=encode_thumbnail(picture, THUMBNAIL_PX) if bank.keeps_thumbnails else None,
    )


def _entry_of(backend: Backend, bank: Bank, image: ImageRecord, notes: str) -> NewEntry:
    picture = backend.decoders.decode(original_bytes(backend, image))
    with backend.database.read() as connection:
        fingerprint = records_fingerprints.get(connection, image.row) or fingerprint_of(picture)
    entry = _entry(bank, picture, fingerprint, f"image:{image.filename}", notes)
    return replace(entry, sha256=image.sha256)


# ---- Changed and taken out


def remove_entries(backend: Backend, principal: Principal, bank_id: str, ids: Sequence[int]) -> int:
    """Take entries out of a bank, with what they have matched; return how many. Raises NotFound or NotAllowed."""
    with backend.database.write() as connection:
        principal, bank = find_now(connection, principal, bank_id, Action.CHANGE)
        removed = records_banks.remove_entries(connection, bank.id, ids)
        if not removed:
            raise NotFound(UNKNOWN)
        _tell(connection, principal, bank, Event.BANK_ENTRIES_REMOVED, removed)
    return removed


def change_entry(
    backend: Backend, principal: Principal, bank_id: str, entry_id: int, changes: Mapping[str, object]
) -> None:
    """Set `notes` of an entry, `expires_at` (when its time is over, None for never), or both; what is left out stays.

    Raises NotFound, NotAllowed or InvalidQuery.
    """
    with backend.database.write() as connection:
        principal, bank = find_now(connection, principal, bank_id, Action.CHANGE)
        values = dict(changes)
        if "notes" in values:
            values["notes"] = _notes(str(values["notes"]))
        if not records_banks.change_entry(connection, bank.id, entry_id, **values):
            raise NotFound(UNKNOWN)
        told: dict[str, object] = {"entry": entry_id}
        if "expires_at" in values:
            until = values["expires_at"]
            told["until"] = until.isoformat() if isinstance(until, datetime) else ""
        records_audit.add(connection, principal, Event.BANK_ENTRY_CHANGED, bank.name, library=bank.library, **told)


def _notes(text: str) -> str:
    notes = clean_caption(text)
    if len(notes) > LONGEST_NOTES:
        raise InvalidQuery(f"Notes of an entry can have {LONGEST_NOTES} characters; these have {len(notes):,}.")
    return notes


def _tell(connection: Connection, principal: Principal, bank: Bank, event: Event, number: int) -> None:
    if number:
        records_audit.add(connection, principal, event, bank.name, library=bank.library, entries=number)
