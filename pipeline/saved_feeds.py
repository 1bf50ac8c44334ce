"""The feeds of saved searches: under an address that nobody can guess, because feed readers cannot log in.

Of its key only the hash is kept, so an address is shown once and can be renewed or ended, not shown again. Whoever has
it reads what the owner of the search may see at that moment, and never a picture.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.backend import Backend
from pipeline.errors import LinkNotFound
from pipeline.passwords import hash_secret, new_secret
from pipeline.principals import Principal
from pipeline.saved_searches import SavedSearch, check_changing, find, owner_now
from pipeline.stores import records_audit, records_matches, records_principals, records_searches
from pipeline.stores.records_audit import Event

Match = records_matches.Match

MOST_ENTRIES = 50

NO_FEED = "There is no such feed. Its address may have been renewed or ended."


@dataclass(frozen=True)
class Feed:
    """A saved search with its newest matches that its owner may see, newest first."""

    search: SavedSearch
    matches: tuple[Match, ...]

    @property
    def updated_at(self) -> datetime:
        """When the last of what is in it was found."""
        return self.matches[0].matched_at if self.matches else self.search.created_at


def make_feed(backend: Backend, principal: Principal, search_id: str) -> str:
    """Return the key of a new feed address for one of this person's searches; the one before ends.

    Raises NotFound or NotAllowed.
    """
    check_changing(principal)
    key = new_secret()
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        found = find(connection, principal, search_id)
        now = datetime.now(UTC)
        records_searches.change(connection, found.id, feed_hash=hash_secret(key), feed_made_at=now)
        records_audit.add(connection, principal, Event.FEED_MADE, renewed=found.feed_made_at is not None)
    return key


def end_feed(backend: Backend, principal: Principal, search_id: str) -> None:
    """Let the feed address of a search lead nowhere, from now on. Raises NotFound or NotAllowed."""
    check_changing(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        found = find(connection, principal, search_id)
        if found.feed_made_at is not None:
            records_searches.change(connection, found.id, feed_hash=None, feed_made_at=None)
            records_audit.add(connection, principal, Event.FEED_ENDED)


def read_feed(backend: Backend, key: str) -> Feed:
    """Return what a feed tells now. Raises LinkNotFound, also for the feed of somebody who was deactivated."""
    with backend.database.read() as connection:
        search = records_searches.by_feed(connection, hash_secret(key))
        owner = owner_now(connection, search) if search else None
        if search is None or owner is None:
            raise LinkNotFound(NO_FEED)
        return Feed(search, tuple(records_matches.visible(connection, search.id, owner, limit=MOST_ENTRIES)))
