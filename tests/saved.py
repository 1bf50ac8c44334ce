"""Saved searches as tests make them, and time passing for webhooks."""

from datetime import UTC, datetime

import sqlalchemy as sa

from pipeline import matching, saved_searches
from pipeline.backend import Backend
from pipeline.filters import Filter
from pipeline.principals import OWNER, Principal
from pipeline.questions import Term
from pipeline.search import SearchQuery
from pipeline.stores import records_matches
from pipeline.stores.database import Database
from pipeline.stores.records_searches import SavedSearch
from pipeline.stores.tables_searches import saved_matches, webhooks
from pipeline.worker import Worker

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def save(
    backend: Backend, *terms: Term, name: str = "mine", who: Principal = OWNER, where: Filter | None = None
) -> SavedSearch:
    """Save a search, as the page does."""
    return saved_searches.save(backend, who, name, {"text": ["as typed"]}, SearchQuery(terms, where or Filter()))


def compare(backend: Backend) -> None:
    """Compare everything that has come in."""
    while matching.step(backend):
        pass


def analyze(backend: Backend) -> None:
    """Analyze everything that waits, and compare it."""
    Worker(backend).drain()
    compare(backend)


def found(backend: Backend, search: SavedSearch, who: Principal = OWNER) -> list[str]:
    """Return the file names of what a search has found and `who` may see, in the order it was found."""
    with backend.database.read() as connection:
        matches = records_matches.visible(connection, search.id, who, limit=100)
    return [match.image.filename for match in reversed(matches)]


def count_matches(backend: Backend) -> int:
    with backend.database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(saved_matches)) or 0


def let_webhooks_wait_no_more(database: Database) -> None:
    """Let everything that waits for its next try be due."""
    with database.write() as connection:
        connection.execute(webhooks.update().values(not_before=LONG_AGO))
