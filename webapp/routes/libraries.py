"""`/libraries`: the libraries, who is in them, and whom their owners invite."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline import libraries, members
from pipeline.access import library_labels
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, LikenessError, PersonNotFound
from pipeline.libraries import LibraryInfo
from pipeline.members import INVITATION_DAYS, Member
from pipeline.principals import Action, Principal, Role
from webapp.dependencies import BackendDependency, PrincipalDependency, VisitorDependency, shell
from webapp.errors import status_of
from webapp.flash import leave_notice
from webapp.forms import Fields, FormDependency, fields_of, first
from webapp.identity import Visitor
from webapp.language import gettext as _
from webapp.language import marked, ngettext
from webapp.pages_accounts import Secret
from webapp.pages_libraries import (
    SOMEBODY,
    DeletedLibrary,
    InvitationLine,
    LibrariesPage,
    LibraryCard,
    LibraryPage,
    MemberLine,
)
from webapp.rendering import page
from webapp.security import SECRET_PAGE
from webapp.wording import as_date, as_role, as_short_date, days_in_words, pictures_in_words, shortened, with_article

router = APIRouter(include_in_schema=False)

MENDABLE = (InvalidQuery, Conflict, PersonNotFound)
"""What is told on the page itself, where it can be tried again."""

NOT_CONFIRMED = "Nothing was deleted. Please tick the box that says so."
NO_ACCOUNTS = "There are no accounts here, so there is nobody to invite. `likeness user add NAME` makes the first one."
OWNERS_ONLY = marked("Only owners and moderators see all members.")


# ---- All of them


@router.get("/libraries")
def show_libraries(request: Request, backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """List the libraries, and the deleted ones that can be restored."""
    return page(request, "libraries.html", _libraries_page(request, backend, visitor))


@router.post("/libraries")
def make_library(
    request: Request, backend: BackendDependency, visitor: VisitorDependency, form: FormDependency
) -> Response:
    """Make a library and go there."""
    name = first(fields_of(form), "name")
    before = library_labels(backend, visitor.principal)
    try:
        made = libraries.make(backend, visitor.principal, name)
    except MENDABLE as error:
        content = _libraries_page(request, backend, visitor, problem=error.user_message, typed_name=name)
        return page(request, "libraries.html", content, status_code=status_of(error))
    called = shortened(made.name)
    if made.id in before:
        return _to(f"/libraries/{made.id}", _("You already have a library called “%(name)s”.", name=called))
    return _to(f"/libraries/{made.id}", _("The library “%(name)s” is made.", name=called))


def _libraries_page(request: Request, backend: Backend, visitor: Visitor, **shown: Any) -> LibrariesPage:
    principal = visitor.principal
    labels = library_labels(backend, principal)
    return LibrariesPage(
        shell=shell(request, "libraries"),
        libraries=tuple(
            LibraryCard(
                name=labels.get(library.id, library.name),
                role=library.role if visitor.has_accounts else "",
                pictures=pictures_in_words(library.images),
                members=_members_in_words(library.members) if library.members is not None else "",
                open_url=f"/?library={library.id}",
                manage_url=f"/libraries/{library.id}",
                manage_words=_("Manage") if library.role == Role.OWNER else _("Details"),
            )
            for library in libraries.list_libraries(backend, principal)
        ),
        deleted=tuple(
            DeletedLibrary(library.id, library.name, pictures_in_words(library.images), as_date(library.purged_at))
            for library in libraries.list_deleted(backend, principal)
        ),
        **shown,
    )


# ---- One of them


@router.get("/libraries/{library}")
def show_library(library: str, request: Request, backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """Show a library: who is in it, and what can be done with it."""
    return page(request, "library.html", _library_page(request, backend, visitor, library))


@router.post("/libraries/{library}/rename")
def rename_library(
    library: str, request: Request, backend: BackendDependency, visitor: VisitorDependency, form: FormDependency
) -> Response:
    """Call a library by another name."""
    name = first(fields_of(form), "name")
    try:
        renamed = libraries.rename(backend, visitor.principal, library, name)
    except MENDABLE as error:
        content = _library_page(request, backend, visitor, library, rename_problem=error.user_message, typed_name=name)
        return page(request, "library.html", content, status_code=status_of(error))
    return _to(f"/libraries/{renamed.id}", _("It is now called “%(name)s”.", name=shortened(renamed.name)))


@router.post("/libraries/{library}/delete")
def delete_library(
    library: str, request: Request, backend: BackendDependency, visitor: VisitorDependency, form: FormDependency
) -> Response:
    """Hide a library with everything in it, if that is what was meant."""
    libraries.find_library(backend, visitor.principal, library, Action.MANAGE)
    if not first(fields_of(form), "confirmed"):
        return _again(request, backend, visitor, library, InvalidQuery(NOT_CONFIRMED))
    deleted = libraries.delete(backend, visitor.principal, library)
    return _to("/libraries", _("The library “%(name)s” is deleted.", name=shortened(deleted.name)))


@router.post("/libraries/{library}/restore")
def restore_library(library: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Bring back a deleted library."""
    restored = libraries.restore(backend, principal, library)
    back = _("The library “%(name)s” is back, with all its pictures.", name=shortened(restored.name))
    return _to(f"/libraries/{restored.id}", back)


