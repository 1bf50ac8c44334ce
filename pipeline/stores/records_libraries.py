"""Libraries, and who is what in them.

Every function works inside the caller's transaction.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.principals import Principal, Role
from pipeline.stores import records_audit, records_people
from pipeline.stores.principal_sql import unheld
from pipeline.stores.records_audit import Event
from pipeline.stores.tables import images, libraries
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


def make_for_the_house(
    connection: Connection, principal: Principal, name: str, library_id: str | None = None
) -> Library:
    """Make a library that no person in particular has asked for: if there are people, all administrators own it.

    The audit log has it as a deed of `principal`.
    """
    library = make(connection, name, library_id)
    records_audit.add(connection, principal, Event.LIBRARY_MADE, name, library=library.id)
    for person in records_people.list_all(connection):
        if person.administrator and not person.deactivated_at:
            set_role(connection, library.id, person.id, Role.OWNER)
            records_audit.add(
                connection, principal, Event.MEMBER_ADDED, person.name, library=library.id, role=Role.OWNER
            )
    return library


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


def is_of_the_house(connection: Connection, library_id: str) -> bool:
    """Whether a library belongs to an active administrator or to nobody, and not to other people alone."""
    there = members_of(connection, library_id)
    administrators = records_people.administrators(connection)
    return not there or any(member.role == Role.OWNER and member.person_id in administrators for member in there)


def find_among(connection: Connection, name: str, ids: Collection[str] | None) -> list[Library]:
    """Return those of the libraries `ids` (None: of all) that are not deleted and whose id or name is `name`.

    The one with that id comes first, then the older ones. What is not among `ids` costs the same whether it is there
    or not.
    """
    wanted = (libraries.c.id == name) | (libraries.c.name == name)
    statement = sa.select(libraries).where(wanted, *_among(ids))
    found = connection.execute(statement.order_by(libraries.c.id != name, libraries.c.created_at, libraries.c.id))
    return [Library(**values) for values in found.mappings()]


def list_among(connection: Connection, ids: Collection[str] | None) -> list[Library]:
    """Return those of the libraries `ids` (None: of all) that are not deleted, by name."""
    statement = sa.select(libraries).where(*_among(ids)).order_by(libraries.c.name, libraries.c.id)
    return [Library(**values) for values in connection.execute(statement).mappings()]


def _among(ids: Collection[str] | None) -> list[sa.ColumnElement[bool]]:
    here = libraries.c.deleted_at.is_(None)
    return [here] if ids is None else [here, libraries.c.id.in_(ids)]


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
    """Return the libraries that were deleted before `moment`, those deleted last first."""
    newest_first = libraries.c.deleted_at.desc()
    found = connection.execute(sa.select(libraries).where(libraries.c.deleted_at < moment).order_by(newest_first))
    return [Library(**values) for values in found.mappings()]


def rows_in(connection: Connection, library_id: str, limit: int) -> list[int]:
    """Return up to `limit` rows of the images in a library, deleted ones too."""
    return list(connection.scalars(sa.select(images.c.row).where(images.c.library == library_id).limit(limit)))


def count_images(connection: Connection, ids: Collection[str], principal: Principal) -> dict[str, int]:
    """Return how many images that are not deleted each of these libraries has; one without any is left out.

    What is held back from `principal` is not counted.
    """
    there = (images.c.deleted_at.is_(None), images.c.library.in_(ids), unheld(principal))
    kept = sa.select(images.c.library, sa.func.count()).where(*there)
    return dict(connection.execute(kept.group_by(images.c.library)).all())


def count_members(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """Return how many members each of these libraries has; one without any is left out."""
    counted = sa.select(members.c.library, sa.func.count()).where(members.c.library.in_(ids))
    return dict(connection.execute(counted.group_by(members.c.library)).all())


def forget(connection: Connection, library_id: str) -> bool:
    """Remove a library with its members and invitations; return whether it was there and had no image left."""
    empty = ~sa.exists().where(images.c.library == library_id)
    return connection.execute(libraries.delete().where(libraries.c.id == library_id, empty)).rowcount == 1


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


def counts_of_members(connection: Connection) -> dict[str, int]:
    """Return person id -> number of libraries, deleted ones too, that each is a member of."""
    found = connection.execute(sa.select(members.c.person_id, sa.func.count()).group_by(members.c.person_id))
    return dict(found.all())


def count_memberships(connection: Connection, person_id: str, *, deleted_too: bool) -> tuple[int, int]:
    """Return how many libraries a person owns, and is in at all; deleted ones, which may come back, only if asked."""
    statement = sa.select(members.c.role).where(members.c.person_id == person_id)
    if not deleted_too:
        statement = statement.join(libraries, libraries.c.id == members.c.library).where(
            libraries.c.deleted_at.is_(None)
        )
    roles = connection.scalars(statement).all()
    return sum(role == Role.OWNER for role in roles), len(roles)


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


def has_other_owner(connection: Connection, library_id: str, person_id: str) -> bool:
    """Whether an active person other than this one owns a library."""
    return any(
        member.role == Role.OWNER and member.is_active and member.person_id != person_id
        for member in members_of(connection, library_id)
    )


def without_owner(connection: Connection) -> list[str]:
    """Return the ids of the libraries that no active person owns."""
    owned = (
        sa.select(members.c.library)
        .join(people, people.c.id == members.c.person_id)
        .where(members.c.role == Role.OWNER, people.c.deactivated_at.is_(None))
    )
    return list(connection.scalars(sa.select(libraries.c.id).where(libraries.c.id.not_in(owned))))
