"""`/login`, `/logout` and `/welcome/…`: how people get in, the first time and every time, and out again."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import logins, sessions, welcomes
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, NotLoggedIn, TooManyAttempts
from webapp.dependencies import BackendDependency, VisitorDependency, shell
from webapp.errors import status_of
from webapp.flash import leave_notice
from webapp.forms import FormDependency, exact, fields_of, first, new_password
from webapp.identity import address_of, begin_session, browser_of, forget_session, let_in, public
from webapp.language import gettext as _
from webapp.links import is_own_address
from webapp.pages_accounts import LoginPage, WelcomePage
from webapp.rendering import page
from webapp.security import SECRET_PAGE

router = APIRouter(include_in_schema=False)

NO_ACCOUNTS = "There are no accounts here: whoever sits at this machine may do everything."


@router.get("/login")
@public
def show_login(request: Request, backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """Ask who it is, unless that is known."""
    wanted = _wanted(first(fields_of(request.query_params), "next"))
    if visitor.is_known:
        return RedirectResponse(wanted or "/", 303)
    response = page(request, "login.html", _login_page(request, backend, wanted))
    response.headers.update(SECRET_PAGE)  # where one wants to go may be an invitation
    return response


@router.post("/login")
@public
def log_in(request: Request, backend: BackendDependency, visitor: VisitorDependency, form: FormDependency) -> Response:
    """Begin a session for whoever knows the password."""
    fields = fields_of(form)
    name, wanted = first(fields, "name"), _wanted(first(fields, "next"))
    if not visitor.has_accounts:
        return RedirectResponse("/", 303)
    try:
        logged_in = logins.log_in(
            backend, name, exact(form, "password"), address=address_of(request), browser=browser_of(request)
        )
    except (NotLoggedIn, TooManyAttempts) as error:
        content = _login_page(request, backend, wanted, name=name, problem=error.user_message)
        response: Response = page(request, "login.html", content, status_code=status_of(error))
        if isinstance(error, TooManyAttempts):
            response.headers["Retry-After"] = str(error.retry_seconds)
        return response
    response = RedirectResponse(wanted or "/", 303)
    begin_session(response, request, logged_in)
    return response


@router.post("/logout")
def log_out(request: Request, backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """End this session."""
    if visitor.session_id is None:
        raise InvalidQuery(NO_ACCOUNTS)
    sessions.log_out(backend, visitor.principal, visitor.session_id)
    response = RedirectResponse("/login", 303)
    forget_session(response, request)
    return response


@router.get("/welcome/{secret}")
@public
def show_welcome(secret: str, request: Request, backend: BackendDependency) -> Response:
    """Ask for the name and password of the first account, or for a password."""
    return _welcome(request, backend, secret)


@router.post("/welcome/{secret}")
@public
def use_welcome(secret: str, request: Request, backend: BackendDependency, form: FormDependency) -> Response:
    """Make the first account, or set the password, and log in."""
    name = first(fields_of(form), "name")
    try:
        person = welcomes.use_welcome(backend, secret, name, new_password(form), address=address_of(request))
    except (InvalidQuery, Conflict) as error:
        return _welcome(request, backend, secret, name=name, problem=error.user_message, status=status_of(error))
    request.app.state.running.accounts_active = True
    response = RedirectResponse("/", 303)
    let_in(response, request, person)
    leave_notice(response, _("Welcome, %(name)s.", name=person.name))
    return response


def _welcome(
    request: Request, backend: Backend, secret: str, *, name: str = "", problem: str = "", status: int = 200
) -> Response:
    welcome = welcomes.read_welcome(backend, secret)
    content = WelcomePage(
        shell(request),
        purpose="password" if welcome.name else "first",
        action_url=f"/welcome/{secret}",
        name=welcome.name or name,
        name_is_fixed=bool(welcome.name),
        problem=problem,
    )
    response = page(request, "welcome.html", content, status_code=status)
    response.headers.update(SECRET_PAGE)
    return response


def _login_page(request: Request, backend: Backend, wanted: str, *, name: str = "", problem: str = "") -> LoginPage:
    has_oidc = bool(backend.settings.oidc_issuer)
    way = f"?{urlencode({'next': wanted})}" if wanted else ""
    return LoginPage(
        shell(request),
        name=name,
        problem=problem,
        next_url=wanted,
        oidc_name=backend.settings.oidc_name if has_oidc else "",
        oidc_url=f"/oidc/start{way}" if has_oidc else "",
    )


def _wanted(address: str) -> str:
    return address if is_own_address(address) and not address.startswith(("/login", "/logout")) else ""
