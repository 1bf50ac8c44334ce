"""Accounts, and the links with which people get in for the first time.

Every function works inside the caller's transaction.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from pipeline.images import new_image_id
from pipeline.principals import Role
from pipeline.stores.tables_people import links, people, server_secrets


@dataclass(frozen=True)
class Person:
    """An account. Whoever has neither a password nor a `oidc_subject` cannot log in yet."""

    id: str
    name: str
    email: str | None
    password_hash: str | None
    oidc_subject: str | None
    administrator: bool
    created_at: datetime
    deactivated_at: datetime | None


class LinkKind(StrEnum):
    """What opening a link lets somebody do."""

    FIRST_RUN = "first-run"
    PASSWORD = "password"  # noqa: S105 - no password
    INVITATION = "invitation"


@dataclass(frozen=True)
class Link:
    """A link that works once. `role` is what an invitation gives in `library`; `person_id` whose password is set."""

    id: str
    kind: LinkKind
    person_id: str | None
    library: str | None
    role: Role | None
    created_by: str | None
    created_at: datetime
    expires_at: datetime


def any_people(connection: Connection) -> bool:
    """Whether there is an account."""
    return connection.execute(sa.select(people.c.id).limit(1)).first() is not None


def add(connection: Connection, name: str, *, administrator: bool, email: str | None = None) -> Person:
    """Make an account without a password; the name must be free."""
    person = Person(new_image_id(), name, email, None, None, administrator, datetime.now(UTC), None)
    connection.execute(people.insert().values(vars(person)))
    return person


def get(connection: Connection, person_id: str) -> Person | None:
    """Return the person with this id, deactivated or not, or None."""
    return _one(connection, people.c.id == person_id)


def by_name(connection: Connection, name: str) -> Person | None:
    """Return the person called so, deactivated or not, or None."""
    return _one(connection, people.c.name == name)


def by_oidc_subject(connection: Connection, subject: str) -> Person | None:
    """Return the person whom a provider of single sign-on knows as `subject`, or None."""
    return _one(connection, people.c.oidc_subject == subject)


def by_email(connection: Connection, email: str) -> Person | None:
    """Return the only person with this address, or None when there is none or there are several."""
    found = connection.execute(sa.select(people).where(people.c.email == email).limit(2)).mappings().all()
    return Person(**found[0]) if len(found) == 1 else None


def has_email(connection: Connection, email: str) -> bool:
    """Whether anybody has this address, deactivated or not."""
    return connection.execute(sa.select(people.c.id).where(people.c.email == email).limit(1)).first() is not None


def list_all(connection: Connection) -> list[Person]:
    """Return every account, by name."""
    return [Person(**values) for values in connection.execute(sa.select(people).order_by(people.c.name)).mappings()]


def change(connection: Connection, person_id: str, **values: object) -> None:
    """Set columns of an account."""
    connection.execute(people.update().where(people.c.id == person_id).values(**values))


def administrators(connection: Connection) -> list[str]:
    """Return the ids of the active administrators."""
    where = (people.c.administrator, people.c.deactivated_at.is_(None))
    return list(connection.scalars(sa.select(people.c.id).where(*where)))


def _one(connection: Connection, condition: sa.ColumnElement[bool]) -> Person | None:
    found = connection.execute(sa.select(people).where(condition)).mappings().first()
    return Person(**found) if found else None


# ---- Links


def add_link(
    connection: Connection,
    secret_hash: str,
    kind: LinkKind,
    expires_at: datetime,
    *,
    person_id: str | None = None,
    library: str | None = None,
    role: Role | None = None,
    created_by: str | None = None,
) -> Link:
    """Keep a link, of which only the hash of its secret is known here."""
    link = Link(new_image_id(), kind, person_id, library, role, created_by, datetime.now(UTC), expires_at)
    connection.execute(links.insert().values(**vars(link), secret_hash=secret_hash))
    return link


def find_link(connection: Connection, secret_hash: str) -> Link | None:
    """Return the link if it is there and its time is not over."""
    where = (links.c.secret_hash == secret_hash, links.c.expires_at > datetime.now(UTC))
    found = connection.execute(sa.select(links).where(*where)).mappings().first()
    return _link(found) if found else None


def invitations_of(connection: Connection, library: str) -> list[Link]:
    """Return the invitations into a library that can still be used, newest first."""
    found = connection.execute(
        sa.select(links)
        .where(links.c.library == library, links.c.expires_at > datetime.now(UTC))
        .order_by(links.c.created_at.desc())
    )
    return [_link(values) for values in found.mappings()]


def use_link(connection: Connection, link_id: str) -> bool:
    """Remove a link; return whether it was still there."""
    return connection.execute(links.delete().where(links.c.id == link_id)).rowcount == 1


def forget_links(connection: Connection, kind: LinkKind, person_id: str | None = None) -> None:
    """Remove all links of a kind, those of one person if one is given."""
    statement = links.delete().where(links.c.kind == kind)
    if person_id is not None:
        statement = statement.where(links.c.person_id == person_id)
    connection.execute(statement)


def forget_expired_links(connection: Connection, now: datetime) -> None:
    """Remove the links whose time is over."""
    connection.execute(links.delete().where(links.c.expires_at < now))


def _link(values: RowMapping) -> Link:
    role = values["role"]
    return Link(
        id=values["id"],
        kind=LinkKind(values["kind"]),
        person_id=values["person_id"],
        library=values["library"],
        role=Role(role) if role else None,
        created_by=values["created_by"],
        created_at=values["created_at"],
        expires_at=values["expires_at"],
    )


# ---- Secrets of the installation


def server_secret(connection: Connection, name: str) -> str | None:
    """Return a key that all processes share, or None when it was not made yet."""
    return connection.scalar(sa.select(server_secrets.c.value).where(server_secrets.c.name == name))


def keep_server_secret(connection: Connection, name: str, value: str) -> None:
    """Keep such a key."""
    connection.execute(server_secrets.insert().values(name=name, value=value))
