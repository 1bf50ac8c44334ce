"""`/upload`: many files at once, a card for each, and the same list for whoever comes back."""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Cookie, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile
from starlette.responses import Response

from pipeline import access
from pipeline.backend import Backend
from pipeline.errors import ImageRejected, InvalidQuery
from pipeline.images import MAIN_LIBRARY, ImageRecord, ImageState
from pipeline.ingest import accept_into
from pipeline.labels import clean_filename
from pipeline.principals import Principal
from pipeline.questions import Term
from pipeline.search import SearchQuery, search
from pipeline.upload_list import Card, ListedUpload, add_card, list_uploads
from pipeline.uploads import spooled
from webapp.adding import deleted_library
from webapp.dependencies import BackendDependency, PrincipalDependency, Running, RunningDependency, shell
from webapp.forms import FormDependency, fields_of, files_of, first
from webapp.identity import for_pictures
from webapp.language import as_number, marked, ngettext
from webapp.language import gettext as _
from webapp.number_ranges import numbers_from, ranges_of
from webapp.pages import Tile
from webapp.pages_uploads import UploadCard, UploadPage
from webapp.rendering import page, wants_fragment
from webapp.tiles import tile_of_hit, tile_of_image
from webapp.wording import as_size, listed

router = APIRouter(include_in_schema=False)

BATCH_COOKIE = "upload_batch"
BATCH_SECONDS = 7 * 24 * 3600
LONGEST_BATCH = 43
KIN = 4  # similar pictures shown on a card
MOST_KIN_CARDS = 24  # cards that are shown with them, newest first: each costs a search, and a list may have hundreds
SETTLING = timedelta(seconds=2)
TOTAL_WORDS = {
    "added": marked("%(number)s added"),
    "existing": marked("%(number)s already here"),
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
    """Return the cards that have come to an end since; `done` says which the page has got already."""
    fields = fields_of(request.query_params)
    batch, done = _batch(first(fields, "batch")), numbers_from(first(fields, "done"))
    return page(request, "upload_changes.html", _page(request, backend, principal, batch, done=done))


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
    sentence, image, existing = "", None, False
    try:
        limit = backend.settings.max_upload_bytes
        with spooled(file.file, file.filename or "", max_bytes=limit) as upload:
            accepted = accept_into(backend, upload, principal, library)
        image, existing = accepted.image, accepted.existing
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
) -> UploadPage:
    """Return the list of a batch: all cards, or `only` these, or those that ended and are not in `done`.

    The totals are of all.
    """
    listed = list_uploads(backend, batch, principal)
    kept = [item.card for item in listed]
    outcomes = {item.card.number: _outcome(item.card, item.image) for item in listed}
    ended = {number for number, (outcome, _) in outcomes.items() if outcome != "waiting"}
    settled = _settled(kept, ended)
    shown = only if only is not None else set(outcomes) if done is None else ended - done
    newest_first = [item for item in reversed(listed) if item.card.number in shown]
    cards = [
        _card(
            backend,
            principal,
            item,
            outcomes[item.card.number],
            with_kin=place < MOST_KIN_CARDS,
        )
        for place, item in enumerate(newest_first)
    ]
    poll_url = f"/upload/changes?batch={batch}&done={ranges_of(settled)}"
    libraries = access.upload_libraries(backend, principal) if only is None and done is None else {}
    return UploadPage(
        shell=shell(request, "upload"),
        batch=batch,
        cards=tuple(cards),
        totals=_totals([outcome for outcome, _ in outcomes.values()]),
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


def _card(
    backend: Backend,
    principal: Principal,
    item: ListedUpload,
    outcome_and_sentence: tuple[str, str],
    *,
    with_kin: bool,
) -> UploadCard:
    card, image = item.card, item.image
    outcome, sentence = outcome_and_sentence
    kin: tuple[Tile, ...] = ()
    if with_kin and outcome == "added" and image:
        kin = _kin(backend, principal, image)
        sentence = _("Added. It looks like these:") if kin else sentence
    return UploadCard(
        id=card.id,
        number=card.number,
        filename=card.filename,
        size=as_size(card.bytes),
        outcome=outcome,  # type: ignore[arg-type] # one of the outcomes that _outcome names
        sentence=sentence,
        image=image,
        tile=tile_of_image(image) if image and image.state == ImageState.READY else None,
        kin=kin,
    )


def _outcome(card: Card, image: ImageRecord | None) -> tuple[str, str]:
    if card.outcome == "refused":
        return "refused", card.sentence
    if image is None:
        return "failed", _("This picture has been deleted since.")
    if image.state == ImageState.FAILED:
        return "failed", image.error or _("The analysis failed.")
    if image.state == ImageState.WAITING:
        return "waiting", _("Kept. Being analyzed…")
    if card.outcome == "existing":
        return "existing", _("Already here, as %(name)s.", name=image.filename)
    return "added", _("Added.")


def _kin(backend: Backend, principal: Principal, image: ImageRecord) -> tuple[Tile, ...]:
    found = search(backend, SearchQuery((Term(image_id=image.id),), limit=KIN), principal)
    return tuple(tile_of_hit(hit) for hit in found.hits if hit.strength == "strong")


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
