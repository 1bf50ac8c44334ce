"""`/people`: the accounts of this server, for administrators."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import accounts
from pipeline.accounts import PASSWORD_LINK_DAYS, PersonInfo
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery
from pipeline.principals import Principal
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.errors import status_of
from webapp.flash import leave_notice
from webapp.forms import FormDependency, fields_of, first
from webapp.language import gettext as _
from webapp.language import ngettext
from webapp.links import absolute_url
from webapp.pages_accounts import PeoplePage, PersonLine, Secret
from webapp.rendering import page
from webapp.security import SECRET_PAGE
from webapp.wording import as_short_date, as_short_moment, shortened

router = APIRouter(include_in_schema=False)


@router.get("/people")
def show_people(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """List the accounts."""
    return page(request, "people.html", _page(request, backend, principal))


@router.post("/people")
def add_person(
    request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Make an account, and show the link with which its owner chooses a password."""
    fields = fields_of(form)
    name, email = first(fields, "name"), first(fields, "email")
    administrator = bool(first(fields, "administrator"))
    try:
        person = accounts.add_person(backend, principal, name, administrator=administrator, email=email or None)
    except (InvalidQuery, Conflict) as error:
        content = _page(request, backend, principal, problem=error.user_message, name=name, email=email)
        return page(request, "people.html", content, status_code=status_of(error))
    return _with_link(request, backend, principal, person.id, person.name)


@router.post("/people/{person_id}/link")
def make_link(person_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Show a link with which somebody chooses a new password."""
    person = accounts.get_person(backend, principal, person_id)
    return _with_link(request, backend, principal, person.id, person.name)


@router.post("/people/{person_id}/deactivate")
def deactivate(person_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Let somebody in no more."""
    person = accounts.deactivate(backend, principal, person_id)
    return _back(_("%(name)s is logged out everywhere and can no longer log in.", name=shortened(person.name)))


@router.post("/people/{person_id}/activate")
def activate(person_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Let somebody in again."""
    person = accounts.activate(backend, principal, person_id)
    return _back(_("%(name)s can log in again.", name=shortened(person.name)))


@router.post("/people/{person_id}/administrator")
def set_administrator(
    person_id: str, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Let somebody administrate, or no more."""
    administrator = first(fields_of(form), "administrator") == "1"
    person = accounts.set_administrator(backend, principal, person_id, administrator=administrator)
    if administrator:
        return _back(_("%(name)s is now an administrator.", name=shortened(person.name)))
    return _back(_("%(name)s is no longer an administrator.", name=shortened(person.name)))


def _with_link(request: Request, backend: Backend, principal: Principal, person_id: str, name: str) -> Response:
    secret = accounts.password_link(backend, principal, person_id)
    link = Secret(
        _("A link for %(name)s to choose a password", name=name),
        absolute_url(request, f"/welcome/{secret}"),
        _("Send it to them. It works once, for %(days)s days.", days=PASSWORD_LINK_DAYS),
        "/people?link",  # not the very address of the form, for which browsers would keep what it sent
    )
    response = page(request, "people.html", _page(request, backend, principal, new_link=link))
    response.headers.update(SECRET_PAGE)
    return response


def _page(request: Request, backend: Backend, principal: Principal, **shown: Any) -> PeoplePage:
    people = accounts.describe_people(backend, principal)
    return PeoplePage(
        shell=shell(request, "people"),
        people=tuple(_line(info, principal) for info in people),
        asks_email=bool(backend.settings.oidc_issuer),
        **shown,
    )


def _line(info: PersonInfo, principal: Principal) -> PersonLine:
    person, number = info.person, info.libraries
    return PersonLine(
        id=person.id,
        name=person.name,
        email=person.email or "",
        administrator=person.administrator,
        active=person.deactivated_at is None,
        made=as_short_date(person.created_at),
        last_seen=as_short_moment(info.last_seen) if info.last_seen else _("never"),
        libraries=ngettext("%(number)s library", "%(number)s libraries", number),
        is_me=person.id == principal.person_id,
    )


def _back(notice: str) -> Response:
    response = RedirectResponse("/people", 303)
    leave_notice(response, notice)
    return response
