"""`/account`: what somebody can do with their own account: password, sessions, API tokens."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import accounts, libraries, sessions
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, NotFound, TooManyAttempts
from pipeline.principals import Scope
from pipeline.sessions import Session, Token
from webapp.dependencies import BackendDependency, VisitorDependency, shell
from webapp.errors import status_of
from webapp.flash import leave_notice
from webapp.forms import FormDependency, exact, fields_of, first, new_password
from webapp.identity import Visitor
from webapp.language import gettext as _
from webapp.language import ngettext, translated
from webapp.pages_accounts import (
    SCOPE_CHOICES,
    AccountPage,
    LibraryLine,
    Secret,
    SessionLine,
    TokenLine,
)
from webapp.rendering import page
from webapp.security import SECRET_PAGE
from webapp.wording import as_browser, as_short_date, as_short_moment, listed

router = APIRouter(include_in_schema=False)

NO_END = "never"


@router.get("/account")
def show_account(request: Request, backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """Show where somebody is logged in, and which programs act for them."""
    return page(request, "account.html", _page(request, backend, visitor))


@router.post("/account/password")
def change_password(
    request: Request, backend: BackendDependency, visitor: VisitorDependency, form: FormDependency
) -> Response:
    """Change the password, and end all other sessions."""
    try:
        working_tokens = accounts.change_password(
            backend, visitor.principal, visitor.session_id, exact(form, "current"), new_password(form)
        )
    except (InvalidQuery, TooManyAttempts) as error:
        content = _page(request, backend, visitor, password_problem=error.user_message)
        answer: Response = page(request, "account.html", content, status_code=status_of(error))
        if isinstance(error, TooManyAttempts):
            answer.headers["Retry-After"] = str(error.retry_seconds)
        return answer
    return _back(_changed(working_tokens))


@router.post("/account/sessions/revoke-others")
def revoke_other_sessions(backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """Log out everywhere else."""
    ended = sessions.end_other_sessions(backend, visitor.principal, visitor.session_id)
    return _back(ngettext("%(number)s other session ended.", "%(number)s other sessions ended.", ended))


@router.post("/account/sessions/{session_id}/revoke")
def revoke_session(session_id: str, backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """Log out in one place."""
    sessions.revoke_session(backend, visitor.principal, session_id)
    return _back(_("The session has ended."))


@router.post("/account/tokens")
def make_token(
    request: Request, backend: BackendDependency, visitor: VisitorDependency, form: FormDependency
) -> Response:
    """Make an API token, and show it this once."""
    fields = fields_of(form)
    name, scopes = first(fields, "name"), fields.get("scope", ())
    expires = first(fields, "expires", "90")
    try:
        secret = sessions.make_token(backend, visitor.principal, name, _scopes(scopes), _days(expires))[1]
    except (InvalidQuery, Conflict) as error:
        chosen = tuple(replace(choice, chosen=choice.value in scopes) for choice in SCOPE_CHOICES)
        content = _page(
            request,
            backend,
            visitor,
            token_problem=error.user_message,
            token_name=name,
            scopes=chosen,
            expires=expires,
        )
        return page(request, "account.html", content, status_code=status_of(error))
    shown = Secret(
        _("The token “%(name)s”", name=name),
        secret,
        _("Keep it like a password; only its hash is kept here."),
        "/account",
    )
    response = page(request, "account.html", _page(request, backend, visitor, new_token=shown))
    response.headers.update(SECRET_PAGE)
    return response


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(token_id: str, backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """Let a token work no more, from now on."""
    sessions.revoke_token(backend, visitor.principal, token_id)
    return _back(_("The token is revoked. It no longer works."))


def _page(request: Request, backend: Backend, visitor: Visitor, **shown: Any) -> AccountPage:
    principal = visitor.principal
    if principal.person_id is None:
        raise NotFound("There are no accounts here yet. `likeness user add NAME` makes the first one.")
    return AccountPage(
        shell=shell(request, "account"),
        name=principal.name,
        sessions=tuple(_session(session, visitor) for session in sessions.list_sessions(backend, principal)),
        tokens=tuple(_token(token) for token in sessions.list_tokens(backend, principal.person_id)),
        libraries=tuple(
            LibraryLine(library.name, f"/?library={library.id}", library.role)
            for library in libraries.list_libraries(backend, principal)
        ),
        has_password=accounts.has_password(backend, principal),
        **shown,
    )


def _session(session: Session, visitor: Visitor) -> SessionLine:
    return SessionLine(
        id=session.id,
        browser=as_browser(session.browser),
        address=session.address,
        since=as_short_moment(session.created_at),
        last_used=as_short_moment(session.last_used_at),
        this_one=session.id == visitor.session_id,
    )


def _token(token: Token) -> TokenLine:
    return TokenLine(
        id=token.id,
        name=token.name,
        scopes=listed(translated(scope.value, "scope") for scope in Scope if scope in token.scopes),
        made=as_short_date(token.created_at),
        expires=as_short_date(token.expires_at) if token.expires_at else _("never"),
        last_used=as_short_moment(token.last_used_at) if token.last_used_at else _("never"),
        expired=sessions.has_expired(token),
    )


def _scopes(values: Collection[str]) -> frozenset[Scope]:
    try:
        return frozenset(Scope(value) for value in values)
    except ValueError as error:
        raise InvalidQuery(f"A token can be for {', '.join(Scope)}.") from error


def _days(text: str) -> float | None:
    if text == NO_END:
        return None
    if not text.isascii() or not text.isdigit():
        raise InvalidQuery("Please choose for how long the token works.")
    return float(text)


def _changed(tokens: int) -> str:
    """Return that the password is changed, and how many API tokens that has not ended."""
    if not tokens:
        return _("The password is changed. You are logged out everywhere else.")
    return ngettext(
        "The password is changed. You are logged out everywhere else; %(number)s API token still works.",
        "The password is changed. You are logged out everywhere else; %(number)s API tokens still work.",
        tokens,
    )


def _back(notice: str) -> Response:
    response = RedirectResponse("/account", 303)
    leave_notice(response, notice)
    return response
