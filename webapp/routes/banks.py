"""`/banks`: sets of known pictures, what is in each, what it has matched, and trying it out."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.responses import Response

from pipeline import bank_entries, bank_upkeep, banks
from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.bank_entries import Added, BankEntry, TriedOut
from pipeline.bank_files import read_hashes, text_of
from pipeline.bank_rules import Kind
from pipeline.bank_upkeep import MatchedImage
from pipeline.banks import BankInfo
from pipeline.errors import Conflict, ImageRejected, InvalidQuery, LikenessError, TooManyBytes
from pipeline.principals import Action, Principal
from pipeline.uploads import spooled
from webapp import bank_words as words
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.errors import status_of
from webapp.flash import leave_notice
from webapp.forms import FormDependency, exact, fields_of, files_of, first, one_file, read_integer, read_time
from webapp.language import gettext as _
from webapp.language import ngettext
from webapp.pages_banks import (
    BankCard,
    BankForm,
    BankPage,
    BanksPage,
    EntryLine,
    FormChoices,
    HoldOffer,
    Imported,
    MatchLine,
    NearLine,
    Tried,
)
from webapp.rendering import page
from webapp.security import FILE_POLICY
from webapp.sentences import said
from webapp.tiles import image_url, thumbnail_url
from webapp.wording import as_short_date, as_short_moment, sentences, shortened

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
MATCHES_SHOWN = 24
MOST_REFUSED_SHOWN = 100
LAST_ID = (1 << 62) - 1
THUMBNAIL_PX = 160
SETTINGS = ("name", "action", "sentence", "max_distance", "ratio", "expires_at", "notes", "guarded", "keeps_thumbnails")
MENDABLE = (InvalidQuery, Conflict, ImageRejected)
NOT_CONFIRMED = "Please tick that you mean it; nothing was deleted."
NO_HASHES = "Please choose a file of hashes, or write some."


@router.get("/banks")
def show_banks(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """List the banks that somebody looks after."""
    return page(request, "banks.html", _list_page(request, backend, principal, words.form_of()))


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
        content = _list_page(request, backend, principal, typed, problem=error.user_message)
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
    return page(request, "bank.html", _page(request, backend, principal, bank_id))


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
            request, "bank.html", _page(request, backend, principal, bank_id, **shown), status_code=status_of(error)
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
        content = _page(request, backend, principal, bank_id, problem=problem)
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
    content = _page(request, backend, principal, bank_id, imported=_imported(done))
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
    content = _page(request, backend, principal, bank_id, tried=_tried(tried, bank_id, near))
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
        bank_entries.change_entry(
            backend, principal, bank_id, words.entry_number(entry_id), notes=first(fields, "notes"), expires_at=until
        )
    except InvalidQuery as error:
        return _refused(request, backend, principal, bank_id, error)
    return _to(bank_id, _("The entry is set."))


# ---- The list


def _list_page(
    request: Request, backend: Backend, principal: Principal, form: BankForm, *, problem: str = ""
) -> BanksPage:
    listed = banks.list_banks(backend, principal)
    places = list(banks.makeable(backend, principal).items())
    places += [("", _("the whole server"))] if principal.may_administrate() else []
    return BanksPage(
        shell=shell(request, "banks"),
        banks=tuple(
            BankCard(
                name=info.bank.name,
                url=f"/banks/{info.bank.id}",
                place=_place(info),
                does=words.does(info.bank),
                entries=words.entries_in_words(info.entries),
                badges=words.badges(info),
                paused=info.bank.paused or "",
            )
            for info in listed
        ),
        form=form,
        choices=_choices(form, tuple(places)),
        may_make=bool(places),
        problem=problem,
    )


def _choices(form: BankForm, places: tuple[tuple[str, str], ...] = ()) -> FormChoices:
    return FormChoices(
        kinds=words.choices(words.KINDS),
        actions=words.choices(words.ACTIONS),
        levels=words.level_choices(form.level),
        places=places,
    )


def _place(info: BankInfo) -> str:
    return info.library_name if info.bank.library is not None else _("the whole server")


# ---- One of them


def _page(request: Request, backend: Backend, principal: Principal, bank_id: str, **shown: Any) -> BankPage:
    info = banks.get_bank(backend, principal, bank_id)
    bank, fields = info.bank, fields_of(request.query_params)
    before, matches_before = (read_integer(fields, name, 0, LAST_ID) for name in ("before", "matches_before"))
    entries = bank_entries.list_entries(backend, principal, bank.id, before=before, limit=PAGE_SIZE + 1)
    matches = bank_upkeep.list_matches(backend, principal, bank.id, before=matches_before, limit=MATCHES_SHOWN + 1)
    form = shown.pop("form", None) or words.form_of(bank)
    return BankPage(
        shell=shell(request, "banks"),
        id=bank.id,
        name=bank.name,
        place=_place(info),
        does=words.does(bank),
        kind=bank.kind,
        facts=_facts(info),
        badges=words.badges(info),
        notes=bank.notes,
        form=form,
        choices=_choices(form),
        entries=tuple(_entry(bank.id, entry) for entry in entries[:PAGE_SIZE]),
        older_url=f"/banks/{bank.id}?before={entries[PAGE_SIZE - 1].id}" if len(entries) > PAGE_SIZE else None,
        matches=tuple(map(_match, matches[:MATCHES_SHOWN])),
        older_matches_url=f"/banks/{bank.id}?matches_before={matches[MATCHES_SHOWN - 1].match.id}"
        if len(matches) > MATCHES_SHOWN
        else None,
        csv_url=f"/banks/{bank.id}/hashes.csv",
        paused=bank.paused or "",
        comparing=_comparing(info),
        may_change=info.may_change,
        may_manage=info.may_manage,
        veiled=bank.kind is not Kind.GOOD,
        hold=_hold_offer(backend, principal, info) if info.may_change and matches else None,
        **shown,
    )


def _facts(info: BankInfo) -> tuple[str, ...]:
    bank = info.bank
    told = [
        words.entries_in_words(info.entries),
        words.until_in_words(bank.expires_at),
        _("acts on %(percent)s%% of the uploads", percent=f"{100 * bank.ratio:g}") if bank.ratio < 1 else "",
        "" if bank.keeps_thumbnails else _("keeps hashes only"),
        "" if bank.guarded else _("never rests by itself"),
        _("made on %(date)s", date=as_short_date(bank.created_at)),
    ]
    return tuple(fact for fact in told if fact)


def _comparing(info: BankInfo) -> str:
    if not info.comparing:
        return ""
    return ngettext(
        "%(number)s entry is being compared with the pictures that are here.",
        "%(number)s entries are being compared with the pictures that are here.",
        info.comparing,
    )


def _entry(bank_id: str, entry: BankEntry) -> EntryLine:
    facts = (words.quality(entry.quality), words.until_in_words(entry.expires_at))
    return EntryLine(
        id=entry.id,
        hash=entry.hash.hex(),
        thumbnail_url=f"/banks/{bank_id}/entries/{entry.id}/thumbnail" if entry.has_thumbnail else "",
        origin=words.origin(entry.origin),
        added=as_short_date(entry.added_at),
        facts=tuple(fact for fact in facts if fact),
        notes=entry.notes,
    )


def _match(found: MatchedImage) -> MatchLine:
    return MatchLine(
        url=image_url(found.image),
        thumbnail_url=thumbnail_url(found.image, THUMBNAIL_PX),
        filename=found.image.filename,
        distance=words.distance(found.match.distance),
        deed=words.deed(found.match.deed),
        at=as_short_moment(found.match.matched_at),
        entry=found.match.entry,
    )


def _hold_offer(backend: Backend, principal: Principal, info: BankInfo) -> HoldOffer | None:
    if info.bank.kind is Kind.GOOD:
        return None
    preview = bank_upkeep.preview_hold(backend, principal, info.bank.id)
    if not preview.number:
        return None
    sentence = ngettext(
        "%(number)s picture that is here looks like one of this bank.",
        "%(number)s pictures that are here look like one of this bank.",
        preview.number,
    )
    examples = tuple((thumbnail_url(image, THUMBNAIL_PX), image.filename) for image in preview.examples)
    return HoldOffer(preview.number, sentence, examples)


def _tried(tried: TriedOut, bank_id: str, entries: dict[int, BankEntry]) -> Tried:
    match = tried.judgement.matches[0] if tried.judgement.matches else None
    if match is None:
        sentence = (
            _("It would not match: nothing in this bank is near enough.")
            if tried.nearest
            else _("It would not match: nothing in this bank is anywhere near.")
        )
    else:
        sentence = _(
            "It would match entry %(entry)s (%(distance)s): %(deed)s.",
            entry=match.entry,
            distance=words.distance(match.distance),
            deed=words.deed(match.deed),
        )
        if tried.judgement.sentence:
            sentence = sentences(
                sentence, _("Whoever sends it reads: “%(sentence)s”", sentence=said(tried.judgement.sentence))
            )
    plain = _("There is little to see in this picture, so it matches only at the strict level.")
    return Tried(
        sentence,
        tuple(
            NearLine(
                near.entry,
                words.distance(near.distance),
                f"/banks/{bank_id}/entries/{near.entry}/thumbnail" if entries[near.entry].has_thumbnail else "",
                near.distance <= near.reach,
            )
            for near in tried.nearest
            if near.entry in entries
        ),
        plain if tried.is_plain else "",
    )


def _imported(done: Added) -> Imported:
    shown = tuple((line.number, line.reason) for line in done.refused[:MOST_REFUSED_SHOWN])
    more = done.refused_count - len(shown)
    refused = ngettext("%(number)s line could not be used:", "%(number)s lines could not be used:", done.refused_count)
    return Imported(
        sentences(words.added_in_words(done.added, done.known), refused),
        shown,
        ngettext("and %(number)s more", "and %(number)s more", more) if more else "",
    )


def _refused(request: Request, backend: Backend, principal: Principal, bank_id: str, error: LikenessError) -> Response:
    """Show the page with what could not be done."""
    content = _page(request, backend, principal, bank_id, problem=error.user_message)
    return page(request, "bank.html", content, status_code=status_of(error))


def _to(bank_id: str, notice: str) -> Response:
    response = RedirectResponse(f"/banks/{bank_id}", 303)
    leave_notice(response, notice)
    return response
