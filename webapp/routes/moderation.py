"""`/moderation`: what waits for a moderator, and what is decided about it."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Cookie, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import access, moderation, moderation_queue, reporting
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery
from pipeline.moderation import Preview, Settled
from pipeline.moderation_queue import Tab
from pipeline.principals import Action, Principal
from webapp.dependencies import BackendDependency, PrincipalDependency, RunningDependency, shell
from webapp.flash import leave_notice
from webapp.forms import Fields, FormDependency, fields_of, first
from webapp.language import as_number, marked, ngettext
from webapp.language import gettext as _
from webapp.links import is_own_address
from webapp.moderation_words import BUTTONS, DONE, QUESTIONS, consequences_of, entry_of, left_out_of
from webapp.pages import Emptiness
from webapp.pages_moderation import DeedPage, ModerationPage, TabLink
from webapp.rendering import page
from webapp.sentences import said
from webapp.tiles import tile_of_image
from webapp.wording import days_in_words, sentences

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 24  # pictures shown at once: a few screens, each with its reasons
MOST_CHOSEN = 1000
VEIL_COOKIE, UNVEILED = "moderation_veil", "off"
VEIL_SECONDS = 365 * 24 * 3600
LONGEST_PART = 100  # characters of what is looked for among reasons and names

Deed = Literal["approve", "remove", "escalate"]
DEEDS: tuple[Deed, ...] = ("approve", "remove", "escalate")
TABS = {
    Tab.HELD: marked("Held"),
    Tab.REPORTED: marked("Reported"),
    Tab.ESCALATED: marked("Left to the owners"),
    Tab.SETTLED: marked("Settled"),
}
NOTHING_WAITS = {
    Tab.HELD: (
        marked("Nothing is held"),
        marked("Pictures that a bank holds back, or a moderator, wait here until somebody decides."),
    ),
    Tab.REPORTED: (
        marked("Nothing is reported"),
        marked("Whoever sees a picture can report it on its page. It stays to be seen until somebody decides."),
    ),
    Tab.ESCALATED: (
        marked("Nothing is left to the owners"),
        marked("What a moderator does not want to decide alone waits here for the owners of the library."),
    ),
    Tab.SETTLED: (marked("Nothing was settled yet"), marked("What you decide stands here, and can be undone here.")),
}


@router.get("/moderation")
def show_queue(
    request: Request,
    backend: BackendDependency,
    principal: PrincipalDependency,
    moderation_veil: Annotated[str, Cookie()] = "",
) -> Response:
    """Show a part of the queue: of what waits the oldest first, of what was settled the newest."""
    fields = fields_of(request.query_params)
    moderation_queue.check_moderating(principal)
    counts = moderation_queue.count_waiting(backend, principal)
    tab = _tab(fields, counts)
    asked = {name: first(fields, name)[:LONGEST_PART] for name in ("library", "reason", "who")}
    cursor = first(fields, "cursor") or None
    found = moderation_queue.queue(backend, principal, tab, **asked, cursor=cursor, limit=PAGE_SIZE)
    labels = access.library_labels(backend, principal)
    moderated = tuple((name, label) for name, label in labels.items() if principal.may(Action.CHANGE, name))
    content = ModerationPage(
        shell=shell(request, "moderation"),
        tab=tab,
        tabs=tuple(
            TabLink(_(label), _url(each, {}), as_number(counts[each]) if counts.get(each) else "", each is tab)
            for each, label in TABS.items()
        ),
        entries=tuple(entry_of(waiting) for waiting in found.entries),
        libraries=moderated,
        library=asked["library"],
        reason=asked["reason"],
        who=asked["who"],
        veiled=moderation_veil != UNVEILED,
        here=_url(tab, asked, cursor),
        next_url=_url(tab, asked, found.next_cursor) if found.next_cursor else None,
        first_url=_url(tab, asked) if cursor else "",
        empty=None if found.entries else _emptiness(tab, is_narrowed=any(asked.values()), is_later=cursor is not None),
        may_settle=any(waiting.may_settle for waiting in found.entries) and tab is not Tab.SETTLED,
    )
    return page(request, "moderation.html", content)


@router.post("/moderation/veil")
def set_veil(principal: PrincipalDependency, form: FormDependency) -> Response:
    """Blur pictures until they are revealed, or show them at once, from now on in this browser."""
    moderation_queue.check_moderating(principal)
    fields = fields_of(form)
    response = RedirectResponse(_back(fields), 303)
    value = UNVEILED if first(fields, "veil") == UNVEILED else "on"
    response.set_cookie(VEIL_COOKIE, value, max_age=VEIL_SECONDS, httponly=True, samesite="strict")
    return response


@router.post("/moderation/ask")
def ask_first(
    request: Request,
    backend: BackendDependency,
    principal: PrincipalDependency,
    form: FormDependency,
    moderation_veil: Annotated[str, Cookie()] = "",
) -> Response:
    """Show what would happen to the chosen pictures, and ask for the reason."""
    fields = fields_of(form)
    ids, deed = _chosen(fields), _deed(fields)
    shown = moderation.preview(backend, ids, principal)
    content = _deed_page(request, backend, deed, shown, fields, veiled=moderation_veil != UNVEILED)
    return page(request, "moderation_deed.html", content)


@router.post("/moderation/settle")
def settle(
    request: Request,
    running: RunningDependency,
    principal: PrincipalDependency,
    form: FormDependency,
    moderation_veil: Annotated[str, Cookie()] = "",
) -> Response:
    """Approve, remove or escalate the chosen pictures, and go back to where they were chosen."""
    backend = running.backend
    fields = fields_of(form)
    ids, deed, reason = _chosen(fields), _deed(fields), first(fields, "reason")
    try:
        settled = _do(backend, deed, ids, principal, reason, keep_hash=bool(first(fields, "keep_hash")))
    except InvalidQuery as error:
        shown = moderation.preview(backend, ids, principal)
        veiled = moderation_veil != UNVEILED
        content = _deed_page(
            request, backend, deed, shown, fields, veiled=veiled, reason=reason, problem=said(error.user_message)
        )
        return page(request, "moderation_deed.html", content, status_code=422)
    running.ring()
    response = RedirectResponse(_back(fields), 303)
    left = ngettext("%(number)s had been settled before.", "%(number)s had been settled before.", len(settled.settled))
    notice = sentences(ngettext(*DONE[deed], len(settled.images)), left if settled.settled else "")
    leave_notice(response, notice, undo_url=f"/moderation/undo/{settled.batch}" if settled.batch else "")
    return response


@router.post("/moderation/undo/{batch}")
def undo(batch: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Let what was settled in one go wait again."""
    moderation_queue.check_moderating(principal)
    images = moderation.undo(backend, batch, principal)
    counts = moderation_queue.count_waiting(backend, principal)
    response = RedirectResponse(_url(_tab({}, counts), {}), 303)
    leave_notice(response, ngettext(*DONE["undo"], len(images)))
    return response


