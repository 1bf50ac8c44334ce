"""Slowing down whoever guesses passwords: how long the next try has to wait, and what counts as one place.

Names are kept as hashes: what was typed for one may have been a password.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address

from pipeline.errors import TooManyAttempts
from pipeline.passwords import hash_secret
from pipeline.stores import records_sessions
from pipeline.stores.database import Connection

WINDOW = timedelta(minutes=15)
"""Failures that are older count no more."""

FREE_TRIES = 5  # by one name from one address; each further one waits twice as long as the one before
FIRST_WAIT_SECONDS = 5
MOST_DOUBLINGS = 8  # by then the wait is as long as the window
FREE_TRIES_OF_ADDRESS = 30  # a household or an office behind one address mistypes less often
FREE_TRIES_OF_NAME = 100  # from everywhere: slows down many machines, but may let the person wait, too
IPV6_NETWORK_BITS = 64  # one household has as many addresses as this leaves
LONGEST_PLACE = 45  # characters of an IPv6 address written in full


def count_try(connection: Connection, name: str, address: str) -> None:
    """Count a try as failed before the password is looked at, so that guesses side by side do not slip through.

    Raises TooManyAttempts, without counting, while the next try has to wait.
    """
    key, place = hash_secret(name), network_of(address)
    since = datetime.now(UTC) - WINDOW
    seconds = max(
        _seconds_to_wait(records_sessions.failures_since(connection, since, name=key, address=place), FREE_TRIES),
        _seconds_to_wait(records_sessions.failures_since(connection, since, address=place), FREE_TRIES_OF_ADDRESS),
        _seconds_to_wait(records_sessions.failures_since(connection, since, name=key), FREE_TRIES_OF_NAME),
    )
    if seconds > 0:
        words = f"{seconds} seconds" if seconds < 120 else f"{round(seconds / 60)} minutes"  # noqa: PLR2004 - two minutes
        raise TooManyAttempts(
            f"There were too many wrong passwords. Please try again in {words}.", retry_seconds=seconds
        )
    records_sessions.add_failure(connection, key, place)


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


def _seconds_to_wait(failures: Sequence[datetime], free: int) -> int:
    """Return how long the next try has to wait after these failures, newest first."""
    if len(failures) < free:
        return 0
    doublings = min(len(failures) - free, MOST_DOUBLINGS)
    wait = min(float(FIRST_WAIT_SECONDS << doublings), WINDOW.total_seconds())
    since_last = (datetime.now(UTC) - failures[0]).total_seconds()
    return max(0, round(wait - since_last))
