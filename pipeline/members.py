"""Who is in a library, and as what; and the links with which others are invited.

A role counts from the moment it is given, because every request reads it anew. A library always keeps an active
owner: the last one can neither leave nor become something less.
"""

from datetime import UTC, datetime, timedelta

from pipeline import libraries
from pipeline.account_names import plain_name
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, LinkNotFound, NotAllowed, PersonNotFound
from pipeline.libraries import check_scope, find_library, find_now
from pipeline.passwords import hash_secret, new_secret
from pipeline.principals import Action, Principal, Role
from pipeline.stores import records_audit, records_invitations, records_libraries, records_people, records_principals
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_invitations import Invitation as Invitation  # noqa: PLC0414 - what `webapp` is given
from pipeline.stores.records_libraries import Library
from pipeline.stores.records_libraries import Member as Member  # noqa: PLC0414
from pipeline.stores.records_people import LinkKind, Person

INVITATION_DAYS = 7  # long enough for a holiday, short enough that a link in an old message is worth nothing
MOST_INVITATIONS = 100  # into one library that can still be used; each has a line on its page

DEAD_LINK = "This invitation was used already, has expired, or never was one. Please ask for a new one."
LAST_OWNER = "“{library}” needs an owner, and {person} is the last one. Please make somebody else an owner first."
NO_NEW_OWNER = "Only a member can be made an owner. Please choose another role first, and change it once they are in."
TOO_MANY_LINKS = "There are too many invitations into “{library}” that nobody has used. Please revoke some first."
FULL_OF_OWNED = "{name} owns so many libraries that they cannot be given another one. They can make room, or be less."
FULL = "{name} is in so many libraries that they cannot be in another one. They can leave some to make room."
NO_MEMBER = "There is no such member. They may have left."


def list_members(backend: Backend, principal: Principal, library: str) -> list[Member]:
    """Return the members, those with most rights first; whoever is no moderator is told the owners and themselves.

    Raises as `libraries.find_library`, as all functions here do that take the id or name of a library.
    """
    found = find_library(backend, principal, library)
    with backend.database.read() as connection:
        members = records_libraries.members_of(connection, found.id)
    if sees_all_members(principal, found.id):
        return members
    return [member for member in members if member.role == Role.OWNER or member.person_id == principal.person_id]


def sees_all_members(principal: Principal, library_id: str) -> bool:
    """Whether all members are listed for `principal`, and not the owners and they themselves alone."""
    role = principal.role_in(library_id)
    return role is not None and role.includes(Role.MODERATOR)


def add(backend: Backend, principal: Principal, library: str, name: str, role: Role) -> Member:
    """Make the person whose account is called `name` a member.

    Raises PersonNotFound, Conflict for who is one or is in too many libraries, and InvalidQuery for an owner, which
    only a member can be made, but at the machine itself.
    """
    with backend.database.write() as connection:
        principal, found = find_now(connection, principal, library)
        person = _active(records_people.by_name(connection, plain_name(name)), name)
        return _add(connection, principal, found, person, role)


def change_role(backend: Backend, principal: Principal, library: str, person_id: str, role: Role) -> Member:
    """Give a member another role. Raises PersonNotFound, Conflict for the last owner, or who owns too many."""
    with backend.database.write() as connection:
        principal, found = find_now(connection, principal, library)
        return _change_role(connection, principal, found, person_id, role)


def grant(backend: Backend, principal: Principal, library: str, name: str, role: Role) -> Member:
    """Give a person a role, whether they are a member already or not. Raises as `add` and `change_role`."""
    with backend.database.write() as connection:
        principal, found = find_now(connection, principal, library)
        person = _active(records_people.by_name(connection, plain_name(name)), name)
        if records_libraries.role_in(connection, found.id, person.id):
            return _change_role(connection, principal, found, person.id, role)
        return _add(connection, principal, found, person, role)


def remove(backend: Backend, principal: Principal, library: str, person_id: str) -> Member:
    """End a membership; return what it was. Raises PersonNotFound, Conflict for the last owner."""
    with backend.database.write() as connection:
        principal, found = find_now(connection, principal, library)
        return _end(connection, principal, found, person_id, Event.MEMBER_REMOVED)


def remove_by_name(backend: Backend, principal: Principal, library: str, name: str) -> Member:
    """End the membership of the person called `name`. Raises as `remove`."""
    with backend.database.write() as connection:
        principal, found = find_now(connection, principal, library)
        person = records_people.by_name(connection, plain_name(name))
        return _end(connection, principal, found, person.id if person else "", Event.MEMBER_REMOVED)


def leave(backend: Backend, principal: Principal, library: str) -> Library:
    """End one's own membership, in whatever role. Raises Conflict for the last owner."""
    check_scope(principal)
    with backend.database.write() as connection:
        principal, found = find_now(connection, principal, library, Action.SEE)
        _end(connection, principal, found, principal.person_id or "", Event.MEMBER_LEFT)
    return found


def invite(backend: Backend, principal: Principal, library: str, role: Role) -> str:
    """Return the secret of a link with which one person can join as `role`. It is kept as a hash alone.

    Raises Conflict when there are `MOST_INVITATIONS` that nobody has used.
    """
    secret = new_secret()
    until = datetime.now(UTC) + timedelta(days=INVITATION_DAYS)
    with backend.database.write() as connection:
        principal, found = find_now(connection, principal, library)
        if len(records_people.invitations_of(connection, found.id)) >= MOST_INVITATIONS:
            raise Conflict(TOO_MANY_LINKS.format(library=found.name))
        records_people.add_link(
            connection,
            hash_secret(secret),
            LinkKind.INVITATION,
            until,
            library=found.id,
            role=role,
            created_by=principal.person_id,
        )
        records_audit.add(connection, principal, Event.INVITATION_MADE, role, library=found.id)
    return secret


