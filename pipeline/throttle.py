"""Slowing down whoever guesses passwords: how long the next try has to wait, and what counts as one place.

Names are kept as hashes: what was typed for one may have been a password.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address

from pipeline.backend import Backend
from pipeline.errors import TooManyAttempts
from pipeline.passwords import hash_secret
from pipeline.principals import NOBODY, Principal
from pipeline.stores import records_audit, records_sessions
from pipeline.stores.database import Connection, Writing, in_turn
from pipeline.stores.records_audit import Event
from pipeline.stores.records_people import Person

WINDOW = timedelta(minutes=15)
"""Failures that are older count no more."""

FREE_TRIES = 5  # by one name from one address; each further one waits twice as long as the one before
FIRST_WAIT_SECONDS = 5
MOST_DOUBLINGS = 8  # by then the wait is as long as the window
FREE_TRIES_OF_ADDRESS = 30  # a household or an office behind one address mistypes less often
FREE_TRIES_OF_NAME = 100  # from everywhere: slows down many machines, but not whoever is logged in where they ask
IPV6_NETWORK_BITS = 64  # one household has as many addresses as this leaves
LONGEST_PLACE = 45  # characters of an IPv6 address written in full

UNKNOWN_NAME = "a name that nobody has"  # what was typed may be a password, so it is not written down


def count_try(backend: Backend, name: str, address: str, person: Person | None) -> None:
    """Count a try as failed before the password is looked at, so that guesses side by side do not slip through.

    `person` is whom the plain name belongs to. Raises TooManyAttempts, without counting, while the next try has to
    wait; that it did is in the audit log once in a `WINDOW` for each name and place.
    """
    key, place = hash_secret(name), network_of(address)
    with backend.database.write(Writing.BESIDE) as connection:
        in_turn(connection, f"login {key}", f"login {place}")
        seconds = _seconds_for(connection, key, place, person)
        if seconds == 0:
            records_sessions.add_failure(connection, key, place)
        else:
            _note_wait(connection, place, person)
    if seconds > 0:
        words = f"{seconds} seconds" if seconds < 120 else f"{round(seconds / 60)} minutes"  # noqa: PLR2004 - two minutes
        raise TooManyAttempts(
            f"There were too many wrong passwords. Please try again in {words}.", retry_seconds=seconds
        )


def forgive(connection: Connection, name: str, address: str) -> None:
    """Forget the failures of one name from one place, because the password was right."""
    records_sessions.forget_failures(connection, name=hash_secret(name), address=network_of(address))


def network_of(address: str) -> str:
    """Return what counts as one place when logins fail: an IPv4 address, or the network of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:LONGEST_PLACE]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS))
    return str(parsed)


def _seconds_for(connection: Connection, key: str, place: str, person: Person | None) -> int:
    since = datetime.now(UTC) - WINDOW
    waits = [
        _seconds_to_wait(records_sessions.failures_since(connection, since, name=key, address=place), FREE_TRIES),
        _seconds_to_wait(records_sessions.failures_since(connection, since, address=place), FREE_TRIES_OF_ADDRESS),
    ]
    # Otherwise whoever has many addresses could keep somebody out whose name they know.
    if not _is_logged_in_at(connection, place, person):
        failures = records_sessions.failures_since(connection, since, name=key)
        waits.append(_seconds_to_wait(failures, FREE_TRIES_OF_NAME))
    return max(waits)


def _is_logged_in_at(connection: Connection, place: str, person: Person | None) -> bool:
    """Whether a person has a session that began in this place, and has not ended."""
    if person is None:
        return False
    return any(network_of(each.address) == place for each in records_sessions.sessions_of(connection, person.id))


def _note_wait(connection: Connection, place: str, person: Person | None) -> None:
    """Record that somebody has to wait, unless it was recorded in this window: the log is not to be flooded."""
    who, subject = Principal(NOBODY.name, {}, address=place), person.name if person else UNKNOWN_NAME
    since = datetime.now(UTC) - WINDOW
    if not records_audit.has_since(connection, since, Event.LOGIN_SLOWED, subject, address=place):
        records_audit.add(connection, who, Event.LOGIN_SLOWED, subject)


def _seconds_to_wait(failures: Sequence[datetime], free: int) -> int:
    """Return how long the next try has to wait after these failures, newest first."""
    if len(failures) < free:
        return 0
    doublings = min(len(failures) - free, MOST_DOUBLINGS)
    wait = min(float(FIRST_WAIT_SECONDS << doublings), WINDOW.total_seconds())
    since_last = (datetime.now(UTC) - failures[0]).total_seconds()
    return max(0, round(wait - since_last))
