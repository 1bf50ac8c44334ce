"""Accounts: made, changed, and begun with a link that works once.

Whoever makes the first account administrates, and owns the libraries that were there before anybody had one.
"""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline import throttle
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, LinkNotFound, NotAllowed, PersonNotFound
from pipeline.passwords import checked_password, hash_password, hash_secret, is_password, new_secret
from pipeline.principals import Principal, Role
from pipeline.stores import records_audit, records_invitations, records_libraries, records_people, records_sessions
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_people import Link, LinkKind

Person = records_people.Person

FIRST_RUN_HOURS = 24
PASSWORD_LINK_DAYS = 7
LONGEST_NAME = 64
LONGEST_TYPED = 256  # characters of a name that are looked at; before it is normalized it may be a little longer
LONGEST_EMAIL = 254
SIGNING_KEY = "signing key"

GONE = "This link has been used, or its time is over. Please ask for a new one."
NOT_ADMINISTRATOR = "Only administrators look after accounts. Please ask one of them."
DEACTIVATED = "{name} cannot log in, so a link would be of no use. Please let them in again first."
ALPHABETS = frozenset({"LATIN", "GREEK", "CYRILLIC"})
"""Many of their letters look the same, so a name has those of one alone: nobody is to be taken for another."""

WRONG_PASSWORD = "This is not your present password. Please try again."  # noqa: S105 - a sentence about one


@dataclass(frozen=True)
class Welcome:
    """What a link is good for: making the first account, or setting the password of `name`."""

    kind: LinkKind
    name: str


@dataclass(frozen=True)
class PersonInfo:
    """An account, the number of libraries it is a member of, and when it was last used, if that is known."""

    person: Person
    libraries: int
    last_seen: datetime | None


def are_active(backend: Backend) -> bool:
    """Whether people have to log in: because there is an account, or because the settings ask for it."""
    if backend.settings.accounts == "required":
        return True
    with backend.database.read() as connection:
        return records_people.any_people(connection)


def signing_key(backend: Backend) -> str:
    """Return what cookies are signed with: the setting, or a key that is made once and kept in the database."""
    if backend.settings.secret_key:
        return backend.settings.secret_key
    with backend.database.read() as connection:
        kept = records_people.server_secret(connection, SIGNING_KEY)
    if kept:
        return kept
    with backend.database.write() as connection:
        kept = records_people.server_secret(connection, SIGNING_KEY)  # another process may have been quicker
        if kept is None:
            kept = new_secret()
            records_people.keep_server_secret(connection, SIGNING_KEY, kept)
    return kept


def checked_name(name: str) -> str:
    """Return a name as it is kept, in lower case. Raises InvalidQuery."""
    plain = plain_name(name)
    if not may_be_name(plain):
        raise InvalidQuery(
            f"The name of an account has up to {LONGEST_NAME} letters and digits, and . _ - @ +, but no spaces."
        )
    if len(ALPHABETS & {unicodedata.name(letter, "").partition(" ")[0] for letter in plain}) > 1:
        raise InvalidQuery("The letters of a name are all from one alphabet, so that no two names look the same.")
    return plain


def plain_name(name: str) -> str:
    """Return what was typed as the name would be kept, whether or not it may be one; a far longer one is cut.

    Normalizing takes time with the square of the combining marks, and nobody else gets a turn meanwhile.
    """
    return unicodedata.normalize("NFKC", name[:LONGEST_TYPED]).strip().lower()


def may_be_name(plain: str) -> bool:
    """Whether an account may be called `plain`, which `plain_name` returned."""
    return 0 < len(plain) <= LONGEST_NAME and all(letter.isalnum() or letter in "._-@+" for letter in plain)