def list_invitations(backend: Backend, principal: Principal, library: str) -> list[Invitation]:
    """Return the invitations that can still be used, newest first, for owners."""
    found = find_library(backend, principal, library, Action.MANAGE)
    with backend.database.read() as connection:
        return records_invitations.open_in(connection, found)


def revoke(backend: Backend, principal: Principal, library: str, link_id: str) -> None:
    """Make an invitation useless at once. Raises LinkNotFound when this library has none with that id."""
    with backend.database.write() as connection:
        principal, found = find_now(connection, principal, library)
        link = next((link for link in records_people.invitations_of(connection, found.id) if link.id == link_id), None)
        if link is None or not records_people.use_link(connection, link.id):
            raise LinkNotFound("There is no such invitation. It may have been used meanwhile.")
        records_audit.add(connection, principal, Event.INVITATION_REVOKED, link.role or "", library=found.id)


def read_invitation(backend: Backend, secret: str) -> Invitation:
    """Return what a link offers. Raises LinkNotFound, also when who made it owns the library no more."""
    with backend.database.read() as connection:
        invitation = records_invitations.find(connection, hash_secret(secret))
    if invitation is None:
        raise LinkNotFound(DEAD_LINK)
    return invitation


def accept_invitation(backend: Backend, principal: Principal, secret: str) -> Invitation:
    """Make `principal` a member as a link offers, which is used up; return the invitation.

    Whoever has that role or a higher one keeps it, and the link stays good. Raises LinkNotFound, NotAllowed, or
    Conflict for who is in too many libraries.
    """
    check_scope(principal)
    if principal.person_id is None:
        raise NotAllowed("An invitation is for people with an account. Please log in first.")
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        person = records_people.get(connection, principal.person_id or "")
        invitation = records_invitations.find(connection, hash_secret(secret))
        if invitation is None or person is None:
            raise LinkNotFound(DEAD_LINK)
        before = principal.role_in(invitation.library)
        if before is None or not before.includes(invitation.role):
            _check_room(connection, person, before, invitation.role, asked=True)
            records_invitations.join(connection, hash_secret(secret), principal, person.id)
    return invitation


def _add(connection: Connection, principal: Principal, library: Library, person: Person, role: Role) -> Member:
    if records_libraries.role_in(connection, library.id, person.id):
        raise Conflict(f"{person.name} is a member of “{library.name}” already. Please change their role instead.")
    if role is Role.OWNER and not principal.owns_everything:
        raise InvalidQuery(NO_NEW_OWNER)
    _check_room(connection, person, None, role, asked=principal.owns_everything)
    records_libraries.set_role(connection, library.id, person.id, role)
    records_audit.add(connection, principal, Event.MEMBER_ADDED, person.name, library=library.id, role=role)
    return _member(records_libraries.members_of(connection, library.id), person.id)


def _change_role(connection: Connection, principal: Principal, library: Library, person_id: str, role: Role) -> Member:
    member = _member(records_libraries.members_of(connection, library.id), person_id)
    if member.role != role:
        others = records_libraries.has_other_owner(connection, library.id, person_id)
        _check_owner_stays(library, member, others=others)
        person = records_people.get(connection, person_id)
        if person:
            _check_room(connection, person, member.role, role, asked=principal.owns_everything)
        records_libraries.set_role(connection, library.id, person_id, role)
        details = {"role": role, "before": member.role}
        records_audit.add(connection, principal, Event.ROLE_CHANGED, member.name, library=library.id, **details)
    return _member(records_libraries.members_of(connection, library.id), person_id)


def _check_room(connection: Connection, person: Person, before: Role | None, role: Role, *, asked: bool) -> None:
    """Raise Conflict when `person`, who is in a library as `before`, cannot be given this role in it.

    Unless they have `asked` for it they are left room. Deleted libraries count then, too: whoever has deleted them can
    bring them back.
    """
    share = 1.0 if asked else libraries.SHARE_OF_OTHERS
    owned, joined = records_libraries.count_memberships(connection, person.id, deleted_too=not asked)
    if role is Role.OWNER and owned >= libraries.MOST_OWNED * share:
        raise Conflict(FULL_OF_OWNED.format(name=person.name))
    if before is None and joined >= libraries.MOST_JOINED * share:
        raise Conflict(FULL.format(name=person.name))


def _end(connection: Connection, principal: Principal, library: Library, person_id: str, event: Event) -> Member:
    member = _member(records_libraries.members_of(connection, library.id), person_id)
    others = records_libraries.has_other_owner(connection, library.id, person_id)
    _check_owner_stays(library, member, others=others)
    records_libraries.remove_member(connection, library.id, person_id)
    records_audit.add(connection, principal, event, member.name, library=library.id, role=member.role)
    return member


def _check_owner_stays(library: Library, member: Member, *, others: bool) -> None:
    if member.role == Role.OWNER and member.is_active and not others:
        raise Conflict(LAST_OWNER.format(library=library.name, person=member.name))


def _active(person: Person | None, name: str) -> Person:
    if person is None or person.deactivated_at:
        raise PersonNotFound(
            f"Nobody here is called “{name[:64]}”. An invitation link works for people without an account."
        )
    return person


def _member(members: list[Member], person_id: str) -> Member:
    for member in members:
        if member.person_id == person_id:
            return member
    raise PersonNotFound(NO_MEMBER)
