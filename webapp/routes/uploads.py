"""`/upload`: many files at once, a card for each, and the same list for whoever comes back."""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Cookie, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile
from starlette.responses import Response

from pipeline import access, undoing, upload_choices
from pipeline.backend import Backend
from pipeline.errors import Conflict, ImageRejected, InvalidQuery
from pipeline.images import MAIN_LIBRARY
from pipeline.ingest import accept_into
from pipeline.labels import clean_filename
from pipeline.principals import Principal
from pipeline.upload_list import Card, add_card, list_uploads
from pipeline.uploads import spooled
from webapp.adding import deleted_library
from webapp.dependencies import BackendDependency, PrincipalDependency, Running, RunningDependency, shell
from webapp.flash import leave_notice
from webapp.forms import FormDependency, fields_of, files_of, first, read_integer
from webapp.identity import for_pictures
from webapp.language import as_number, marked, ngettext
from webapp.language import gettext as _
from webapp.number_ranges import numbers_from, ranges_of
from webapp.pages_uploads import UploadPage
from webapp.rendering import page, wants_fragment
from webapp.sentences import said
from webapp.upload_cards import NO_PROBLEMS, cards_of, outcome_of, stages_of
from webapp.wording import listed, shortened

router = APIRouter(include_in_schema=False)

BATCH_COOKIE = "upload_batch"
BATCH_SECONDS = 7 * 24 * 3600
LONGEST_BATCH = 43
MOST_CARDS = 1_000_000
SETTLING = timedelta(seconds=2)
TOTAL_WORDS = {
    "added": marked("%(number)s added"),
    "existing": marked("%(number)s already here"),
    "held": marked("%(number)s held"),
    "deleted": marked("%(number)s deleted"),
    "waiting": marked("%(number)s being analyzed"),
    "refused": marked("%(number)s refused"),
    "failed": marked("%(number)s refused"),
}


@router.get("/upload")
def show_uploads(
    request: Request,
    backend: BackendDependency,
    principal: PrincipalDependency,
    upload_batch: Annotated[str, Cookie()] = "",
) -> Response:
    """Show the list of the address, or the one this browser worked on last, or a new one."""
    batch = _batch(first(fields_of(request.query_params), "batch")) or _batch(upload_batch)
    batch = batch or secrets.token_urlsafe(16)
    response = page(request, "upload.html", _page(request, backend, principal, batch), block="progress")
    _remember(response, batch)
    return response