# ---- The first account


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

    Raises LinkNotFound, or InvalidQuery, after which the link still works.
    """
    read_welcome(backend, secret)  # before anything is hashed, which would be much work for whoever makes up links
    hashed = hash_password(checked_password(password))
    with backend.database.write() as connection:
        link, person = _welcome(connection, secret)
        if person is None:
            person = _add(connection, None, name, administrator=True, address=address)
        records_people.use_link(connection, link.id)
        return _set_password(connection, person, hashed, Principal(person.name, {}, person.id, address=address))


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


# ---- What administrators do


def add_person(
    backend: Backend,
    principal: Principal,
    name: str,
    *,
    administrator: bool = False,
    password: str | None = None,
    email: str | None = None,
) -> Person:
    """Make an account; the first one administrates whatever is asked. Raises Conflict when the name is taken."""
    _check_administrator(principal)
    hashed = hash_password(checked_password(password)) if password is not None else None
    with backend.database.write() as connection:
        person = _add(connection, principal, name, administrator=administrator, email=email)
        if hashed:
            records_people.change(connection, person.id, password_hash=hashed)
        return _existing(connection, person.id)


def list_people(backend: Backend, principal: Principal) -> list[Person]:
    """Return every account, by name. For administrators."""
    _check_administrator(principal)
    with backend.database.read() as connection:
        return records_people.list_all(connection)


def find_person(backend: Backend, principal: Principal, name: str) -> Person:
    """Return the account called so. For administrators. Raises PersonNotFound."""
    _check_administrator(principal)
    with backend.database.read() as connection:
        person = records_people.by_name(connection, checked_name(name))
    if person is None:
        raise PersonNotFound(f"Nobody here is called {name}.")
    return person


def get_person(backend: Backend, principal: Principal, person_id: str) -> Person:
    """Return the account with this id. For administrators. Raises PersonNotFound."""
    _check_administrator(principal)
    with backend.database.read() as connection:
        return _existing(connection, person_id)


def describe_people(backend: Backend, principal: Principal) -> list[PersonInfo]:
    """Return every account with what administrators are told of it, by name."""
    people = list_people(backend, principal)
    with backend.database.read() as connection:
        seen = records_sessions.last_used(connection)
        libraries = records_libraries.counts_of_members(connection)
    return [PersonInfo(person, libraries.get(person.id, 0), seen.get(person.id)) for person in people]


def password_link(backend: Backend, principal: Principal, person_id: str) -> str:
    """Return the secret of a link with which somebody sets a password, once; older links of theirs end.

    Raises Conflict when they are deactivated.
    """
    _check_administrator(principal)
    secret = new_secret()
    until = datetime.now(UTC) + timedelta(days=PASSWORD_LINK_DAYS)
    with backend.database.write() as connection:
        person = _existing(connection, person_id)
        if person.deactivated_at:
            raise Conflict(DEACTIVATED.format(name=person.name))
        records_people.forget_links(connection, LinkKind.PASSWORD, person.id)
        records_people.add_link(connection, hash_secret(secret), LinkKind.PASSWORD, until, person_id=person.id)
        records_audit.add(connection, principal, Event.PERSON_LINK_MADE, person.name)
    return secret


def set_password(backend: Backend, principal: Principal, person_id: str, password: str) -> None:
    """Give somebody another password and end their sessions. For whoever works at the machine itself."""
    if not principal.owns_everything:
        raise NotAllowed("Nobody sets a password for another person. Please give them a link to choose one.")
    hashed = hash_password(checked_password(password))
    with backend.database.write() as connection:
        _set_password(connection, _existing(connection, person_id), hashed, principal)


def deactivate(backend: Backend, principal: Principal, person_id: str) -> Person:
    """Let somebody in no more: sessions end, tokens and links are no good.

    Raises Conflict for the last administrator.
    """
    _check_administrator(principal)
    with backend.database.write() as connection:
        person = _existing(connection, person_id)
        _check_not_last(connection, person)
        records_people.change(connection, person.id, deactivated_at=datetime.now(UTC))
        records_people.forget_links(connection, LinkKind.PASSWORD, person.id)
        records_sessions.end_sessions_of(connection, person.id)
        records_audit.add(connection, principal, Event.PERSON_DEACTIVATED, person.name)
    return person


def activate(backend: Backend, principal: Principal, person_id: str) -> Person:
    """Let somebody in again, with their roles and tokens as they were."""
    _check_administrator(principal)
    with backend.database.write() as connection:
        person = _existing(connection, person_id)
        records_people.change(connection, person.id, deactivated_at=None)
        records_audit.add(connection, principal, Event.PERSON_ACTIVATED, person.name)
    return person


def set_administrator(backend: Backend, principal: Principal, person_id: str, *, administrator: bool) -> Person:
    """Let somebody administrate, or no more. Raises Conflict for the last administrator."""
    _check_administrator(principal)
    with backend.database.write() as connection:
        person = _existing(connection, person_id)
        if not administrator:
            _check_not_last(connection, person)
        records_people.change(connection, person.id, administrator=administrator)
        event = Event.ADMINISTRATOR_CHANGED
        records_audit.add(connection, principal, event, person.name, administrator=administrator)
    return person


# ---- What people do for themselves


def change_password(backend: Backend, principal: Principal, session_id: str | None, present: str, wanted: str) -> None:
    """Change one's own password; every other session ends.

    Raises InvalidQuery when `present` is not the password, and TooManyAttempts as logging in does: a browser that was
    left alone is no place to guess it.
    """
    checked_password(wanted)
    with backend.database.write() as connection:
        person = _existing(connection, principal.person_id or "")
        throttle.count_try(connection, person.name, principal.address)
    if not is_password(person.password_hash, present):
        raise InvalidQuery(WRONG_PASSWORD)
    hashed = hash_password(wanted)
    with backend.database.write() as connection:
        throttle.forgive(connection, person.name, principal.address)
        _set_password(connection, person, hashed, principal, but=session_id)


def renew_hash(backend: Backend, person: Person, password: str) -> Person:
    """Hash the password somebody has just logged in with under today's parameters, unless it was changed meanwhile."""
    hashed = hash_password(password)
    with backend.database.write() as connection:
        if _existing(connection, person.id).password_hash != person.password_hash:
            return person
        records_people.change(connection, person.id, password_hash=hashed)
        return _existing(connection, person.id)


