"""`/searches`: the searches that somebody keeps, with their feeds and webhooks."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import access, saved_feeds, saved_searches, saved_webhooks
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, NotFound
from pipeline.principals import Principal
from pipeline.saved_searches import SavedSearch
from pipeline.saved_webhooks import Webhook
from webapp.chips import filter_chips
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.errors import status_of
from webapp.flash import leave_notice
from webapp.forms import FormDependency, exact, fields_of, first
from webapp.language import gettext as _
from webapp.language import marked, ngettext
from webapp.links import absolute_url, search_url
from webapp.pages_accounts import Secret
from webapp.pages_searches import SavedSearchPanel, SearchesPage, WebhookLine
from webapp.part_chips import heading_of
from webapp.query_parts import readable_parts
from webapp.rendering import page
from webapp.routes.feeds import feed_paths
from webapp.saved_addresses import fields_of_address, read_query
from webapp.security import SECRET_PAGE
from webapp.wording import as_short_date, as_short_moment, shortened

router = APIRouter(include_in_schema=False)

FEED_SENTENCE = marked("Whoever has it reads what this search finds, without logging in, but gets no picture by it.")
WEBHOOK_SENTENCE = marked("The receiver needs it to know that a message is from here.")


@router.get("/searches")
def show_searches(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """List the searches that somebody keeps."""
    return page(request, "searches.html", _page(request, backend, principal))


@router.post("/searches")
def save_search(
    request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Keep the search of an address under a name."""
    name = first(fields_of(form), "name")
    try:
        fields, query = read_query(backend, principal, fields_of_address(exact(form, "query")))
        saved = saved_searches.save(backend, principal, name, fields, query)
    except (InvalidQuery, Conflict, NotFound) as error:
        content = _page(request, backend, principal, problem=error.user_message)
        return page(request, "searches.html", content, status_code=status_of(error))
    return _back(_("“%(name)s” is saved. It looks at what comes in from now on.", name=shortened(saved.name)))


