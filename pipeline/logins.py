"""Logging in: by password, slowed down for whoever guesses, or with an identity that a provider vouches for."""

from pipeline import accounts, sessions, throttle
from pipeline.account_names import LONGEST_NAME, checked_name, may_be_in_name, may_be_name, plain_name
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, NotLoggedIn
from pipeline.passwords import is_outdated, is_password
from pipeline.principals import NOBODY, Principal
from pipeline.sessions import LoggedIn
from pipeline.stores import records_audit, records_people
from pipeline.stores.database import Connection, Writing
from pipeline.stores.records_audit import Event
from pipeline.stores.records_people import Person
from pipeline.throttle import UNKNOWN_NAME

MOST_NAMES = 100  # tried for an account that single sign-on makes, when the first choices are taken

WRONG = "The name or the password is wrong. Please try again."


def log_in(backend: Backend, name: str, password: str, *, address: str, browser: str) -> LoggedIn:
    """Begin a session for whoever knows the password.

    Raises NotLoggedIn, which does not tell whether there is such a name, or TooManyAttempts.
    """
    plain = plain_name(name)
    with backend.database.read() as connection:
        person = records_people.by_name(connection, plain) if may_be_name(plain) else None
    throttle.count_try(backend, plain, address, person)
    kept = person.password_hash if person and not person.deactivated_at else None
    if not is_password(kept, password) or person is None or kept is None:
        with backend.database.write(Writing.BESIDE) as connection:
            nobody = Principal(NOBODY.name, {}, address=address)
            records_audit.add(connection, nobody, Event.LOGIN_FAILED, person.name if person else UNKNOWN_NAME)
        raise NotLoggedIn(WRONG)
    with backend.database.write(Writing.BESIDE) as connection:
        throttle.forgive(connection, plain, address)
    if is_outdated(kept):
        person = accounts.renew_hash(backend, person, password)
    return sessions.begin(backend, person, address=address, browser=browser, how="by password")


def log_in_by_oidc(
    backend: Backend, subject: str, name: str, email: str | None, *, may_create: bool, address: str, browser: str
) -> LoggedIn:
    """Begin a session for whom a provider of single sign-on vouches.

    `subject` is issuer and subject with a space between; `email` is None unless the provider has verified it. Somebody
    new is known by that address, or gets an account called `name` or nearly so if `may_create`: not if the address is
    somebody's who cannot be known by it, who would have let themselves in again. Raises NotLoggedIn.
    """
    with backend.database.write() as connection:
        person = records_people.by_oidc_subject(connection, subject)
        if person is None and email:
            person = _known_by_email(connection, subject, email.lower(), address)
        is_somebodys = email is not None and records_people.has_email(connection, email.lower())
        may_create &= records_people.any_people(connection)  # the first one administrates
        if person is None and may_create and not is_somebodys:
            person = _make(connection, subject, name, email, address)
        if person is None or person.deactivated_at:
            nobody = Principal(NOBODY.name, {}, address=address)
            called = person.name if person else UNKNOWN_NAME
            records_audit.add(connection, nobody, Event.LOGIN_FAILED, called, how="by single sign-on")
    if person is None or person.deactivated_at:
        raise NotLoggedIn("You are known there, but have no account here. Please ask an administrator for one.")
    return sessions.begin(backend, person, address=address, browser=browser, how="by single sign-on")


def _known_by_email(connection: Connection, subject: str, email: str, address: str) -> Person | None:
    """Return the person with this address, known as `subject` from now on.

    Nobody is known by it who was deactivated, or whom the provider knows under another subject.
    """
    person = records_people.by_email(connection, email)
    if person is None or person.deactivated_at or person.oidc_subject is not None:
        return None
    records_people.change(connection, person.id, oidc_subject=subject)
    who = Principal(person.name, {}, person.id, address=address)
    records_audit.add(connection, who, Event.PERSON_LINKED, person.name, email=email)
    return person


def _make(connection: Connection, subject: str, name: str, email: str | None, address: str) -> Person:
    wanted = _plain(name) or "person"
    for number in range(1, MOST_NAMES + 1):
        candidate = wanted if number == 1 else f"{wanted[: LONGEST_NAME - 4]}-{number}"
        if records_people.by_name(connection, candidate) is None:
            values = {"oidc_subject": subject, "email": email.lower() if email else None}
            return accounts.make_account(connection, candidate, None, address=address, **values)
    raise Conflict("There are too many accounts with this name. Please ask an administrator to make one.")


def _plain(name: str) -> str:
    """Return a name that an account may have, from one that need not be such a name."""
    kept = "".join(letter if may_be_in_name(letter) else "." for letter in plain_name(name))
    try:
        return checked_name(kept.strip(".")[:LONGEST_NAME])
    except InvalidQuery:
        return ""
