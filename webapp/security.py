"""What every request must pass and every response carries.

A request must come from our own pages, or from a program outside a browser, which names no other site; only a link on
another site may lead a person here. Without accounts the person at the machine owns everything, so then the Host must
also be a loopback name (against DNS rebinding), and no proxy may have passed the request on for somebody else.
"""

import logging
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import TooManyBytes
from webapp.sentences import said

log = logging.getLogger(__name__)

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_IN_MEMORY_BYTES = 2 << 20
"""Of a body that is not a form with files: those are spooled to disk, all others are held in memory whole."""

OWN_SITES = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site: our own pages, and what the person typed or opened from outside a browser page."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "style-src-attr 'unsafe-inline'; "  # aspect ratios and placeholder colors of tiles
    "img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
FILE_POLICY = "default-src 'none'; sandbox"
"""For what people uploaded: even if a browser took it for a page, nothing in it could run."""

HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "private, no-cache",
}
OPENER_POLICY = "Cross-Origin-Opener-Policy"
"""Only where browsers heed it, over https or on this machine; elsewhere each page would log that it was ignored."""

HTTPS_FOR_TWO_YEARS = "max-age=63072000"
"""Browsers that have once come over https do not come without it again. Other hosts of the domain are not ours."""

SECRET_PAGE = {"Referrer-Policy": "strict-origin", "Cache-Control": "no-store"}
"""For pages that have a secret in their address or show one: it is told to nobody, and kept nowhere.

Not `no-referrer`: then browsers send `Origin: null` with the forms of such a page, which are refused as foreign.
"""


WRONG_HOST = "Likeness answers only to addresses of this machine: http://127.0.0.1 or http://localhost."
THROUGH_A_PROXY = (
    "This request came through a proxy, so it may be from anybody. Likeness answers others only with accounts: please "
    "set LIKENESS_ACCOUNTS=required and start it again."
)
PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
NOT_BELIEVED = (
    "Requests come through a proxy that LIKENESS_TRUSTED_PROXIES does not name, so everybody behind it counts as one: "
    "a few wrong passwords slow all of them down, and cookies are not kept to https."
)
WRONG_ORIGIN = "Another website asked for this, so it was refused. Please use the pages of Likeness itself."


class Guard:
    """ASGI middleware: checks Host and Origin, limits the body, and adds the headers above."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body_bytes: Mapping[str, int],
        default_body_bytes: int,
        public_url: str = "",
        believes_proxies: bool = False,
    ) -> None:
        self.app = app
        self.believes_proxies = believes_proxies
        self.public_place = _network_place(public_url)
        self.max_body_bytes = max_body_bytes
        self.default_body_bytes = default_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self._warn_of_a_proxy(scope)
        refusal = _refusal(scope, self.public_place)
        if refusal:
            await refusal(scope, receive, _with_headers(scope, send))
            return
        limit = self._limit_of(scope["path"])
        if not Headers(scope=scope).get("content-type", "").lower().startswith("multipart/form-data"):
            limit = min(limit, MOST_IN_MEMORY_BYTES)
        if scope["method"] == "HEAD":  # every page that can be got can be asked for without its body
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        await self.app(scope, _limited(receive, limit), _with_headers(scope, send))

    def _limit_of(self, path: str) -> int:
        """Return how large a body may be that is sent to a path; in those that are listed `*` stands for one part."""
        if path in self.max_body_bytes:
            return self.max_body_bytes[path]
        parts = path.split("/")
        for listed, limit in self.max_body_bytes.items():
            wanted = listed.split("/")
            alike = len(wanted) == len(parts) and all(map(lambda one, other: one in {"*", other}, wanted, parts))
            if "*" in wanted and alike:
                return limit
        return self.default_body_bytes

    def _warn_of_a_proxy(self, scope: Scope) -> None:
        """Say once that a proxy is not believed: all who come through it count as one when logins are slowed down."""
        if self.believes_proxies or not scope["app"].state.running.accounts_active:
            return
        if "x-forwarded-for" in Headers(scope=scope):
            self.believes_proxies = True
            log.warning(NOT_BELIEVED)


def _refusal(scope: Scope, public_place: str) -> Response | None:
    headers = Headers(scope=scope)
    if not scope["app"].state.running.accounts_active:
        if _host_name(headers.get("host", "")) not in LOOPBACK_NAMES:
            return _refuse(scope, "wrong_host", WRONG_HOST)
        if any(name in headers for name in PROXY_HEADERS):
            return _refuse(scope, "through_a_proxy", THROUGH_A_PROXY)
    own_places = {headers.get("host", ""), public_place} - {""}
    if not _is_own(headers, own_places) and not (scope["method"] in SAFE_METHODS and _is_link(headers)):
        return _refuse(scope, "wrong_origin", WRONG_ORIGIN)
    return None


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_own(headers: Headers, places: AbstractSet[str]) -> bool:
    """Whether a request comes from our own pages, or from a program outside a browser, which sends neither header."""
    if headers.get("sec-fetch-site", "none") not in OWN_SITES:
        return False
    origin = headers.get("origin")
    return origin is None or _network_place(origin) in places


def _network_place(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def _is_link(headers: Headers) -> bool:
    """Whether a person followed a link to us: the page that had it learns nothing of the answer."""
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
        and headers.get("origin") is None
    )


def _refuse(scope: Scope, code: str, sentence: str) -> Response:
    if scope["path"].startswith("/api/"):
        return JSONResponse({"error": {"code": code, "message": sentence}}, 403)
    return PlainTextResponse(said(sentence), 403)


def _limited(receive: Receive, limit: int) -> Receive:
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            if message.get("more_body", False):
                await _drain(receive, limit)
            raise TooManyBytes("This is more than can be sent at once. Please send fewer or smaller pictures.")
        return message

    return receive_limited


async def _drain(receive: Receive, limit: int) -> None:
    """Read on for a while before answering: browsers show an answer only after they could send their body."""
    drained = 0
    while drained < limit:
        message = await receive()
        drained += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


def harmless_headers(scope: Scope) -> dict[str, str]:
    """Return the headers that every answer to this request carries, unless it says otherwise itself."""
    headers = dict(HEADERS)
    is_https = scope["scheme"] == "https"
    if is_https or _host_name(Headers(scope=scope).get("host", "")) in LOOPBACK_NAMES:
        headers[OPENER_POLICY] = "same-origin"
    if is_https:
        headers["Strict-Transport-Security"] = HTTPS_FOR_TWO_YEARS
    return headers


def _with_headers(scope: Scope, send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in harmless_headers(scope).items():
                headers.setdefault(name, value)
            fresh_cookie = scope.get("state", {}).get("fresh_cookie")
            if fresh_cookie:
                headers.append("Set-Cookie", fresh_cookie)
            if scope["scheme"] == "https":
                message = {**message, "headers": [_secured(header) for header in message["headers"]]}
        await send(message)

    return send_with_headers


def _secured(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a header; a cookie is given out over https for https alone."""
    name, value = header
    is_open = name.lower() == b"set-cookie" and b"; secure" not in value.lower()
    return (name, value + b"; Secure") if is_open else header