@router.post("/libraries/{library}/leave")
def leave_library(library: str, request: Request, backend: BackendDependency, visitor: VisitorDependency) -> Response:
    """End one's own membership."""
    try:
        left = members.leave(backend, visitor.principal, library)
    except MENDABLE as error:
        return _again(request, backend, visitor, library, error)
    return _to("/libraries", _("You have left “%(name)s”.", name=shortened(left.name)))


# ---- Its members


@router.post("/libraries/{library}/members")
def add_member(
    library: str, request: Request, backend: BackendDependency, visitor: VisitorDependency, form: FormDependency
) -> Response:
    """Make somebody who has an account a member."""
    libraries.find_library(backend, visitor.principal, library, Action.MANAGE)
    fields = fields_of(form)
    name = first(fields, "person")
    try:
        added = members.add(backend, visitor.principal, library, name, _role(fields))
    except MENDABLE as error:
        typed = {"typed_person": name, "typed_role": first(fields, "role")}
        content = _library_page(request, backend, visitor, library, member_problem=error.user_message, **typed)
        return page(request, "library.html", content, status_code=status_of(error))
    said = _("%(name)s is now %(role)s here.", name=shortened(added.name), role=with_article(added.role))
    return _to(f"/libraries/{library}", said)


@router.post("/libraries/{library}/members/{person_id}/role")
def change_role(
    library: str,
    person_id: str,
    request: Request,
    backend: BackendDependency,
    visitor: VisitorDependency,
    form: FormDependency,
) -> Response:
    """Give a member another role."""
    libraries.find_library(backend, visitor.principal, library, Action.MANAGE)
    try:
        changed = members.change_role(backend, visitor.principal, library, person_id, _role(fields_of(form)))
    except MENDABLE as error:
        return _again(request, backend, visitor, library, error)
    said = _("%(name)s is now %(role)s.", name=shortened(changed.name), role=with_article(changed.role))
    return _to(f"/libraries/{library}", said)


@router.post("/libraries/{library}/members/{person_id}/remove")
def remove_member(
    library: str, person_id: str, request: Request, backend: BackendDependency, visitor: VisitorDependency
) -> Response:
    """End somebody's membership."""
    try:
        removed = members.remove(backend, visitor.principal, library, person_id)
    except MENDABLE as error:
        return _again(request, backend, visitor, library, error)
    return _to(f"/libraries/{library}", _("%(name)s is no longer in it.", name=shortened(removed.name)))