@router.get("/upload/changes")
def show_changes(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Return the cards that have changed since; `done` and `seen` say which the page has got already."""
    fields = fields_of(request.query_params)
    batch, done, seen = (
        _batch(first(fields, "batch")),
        *(numbers_from(first(fields, name)) for name in ("done", "seen")),
    )
    return page(request, "upload_changes.html", _page(request, backend, principal, batch, done=done, seen=seen))


@router.post("/upload/choose")
def choose(
    request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Use the picture that is there in place of the new one, or keep both; then show its card again."""
    fields = fields_of(form)
    batch, number = _batch(first(fields, "batch")), read_integer(fields, "card", 1, MOST_CARDS) or 0
    new, existing, problem, notice = first(fields, "new"), first(fields, "existing"), "", ""
    choice, undo_url = first(fields, "choice"), ""
    if choice not in {"use", "variant", "anyway"}:
        raise InvalidQuery("Of two pictures one can be used, or both be kept.")
    try:
        if choice == "use":
            used = upload_choices.use_existing(backend, new, existing, principal)
            undo_url = f"/upload/undo/{used.batch}" if used.batch else f"/images/{used.new.id}/restore"
            notice = _("%(name)s is used, and the new one is in the trash.", name=shortened(used.existing.filename))
        else:
            reason = first(fields, "reason")
            upload_choices.keep_both(backend, new, existing, principal, variant=choice == "variant", reason=reason)
            notice = _("Both are kept.")
    except (Conflict, InvalidQuery) as error:
        problem = said(error.user_message)
    if wants_fragment(request):
        content = _page(request, backend, principal, batch, only={number}, problems={number: problem})
        content = replace(content, shell=replace(content.shell, notice=notice, undo_url=undo_url))
        return page(request, "upload_changes.html", content, status_code=422 if problem else 200)
    if problem:
        content = _page(request, backend, principal, batch, problems={number: problem})
        return page(request, "upload.html", content, status_code=422)
    response = RedirectResponse(f"/upload?{urlencode({'batch': batch})}", 303)
    leave_notice(response, notice, undo_url=undo_url)
    return response


@router.post("/upload/undo/{batch}")
def undo_choice(batch: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Bring back a picture in whose place another was used, and take back what that one got of it."""
    undoing.undo(backend, batch, principal)
    response = RedirectResponse("/upload", 303)
    leave_notice(response, _("The picture is back."))
    return response


@router.post("/upload")
@for_pictures
def receive_uploads(
    request: Request,
    running: RunningDependency,
    principal: PrincipalDependency,
    form: FormDependency,
) -> Response:
    """Accept files one by one; what is refused gets a card that says why, and stops no other."""
    files = files_of(form)
    if not files:
        raise InvalidQuery("Please choose at least one picture.")
    fields = fields_of(form)
    batch = _batch(first(fields, "batch")) or secrets.token_urlsafe(16)
    library = access.upload_library(running.backend, first(fields, "library") or None, principal)
    cards = [_receive(running, principal, batch, library, file) for file in files]
    if wants_fragment(request):
        content = _page(request, running.backend, principal, batch, only={card.number for card in cards})
        return page(request, "upload_changes.html", content)
    response = RedirectResponse(f"/upload?{urlencode({'batch': batch, 'library': library})}", 303)
    _remember(response, batch)
    return response


def _receive(running: Running, principal: Principal, batch: str, library: str, file: UploadFile) -> Card:
    backend = running.backend
    filename = clean_filename(file.filename or "")
    sentence, image, existing, restored = "", None, False, False
    try:
        limit = backend.settings.max_upload_bytes
        with spooled(file.file, file.filename or "", max_bytes=limit) as upload:
            accepted = accept_into(backend, upload, principal, library)
        image, existing, restored = accepted.image, accepted.existing, accepted.restored
        running.ring()
    except ImageRejected as error:
        sentence = error.user_message
    return add_card(
        backend,
        batch,
        principal,
        filename=filename,
        size=file.size or 0,
        image=image,
        existing=existing,
        restored=restored,
        sentence=sentence,
    )


def _page(
    request: Request,
    backend: Backend,
    principal: Principal,
    batch: str,
    *,
    only: AbstractSet[int] | None = None,
    done: AbstractSet[int] | None = None,
    seen: AbstractSet[int] = frozenset(),
    problems: Mapping[int, str] = NO_PROBLEMS,
) -> UploadPage:
    """Return the list of a batch: all cards, or `only` these, or those that have changed since.

    `done` are those that the page has got as they stay, `seen` those that it has got analyzed, and not compared yet.
    The totals are of all. `problems` say why choices were refused, by the numbers of their cards.
    """
    items = list_uploads(backend, batch, principal)
    analyzed, final = stages_of(backend, items)
    kept = [item.card for item in items]
    settled, looked_at = _settled(kept, final), _settled(kept, analyzed - final)
    shown = only if only is not None else {card.number for card in kept}
    if done is not None:
        shown = (final - done) | (analyzed - final - done - seen)
    newest_first = [item for item in reversed(items) if item.card.number in shown]
    poll_url = f"/upload/changes?batch={batch}&done={ranges_of(settled)}&seen={ranges_of(looked_at)}"
    libraries = access.upload_libraries(backend, principal) if only is None and done is None else {}
    return UploadPage(
        shell=shell(request, "upload"),
        batch=batch,
        cards=cards_of(backend, principal, newest_first, checked=final, problems=problems),
        totals=_totals([outcome_of(item)[0] for item in items]),
        poll_url=poll_url if len(settled) < len(kept) else None,
        libraries=tuple(libraries.items()),
        library=_chosen(request, libraries),
        deleted_library=deleted_library(backend, principal),
    )


def _chosen(request: Request, libraries: Mapping[str, str]) -> str:
    """Return the id of the library that is offered first: that of the address, or the usual one."""
    asked = first(fields_of(request.query_params), "library")
    offered = [library for library in (asked, MAIN_LIBRARY, *libraries) if library in libraries]
    return offered[0] if offered else ""


def _settled(cards: Sequence[Card], ended: AbstractSet[int]) -> set[int]:
    """Return the ended cards that every page has surely got.

    A young card may still be on its way to the page when its end is told; it is told once more a little later.
    """
    youngest = datetime.now(UTC) - SETTLING
    return {card.number for card in cards if card.number in ended and card.created_at < youngest}


def _totals(outcomes: Sequence[str]) -> str:
    if not outcomes:
        return ""
    counted = Counter(TOTAL_WORDS[outcome] for outcome in outcomes)
    parts = [
        _(words, number=as_number(counted[words])) for words in dict.fromkeys(TOTAL_WORDS.values()) if counted[words]
    ]
    files = ngettext("%(number)s file", "%(number)s files", len(outcomes))
    return _("%(files)s: %(parts)s", files=files, parts=listed(parts))


def _batch(value: str) -> str:
    plain = value.replace("-", "").replace("_", "")
    return value if plain.isascii() and plain.isalnum() and len(value) <= LONGEST_BATCH else ""


def _remember(response: Response, batch: str) -> None:
    response.set_cookie(BATCH_COOKIE, batch, max_age=BATCH_SECONDS, httponly=True, samesite="strict")
