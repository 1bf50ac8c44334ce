"""Getting in for the first time, with a link that works once: the first account, a password, an invitation.

Whoever makes the first account administrates, and owns the libraries that were there before anybody had one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.accounts import make_account, put_password
from pipeline.backend import Backend
from pipeline.errors import LinkNotFound, NotAllowed
from pipeline.passwords import checked_password, hash_password, hash_secret, new_secret
from pipeline.principals import Principal
from pipeline.stores import records_invitations, records_people
from pipeline.stores.database import Connection
from pipeline.stores.records_people import Link, LinkKind, Person

FIRST_RUN_HOURS = 24

GONE = "This link has been used, or its time is over. Please ask for a new one."


@dataclass(frozen=True)
class Welcome:
    """What a link is good for: making the first account, or setting the password of `name`."""

    kind: LinkKind
    name: str


def first_run_secret(backend: Backend) -> str | None:
    """Return the secret of a new link to make the first account, or None when there is one. Older links end."""
    secret = new_secret()
    until = datetime.now(UTC) + timedelta(hours=FIRST_RUN_HOURS)
    with backend.database.write() as connection:
        if records_people.any_people(connection):
            return None
        records_people.forget_links(connection, LinkKind.FIRST_RUN)
        records_people.add_link(connection, hash_secret(secret), LinkKind.FIRST_RUN, until)
    return secret


def read_welcome(backend: Backend, secret: str) -> Welcome:
    """Return what a link of the first run or for a password is good for. Raises LinkNotFound."""
    with backend.database.read() as connection:
        link, person = _welcome(connection, secret)
    return Welcome(link.kind, person.name if person else "")


def use_welcome(backend: Backend, secret: str, name: str, password: str, *, address: str) -> Person:
    """Make the first account, or set the password of the person whom the link is for; the link is used up.

    They may have lost the account to somebody, so all its sessions and tokens end. Raises LinkNotFound, or
    InvalidQuery, after which the link still works.
    """
    read_welcome(backend, secret)  # before anything is hashed, which would be much work for whoever makes up links
    hashed = hash_password(checked_password(password))
    with backend.database.write() as connection:
        link, person = _welcome(connection, secret)
        if person is None:
            person = make_account(connection, name, None, address=address)
        records_people.use_link(connection, link.id)
        return put_password(connection, person, hashed, Principal(person.name, {}, person.id, address=address))


def join_with_new_account(backend: Backend, secret: str, name: str, password: str, *, address: str) -> Person:
    """Make an account for whoever was invited by an administrator, and a member of them; the link is used up.

    Raises LinkNotFound or NotAllowed, or InvalidQuery and Conflict, after which the link still works.
    """
    with backend.database.read() as connection:
        _check_invitation(connection, secret)  # before anything is hashed, as above
    hashed = hash_password(checked_password(password))
    with backend.database.write() as connection:
        _check_invitation(connection, secret)
        person = make_account(connection, name, hashed, address=address)
        who = Principal(person.name, {}, person.id, address=address)
        if records_invitations.join(connection, hash_secret(secret), who, person.id) is None:
            raise LinkNotFound(GONE)
    return person


def _welcome(connection: Connection, secret: str) -> tuple[Link, Person | None]:
    """Return a link that is good, and whose password it sets; None for the first run. Raises LinkNotFound."""
    link = records_people.find_link(connection, hash_secret(secret))
    if link is None or link.kind is LinkKind.INVITATION:
        raise LinkNotFound(GONE)
    if link.kind is LinkKind.FIRST_RUN:
        if records_people.any_people(connection):
            raise LinkNotFound(GONE)
        return link, None
    person = records_people.get(connection, link.person_id or "")
    if person is None or person.deactivated_at:
        raise LinkNotFound(GONE)
    return link, person


def _check_invitation(connection: Connection, secret: str) -> None:
    invitation = records_invitations.find(connection, hash_secret(secret))
    if invitation is None:
        raise LinkNotFound(GONE)
    if not invitation.may_make_account:
        raise NotAllowed("This invitation is for people with an account. Please log in, or ask an administrator.")
