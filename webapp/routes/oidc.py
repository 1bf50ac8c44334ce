"""Logging in by single sign-on: to the provider, and back from it.

What the browser must bring back waits in a signed cookie, which is of no use anywhere else and is taken away with the
first answer. Whatever goes wrong ends on the login page with a sentence; the log says why, and no secrets.
"""

import hmac
import logging
from dataclasses import asdict, dataclass

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from pipeline.errors import NotFound, NotLoggedIn
from pipeline.logins import log_in_by_oidc
from pipeline.sessions import LoggedIn
from webapp.dependencies import BackendDependency, RunningDependency, VisitorDependency, shell
from webapp.identity import Visitor, address_of, begin_session, browser_of, public
from webapp.links import is_own_address
from webapp.oidc import CALLBACK, START, Pending, Provider, start_url
from webapp.pages_accounts import LoginPage
from webapp.rendering import page
from webapp.security import SECRET_PAGE

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)

COOKIE = "oidc"
SECURE_COOKIE = "__Host-oidc"
"""Over https: no other host of the domain can set it, and so slip its own login under somebody else's."""

SECONDS = 600  # for a password, a second factor, and finding the phone
LONGEST_COOKIE = 3_800  # letters; browsers take 4096 bytes with name and attributes

NO_SIGN_ON = "There is no single sign-on here. Please use the start page."
STALE = (
    "This login was not begun in this browser, took longer than ten minutes, or has been used already. "
    "Please try again."
)
CANCELLED = "You have not logged in at the single sign-on provider. Please try again, or use a password."
REFUSED = "The single sign-on provider did not let you in. Please try again."


@dataclass(frozen=True)
class _Begun:
    """A login on its way, and where it leads."""

    pending: Pending
    next_url: str


@router.get(START)
@public
def start(request: Request, running: RunningDependency, visitor: VisitorDependency) -> Response:
    """Send the browser to the provider."""
    address, pending = _provider(request, visitor).begin()
    wanted = request.query_params.get("next", "/")
    sealed = running.signer.seal([asdict(pending), wanted if is_own_address(wanted) else "/"], COOKIE)
    if len(sealed) > LONGEST_COOKIE:
        sealed = running.signer.seal([asdict(pending), "/"], COOKIE)
    response = RedirectResponse(address, 303, headers=SECRET_PAGE)
    response.set_cookie(
        _cookie_name(request), sealed, max_age=SECONDS, httponly=True, samesite="lax", secure=_is_https(request)
    )
    return response


@router.get(CALLBACK)
@public
def come_back(
    request: Request, backend: BackendDependency, running: RunningDependency, visitor: VisitorDependency
) -> Response:
    """Let in whom the provider sends back and vouches for."""
    provider = _provider(request, visitor)
    opened = running.signer.unseal(request.cookies.get(_cookie_name(request), ""), COOKIE, SECONDS)
    begun = _Begun(Pending(**opened[0]), str(opened[1])) if isinstance(opened, list) else None
    response: Response
    try:
        logged_in = _log_in(request, backend, provider, begun)
    except NotLoggedIn as error:
        log.warning("single sign-on from %s: %s", address_of(request), error)
        response = _login_page(request, backend, error.user_message, begun.next_url if begun else "/")
    else:
        response = RedirectResponse(begun.next_url if begun else "/", 303)
        begin_session(response, request, logged_in)
    response.headers.update(SECRET_PAGE)
    response.delete_cookie(_cookie_name(request), httponly=True, samesite="lax", secure=_is_https(request))
    return response


def _log_in(request: Request, backend: BackendDependency, provider: Provider, begun: _Begun | None) -> LoggedIn:
    """Begin the session. Raises NotLoggedIn, or ProviderUnavailable, after which reloading may still do it."""
    fields = request.query_params
    if begun is None or not hmac.compare_digest(fields.get("state", "").encode(), begun.pending.state.encode()):
        raise NotLoggedIn(STALE, detail="no cookie" if begun is None else "the state is of another login")
    if "code" not in fields:
        reason = fields.get("error", "")
        sentence = CANCELLED if reason == "access_denied" else REFUSED
        raise NotLoggedIn(sentence, detail=f"the provider says {reason!r:.100}")
    identity = provider.finish(fields["code"], begun.pending)
    return log_in_by_oidc(
        backend,
        identity.key,
        identity.name,
        identity.email,
        may_create=backend.settings.oidc_create,
        address=address_of(request),
        browser=browser_of(request),
    )


def _provider(request: Request, visitor: Visitor) -> Provider:
    """Return the provider. Raises NotFound where there is none, or where nobody needs to log in."""
    provider: Provider | None = request.app.state.oidc
    if provider is None or not visitor.has_accounts:
        raise NotFound(NO_SIGN_ON)
    return provider


def _login_page(request: Request, backend: BackendDependency, problem: str, next_url: str) -> Response:
    content = LoginPage(
        shell=shell(request),
        problem=problem,
        next_url="" if next_url == "/" else next_url,
        oidc_name=backend.settings.oidc_name,
        oidc_url=start_url(next_url),
    )
    return page(request, "login.html", content, status_code=401)


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"


def _cookie_name(request: Request) -> str:
    return SECURE_COOKIE if _is_https(request) else COOKIE