@router.post("/images/{image_id}/report")
def report_image(
    image_id: str, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Tell the moderators of a picture that it should be looked at."""
    image = reporting.report(backend, image_id, principal, first(fields_of(form), "reason"))
    sees_it = access.get_images(backend, [image.id], principal)
    response = RedirectResponse(f"/images/{image.id}" if sees_it else "/", 303)
    leave_notice(response, _("Thank you. The moderators of this library will look at it."))
    return response


@router.post("/images/{image_id}/hold")
def hold_image(
    image_id: str, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Keep a picture back until it has been decided about."""
    held = moderation.hold(backend, [image_id], principal, first(fields_of(form), "reason"))
    response = RedirectResponse(f"/images/{image_id}", 303)
    leave_notice(response, ngettext(*DONE["hold"], len(held)))
    return response


def _do(backend: Backend, deed: Deed, ids: list[str], principal: Principal, reason: str, *, keep_hash: bool) -> Settled:
    if deed == "remove":
        return moderation.remove(backend, ids, principal, reason, keep_hash=keep_hash)
    if deed == "escalate":
        return moderation.escalate(backend, ids, principal, reason)
    return moderation.approve(backend, ids, principal, reason)


def _deed_page(
    request: Request,
    backend: Backend,
    deed: Deed,
    shown: Preview,
    fields: Fields,
    *,
    veiled: bool,
    reason: str = "",
    problem: str = "",
) -> DeedPage:
    number = len(shown.images)
    return DeedPage(
        shell=shell(request, "moderation"),
        deed=deed,
        question=ngettext(*QUESTIONS[deed], number) if number else _("There is nothing to decide any more"),
        consequences=consequences_of(deed, shown, days_in_words(backend.settings.trash_days)) if number else (),
        left_out=left_out_of(shown),
        tiles=tuple(tile_of_image(image) for image in shown.images),
        button=ngettext(*BUTTONS[deed], number),
        needs_reason=deed != "approve",
        offers_hash=deed == "remove" and any(image.color for image in shown.images),
        veiled=veiled,
        back_url=_back(fields),
        reason=reason,
        problem=problem,
    )


def _tab(fields: Fields, counts: dict[Tab, int]) -> Tab:
    """Return the part that is asked for, or the first in which something waits."""
    asked = first(fields, "tab")
    if asked in {tab.value for tab in Tab}:
        return Tab(asked)
    return next((tab for tab, number in counts.items() if number), Tab.HELD)


def _url(tab: Tab, asked: dict[str, str], cursor: str | None = None) -> str:
    told = {"tab": tab.value, **asked, "cursor": cursor or ""}
    return f"/moderation?{urlencode({name: value for name, value in told.items() if value})}"


def _emptiness(tab: Tab, *, is_narrowed: bool, is_later: bool) -> Emptiness:
    if is_later:
        return Emptiness(_("Nothing is left here"), _("The rest has been settled meanwhile."))
    if is_narrowed:
        return Emptiness(
            _("Nothing here is like that"),
            _("No picture in this part of the queue passes the filters."),
            ((_("Clear all filters"), _url(tab, {})),),
        )
    title, explanation = NOTHING_WAITS[tab]
    return Emptiness(_(title), _(explanation))


def _chosen(fields: Fields) -> list[str]:
    ids = list(fields.get("image", ()))
    if not ids:
        raise InvalidQuery("No picture is selected. Please select at least one.")
    if len(ids) > MOST_CHOSEN:
        raise InvalidQuery(f"At most {MOST_CHOSEN:,} pictures can be decided about at once.")
    return ids


def _deed(fields: Fields) -> Deed:
    deed = first(fields, "action")
    if deed not in DEEDS:
        raise InvalidQuery("A picture can be approved, removed or left to the owners of its library.")
    return deed


def _back(fields: Fields) -> str:
    back = first(fields, "back", "/moderation")
    return back if is_own_address(back) else "/moderation"