@router.post("/libraries/{library}/invitations")
def invite(
    library: str, request: Request, backend: BackendDependency, visitor: VisitorDependency, form: FormDependency
) -> Response:
    """Make a link that works once, and show it this once: it is in no address, and kept as a hash."""
    libraries.find_library(backend, visitor.principal, library, Action.MANAGE)
    try:
        role = _role(fields_of(form))
        if not visitor.has_accounts:
            raise Conflict(NO_ACCOUNTS)
        secret = members.invite(backend, visitor.principal, library, role)
    except MENDABLE as error:
        return _again(request, backend, visitor, library, error)
    base = backend.settings.public_url or str(request.base_url).rstrip("/")
    link = Secret(
        _("An invitation as %(role)s", role=with_article(role)),
        f"{base}/invitations/{secret}",
        _("Send it to one person: it works once, within %(days)s days.", days=INVITATION_DAYS),
        f"/libraries/{library}",
    )
    response = page(request, "library.html", _library_page(request, backend, visitor, library, new_link=link))
    response.headers.update(SECRET_PAGE)
    return response


@router.post("/libraries/{library}/invitations/{link_id}/revoke")
def revoke(library: str, link_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Make a link useless."""
    members.revoke(backend, principal, library, link_id)
    return _to(f"/libraries/{library}", _("The link no longer works."))


def _again(request: Request, backend: Backend, visitor: Visitor, library: str, error: LikenessError) -> Response:
    """Show the page with what could not be done."""
    content = _library_page(request, backend, visitor, library, problem=error.user_message)
    return page(request, "library.html", content, status_code=status_of(error))


def _library_page(request: Request, backend: Backend, visitor: Visitor, name: str, **shown: Any) -> LibraryPage:
    principal = visitor.principal
    info = libraries.describe_library(backend, principal, name)
    listed = members.list_members(backend, principal, info.id) if visitor.has_accounts else []
    is_owner = info.role == Role.OWNER
    lines = _member_lines(listed, principal)
    return LibraryPage(
        shell=shell(request, "libraries"),
        id=info.id,
        name=info.name,
        role=info.role if visitor.has_accounts else "",
        pictures=pictures_in_words(info.images),
        open_url=f"/?library={info.id}",
        period=days_in_words(backend.settings.trash_days),
        members=lines,
        members_note="" if members.sees_all_members(principal, info.id) else _(OWNERS_ONLY),
        invitations=_invitation_lines(backend, principal, info) if is_owner and visitor.has_accounts else (),
        has_members=visitor.has_accounts,
        may_manage=is_owner,
        may_leave=visitor.has_accounts and not any(line.is_me and not line.may_change for line in lines),
        **shown,
    )


def _member_lines(listed: Sequence[Member], principal: Principal) -> tuple[MemberLine, ...]:
    owners = [member.person_id for member in listed if member.role == Role.OWNER and member.is_active]
    return tuple(
        MemberLine(
            person_id=member.person_id,
            name=member.name,
            role=member.role,
            role_words=as_role(member.role)
            if member.is_active
            else _("%(role)s, deactivated", role=as_role(member.role)),
            since=as_short_date(member.created_at),
            is_me=member.person_id == principal.person_id,
            may_change=owners != [member.person_id],
        )
        for member in listed
    )


def _invitation_lines(backend: Backend, principal: Principal, info: LibraryInfo) -> tuple[InvitationLine, ...]:
    return tuple(
        InvitationLine(
            id=invitation.link_id,
            role=as_role(invitation.role),
            until=as_date(invitation.until),
            by=invitation.inviter or _(SOMEBODY),
        )
        for invitation in members.list_invitations(backend, principal, info.id)
    )


# ---- Pieces


def _role(fields: Fields) -> Role:
    try:
        return Role(first(fields, "role"))
    except ValueError as error:
        raise InvalidQuery(f"A role is one of {', '.join(Role)}.") from error


def _members_in_words(number: int) -> str:
    return ngettext("%(number)s member", "%(number)s members", number)


def _to(address: str, notice: str) -> Response:
    response = RedirectResponse(address, 303)
    leave_notice(response, notice)
    return response
