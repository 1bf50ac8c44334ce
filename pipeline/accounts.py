"""Accounts: made and changed by administrators, and by people for themselves.

Whoever makes the first account administrates, and owns the libraries that were there before anybody had one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline import throttle
from pipeline.account_names import checked_name, may_be_name, plain_name
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, NotAllowed, PersonNotFound
from pipeline.passwords import checked_password, hash_password, hash_secret, is_password, new_secret
from pipeline.principals import Principal, Role
from pipeline.stores import (
    records_audit,
    records_libraries,
    records_people,
    records_principals,
    records_searches,
    records_sessions,
)
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_people import LinkKind

Person = records_people.Person

PASSWORD_LINK_DAYS = 7
LONGEST_EMAIL = 254
SIGNING_KEY = "signing key"

NOT_ADMINISTRATOR = "Only administrators look after accounts. Please ask one of them."
DEACTIVATED = "{name} cannot log in, so a link would be of no use. Please let them in again first."

WRONG_PASSWORD = "This is not your current password. Please try again."  # noqa: S105 - a sentence about one


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
    _check_administrator(principal)  # before anything is hashed
    hashed = hash_password(checked_password(password)) if password is not None else None
    with backend.database.write() as connection:
        principal = _administrator(connection, principal)
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
        plain = plain_name(name)
        person = records_people.by_name(connection, plain) if may_be_name(plain) else None
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
        seen = records_sessions.last_seen(connection)
        libraries = records_libraries.counts_of_members(connection)
    return [PersonInfo(person, libraries.get(person.id, 0), seen.get(person.id)) for person in people]


def password_link(backend: Backend, principal: Principal, person_id: str) -> str:
    """Return the secret of a link with which somebody sets a password, once; older links of theirs end.

    An administrator who uses it, instead of giving it to them, gets into their account. Nobody who runs a server can
    be kept from that; but it is in the log, and the person is logged out everywhere and their password has changed.
    Raises Conflict when they are deactivated.
    """
    secret = new_secret()
    until = datetime.now(UTC) + timedelta(days=PASSWORD_LINK_DAYS)
    with backend.database.write() as connection:
        principal = _administrator(connection, principal)
        person = _existing(connection, person_id)
        if person.deactivated_at:
            raise Conflict(DEACTIVATED.format(name=person.name))
        records_people.forget_links(connection, LinkKind.PASSWORD, person.id)
        records_people.add_link(connection, hash_secret(secret), LinkKind.PASSWORD, until, person_id=person.id)
        records_audit.add(connection, principal, Event.PERSON_LINK_MADE, person.name)
    return secret


def set_password(backend: Backend, principal: Principal, person_id: str, password: str) -> int:
    """Give somebody another password, and end their sessions and tokens; return how many tokens.

    For whoever works at the machine itself.
    """
    if not principal.owns_everything:
        raise NotAllowed("Nobody sets a password for another person. Please give them a link to choose one.")
    hashed = hash_password(checked_password(password))
    with backend.database.write() as connection:
        person = _existing(connection, person_id)
        revoked = len(records_sessions.tokens_of(connection, person.id))
        put_password(connection, person, hashed, principal)
    return revoked


def deactivate(backend: Backend, principal: Principal, person_id: str) -> Person:
    """Let somebody in no more: sessions end, tokens and links are no good.

    Raises Conflict for the last administrator.
    """
    with backend.database.write() as connection:
        principal = _administrator(connection, principal)
        person = _existing(connection, person_id)
        _check_not_last(connection, person)
        records_people.change(connection, person.id, deactivated_at=datetime.now(UTC))
        records_people.forget_links(connection, LinkKind.PASSWORD, person.id)
        records_sessions.end_sessions_of(connection, person.id)
        records_audit.add(connection, principal, Event.PERSON_DEACTIVATED, person.name)
    return person


def activate(backend: Backend, principal: Principal, person_id: str) -> Person:
    """Let somebody in again, with their roles and tokens as they were."""
    with backend.database.write() as connection:
        principal = _administrator(connection, principal)
        person = _existing(connection, person_id)
        records_people.change(connection, person.id, deactivated_at=None)
        records_audit.add(connection, principal, Event.PERSON_ACTIVATED, person.name)
    return person


def set_administrator(backend: Backend, principal: Principal, person_id: str, *, administrator: bool) -> Person:
    """Let somebody administrate, or no more. Raises Conflict for the last administrator."""
    with backend.database.write() as connection:
        principal = _administrator(connection, principal)
        person = _existing(connection, person_id)
        if not administrator:
            _check_not_last(connection, person)
        records_people.change(connection, person.id, administrator=administrator)
        event = Event.ADMINISTRATOR_CHANGED
        records_audit.add(connection, principal, event, person.name, administrator=administrator)
    return person


# ---- What people do for themselves


def change_password(backend: Backend, principal: Principal, session_id: str | None, present: str, wanted: str) -> int:
    """Change one's own password; every other session ends. Return how many API tokens still work.

    Raises InvalidQuery when `present` is not the password, and TooManyAttempts as logging in does: a browser that was
    left alone is no place to guess it.
    """
    checked_password(wanted)
    with backend.database.read() as connection:
        person = _existing(connection, principal.person_id or "")
    throttle.count_try(backend, person.name, principal.address, person)
    if not is_password(person.password_hash, present):
        with backend.database.write() as connection:
            records_audit.add(connection, principal, Event.PASSWORD_REFUSED, person.name)
        raise InvalidQuery(WRONG_PASSWORD)
    hashed = hash_password(wanted)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        if _existing(connection, person.id).password_hash != person.password_hash:
            raise InvalidQuery(WRONG_PASSWORD)  # it was changed meanwhile
        throttle.forgive(connection, person.name, principal.address)
        put_password(connection, person, hashed, principal, but=session_id, tokens_stay=True)
        return records_sessions.count_current(connection, person.id)


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


def put_password(
    connection: Connection,
    person: Person,
    hashed: str,
    principal: Principal,
    *,
    but: str | None = None,
    tokens_stay: bool = False,
) -> Person:
    """Set a password and end every session but one. Tokens end as well where somebody else may have made them."""
    records_people.change(connection, person.id, password_hash=hashed)
    records_people.forget_links(connection, LinkKind.PASSWORD, person.id)
    ended = records_sessions.end_sessions_of(connection, person.id, but=but)
    records_audit.add(connection, principal, Event.PASSWORD_CHANGED, person.name, sessions_ended=ended)
    revoked = 0 if tokens_stay else records_sessions.revoke_tokens_of(connection, person.id)
    if revoked:
        records_audit.add(connection, principal, Event.TOKEN_REVOKED, "all", person=person.name, tokens=revoked)
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
        records_searches.adopt(connection, person.id)
        for library in records_libraries.without_owner(connection):
            records_libraries.set_role(connection, library, person.id, Role.OWNER)
            records_audit.add(connection, who, Event.MEMBER_ADDED, plain, library=library, role=Role.OWNER)
    return person


def _existing(connection: Connection, person_id: str) -> Person:
    person = records_people.get(connection, person_id)
    if person is None:
        raise PersonNotFound("There is no such account.")
    return person


def _administrator(connection: Connection, principal: Principal) -> Principal:
    """Return the principal as they are now, who may administrate. Raises NotAllowed, or NotLoggedIn."""
    principal = records_principals.current(connection, principal)
    _check_administrator(principal)
    return principal


def _check_administrator(principal: Principal) -> None:
    if not principal.may_administrate():
        raise NotAllowed(NOT_ADMINISTRATOR)


def _check_not_last(connection: Connection, person: Person) -> None:
    if records_people.administrators(connection) == [person.id]:
        raise Conflict(f"{person.name} is the last administrator. Please make somebody else one first.")