@router.post("/searches/{search_id}/rename")
def rename_search(
    search_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Call a search by another name."""
    name = first(fields_of(form), "name")
    try:
        saved_searches.rename(backend, principal, search_id, name)
    except InvalidQuery as error:
        return _refused(request, backend, principal, search_id, error, rename_problem=True, typed=name)
    return _back(_("It is now called “%(name)s”.", name=shortened(name.strip())))


@router.post("/searches/{search_id}/pause")
def pause_search(
    search_id: str, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Let a search rest, or go on."""
    paused = first(fields_of(form), "paused") == "1"
    saved_searches.pause(backend, principal, search_id, paused=paused)
    return _back(_("The search rests.") if paused else _("The search goes on with what comes in from now."))


@router.post("/searches/{search_id}/delete")
def delete_search(search_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Forget a search."""
    deleted = saved_searches.delete(backend, principal, search_id)
    return _back(_("“%(name)s” is deleted.", name=shortened(deleted.name)))


@router.post("/searches/{search_id}/feed")
def change_feed(
    search_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Make a new feed address and show it this once, or end the one there is."""
    if first(fields_of(form), "do") == "end":
        saved_feeds.end_feed(backend, principal, search_id)
        return _back(_("The feed address leads nowhere any more."))
    key = saved_feeds.make_feed(backend, principal, search_id)
    name = saved_searches.get_saved(backend, principal, search_id).name
    shown = tuple(
        Secret(
            _("The %(kind)s feed of “%(name)s”", kind=kind, name=name),
            absolute_url(request, path),
            _(FEED_SENTENCE),
            "/searches",
        )
        for kind, path in feed_paths(key).items()
    )
    return _with_secrets(request, backend, principal, shown)


@router.post("/searches/{search_id}/webhook")
def set_webhook(
    search_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Have new matches sent to an address, and show the secret that signs them this once."""
    address = first(fields_of(form), "address")
    try:
        secret = saved_webhooks.set_webhook(backend, principal, search_id, address)
    except InvalidQuery as error:
        return _refused(request, backend, principal, search_id, error, rename_problem=False, typed=address)
    name = saved_searches.get_saved(backend, principal, search_id).name
    shown = Secret(_("The secret of the webhook of “%(name)s”", name=name), secret, _(WEBHOOK_SENTENCE), "/searches")
    return _with_secrets(request, backend, principal, (shown,))


@router.post("/searches/{search_id}/webhook/remove")
def remove_webhook(search_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Send nothing any more."""
    saved_webhooks.remove_webhook(backend, principal, search_id)
    return _back(_("Nothing is sent any more."))


@router.post("/searches/{search_id}/webhook/retry")
def retry_webhook(search_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Send now what waits or was given up."""
    saved_webhooks.try_again(backend, principal, search_id)
    return _back(_("It is tried again now."))


# ---- What is shown


def _page(request: Request, backend: Backend, principal: Principal, **shown: Any) -> SearchesPage:
    searches = saved_searches.list_saved(backend, principal)
    labels = access.library_labels(backend, principal)
    return SearchesPage(
        shell=shell(request, "searches"),
        searches=tuple(_panel(backend, principal, search, labels) for search in searches),
        has_webhooks=backend.settings.webhooks,
        **shown,
    )


def _panel(backend: Backend, principal: Principal, search: SavedSearch, labels: dict[str, str]) -> SavedSearchPanel:
    webhook = saved_webhooks.webhook_of(backend, principal, search.id)
    count = saved_searches.count_found(backend, principal, search.id)
    parts = readable_parts(search.fields)
    chips = filter_chips(backend, principal, search.fields, labels, asked=bool(parts))
    asks = [heading_of(parts, is_narrowed=True)] if parts else []
    return SavedSearchPanel(
        id=search.id,
        name=search.name,
        asks=" · ".join([*asks, *(chip.label for chip in chips)]),
        open_url=search_url(search.fields),
        since=as_short_date(search.created_at),
        found=ngettext("%(number)s new picture found", "%(number)s new pictures found", count),
        paused=search.paused,
        problem=search.problem,
        feed_since=as_short_date(search.feed_made_at) if search.feed_made_at else "",
        webhook=_webhook_line(webhook) if webhook else None,
    )


def _webhook_line(webhook: Webhook) -> WebhookLine:
    if webhook.stopped:
        state = _("Nothing is sent")
    elif webhook.error:
        state = ngettext(
            "Tried %(number)s times; the next try is at %(moment)s UTC",
            "Tried %(number)s times; the next try is at %(moment)s UTC",
            webhook.attempts,
            moment=as_short_moment(webhook.not_before),
        )
    elif webhook.delivered_at:
        state = _("Last taken on %(moment)s UTC", moment=as_short_moment(webhook.delivered_at))
    else:
        state = _("Nothing was sent yet")
    return WebhookLine(webhook.address, state, webhook.error, may_try_again=webhook.stopped or bool(webhook.error))


def _refused(
    request: Request,
    backend: Backend,
    principal: Principal,
    search_id: str,
    error: InvalidQuery,
    *,
    rename_problem: bool,
    typed: str,
) -> Response:
    """Show the page with the sentence at the form that was refused."""
    changes: Any = (
        {"rename_problem": error.user_message, "typed_name": typed}
        if rename_problem
        else {"webhook_problem": error.user_message, "typed_address": typed}
    )
    content = _page(request, backend, principal)
    panels = tuple(replace(one, **changes) if one.id == search_id else one for one in content.searches)
    return page(request, "searches.html", replace(content, searches=panels), status_code=status_of(error))


def _with_secrets(request: Request, backend: Backend, principal: Principal, secrets: tuple[Secret, ...]) -> Response:
    response = page(request, "searches.html", _page(request, backend, principal, secrets=secrets))
    response.headers.update(SECRET_PAGE)
    return response


def _back(notice: str) -> Response:
    response = RedirectResponse("/searches", 303)
    leave_notice(response, notice)
    return response
