"""`/banks`: sets of known pictures, what is in each, what it has matched, and trying it out."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.responses import Response

from pipeline import bank_entries, bank_upkeep, banks
from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.bank_files import read_hashes, text_of
from pipeline.bank_rules import Kind
from pipeline.errors import Conflict, ImageRejected, InvalidQuery, LikenessError, TooManyBytes
from pipeline.principals import Action, Principal
from pipeline.uploads import spooled
from webapp import bank_words as words
from webapp.bank_views import bank_page, imported_part, list_page, tried_part
from webapp.dependencies import BackendDependency, PrincipalDependency
from webapp.errors import status_of
from webapp.flash import leave_notice
from webapp.forms import FormDependency, exact, fields_of, files_of, first, one_file, read_integer, read_time
from webapp.language import gettext as _
from webapp.language import ngettext
from webapp.rendering import page
from webapp.security import FILE_POLICY
from webapp.sentences import said
from webapp.tiles import image_url
from webapp.wording import shortened

router = APIRouter(include_in_schema=False)

LAST_ID = (1 << 62) - 1
SETTINGS = ("name", "action", "sentence", "max_distance", "ratio", "expires_at", "notes", "guarded", "keeps_thumbnails")
MENDABLE = (InvalidQuery, Conflict, ImageRejected)
NOT_CONFIRMED = "Please tick that you mean it; nothing was deleted."
NO_HASHES = "Please choose a file of hashes, or write some."


@router.get("/banks")
def show_banks(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """List the banks that somebody looks after."""
    return page(request, "banks.html", list_page(request, backend, principal, words.form_of()))


@router.post("/banks")
def make_bank(
    request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Make a bank for a library or the whole server."""
    fields = fields_of(form)
    kind, library = first(fields, "kind", Kind.KNOWN), first(fields, "library")
    try:
        settings = words.read_settings(fields)
        made = banks.make(backend, principal, library or None, settings, kind=words.read_kind(kind))
    except MENDABLE as error:
        typed = words.typed_form(fields, kind, library)
        content = list_page(request, backend, principal, typed, problem=error.user_message)
        return page(request, "banks.html", content, status_code=status_of(error))
    return _to(made.bank.id, _("The bank “%(name)s” is there.", name=shortened(made.bank.name)))


