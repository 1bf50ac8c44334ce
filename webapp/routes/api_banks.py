"""`/api/v1/banks`: banks of known pictures. To fill one a token needs the scope `moderate`, to set one `manage`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from pipeline import bank_entries, bank_upkeep, banks, libraries
from pipeline.bank_entries import Added, BankEntry
from pipeline.bank_files import ReadHash, RefusedLine, read_hashes, text_of
from pipeline.bank_rules import level_of
from pipeline.banks import BankInfo, BankSettings
from pipeline.description import describe
from pipeline.errors import InvalidQuery, TooManyBytes
from pipeline.features.pdq import to_hex
from pipeline.principals import Action
from pipeline.uploads import spooled
from webapp import bank_words as words
from webapp import schemas_banks as schemas
from webapp.api_form import ANY_CALL, api_errors, file_answer, upload_body
from webapp.dependencies import BackendDependency, PrincipalDependency
from webapp.forms import FormDependency, fields_of, first, one_file, read_time

router = APIRouter(prefix="/api/v1/banks", tags=["banks"], responses=ANY_CALL)

UNKNOWN = api_errors(404)
UNKNOWN_OR_NOT_NOW = api_errors(404, 409)
MOST_LISTED = 500
DEFAULT_LISTED = 100
LAST_ID = (1 << 62) - 1

Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]
Cursor = Annotated[int | None, Query(ge=0, le=LAST_ID)]


@router.get("", response_model=schemas.BankList)
def list_banks(backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """List the banks that one looks after: those of libraries that one moderates, and of the server."""
    return {"banks": [_described(info) for info in banks.list_banks(backend, principal)]}


@router.post("", status_code=201, response_model=schemas.Bank, responses=UNKNOWN_OR_NOT_NOW)
def make_bank(new: schemas.NewBank, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Make a bank. Its library's owners may, and administrators one of the whole server."""
    library = None if new.library is None else libraries.find_library(backend, principal, new.library, Action.MANAGE).id
    settings = BankSettings(
        name=new.name,
        action=words.read_action(new.action),
        sentence=new.sentence,
        max_distance=new.max_distance,
        ratio=new.ratio,
        expires_at=read_time({"expires_at": [new.expires_at or ""]}, "expires_at"),
        notes=new.notes,
        guarded=new.guarded,
        keeps_thumbnails=new.keeps_thumbnails,
    )
    return _described(banks.make(backend, principal, library, settings, kind=words.read_kind(new.kind)))


