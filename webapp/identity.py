"""Who asks: found out before every route, from a session cookie, an API token, or the mode of the server.

Everything is closed but what is marked `public`, the static files, and the OpenAPI document, which tells no more than
the source does. Without accounts whoever reaches the server, which is then on
loopback alone, owns everything. A session proves who asks but not that they wanted it, so what changes anything also
needs the session's CSRF token; an API token is never sent by a browser on its own, and needs none.
"""

import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from pipeline import accounts, sessions
from pipeline.access import check_uploading_somewhere, local_owner
from pipeline.accounts import Person
from pipeline.backend import Backend
from pipeline.errors import NotAllowed, NotLoggedIn, StoreUnavailable
from pipeline.principals import NOBODY, OWNER, Principal
from pipeline.sessions import Identity, LoggedIn
from webapp.cookies import Signer
from webapp.forms import parse_form
from webapp.security import LOOPBACK_NAMES

COOKIE = "likeness"
SECURE_COOKIE = "__Host-likeness"
"""Over https: browsers take it only with Secure, for this host alone, and over https."""

SESSION = "session"
CSRF = "csrf"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
STATUS_PATHS = frozenset({"/status", "/api/v1/status"})
TOKEN_PATHS = ("/api/", "/metrics")
SECONDS_A_DAY = 86_400
LONGEST_ADDRESS = 45  # characters of an IPv6 address written in full; what a proxy tells may be anything

LOG_IN = "Please log in first."
BAD_TOKEN = "This token is not valid: it has expired, was revoked, or never was one."  # noqa: S105 - a sentence
STALE_PAGE = "This page is from an earlier login. Please reload it and try again."

Route = TypeVar("Route", bound=Callable[..., Any])


@dataclass(frozen=True)
class Visitor:
    """Who asks. Without accounts there is neither a session nor a CSRF token."""

    principal: Principal
    session_id: str | None = None
    csrf_token: str = ""
    has_accounts: bool = False

    @property
    def is_known(self) -> bool:
        """Whether this is somebody, and not anybody."""
        return not self.has_accounts or self.principal.person_id is not None


UNKNOWN = Visitor(NOBODY, has_accounts=True)


def public(route: Route) -> Route:
    """Mark a route that answers also those who have not said who they are."""
    route.is_public = True  # type: ignore[attr-defined] # read below and by the test of every route
    return route


def unasked(route: Route) -> Route:
    """Mark a public route that answers everybody the same, so that not even the database is asked who it is."""
    route.is_unasked = True  # type: ignore[attr-defined]
    return public(route)


def for_pictures(route: Route) -> Route:
    """Mark a route that takes pictures in, so that many megabytes are not read from those who may add none."""
    route.takes_pictures = True  # type: ignore[attr-defined]
    return route


async def identify(request: Request) -> Visitor:
    """Return who asks, and remember it in `request.state`. Raises NotLoggedIn where that is not `public`.

    Raises StoreUnavailable where the data has moved away long ago: what was revoked since is not known here.

    Who is `unasked` needs no thread, of which there may be none left when a store is slow.
    """
    if getattr(request.scope.get("endpoint"), "is_unasked", False):
        request.state.visitor = UNKNOWN
        return UNKNOWN
    return await run_in_threadpool(_identify, request)


def _identify(request: Request) -> Visitor:
    is_public = getattr(request.scope.get("endpoint"), "is_public", False)
    try:
        visitor = request.state.visitor = _visitor(request)
    except StoreUnavailable:
        visitor = request.state.visitor = visitor_while_down(request)
        is_open = not visitor.has_accounts
        if is_public or (is_open and request.url.path in STATUS_PATHS and request.method in SAFE_METHODS):
            return visitor
        raise
    if not visitor.is_known and not is_public:
        raise NotLoggedIn(LOG_IN)
    moves = request.app.state.running.moves
    moves.look()
    if not is_public and request.url.path not in STATUS_PATHS:
        moves.check_reading()
    return visitor


def visitor_while_down(request: Request) -> Visitor:
    """Return who asks when the database cannot be asked.

    Without accounts whoever asks is told as much as before. They get no further than that the database is down: it
    may be back in the middle of this request, and have accounts that were made elsewhere.
    """
    return UNKNOWN if request.app.state.running.accounts_active else Visitor(OWNER)


def visitor_of_unasked(request: Request) -> Visitor:
    """Return who asks at a route that is `unasked`, once that is known to answer soon."""
    try:
        return _visitor(request)
    except NotLoggedIn:
        return UNKNOWN
    except StoreUnavailable:
        return visitor_while_down(request)


def recognize(request: Request) -> None:
    """Find out who asks where no route has, as at an address where nothing is, for the frame of the page that says so.

    It opens nothing to anybody, so whoever cannot be told is nobody.
    """
    if hasattr(request.state, "visitor"):
        return
    try:
        request.state.visitor = _visitor(request)
    except (NotLoggedIn, StoreUnavailable):
        request.state.visitor = UNKNOWN


