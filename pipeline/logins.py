"""Logging in: by password, slowed down for whoever guesses, or with an identity that a provider vouches for."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address

from pipeline import accounts, sessions
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, NotLoggedIn, TooManyAttempts
from pipeline.passwords import hash_password, is_outdated, is_password
from pipeline.principals import NOBODY, Principal
from pipeline.sessions import LoggedIn
from pipeline.stores import records_audit, records_people, records_sessions
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_people import Person

WINDOW = timedelta(minutes=15)
"""Failures that are older count no more."""

FREE_TRIES = 5  # by one name from one address; each further one waits twice as long as the one before
FIRST_WAIT_SECONDS = 5
MOST_DOUBLINGS = 8  # by then the wait is as long as the window
FREE_TRIES_OF_ADDRESS = 30  # a household or an office behind one address mistypes less often
FREE_TRIES_OF_NAME = 100  # from everywhere: slows down many machines, but may let the person wait, too
IPV6_NETWORK_BITS = 64  # one household has as many addresses as this leaves
MOST_NAMES = 100  # tried for an account that single sign-on makes, when the first choices are taken

WRONG = "The name or the password is wrong. Please try again."
UNKNOWN_NAME = "a name that nobody has"  # what was typed may be a password, so it is not written down


def log_in(backend: Backend, name: str, password: str, *, address: str, browser: str) -> LoggedIn:
    """Begin a session for whoever knows the password.

    Raises NotLoggedIn, which does not tell whether there is such a name, or TooManyAttempts.
    """
    plain = unicodedata.normalize("NFKC", name).strip().lower()[: accounts.LONGEST_NAME]
    place = network_of(address)
    with backend.database.write() as connection:
        # Counted as a failure before the password is looked at, so that guesses side by side do not slip through.
        _check_throttle(connection, plain, place)
        records_sessions.add_failure(connection, plain, place)
        person = records_people.by_name(connection, plain)
    kept = person.password_hash if person and not person.deactivated_at else None
    if not is_password(kept, password) or person is None or kept is None:
        with backend.database.write() as connection:
            nobody = Principal(NOBODY.name, {}, address=address)
            records_audit.add(connection, nobody, Event.LOGIN_FAILED, person.name if person else UNKNOWN_NAME)
        raise NotLoggedIn(WRONG)
    with backend.database.write() as connection:
        records_sessions.forget_failures(connection, name=plain, address=place)
        if is_outdated(kept):
            records_people.change(connection, person.id, password_hash=hash_password(password))
    return sessions.begin(backend, person, address=address, browser=browser, how="by password")


def log_in_by_oidc(
    backend: Backend, subject: str, name: str, email: str | None, *, may_create: bool, address: str, browser: str
) -> LoggedIn:
    """Begin a session for whom a provider of single sign-on vouches.

    `subject` is issuer and subject with a space between; `email` is None unless the provider has verified it. Somebody
    new is known by that address, or gets an account called `name` or nearly so if `may_create`. Raises NotLoggedIn.
    """
    with backend.database.write() as connection:
        person = records_people.by_oidc_subject(connection, subject)
        if person is None and email:
            person = _known_by_email(connection, subject, email.lower())
        if person is None and may_create and records_people.any_people(connection):  # the first one administrates
            person = _make(connection, subject, name, email, address)
        if person is None or person.deactivated_at:
            nobody = Principal(NOBODY.name, {}, address=address)
            called = person.name if person else UNKNOWN_NAME
            records_audit.add(connection, nobody, Event.LOGIN_FAILED, called, how="by single sign-on")
    if person is None or person.deactivated_at:
        raise NotLoggedIn("You are known there, but have no account here. Please ask an administrator for one.")
    return sessions.begin(backend, person, address=address, browser=browser, how="by single sign-on")


def network_of(address: str) -> str:
    """Return what counts as one place when logins fail: an IPv4 address, or the network of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS))
    return str(parsed)


def _known_by_email(connection: Connection, subject: str, email: str) -> Person | None:
    """Return the person with this address, known as `subject` from now on.

    Nobody is known by it who was deactivated, or whom the provider knows under another subject.
    """
    person = records_people.by_email(connection, email)
    if person is None or person.deactivated_at or person.oidc_subject is not None:
        return None
    records_people.change(connection, person.id, oidc_subject=subject)
    return person


def _check_throttle(connection: Connection, name: str, place: str) -> None:
    since = datetime.now(UTC) - WINDOW
    waits = [
        _seconds_to_wait(records_sessions.failures_since(connection, since, name=name, address=place), FREE_TRIES),
        _seconds_to_wait(records_sessions.failures_since(connection, since, address=place), FREE_TRIES_OF_ADDRESS),
        _seconds_to_wait(records_sessions.failures_since(connection, since, name=name), FREE_TRIES_OF_NAME),
    ]
    seconds = max(waits)
    if seconds > 0:
        words = f"{seconds} seconds" if seconds < 120 else f"{round(seconds / 60)} minutes"  # noqa: PLR2004 - two minutes
        raise TooManyAttempts(
            f"There were too many wrong passwords. Please try again in {words}.", retry_seconds=seconds
        )


def _seconds_to_wait(failures: Sequence[datetime], free: int) -> int:
    """Return how long the next try has to wait after these failures, newest first."""
    if len(failures) < free:
        return 0
    doublings = min(len(failures) - free, MOST_DOUBLINGS)
    wait = min(float(FIRST_WAIT_SECONDS << doublings), WINDOW.total_seconds())
    since_last = (datetime.now(UTC) - failures[0]).total_seconds()
    return max(0, round(wait - since_last))


def _make(connection: Connection, subject: str, name: str, email: str | None, address: str) -> Person:
    wanted = _plain(name) or "person"
    for number in range(1, MOST_NAMES + 1):
        candidate = wanted if number == 1 else f"{wanted[: accounts.LONGEST_NAME - 4]}-{number}"
        if records_people.by_name(connection, candidate) is None:
            values = {"oidc_subject": subject, "email": email.lower() if email else None}
            who = Principal(candidate, {}, address=address)
            return accounts.make_account(connection, who, candidate, None, **values)
    raise Conflict("There are too many accounts with this name. Please ask an administrator to make one.")


def _plain(name: str) -> str:
    """Return a name that an account may have, from one that need not be such a name."""
    kept = "".join(letter if letter.isalnum() or letter in "._-@+" else "." for letter in name.strip())
    try:
        return accounts.checked_name(kept.strip(".")[: accounts.LONGEST_NAME])
    except InvalidQuery:
        return ""
