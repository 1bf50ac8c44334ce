"""`/invitations/…`: what a link offers, and the ways in: as a member already, or with an account that is made now."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import members, welcomes
from pipeline.errors import Conflict, InvalidQuery
from pipeline.members import Invitation
from webapp.dependencies import BackendDependency, PrincipalDependency, VisitorDependency, shell
from webapp.errors import status_of
from webapp.flash import leave_notice
from webapp.forms import FormDependency, fields_of, first, new_password
from webapp.identity import Visitor, address_of, let_in, public
from webapp.language import gettext as _
from webapp.links import login_url
from webapp.pages_libraries import SOMEBODY, InvitationPage
from webapp.rendering import page
from webapp.security import SECRET_PAGE
from webapp.wording import sentences, shortened

router = APIRouter(include_in_schema=False)


@router.get("/invitations/{secret}")
@public
def show_invitation(secret: str, request: Request, backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """Show what a link offers, with the way in for whoever is not logged in."""
    return _answer(request, visitor, members.read_invitation(backend, secret), secret)


@router.post("/invitations/{secret}")
def accept_invitation(secret: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Join a library."""
    joined = members.accept_invitation(backend, principal, secret)
    response = RedirectResponse(f"/?library={joined.library}", 303)
    leave_notice(response, _("You are in “%(library)s” now.", library=shortened(joined.library_name)))
    return response


@router.post("/invitations/{secret}/account")
@public
def join_with_new_account(
    secret: str, request: Request, backend: BackendDependency, visitor: VisitorDependency, form: FormDependency
) -> Response:
    """Make an account for whoever was invited by an administrator, and let them into the library."""
    invitation = members.read_invitation(backend, secret)
    name = first(fields_of(form), "name")
    try:
        person = welcomes.join_with_new_account(backend, secret, name, new_password(form), address=address_of(request))
    except (InvalidQuery, Conflict) as error:
        content = {"problem": error.user_message, "name": name}
        return _answer(request, visitor, invitation, secret, status_of(error), **content)
    response = RedirectResponse(f"/?library={invitation.library}", 303)
    let_in(response, request, person)
    in_library = _("You are in “%(library)s” now.", library=shortened(invitation.library_name))
    leave_notice(response, sentences(_("Welcome, %(name)s.", name=shortened(person.name)), in_library))
    return response


def _answer(
    request: Request, visitor: Visitor, invitation: Invitation, secret: str, status: int = 200, **shown: Any
) -> Response:
    address = f"/invitations/{secret}"
    already = visitor.principal.role_in(invitation.library) if visitor.principal.person_id else None
    content = InvitationPage(
        shell=shell(request),
        library=invitation.library_name,
        role=invitation.role,
        inviter=invitation.inviter or _(SOMEBODY),
        action_url=address,
        login_url="" if visitor.is_known else login_url(address),
        account_url="" if visitor.is_known or not invitation.may_make_account else f"{address}/account",
        already=already or "",
        **shown,
    )
    response = page(request, "invitation.html", content, status_code=status)
    response.headers.update(SECRET_PAGE)
    return response