async def check_csrf(request: Request) -> AsyncIterator[None]:
    """Read what a change sends, find out again who asks, and refuse it without the CSRF token of the session.

    A body may arrive as slowly as its sender likes; what was revoked meanwhile is revoked. Raises NotLoggedIn,
    NotAllowed, and InvalidQuery for a form that cannot be read.
    """
    visitor = visitor_of(request)
    if request.method in SAFE_METHODS or not visitor.is_known:
        yield
        return
    if getattr(request.scope.get("endpoint"), "takes_pictures", False):
        check_uploading_somewhere(visitor.principal)
    sent = request.headers.get(CSRF_HEADER, "")
    try:
        if request.headers.get("content-type", "").startswith(FORM_TYPES):
            form = await parse_form(request)
            sent = sent or str(form.get(CSRF_FIELD, ""))
        else:
            await request.body()
        visitor = await run_in_threadpool(_identify, request)
        if visitor.session_id is not None and not hmac.compare_digest(_bytes(sent), _bytes(visitor.csrf_token)):
            raise NotAllowed(STALE_PAGE)
        yield
    finally:
        await request.close()


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def begin_session(response: Response, request: Request, logged_in: LoggedIn) -> None:
    """Give the browser the cookie of a session that has just begun, and end the one that it takes the place of."""
    backend, signer = _backend(request), _signer(request)
    before = visitor_of(request)
    if before.session_id is not None:
        sessions.replace(backend, before.principal, before.session_id)
    _drop_fresh_cookie(request)
    value = signer.seal([logged_in.session_id, logged_in.secret], SESSION)
    response.headers.append("set-cookie", _cookie(request, value, backend.settings.session_days * SECONDS_A_DAY))


def let_in(response: Response, request: Request, person: Person) -> None:
    """Begin a session of whoever came with a link that works once, and now has an account."""
    how = "by a link that works once"
    logged_in = sessions.begin(
        _backend(request), person, address=address_of(request), browser=browser_of(request), how=how
    )
    begin_session(response, request, logged_in)


def forget_session(response: Response, request: Request) -> None:
    """Take the cookie from the browser, and what it has kept of our pages where browsers let us."""
    _drop_fresh_cookie(request)
    response.headers.append("set-cookie", _cookie(request, "", 0))
    if request.url.scheme == "https" or request.url.hostname in LOOPBACK_NAMES:
        # Elsewhere browsers pass it over, and complain.
        response.headers["Clear-Site-Data"] = '"cache"'


def address_of(request: Request) -> str:
    """Return the network address that asks: that of the browser, where a trusted proxy tells it."""
    return request.client.host[:LONGEST_ADDRESS] if request.client else ""


def browser_of(request: Request) -> str:
    """Return what the browser says about itself, without what could not be shown."""
    agent = request.headers.get("user-agent", "")
    return "".join(letter for letter in agent if letter.isprintable())


def visitor_of(request: Request) -> Visitor:
    """Return who asks; before that is known it is nobody."""
    visitor: Visitor = getattr(request.state, "visitor", UNKNOWN)
    return visitor


def _visitor(request: Request) -> Visitor:
    backend, address = _backend(request), address_of(request)
    running = request.app.state.running
    if not running.accounts_active:
        running.accounts_active = accounts.are_active(backend)
    if not running.accounts_active:
        return Visitor(local_owner(backend))
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and request.url.path.startswith(TOKEN_PATHS):
        found = sessions.identify_token(backend, token.strip(), address=address)
        if found is None:
            raise NotLoggedIn(BAD_TOKEN)
        return Visitor(found.principal, has_accounts=True)
    return _visitor_of_session(request, backend, address)


def _visitor_of_session(request: Request, backend: Backend, address: str) -> Visitor:
    sealed = request.cookies.get(_cookie_name(request), "")
    signer = _signer(request)
    longest = backend.settings.session_days * SECONDS_A_DAY
    opened = signer.unseal(sealed, SESSION, longest) if sealed else None
    found: Identity | None = None
    if isinstance(opened, list) and len(opened) == 2:  # noqa: PLR2004 - id and secret, as they were sealed
        found = sessions.identify_session(backend, str(opened[0]), str(opened[1]), address=address)
    if found is None or found.session_id is None:
        return UNKNOWN
    if found.new_secret:
        value = signer.seal([found.session_id, found.new_secret], SESSION)
        request.state.fresh_cookie = _cookie(request, value, longest)
    return Visitor(found.principal, found.session_id, signer.mark(found.session_id, CSRF), has_accounts=True)


def _drop_fresh_cookie(request: Request) -> None:
    """Let the session that came with this request not be renewed: its cookie would overwrite the one of the answer."""
    request.state.fresh_cookie = None


def _cookie_name(request: Request) -> str:
    return SECURE_COOKIE if request.url.scheme == "https" else COOKIE


def _cookie(request: Request, value: str, seconds: float) -> str:
    secure = "; Secure" if request.url.scheme == "https" else ""
    return f"{_cookie_name(request)}={value}; Path=/; Max-Age={int(seconds)}; HttpOnly; SameSite=Lax{secure}"


def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.running.backend
    return backend


def _signer(request: Request) -> Signer:
    signer: Signer = request.app.state.running.signer
    return signer
