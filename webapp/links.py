"""Addresses of searches: what was asked, kept, added or taken away."""

import re
from urllib.parse import urlencode, urlsplit

from fastapi import Request

from webapp.forms import FILTER_FIELDS, Fields

LOGIN = "/login"
WEB_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
SUBJECTS = ("text", "like", "picture")
"""The fields that say what to compare with; the others narrow."""

VIEW_FIELDS = ("state", "sort", "by", "copies")
"""The fields that say what is listed beside what was analyzed, in which order, by what a text is found, and whether
copies are tiles of their own."""


def search_url(fields: Fields, **changes: str | None) -> str:
    """Return the address of the search with `fields`, some of them set or (None) removed; paging starts anew."""
    pairs = [(name, value) for name, value in fields_query(fields) if name not in changes]
    pairs += [(name, value) for name, value in changes.items() if value is not None]
    return f"/?{urlencode(pairs)}" if pairs else "/"


def fields_query(fields: Fields) -> list[tuple[str, str]]:
    """Return what `fields` ask, as pairs for an address."""
    return [(name, value) for name in (*SUBJECTS, *FILTER_FIELDS, *VIEW_FIELDS) for value in fields.get(name, ())]


def without_value(fields: Fields, name: str, value: str) -> str:
    """Return the address without one of the values of a field."""
    rest = [other for other in fields.get(name, ()) if other != value]
    return search_url({**fields, name: rest})


def filters_only(fields: Fields) -> dict[str, list[str]]:
    """Return the fields that narrow."""
    return {name: list(fields[name]) for name in FILTER_FIELDS if fields.get(name)}


def saving_urls(fields: Fields) -> tuple[tuple[str, str], ...]:
    """Return the formats in which the results of a search can be saved, each with its address."""
    query = search_url(fields).removeprefix("/")
    return (("CSV", f"/results.csv{query}"), ("JSON", f"/results.json{query}"))


def is_web_address(text: str) -> bool:
    """Whether a text is nothing but an address on the web, and so not words to be searched for."""
    return WEB_ADDRESS.fullmatch(text) is not None


def is_own_address(address: str) -> bool:
    """Whether `address` is a path on this server, so that a redirect cannot lead elsewhere."""
    return address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()


def here_url(request: Request) -> str:
    """Return the page that is being shown, for a form that leads back to it; "/" where it was the answer to another."""
    if request.method != "GET" or not is_own_address(request.url.path):
        return "/"
    if request.url.path == LOGIN:  # where to go afterwards is kept only if it is one of our addresses
        return login_url(request.query_params.get("next", ""))
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def login_url(wanted: str) -> str:
    """Return where to log in and be led to the `wanted` address of this server afterwards."""
    parts = urlsplit(wanted)
    way = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return f"{LOGIN}?{urlencode({'next': way})}" if way not in {"", "/"} and is_own_address(way) else LOGIN


def absolute_url(request: Request, path: str) -> str:
    """Return the whole address of a path here, to be sent to somebody: under the public address if one is set."""
    public_url: str = request.app.state.running.backend.settings.public_url
    return f"{public_url or str(request.base_url).rstrip('/')}{path}"
