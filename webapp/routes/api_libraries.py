"""`/api/v1/libraries`: libraries, and who is in them. `{library}` is an id, or a name that only one has."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pipeline import libraries, members
from pipeline.libraries import DeletedLibrary, LibraryInfo
from pipeline.members import Member
from pipeline.principals import Role
from webapp import schemas_libraries as schemas
from webapp.api_form import ANY_CALL, api_errors
from webapp.dependencies import BackendDependency, PrincipalDependency

router = APIRouter(prefix="/api/v1/libraries", tags=["libraries"], responses=ANY_CALL)

UNKNOWN = api_errors(404)
UNKNOWN_OR_NOT_NOW = api_errors(404, 409)


@router.get("", response_model=schemas.LibraryList)
def list_libraries(backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """List the libraries with the number of their images, and the deleted ones that can be restored."""
    return {
        "libraries": [_library(library) for library in libraries.list_libraries(backend, principal)],
        "deleted": [_deleted(library) for library in libraries.list_deleted(backend, principal)],
    }


@router.post("", status_code=201, response_model=schemas.Library, responses=api_errors(409))
def add_library(new: schemas.NewLibrary, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Make a library. It is no error to own one of that name already; then that one is answered."""
    return _library(libraries.make(backend, principal, new.name))


@router.get("/{library}", response_model=schemas.Library, responses=UNKNOWN)
def get_library(library: str, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Return one library."""
    return _library(libraries.describe_library(backend, principal, library))


@router.patch("/{library}", response_model=schemas.Library, responses=UNKNOWN_OR_NOT_NOW)
def rename_library(
    library: str, patch: schemas.LibraryPatch, backend: BackendDependency, principal: PrincipalDependency
) -> dict[str, Any]:
    """Call a library by another name; its id stays."""
    return _library(libraries.rename(backend, principal, library, patch.name))


@router.delete("/{library}", status_code=204, response_class=Response, responses=UNKNOWN)
def delete_library(library: str, backend: BackendDependency, principal: PrincipalDependency) -> None:
    """Hide a library and everything in it from all, at once; it can be restored until its time is over."""
    libraries.delete(backend, principal, library)


@router.post("/{library}/restore", response_model=schemas.Library, responses=UNKNOWN)
def restore_library(library: str, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Bring back a deleted library with its images and members."""
    restored = libraries.restore(backend, principal, library)
    return _library(LibraryInfo(restored.id, restored.name, Role.OWNER, restored.images))


@router.get("/{library}/members", response_model=schemas.MemberList, responses=UNKNOWN)
def list_members(library: str, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """List the members, those with most rights first; viewers and uploaders are told the owners and themselves."""
    return {"members": [_member(member) for member in members.list_members(backend, principal, library)]}


@router.post("/{library}/members", status_code=201, response_model=schemas.Member, responses=UNKNOWN_OR_NOT_NOW)
def add_member(
    library: str, new: schemas.NewMember, backend: BackendDependency, principal: PrincipalDependency
) -> dict[str, Any]:
    """Make somebody who has an account a member."""
    return _member(members.add(backend, principal, library, new.person, Role(new.role)))


@router.patch("/{library}/members/{person_id}", response_model=schemas.Member, responses=UNKNOWN_OR_NOT_NOW)
def change_member(
    library: str,
    person_id: str,
    patch: schemas.MemberPatch,
    backend: BackendDependency,
    principal: PrincipalDependency,
) -> dict[str, Any]:
    """Give a member another role; the last owner stays one."""
    return _member(members.change_role(backend, principal, library, person_id, Role(patch.role)))


@router.delete("/{library}/members/{person_id}", status_code=204, response_class=Response, responses=UNKNOWN_OR_NOT_NOW)
def remove_member(library: str, person_id: str, backend: BackendDependency, principal: PrincipalDependency) -> None:
    """End a membership: somebody else's as an owner, or one's own."""
    if person_id == principal.person_id:
        members.leave(backend, principal, library)
    else:
        members.remove(backend, principal, library, person_id)


def _library(library: LibraryInfo) -> dict[str, Any]:
    return {"id": library.id, "name": library.name, "role": library.role, "images": library.images}


def _deleted(library: DeletedLibrary) -> dict[str, Any]:
    return {
        "id": library.id,
        "name": library.name,
        "images": library.images,
        "deleted_at": library.deleted_at.isoformat(),
        "purged_at": library.purged_at.isoformat(),
    }


def _member(member: Member) -> dict[str, Any]:
    return {
        "person_id": member.person_id,
        "person": member.name,
        "role": member.role,
        "since": member.created_at.isoformat(),
        "active": member.is_active,
    }