def has_password(backend: Backend, principal: Principal) -> bool:
    """Whether this person logs in with a password, and not by single sign-on alone."""
    with backend.database.read() as connection:
        person = records_people.get(connection, principal.person_id or "")
    return person is not None and person.password_hash is not None


# ---- Pieces


def make_account(
    connection: Connection, name: str, password_hash: str | None, *, address: str, **values: object
) -> Person:
    """Make an account inside the caller's transaction, for those who got in by an invitation or single sign-on."""
    person = _add(connection, None, name, administrator=False, address=address)
    records_people.change(connection, person.id, password_hash=password_hash, **values)
    return _existing(connection, person.id)


def _add(
    connection: Connection,
    principal: Principal | None,
    name: str,
    *,
    administrator: bool,
    email: str | None = None,
    address: str = "",
) -> Person:
    """Make an account; `principal` is None for those who make their own."""
    plain = checked_name(name)
    if email is not None:
        email = email.strip().lower()  # as single sign-on looks for it
        if len(email) > LONGEST_EMAIL or "@" not in email or not email.isprintable():
            raise InvalidQuery("This is not an e-mail address.")
    if records_people.by_name(connection, plain):
        raise Conflict(f"The name {plain} is taken. Please choose another.")
    first = not records_people.any_people(connection)
    person = records_people.add(connection, plain, administrator=administrator or first, email=email)
    who = principal or Principal(plain, {}, person.id, address=address)
    records_audit.add(connection, who, Event.PERSON_ADDED, plain, administrator=person.administrator)
    if first:
        for library in records_libraries.without_owner(connection):
            records_libraries.set_role(connection, library, person.id, Role.OWNER)
    return person


def _set_password(
    connection: Connection, person: Person, hashed: str, principal: Principal, *, but: str | None = None
) -> Person:
    records_people.change(connection, person.id, password_hash=hashed)
    records_people.forget_links(connection, LinkKind.PASSWORD, person.id)
    ended = records_sessions.end_sessions_of(connection, person.id, but=but)
    records_audit.add(connection, principal, Event.PASSWORD_CHANGED, person.name, sessions_ended=ended)
    return _existing(connection, person.id)


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


def _existing(connection: Connection, person_id: str) -> Person:
    person = records_people.get(connection, person_id)
    if person is None:
        raise PersonNotFound("There is no such account.")
    return person


def _check_administrator(principal: Principal) -> None:
    if not principal.may_administrate():
        raise NotAllowed(NOT_ADMINISTRATOR)


def _check_not_last(connection: Connection, person: Person) -> None:
    if records_people.administrators(connection) == [person.id]:
        raise Conflict(f"{person.name} is the last administrator. Please make somebody else one first.")
