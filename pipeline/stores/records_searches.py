"""Saved searches in the database: whose they are, what they ask, and how far they have been compared.

Every function works inside the caller's transaction. An owner is the id of a person, or None where there are no
accounts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.principals import Principal
from pipeline.stores.principal_sql import present
from pipeline.stores.tables import images, query_pictures
from pipeline.stores.tables_searches import arrivals, saved_searches

IDS_PER_QUERY = 500  # values in one IN (...)


@dataclass(frozen=True)
class SavedSearch:
    """A search that somebody keeps. `vector` is float32 bytes of unit length by `encoder`, None without a question.

    `fields` are those of its address, `query` is what `stored_queries` has made of them. `seen` is the number of the
    last arrival that it was compared with; `problem` says why it finds nothing now. `feed_made_at` is None without a
    feed.
    """

    id: str
    owner: str | None
    name: str
    fields: Mapping[str, Sequence[str]]
    query: Mapping[str, Any]
    picture_key: str | None
    vector: bytes | None
    encoder: str | None
    by_picture: bool
    seen: int
    paused: bool
    problem: str
    feed_made_at: datetime | None
    created_at: datetime


_COLUMNS = tuple(saved_searches.c[field.name] for field in fields(SavedSearch))


def add(connection: Connection, search: SavedSearch) -> None:
    """Keep a search."""
    connection.execute(saved_searches.insert().values(asdict(search)))


def list_of(connection: Connection, owner: str | None) -> list[SavedSearch]:
    """Return the searches of somebody, by name."""
    found = connection.execute(sa.select(*_COLUMNS).where(_of(owner)))
    return sorted((SavedSearch(*values) for values in found), key=lambda search: (search.name.casefold(), search.id))


def count_of(connection: Connection, owner: str | None) -> int:
    """Return how many searches somebody keeps."""
    return connection.scalar(sa.select(sa.func.count()).select_from(saved_searches).where(_of(owner))) or 0


def get(connection: Connection, search_id: str, owner: str | None) -> SavedSearch | None:
    """Return a search of somebody, or None when they have none with this id."""
    found = connection.execute(sa.select(*_COLUMNS).where(saved_searches.c.id == search_id, _of(owner))).first()
    return SavedSearch(*found) if found else None


def by_id(connection: Connection, search_id: str) -> SavedSearch | None:
    """Return a search, whosever it is."""
    found = connection.execute(sa.select(*_COLUMNS).where(saved_searches.c.id == search_id)).first()
    return SavedSearch(*found) if found else None


def by_feed(connection: Connection, feed_hash: str) -> SavedSearch | None:
    """Return the search whose feed has a key with this hash."""
    found = connection.execute(sa.select(*_COLUMNS).where(saved_searches.c.feed_hash == feed_hash)).first()
    return SavedSearch(*found) if found else None


def change(connection: Connection, search_id: str, **values: object) -> None:
    """Set columns of a search."""
    connection.execute(saved_searches.update().where(saved_searches.c.id == search_id).values(values))


def remove(connection: Connection, search_id: str) -> None:
    """Forget a search with its matches and its webhook."""
    connection.execute(saved_searches.delete().where(saved_searches.c.id == search_id))


def adopt(connection: Connection, person_id: str) -> None:
    """Give the searches that nobody owns, because there were no accounts, to a person."""
    connection.execute(saved_searches.update().where(saved_searches.c.owner.is_(None)).values(owner=person_id))


def has_picture(connection: Connection, key: str) -> bool:
    """Whether a picture that was searched with is still kept."""
    return connection.scalar(sa.select(query_pictures.c.key).where(query_pictures.c.key == key)) is not None


def are_present(connection: Connection, image_ids: Collection[str], principal: Principal) -> bool:
    """Whether all of a few images exist for `principal`."""
    found = connection.scalars(sa.select(images.c.id).where(images.c.id.in_(image_ids), present(principal)))
    return set(found) == set(image_ids)


# ---- Comparing


def is_any_behind(connection: Connection) -> bool:
    """Whether something has come in that a search has not been compared with."""
    newest = sa.select(sa.func.max(arrivals.c.number)).scalar_subquery()
    behind = sa.select(saved_searches.c.id).where(saved_searches.c.paused.is_(False), saved_searches.c.seen < newest)
    return connection.execute(behind.limit(1)).first() is not None


def behind(connection: Connection, number: int) -> list[SavedSearch]:
    """Return the searches that have not been compared with all that came in up to `number`."""
    found = connection.execute(
        sa.select(*_COLUMNS).where(saved_searches.c.paused.is_(False), saved_searches.c.seen < number)
    )
    return [SavedSearch(*values) for values in found]


def advance(connection: Connection, searches: Sequence[SavedSearch], until: int) -> set[str]:
    """Note that searches have been compared up to `until`; return the ids of those that were as they were given.

    One that another process was quicker with, or that was paused or deleted meanwhile, is not among them.
    """
    advanced: set[str] = set()
    for seen, group in groupby(sorted(searches, key=lambda search: search.seen), key=lambda search: search.seen):
        ids = sorted(search.id for search in group)
        for start in range(0, len(ids), IDS_PER_QUERY):
            mine = (saved_searches.c.id.in_(ids[start : start + IDS_PER_QUERY]), saved_searches.c.seen == seen)
            moved = saved_searches.update().where(*mine, saved_searches.c.paused.is_(False)).values(seen=until)
            advanced |= set(connection.scalars(moved.returning(saved_searches.c.id)))
    return advanced


def _of(owner: str | None) -> sa.ColumnElement[bool]:
    return saved_searches.c.owner.is_not_distinct_from(owner)
