"""Libraries: listed, made, renamed, deleted with everything in them, and restored.

A library exists for its members alone; for everybody else it is not there, and what they do cannot tell the
difference. A deleted one exists for nobody but its owners, who can bring it back until its time is over; then
`purge_deleted` forgets it and its pictures. Who is in it is the matter of `members`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, LibraryNotFound, NotAllowed
from pipeline.labels import LONGEST_LIBRARY, check_library_name
from pipeline.principals import OWNER, Action, Principal, Role, Scope
from pipeline.purging import CARETAKER, purge_in_parts
from pipeline.stores import records_audit, records_libraries, records_people, records_principals
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_libraries import Library

MOST_OWNED = 200
MOST_JOINED = 400
"""Libraries that one person may own, and be a member of at all: all roles are read with every request."""

SHARE_OF_OTHERS = 0.5
"""The part of both that others may fill unasked, so that nobody is kept from making libraries of their own."""


UNKNOWN = "There is no such library."
SEVERAL = "Several libraries are called “{name}”. Please name one by its id: {ids}."
SCOPE_MISSING = "This token may not be used for that. It would need the scope “{scope}”."
ROLE_MISSING = {
    Action.UPLOAD: "You may look at the pictures of “{name}” but not add any. Its owners can give you another role.",
    Action.MANAGE: "Only the owners of “{name}” may do this. They can make you one.",
}
"""What is said to a member who may not do an action; whoever is no member is told `UNKNOWN`."""


@dataclass(frozen=True)
class LibraryInfo:
    """A library as one of its members sees it.

    `images` are those not deleted; `members` is None for whoever is no owner, and where there are no accounts.
    """

    id: str
    name: str
    role: Role
    images: int
    members: int | None = None


@dataclass(frozen=True)
class DeletedLibrary:
    """A library that can be restored until `purged_at`, with the number of images that come back with it."""

    id: str
    name: str
    images: int
    deleted_at: datetime
    purged_at: datetime


def find_library(backend: Backend, principal: Principal, name: str, action: Action = Action.SEE) -> Library:
    """Return the library with this id, or else the one called so, if `principal` may do `action` in it.

    Raises LibraryNotFound when none exists for them, InvalidQuery when several are called so, NotAllowed.
    """
    with backend.database.read() as connection:
        return _find(connection, principal, name, action)


def find_now(
    connection: Connection, principal: Principal, name: str, action: Action = Action.MANAGE
) -> tuple[Principal, Library]:
    """Return the principal as they are now, and the library as `find_library` finds it, in a transaction that writes.

    Raises as `find_library`, and NotLoggedIn.
    """
    principal = records_principals.current(connection, principal)
    return principal, _find(connection, principal, name, action)


def _find(connection: Connection, principal: Principal, name: str, action: Action) -> Library:
    found = records_libraries.find_among(connection, name, _existing(principal))
    found = [library for library in found if principal.role_in(library.id)]
    if not found:
        raise LibraryNotFound(UNKNOWN)
    if len(found) > 1 and found[0].id != name:
        raise InvalidQuery(SEVERAL.format(name=name, ids=", ".join(library.id for library in found)))
    check_allowed(principal, action, found[0])
    return found[0]


def check_allowed(principal: Principal, action: Action, library: Library) -> None:
    """Raise NotAllowed when `principal`, for whom the library exists, may not do `action` in it."""
    check_scope(principal, action.scope)
    if not principal.may(action, library.id):
        raise NotAllowed(ROLE_MISSING[action].format(name=library.name))


def check_scope(principal: Principal, scope: Scope = Scope.MANAGE) -> None:
    """Raise NotAllowed when the API token of `principal` does not reach so far."""
    if scope not in principal.scopes:
        raise NotAllowed(SCOPE_MISSING.format(scope=scope))


def list_libraries(backend: Backend, principal: Principal) -> list[LibraryInfo]:
    """Return the libraries whose pictures `principal` may see, by name. Raises NotAllowed for what tokens lack."""
    check_scope(principal, Scope.READ)
    with backend.database.read() as connection:
        found = records_libraries.list_among(connection, principal.libraries())
    return _described(backend, principal, [library for library in found if principal.may_see(library.id)])


def describe_library(backend: Backend, principal: Principal, name: str) -> LibraryInfo:
    """Return one library, by its id or name. Raises as `find_library`."""
    return _described(backend, principal, [find_library(backend, principal, name)])[0]


def list_deleted(backend: Backend, principal: Principal) -> list[DeletedLibrary]:
    """Return the deleted libraries that `principal` may restore, those deleted last first."""
    if Scope.MANAGE not in principal.scopes:
        return []
    with backend.database.read() as connection:
        return _deleted(connection, principal, timedelta(days=backend.settings.trash_days))


def _deleted(connection: Connection, principal: Principal, period: timedelta) -> list[DeletedLibrary]:
    now = datetime.now(UTC)
    if principal.owns_everything:
        found = records_libraries.deleted_before(connection, now)
    else:
        found = records_libraries.deleted_of_owner(connection, principal.person_id or "")
    images = records_libraries.count_images(connection, [library.id for library in found], OWNER)  # their owners ask
    return [
        DeletedLibrary(library.id, library.name, images.get(library.id, 0), library.deleted_at, purged_at)
        for library in found
        if library.deleted_at and (purged_at := library.deleted_at + period) > now
    ]


def make(backend: Backend, principal: Principal, name: str) -> LibraryInfo:
    """Make a library and return it; if they own one of that name already, return that.

    Whoever makes it becomes its owner. What is made at the machine itself has its name as id too if that is free,
    and belongs to all administrators. Raises InvalidQuery, NotAllowed, or Conflict for the name of a deleted one.
    """
    check_scope(principal)
    if principal.person_id is None and not principal.owns_everything:
        raise NotAllowed("Please log in to make a library.")
    name = checked_name(name, principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        library = _own(connection, principal, name)
        if library is None:
            library = _make(connection, principal, name)
        images = records_libraries.count_images(connection, [library.id], principal)
    return LibraryInfo(library.id, library.name, Role.OWNER, images.get(library.id, 0))


def _own(connection: Connection, principal: Principal, name: str) -> Library | None:
    """Return the library called so that `principal` owns; at the machine itself, one that is not people's own."""
    found = records_libraries.find_among(connection, name, principal.libraries(Action.MANAGE))
    same = [library for library in found if library.name == name]
    if principal.owns_everything:
        # Otherwise pictures that are meant for a library of the house would go into somebody's private one.
        same = [library for library in same if records_libraries.is_of_the_house(connection, library.id)]
    return same[0] if same else None


