"""Libraries, and who is what in them.

Every function works inside the caller's transaction.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.principals import Role
from pipeline.stores.tables import libraries
from pipeline.stores.tables_people import members, people


@dataclass(frozen=True)
class Library:
    """A tenant. `id` is a part of object keys and never changes; `name` is what people call it, and not unique."""

    id: str
    name: str
    created_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True)
class Member:
    """A person's place in a library."""

    person_id: str
    name: str
    role: Role
    created_at: datetime
    is_active: bool


def make(connection: Connection, name: str, library_id: str | None = None) -> Library:
    """Make a library. Without an id of its own it gets one that tells nothing."""
    library = Library(library_id or secrets.token_hex(8), name, datetime.now(UTC), None)
    connection.execute(libraries.insert().values(vars(library)))
    return library


def ensure(connection: Connection, library_id: str) -> None:
    """Make a library called as its id if there is none with it."""
    if get(connection, library_id) is None:
        make(connection, library_id, library_id)


def list_ids(connection: Connection) -> list[str]:
    """Return the ids of all libraries, deleted or not, in alphabetical order."""
    return list(connection.scalars(sa.select(libraries.c.id).order_by(libraries.c.id)))


def get(connection: Connection, library_id: str) -> Library | None:
    """Return a library, deleted or not, or None."""
    found = connection.execute(sa.select(libraries).where(libraries.c.id == library_id)).mappings().first()
    return Library(**found) if found else None


def find(connection: Connection, names: Collection[str]) -> list[Library]:
    """Return the libraries, deleted or not, whose id or name is among `names`, oldest first."""
    wanted = libraries.c.id.in_(names) | libraries.c.name.in_(names)
    found = connection.execute(sa.select(libraries).where(wanted).order_by(libraries.c.created_at, libraries.c.id))
    return [Library(**values) for values in found.mappings()]


def list_all(connection: Connection) -> list[Library]:
    """Return every library, deleted or not, by name."""
    found = connection.execute(sa.select(libraries).order_by(libraries.c.name, libraries.c.id))
    return [Library(**values) for values in found.mappings()]


def names_of(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Return id -> name of those libraries that there are."""
    found = connection.execute(sa.select(libraries.c.id, libraries.c.name).where(libraries.c.id.in_(ids)))
    return dict(found.all())


def deleted_ids(connection: Connection) -> frozenset[str]:
    """Return the ids of the deleted libraries, which exist for nobody but those who may restore them."""
    return frozenset(connection.scalars(sa.select(libraries.c.id).where(libraries.c.deleted_at.is_not(None))))


def rename(connection: Connection, library_id: str, name: str) -> None:
    """Call a library by another name."""
    connection.execute(libraries.update().where(libraries.c.id == library_id).values(name=name))


def set_deleted(connection: Connection, library_id: str, moment: datetime | None) -> None:
    """Hide a library with everything in it since `moment`, or bring it back with None."""
    connection.execute(libraries.update().where(libraries.c.id == library_id).values(deleted_at=moment))


def deleted_before(connection: Connection, moment: datetime) -> list[Library]:
    """Return the libraries that were deleted before `moment`."""
    found = connection.execute(sa.select(libraries).where(libraries.c.deleted_at < moment))
    return [Library(**values) for values in found.mappings()]


def forget(connection: Connection, library_id: str) -> None:
    """Remove a library in which no image is left, with its members and invitations."""
    connection.execute(libraries.delete().where(libraries.c.id == library_id))


def roles_of(connection: Connection, person_id: str) -> dict[str, Role]:
    """Return library id -> role of a person, without deleted libraries."""
    found = connection.execute(
        sa.select(members.c.library, members.c.role)
        .join(libraries, libraries.c.id == members.c.library)
        .where(members.c.person_id == person_id, libraries.c.deleted_at.is_(None))
    )
    return {library: Role(role) for library, role in found}


def deleted_of_owner(connection: Connection, person_id: str) -> list[Library]:
    """Return the deleted libraries that a person owns and can restore."""
    found = connection.execute(
        sa.select(libraries)
        .join(members, members.c.library == libraries.c.id)
        .where(members.c.person_id == person_id, members.c.role == Role.OWNER, libraries.c.deleted_at.is_not(None))
        .order_by(libraries.c.deleted_at.desc())
    )
    return [Library(**values) for values in found.mappings()]


def members_of(connection: Connection, library_id: str) -> list[Member]:
    """Return the members of a library, those with most rights first, then by name."""
    found = connection.execute(
        sa.select(members.c.person_id, people.c.name, members.c.role, members.c.created_at, people.c.deactivated_at)
        .join(people, people.c.id == members.c.person_id)
        .where(members.c.library == library_id)
        .order_by(people.c.name)
    )
    listed = [Member(row[0], row[1], Role(row[2]), row[3], row[4] is None) for row in found]
    return sorted(listed, key=lambda member: -tuple(Role).index(member.role))


def role_in(connection: Connection, library_id: str, person_id: str) -> Role | None:
    """Return a person's role in a library, deleted or not, or None."""
    role = connection.scalar(
        sa.select(members.c.role).where(members.c.library == library_id, members.c.person_id == person_id)
    )
    return Role(role) if role else None


def set_role(connection: Connection, library_id: str, person_id: str, role: Role) -> None:
    """Give a person a role in a library, whatever it was before."""
    where = (members.c.library == library_id, members.c.person_id == person_id)
    if not connection.execute(members.update().where(*where).values(role=role)).rowcount:
        values = {"library": library_id, "person_id": person_id, "role": role, "created_at": datetime.now(UTC)}
        connection.execute(members.insert().values(values))


def remove_member(connection: Connection, library_id: str, person_id: str) -> None:
    """End a membership."""
    where = (members.c.library == library_id, members.c.person_id == person_id)
    connection.execute(members.delete().where(*where))


def without_owner(connection: Connection) -> list[str]:
    """Return the ids of the libraries that no active person owns."""
    owned = (
        sa.select(members.c.library)
        .join(people, people.c.id == members.c.person_id)
        .where(members.c.role == Role.OWNER, people.c.deactivated_at.is_(None))
    )
    return list(connection.scalars(sa.select(libraries.c.id).where(libraries.c.id.not_in(owned))))