@router.get("/{bank_id}", response_model=schemas.Bank, responses=UNKNOWN)
def get_bank(bank_id: str, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Return one bank."""
    return _described(banks.get_bank(backend, principal, bank_id))


@router.patch("/{bank_id}", response_model=schemas.Bank, responses=UNKNOWN_OR_NOT_NOW)
def change_bank(
    bank_id: str, patch: schemas.BankPatch, backend: BackendDependency, principal: PrincipalDependency
) -> dict[str, Any]:
    """Set what a bank does, let it rest, or act again."""
    changes: dict[str, object] = patch.model_dump(exclude_none=True, exclude={"paused", "action", "expires_at"})
    if patch.action is not None:
        changes["action"] = words.read_action(patch.action)
    if patch.expires_at is not None:
        changes["expires_at"] = (
            read_time({"expires_at": [patch.expires_at]}, "expires_at") if patch.expires_at else None
        )
    if changes:
        banks.change(backend, principal, bank_id, changes)
    if patch.paused is not None:
        (banks.pause if patch.paused else banks.resume)(backend, principal, bank_id)
    return _described(banks.get_bank(backend, principal, bank_id))


@router.delete("/{bank_id}", status_code=204, response_class=Response, responses=UNKNOWN)
def delete_bank(bank_id: str, backend: BackendDependency, principal: PrincipalDependency) -> None:
    """Forget a bank with its entries and matches."""
    banks.delete(backend, principal, bank_id)


# ---- Entries


@router.get("/{bank_id}/entries", response_model=schemas.EntryList, responses=UNKNOWN)
def list_entries(
    bank_id: str,
    backend: BackendDependency,
    principal: PrincipalDependency,
    limit: Limit = DEFAULT_LISTED,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List the entries of a bank, newest first."""
    found = bank_entries.list_entries(backend, principal, bank_id, before=cursor, limit=limit + 1)
    return {
        "entries": [_entry(entry) for entry in found[:limit]],
        "next": found[limit - 1].id if len(found) > limit else None,
    }


@router.post("/{bank_id}/entries", status_code=201, response_model=schemas.AddedEntries, responses=UNKNOWN_OR_NOT_NOW)
def add_entries(
    bank_id: str, new: schemas.NewEntries, backend: BackendDependency, principal: PrincipalDependency
) -> dict[str, Any]:
    """Add PDQ hashes, or what images look like that are here and that one may change."""
    if not new.hashes and not new.images:
        raise InvalidQuery("Please send hashes, or the ids of images.")
    done = Added(0, 0)
    if new.images:
        done = bank_entries.add_images(backend, principal, bank_id, new.images, notes=new.notes)
    if new.hashes:
        lines = [_read(number, one) for number, one in enumerate(new.hashes, 1)]
        more = bank_entries.add_hashes(backend, principal, bank_id, lines, origin="API")
        done = Added(done.added + more.added, done.known + more.known, more.refused, more.refused_count)
    return _added(done)


@router.post(
    "/{bank_id}/pictures",
    status_code=201,
    response_model=schemas.AddedEntries,
    responses=api_errors(404, 409, 413, 415),
    openapi_extra=upload_body(notes="string"),
)
def add_picture(
    bank_id: str, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> dict[str, Any]:
    """Add what a picture looks like; the picture itself is not kept."""
    banks.check(principal, banks.get_bank(backend, principal, bank_id).bank, Action.CHANGE)
    sent, notes = one_file(form), first(fields_of(form), "notes")
    with spooled(sent.file, sent.filename or "", max_bytes=backend.settings.max_upload_bytes) as upload:
        return _added(bank_entries.add_picture(backend, principal, bank_id, upload, notes=notes))


@router.post(
    "/{bank_id}/hashes",
    status_code=201,
    response_model=schemas.AddedEntries,
    responses=api_errors(404, 409, 413),
    openapi_extra=upload_body(),
)
def import_hashes(
    bank_id: str, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> dict[str, Any]:
    """Add the hashes of a CSV file, as ThreatExchange, HMA and others write them; what cannot be used is told."""
    banks.check(principal, banks.get_bank(backend, principal, bank_id).bank, Action.CHANGE)
    sent = one_file(form)
    data = sent.file.read(backend.settings.max_upload_bytes + 1)
    if len(data) > backend.settings.max_upload_bytes:
        raise TooManyBytes("This file is too large. Please send it in parts.")
    lines = read_hashes(text_of(data))
    return _added(bank_entries.add_hashes(backend, principal, bank_id, lines, origin=sent.filename or ""))


@router.get("/{bank_id}/hashes.csv", response_class=Response, responses=file_answer("text/csv") | UNKNOWN)
def export_hashes(bank_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Return the hashes of a bank as CSV."""
    lines = bank_entries.export_lines(backend, principal, bank_id)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers={"Cache-Control": "no-store"})


@router.patch("/{bank_id}/entries/{entry_id}", response_model=schemas.Entry, responses=UNKNOWN)
def change_entry(
    bank_id: str,
    entry_id: str,
    patch: schemas.EntryPatch,
    backend: BackendDependency,
    principal: PrincipalDependency,
) -> dict[str, Any]:
    """Set the notes of an entry, when its time is over, or both."""
    changes: dict[str, object] = patch.model_dump(exclude_unset=True)
    if not changes:
        raise InvalidQuery("Please send notes, or expires_at.")
    if "expires_at" in changes:
        changes["expires_at"] = read_time({"expires_at": [patch.expires_at or ""]}, "expires_at")
    number = words.entry_number(entry_id)
    bank_entries.change_entry(backend, principal, bank_id, number, changes)
    return _entry(bank_entries.entries_by_id(backend, principal, bank_id, [number])[number])


@router.delete("/{bank_id}/entries/{entry_id}", status_code=204, response_class=Response, responses=UNKNOWN)
def remove_entry(bank_id: str, entry_id: str, backend: BackendDependency, principal: PrincipalDependency) -> None:
    """Take an entry out of a bank."""
    bank_entries.remove_entries(backend, principal, bank_id, [words.entry_number(entry_id)])


# ---- Matches


@router.get("/{bank_id}/matches", response_model=schemas.MatchList, responses=UNKNOWN)
def list_matches(
    bank_id: str,
    backend: BackendDependency,
    principal: PrincipalDependency,
    limit: Limit = DEFAULT_LISTED,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List the images that one may see and that looked like an entry, newest first."""
    found = bank_upkeep.list_matches(backend, principal, bank_id, before=cursor, limit=limit + 1)
    return {
        "matches": [
            {
                "id": one.match.id,
                "entry": one.match.entry,
                "distance": one.match.distance,
                "done": one.match.deed,
                "matched_at": one.match.matched_at.isoformat(),
                "image": describe(one.image),
            }
            for one in found[:limit]
        ],
        "next": found[limit - 1].match.id if len(found) > limit else None,
    }


@router.post(
    "/{bank_id}/try",
    response_model=schemas.TriedOut,
    responses=api_errors(404, 413, 415),
    openapi_extra=upload_body(),
)
def try_bank(
    bank_id: str, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> dict[str, Any]:
    """Say what a bank would do with a picture, and how near it is to what; the picture is not kept."""
    banks.check(principal, banks.get_bank(backend, principal, bank_id).bank, Action.CHANGE)
    sent = one_file(form)
    with spooled(sent.file, sent.filename or "", max_bytes=backend.settings.max_upload_bytes) as upload:
        tried = bank_entries.try_out(backend, principal, bank_id, upload)
    matches = tried.judgement.matches
    return {
        "done": matches[0].deed if matches else None,
        "sentence": tried.judgement.sentence,
        "quality": tried.quality,
        "nearest": [
            {"entry": near.entry, "distance": near.distance, "is_match": near.distance <= near.reach}
            for near in tried.nearest
        ],
    }


@router.get("/{bank_id}/hold", response_model=schemas.Holdable, responses=UNKNOWN)
def preview_hold(bank_id: str, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Return how many pictures that are here and that the bank has matched can be held."""
    preview = bank_upkeep.preview_hold(backend, principal, bank_id)
    return {"number": preview.number, "examples": [describe(image) for image in preview.examples]}


@router.post("/{bank_id}/hold", response_model=schemas.Held, responses=UNKNOWN_OR_NOT_NOW)
def hold_found(
    bank_id: str, asked: schemas.HoldRequest, backend: BackendDependency, principal: PrincipalDependency
) -> dict[str, Any]:
    """Hold these pictures, as many as were shown before; each gets a case for the moderators."""
    return {"held": bank_upkeep.hold_found(backend, principal, bank_id, expected=asked.number)}


# ---- Pieces


def _described(info: BankInfo) -> dict[str, Any]:
    bank = info.bank
    return {
        "id": bank.id,
        "library": bank.library,
        "name": bank.name,
        "kind": bank.kind,
        "action": bank.action,
        "sentence": bank.sentence,
        "max_distance": bank.max_distance,
        "level": level_of(bank.max_distance) or None,
        "ratio": bank.ratio,
        "expires_at": bank.expires_at.isoformat() if bank.expires_at else None,
        "notes": bank.notes,
        "paused": bank.paused,
        "guarded": bank.guarded,
        "keeps_thumbnails": bank.keeps_thumbnails,
        "created_at": bank.created_at.isoformat(),
        "entries": info.entries,
        "comparing": info.comparing,
    }


def _entry(entry: BankEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "hash": to_hex(entry.hash),
        "quality": entry.quality,
        "sha256": entry.sha256,
        "origin": entry.origin,
        "notes": entry.notes,
        "expires_at": entry.expires_at.isoformat() if entry.expires_at else None,
        "added_at": entry.added_at.isoformat(),
        "compared": entry.is_compared,
    }


def _added(done: Added) -> dict[str, Any]:
    return {
        "added": done.added,
        "known": done.known,
        "refused": [{"line": line.number, "reason": line.reason} for line in done.refused],
        "refused_count": done.refused_count,
    }


def _read(number: int, new: schemas.NewHash) -> ReadHash | RefusedLine:
    """Return a hash of a list; the notes of each are kept as they are."""
    read = next(read_hashes(new.hash), RefusedLine(1, "It is empty."))
    if isinstance(read, RefusedLine):
        return RefusedLine(number, read.reason)
    return ReadHash(read.hash, new.quality, " ".join(new.notes.split())[: bank_entries.LONGEST_NOTES])