def _make(connection: Connection, principal: Principal, name: str) -> Library:
    if principal.person_id is None:
        taken = records_libraries.get(connection, name)
        if taken and taken.deleted_at:
            raise Conflict(f"A library with the id “{name}” was deleted. Please restore it, or use another name.")
        return records_libraries.make_for_the_house(connection, principal, name, None if taken else name)
    roles = records_libraries.roles_of(connection, principal.person_id)
    owned = [library for library, role in roles.items() if role is Role.OWNER]
    if len(owned) >= MOST_OWNED:
        raise Conflict(f"You own {len(owned):,} libraries, and nobody can own more. Please delete one first.")
    if len(roles) >= MOST_JOINED:
        raise Conflict(f"You are in {len(roles):,} libraries, and nobody can be in more. Please leave one first.")
    library = records_libraries.make(connection, name)
    records_libraries.set_role(connection, library.id, principal.person_id, Role.OWNER)
    records_audit.add(connection, principal, Event.LIBRARY_MADE, name, library=library.id)
    return library


def rename(backend: Backend, principal: Principal, name: str, new_name: str) -> LibraryInfo:
    """Call a library by another name; its id stays. Raises as `find_library` and `make`."""
    with backend.database.write() as connection:
        principal, library = find_now(connection, principal, name)
        new_name = checked_name(new_name, principal)
        same = records_libraries.find_among(connection, new_name, principal.libraries(Action.MANAGE))
        if any(other.id != library.id for other in same):
            raise Conflict(f"There is a library called “{new_name}” already. Please choose another name.")
        if new_name != library.name:
            records_libraries.rename(connection, library.id, new_name)
            records_audit.add(
                connection, principal, Event.LIBRARY_RENAMED, new_name, library=library.id, before=library.name
            )
    return _described(backend, principal, [replace(library, name=new_name)])[0]


