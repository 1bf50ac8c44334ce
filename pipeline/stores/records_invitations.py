"""Invitations: links into a library that work once, and only while whoever made them may still invite.

Every function works inside the caller's transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from pipeline.principals import Principal, Role
from pipeline.stores import records_audit, records_libraries, records_people
from pipeline.stores.records_audit import Event
from pipeline.stores.records_libraries import Library
from pipeline.stores.records_people import Link, LinkKind


@dataclass(frozen=True)
class Invitation:
    """What a link offers. `inviter` is "" when it was made at the machine itself.

    With `may_make_account` its receiver may make an account: an administrator has invited them.
    """

    link_id: str
    library: str
    library_name: str
    role: Role
    inviter: str
    until: datetime
    may_make_account: bool


def find(connection: Connection, secret_hash: str) -> Invitation | None:
    """Return what a link offers, or None when it cannot be used (any more)."""
    link = records_people.find_link(connection, secret_hash)
    return _read(connection, link) if link else None


def open_in(connection: Connection, library: Library) -> list[Invitation]:
    """Return the invitations into a library that can still be used, newest first."""
    found = (_read(connection, link) for link in records_people.invitations_of(connection, library.id))
    return [invitation for invitation in found if invitation]


def _read(connection: Connection, link: Link) -> Invitation | None:
    if link.kind != LinkKind.INVITATION or link.library is None or link.role is None:
        return None
    library = records_libraries.get(connection, link.library)
    if library is None or library.deleted_at:
        return None
    if link.created_by is None:
        return _offered(link, library, link.role, "", may_make_account=True)
    inviter = records_people.get(connection, link.created_by)
    if inviter is None or inviter.deactivated_at:
        return None
    if records_libraries.role_in(connection, library.id, inviter.id) != Role.OWNER:
        return None
    return _offered(link, library, link.role, inviter.name, may_make_account=inviter.administrator)


def _offered(link: Link, library: Library, role: Role, inviter: str, *, may_make_account: bool) -> Invitation:
    return Invitation(link.id, library.id, library.name, role, inviter, link.expires_at, may_make_account)


def join(connection: Connection, secret_hash: str, principal: Principal, person_id: str) -> Invitation | None:
    """Use a link up and make a person a member; return what it offered, or None when it cannot be used (any more).

    Whoever has that role or a higher one already keeps it, and the link stays good for somebody else.
    """
    invitation = find(connection, secret_hash)
    if invitation is None:
        return None
    before = records_libraries.role_in(connection, invitation.library, person_id)
    if before and before.includes(invitation.role):
        return invitation
    if not records_people.use_link(connection, invitation.link_id):
        return None
    records_libraries.set_role(connection, invitation.library, person_id, invitation.role)
    records_audit.add(
        connection,
        principal,
        Event.ROLE_CHANGED if before else Event.MEMBER_ADDED,
        principal.name,
        library=invitation.library,
        role=invitation.role,
        **({"before": before} if before else {}),
        invited_by=invitation.inviter,
    )
    return invitation