@router.post("/images/{image_id}/bank")
def keep_image(
    image_id: str, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Keep what an image looks like in a bank."""
    image = get_image(backend, image_id, principal, Action.CHANGE, deleted_too=True)
    bank_id = first(fields_of(form), "bank")
    added = bank_entries.add_images(backend, principal, bank_id, [image.id])
    name = shortened(banks.get_bank(backend, principal, bank_id).bank.name)
    notice = _("It is kept in “%(name)s”.", name=name) if added.added else _("It was in “%(name)s” already.", name=name)
    response = RedirectResponse(image_url(image), 303)
    leave_notice(response, notice)
    return response


@router.get("/banks/{bank_id}")
def show_bank(bank_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Show a bank: what it does, what is in it, and what it has matched."""
    return page(request, "bank.html", bank_page(request, backend, principal, bank_id))


@router.get("/banks/{bank_id}/hashes.csv")
def export_hashes(bank_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Download the hashes of a bank as other tools read them."""
    lines = bank_entries.export_lines(backend, principal, bank_id)
    name = f"likeness-bank-{datetime.now(UTC):%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/banks/{bank_id}/entries/{entry_id}/thumbnail")
def show_entry(bank_id: str, entry_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Return the thumbnail of an entry."""
    headers = {"Content-Security-Policy": FILE_POLICY, "Cache-Control": "private, no-cache"}
    data = bank_entries.get_thumbnail(backend, principal, bank_id, words.entry_number(entry_id))
    return Response(data, media_type="image/webp", headers=headers)


@router.post("/banks/{bank_id}/settings")
def change_bank(
    bank_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Set what a bank does."""
    fields = fields_of(form)
    kind = banks.get_bank(backend, principal, bank_id).bank.kind
    try:
        settings = words.read_settings(fields)
        banks.change(backend, principal, bank_id, {name: getattr(settings, name) for name in SETTINGS})
    except MENDABLE as error:
        typed = words.typed_form(fields, kind)
        shown = {"form": typed, "settings_problem": error.user_message}
        return page(
            request, "bank.html", bank_page(request, backend, principal, bank_id, **shown), status_code=status_of(error)
        )
    return _to(bank_id, _("The bank is set."))


@router.post("/banks/{bank_id}/pause")
def pause_bank(bank_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Let a bank rest."""
    banks.pause(backend, principal, bank_id)
    return _to(bank_id, _("The bank rests."))


@router.post("/banks/{bank_id}/resume")
def resume_bank(bank_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Let a bank act again."""
    banks.resume(backend, principal, bank_id)
    return _to(bank_id, _("The bank acts again."))


@router.post("/banks/{bank_id}/delete")
def delete_bank(
    bank_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Forget a bank, if that is what was meant."""
    with_it = banks.get_bank(backend, principal, bank_id)
    banks.check(principal, with_it.bank, Action.MANAGE)
    if not first(fields_of(form), "confirmed"):
        return _refused(request, backend, principal, bank_id, InvalidQuery(NOT_CONFIRMED))
    deleted = banks.delete(backend, principal, bank_id)
    response = RedirectResponse("/banks", 303)
    leave_notice(response, _("The bank “%(name)s” is deleted.", name=shortened(deleted.name)))
    return response


@router.post("/banks/{bank_id}/pictures")
def add_pictures(
    bank_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Keep what pictures look like, none of which is kept itself."""
    banks.check(principal, banks.get_bank(backend, principal, bank_id).bank, Action.CHANGE)
    files, notes = files_of(form), first(fields_of(form), "notes")
    added, known, refused = 0, 0, []
    for file in files:
        try:
            with spooled(file.file, file.filename or "", max_bytes=backend.settings.max_upload_bytes) as upload:
                done = bank_entries.add_picture(backend, principal, bank_id, upload, notes=notes)
            added, known = added + done.added, known + done.known
        except ImageRejected as error:
            refused.append(f"{file.filename}: {said(error.user_message)}")
        except (InvalidQuery, Conflict) as error:
            return _refused(request, backend, principal, bank_id, error)
    if not files or refused:
        problem = " ".join(refused) or "Please choose at least one picture."
        content = bank_page(request, backend, principal, bank_id, problem=problem)
        return page(request, "bank.html", content, status_code=422)
    return _to(bank_id, words.added_in_words(added, known))


@router.post("/banks/{bank_id}/hashes")
def add_hashes(
    bank_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Add hashes from a file or as they are typed, and tell which lines could not be used."""
    banks.check(principal, banks.get_bank(backend, principal, bank_id).bank, Action.CHANGE)
    files, text, origin = files_of(form), exact(form, "text"), ""
    try:
        if files:
            data = files[0].file.read(backend.settings.max_upload_bytes + 1)
            if len(data) > backend.settings.max_upload_bytes:
                raise TooManyBytes("This file is too large for the browser. Please use `likeness banks import`.")
            text, origin = text_of(data), files[0].filename or ""
        if not text.strip():
            raise InvalidQuery(NO_HASHES)
        done = bank_entries.add_hashes(backend, principal, bank_id, read_hashes(text), origin=origin)
    except MENDABLE as error:
        return _refused(request, backend, principal, bank_id, error)
    if not done.refused_count:
        return _to(bank_id, words.added_in_words(done.added, done.known))
    content = bank_page(request, backend, principal, bank_id, imported=imported_part(done))
    return page(request, "bank.html", content)


@router.post("/banks/{bank_id}/try")
def try_bank(
    bank_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Show what a bank would do with a picture, which is not kept."""
    banks.check(principal, banks.get_bank(backend, principal, bank_id).bank, Action.CHANGE)
    try:
        file = one_file(form)
        with spooled(file.file, file.filename or "", max_bytes=backend.settings.max_upload_bytes) as upload:
            tried = bank_entries.try_out(backend, principal, bank_id, upload)
    except MENDABLE as error:
        return _refused(request, backend, principal, bank_id, error)
    near = bank_entries.entries_by_id(backend, principal, bank_id, [one.entry for one in tried.nearest])
    content = bank_page(request, backend, principal, bank_id, tried=tried_part(tried, bank_id, near))
    return page(request, "bank.html", content)


@router.post("/banks/{bank_id}/hold")
def hold_found(
    bank_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Hold what a bank has matched and that is there, exactly as many as were shown."""
    banks.check(principal, banks.get_bank(backend, principal, bank_id).bank, Action.CHANGE)
    try:
        number = read_integer(fields_of(form), "number", 0, LAST_ID) or 0
        held = bank_upkeep.hold_found(backend, principal, bank_id, expected=number)
    except MENDABLE as error:
        return _refused(request, backend, principal, bank_id, error)
    return _to(bank_id, ngettext("%(number)s picture is held.", "%(number)s pictures are held.", held))


@router.post("/banks/{bank_id}/entries/{entry_id}/remove")
def remove_entry(bank_id: str, entry_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Take an entry out of a bank."""
    bank_entries.remove_entries(backend, principal, bank_id, [words.entry_number(entry_id)])
    return _to(bank_id, _("The entry is gone."))


@router.post("/banks/{bank_id}/entries/{entry_id}/change")
def change_entry(
    bank_id: str,
    entry_id: str,
    request: Request,
    backend: BackendDependency,
    principal: PrincipalDependency,
    form: FormDependency,
) -> Response:
    """Set the notes of an entry, and its end."""
    fields = fields_of(form)
    try:
        until = read_time(fields, "until", end_of_day=True)
        changes = {"notes": first(fields, "notes"), "expires_at": until}
        bank_entries.change_entry(backend, principal, bank_id, words.entry_number(entry_id), changes)
    except InvalidQuery as error:
        return _refused(request, backend, principal, bank_id, error)
    return _to(bank_id, _("The entry is set."))


def _refused(request: Request, backend: Backend, principal: Principal, bank_id: str, error: LikenessError) -> Response:
    """Show the page with what could not be done."""
    content = bank_page(request, backend, principal, bank_id, problem=error.user_message)
    return page(request, "bank.html", content, status_code=status_of(error))


def _to(bank_id: str, notice: str) -> Response:
    response = RedirectResponse(f"/banks/{bank_id}", 303)
    leave_notice(response, notice)
    return response