def delete(backend: Backend, principal: Principal, name: str) -> Library:
    """Hide a library and everything in it from all, at once; return it. Raises as `find_library`."""
    with backend.database.write() as connection:
        principal, library = find_now(connection, principal, name)
        images = records_libraries.count_images(connection, [library.id], principal).get(library.id, 0)
        records_libraries.set_deleted(connection, library.id, datetime.now(UTC))
        records_audit.add(
            connection, principal, Event.LIBRARY_DELETED, library.name, library=library.id, pictures=images
        )
    return library


def restore(backend: Backend, principal: Principal, name: str) -> DeletedLibrary:
    """Bring back the deleted library with this id, or else the one called so, with its pictures and members.

    Raises LibraryNotFound when there is none that `principal` may restore, or its time is over; InvalidQuery when
    several are called so.
    """
    period = timedelta(days=backend.settings.trash_days)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        # What is due is not given back: its pictures may be half gone already.
        deleted = _deleted(connection, principal, period) if Scope.MANAGE in principal.scopes else []
        found = [library for library in deleted if library.id == name] or [lib for lib in deleted if lib.name == name]
        if not found:
            raise LibraryNotFound(UNKNOWN)
        if len(found) > 1:
            raise InvalidQuery(SEVERAL.format(name=name, ids=", ".join(library.id for library in found)))
        library = found[0]
        records_libraries.set_deleted(connection, library.id, None)
        records_audit.add(connection, principal, Event.LIBRARY_RESTORED, library.name, library=library.id)
    return library


def purge_deleted(backend: Backend, before: datetime) -> int:
    """Forget the libraries that were deleted before `before`, with their pictures; return how many pictures."""
    with backend.database.read() as connection:
        due = records_libraries.deleted_before(connection, before)
    return sum(_purge(backend, library) for library in due)


def _purge(backend: Backend, library: Library) -> int:
    purged = purge_in_parts(backend, lambda connection, most: records_libraries.rows_in(connection, library.id, most))
    with backend.database.write() as connection:
        if records_libraries.forget(connection, library.id):
            records_audit.add(
                connection, CARETAKER, Event.LIBRARY_PURGED, library.name, library=library.id, pictures=purged
            )
    return purged


def checked_name(name: str, principal: Principal) -> str:
    """Return `name` if `principal` may call a library so. Raises InvalidQuery.

    At the machine itself it becomes an id, which is part of paths, and has letters, digits, - and _. People may write
    what they like, but for the comma and slash that would part it in addresses.
    """
    if principal.owns_everything:
        check_library_name(name)
        return name
    if not name or len(name) > LONGEST_LIBRARY or name != name.strip() or not name.isprintable() or set(name) & {*",/"}:
        raise InvalidQuery(
            f"The name of a library has 1 to {LONGEST_LIBRARY} characters, no comma or slash, and no space at its ends."
        )
    return name


def _existing(principal: Principal) -> Sequence[str] | None:
    """Return the ids of the libraries that exist for `principal`, whatever they may do there; None for all."""
    return None if principal.roles is None else list(principal.roles)


def _described(backend: Backend, principal: Principal, libraries: Sequence[Library]) -> list[LibraryInfo]:
    with backend.database.read() as connection:
        ids = [library.id for library in libraries]
        images = records_libraries.count_images(connection, ids, principal)
        owned = [library_id for library_id in ids if principal.may(Action.MANAGE, library_id)]
        members = records_libraries.count_members(connection, owned) if records_people.any_people(connection) else {}
    return [
        LibraryInfo(
            id=library.id,
            name=library.name,
            role=principal.role_in(library.id) or Role.VIEWER,
            images=images.get(library.id, 0),
            members=members.get(library.id),
        )
        for library in libraries
    ]
