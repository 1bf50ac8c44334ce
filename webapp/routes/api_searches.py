"""`/api/v1/searches`: saved searches, their feeds and webhooks. A token needs the scope `manage` to change anything."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline import saved_feeds, saved_searches, saved_webhooks
from pipeline.backend import Backend
from pipeline.principals import Principal
from pipeline.saved_searches import SavedSearch
from pipeline.saved_webhooks import Webhook
from webapp import schemas_searches as schemas
from webapp.api_form import ANY_CALL, api_errors
from webapp.dependencies import BackendDependency, PrincipalDependency
from webapp.links import absolute_url, search_url
from webapp.routes.feeds import feed_paths
from webapp.saved_addresses import fields_of_json, read_query

router = APIRouter(prefix="/api/v1/searches", tags=["searches"], responses=ANY_CALL)

UNKNOWN = api_errors(404)
UNKNOWN_OR_NOT_NOW = api_errors(404, 409)


@router.get("", response_model=schemas.SavedSearchList)
def list_searches(backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """List the searches that one keeps, by name."""
    found = saved_searches.list_saved(backend, principal)
    return {"searches": [_described(backend, principal, search) for search in found]}


@router.post("", status_code=201, response_model=schemas.SavedSearch, responses=UNKNOWN_OR_NOT_NOW)
def save_search(
    new: schemas.NewSavedSearch, request: Request, backend: BackendDependency, principal: PrincipalDependency
) -> dict[str, Any]:
    """Keep a search; what comes in from now on is compared with it."""
    saved_searches.check_changing(principal)
    if new.webhook:
        saved_webhooks.check_address(backend, new.webhook)
    fields, query = read_query(backend, principal, fields_of_json(new.query))
    saved = saved_searches.save(backend, principal, new.name, fields, query)
    made = _made(request, backend, principal, saved.id, feed=new.feed or None, webhook=new.webhook or None)
    return _described(backend, principal, saved_searches.get_saved(backend, principal, saved.id), made)


@router.get("/{search_id}", response_model=schemas.SavedSearch, responses=UNKNOWN)
def get_search(search_id: str, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Return one saved search."""
    return _described(backend, principal, saved_searches.get_saved(backend, principal, search_id))


@router.patch("/{search_id}", response_model=schemas.SavedSearch, responses=UNKNOWN_OR_NOT_NOW)
def change_search(
    search_id: str,
    patch: schemas.SavedSearchPatch,
    request: Request,
    backend: BackendDependency,
    principal: PrincipalDependency,
) -> dict[str, Any]:
    """Rename a search, let it rest or go on, make or end its feed, set or remove its webhook."""
    saved_searches.check_changing(principal)
    saved_searches.get_saved(backend, principal, search_id)
    if patch.webhook:
        saved_webhooks.check_address(backend, patch.webhook)
    if patch.name is not None:
        saved_searches.rename(backend, principal, search_id, patch.name)
    if patch.paused is not None:
        saved_searches.pause(backend, principal, search_id, paused=patch.paused)
    made = _made(request, backend, principal, search_id, feed=patch.feed, webhook=patch.webhook)
    if patch.retry:
        saved_webhooks.try_again(backend, principal, search_id)
    return _described(backend, principal, saved_searches.get_saved(backend, principal, search_id), made)


@router.delete("/{search_id}", status_code=204, response_class=Response, responses=UNKNOWN)
def delete_search(search_id: str, backend: BackendDependency, principal: PrincipalDependency) -> None:
    """Forget a search, its feed and its webhook."""
    saved_searches.delete(backend, principal, search_id)


def _made(
    request: Request, backend: Backend, principal: Principal, search_id: str, *, feed: bool | None, webhook: str | None
) -> dict[str, str] | None:
    """Change feed and webhook as asked, None leaving each; return what is shown this once."""
    made: dict[str, str] = {}
    if feed:
        paths = feed_paths(saved_feeds.make_feed(backend, principal, search_id))
        made |= {f"feed_{kind.lower()}": absolute_url(request, path) for kind, path in paths.items()}
    elif feed is not None:
        saved_feeds.end_feed(backend, principal, search_id)
    if webhook:
        made["webhook_secret"] = saved_webhooks.set_webhook(backend, principal, search_id, webhook)
    elif webhook is not None:
        saved_webhooks.remove_webhook(backend, principal, search_id)
    return made or None


def _described(
    backend: Backend, principal: Principal, search: SavedSearch, made: dict[str, str] | None = None
) -> dict[str, Any]:
    webhook = saved_webhooks.webhook_of(backend, principal, search.id)
    return {
        "id": search.id,
        "name": search.name,
        "query": search.fields,
        "url": search_url(search.fields),
        "created_at": search.created_at.isoformat(),
        "paused": search.paused,
        "problem": search.problem or None,
        "found": saved_searches.count_found(backend, principal, search.id),
        "feed_since": search.feed_made_at.isoformat() if search.feed_made_at else None,
        "webhook": _webhook(webhook) if webhook else None,
        "made": made,
    }


def _webhook(webhook: Webhook) -> dict[str, Any]:
    return {
        "address": webhook.address,
        "state": "stopped" if webhook.stopped else "failing" if webhook.error else "ok",
        "delivered_at": webhook.delivered_at.isoformat() if webhook.delivered_at else None,
        "error": webhook.error or None,
    }
