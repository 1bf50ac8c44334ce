"""Searches that people keep: saved, listed, renamed, paused and deleted by whoever saved them, and nobody else.

A saved search finds what comes in from then on (`matching`), and tells of it in a feed (`saved_feeds`) and to a webhook
(`saved_webhooks`). Its picture, if it has one, is kept for as long as it is.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np

from pipeline import stored_queries
from pipeline.access import check_reading
from pipeline.backend import Backend
from pipeline.errors import Conflict, InvalidQuery, NotAllowed, NotFound, QueryPictureNotFound
from pipeline.labels import clean_label
from pipeline.principals import OWNER, Principal, Scope
from pipeline.questions import ask
from pipeline.search import SearchQuery, search
from pipeline.stores import (
    records_embeddings,
    records_libraries,
    records_matches,
    records_people,
    records_principals,
    records_searches,
)
from pipeline.stores.database import Connection

SavedSearch = records_searches.SavedSearch

MOST_SEARCHES = 100  # of one person; each is compared with every new picture
LONGEST_NAME = 100

UNKNOWN = "There is no such saved search."
SCOPE_MISSING = "This token may not be used for that. It would need the scope “manage”."
TOO_MANY = f"Nobody can keep more than {MOST_SEARCHES} searches. Please delete one first."
UNSAVABLE = "Only a search by a picture that is kept can be saved. Please drop the picture on the page first."
PICTURE_GONE = "This search by picture is no longer kept. Please drop the picture again."
LOG_IN = "Please log in to save a search."


def save(
    backend: Backend, principal: Principal, name: str, fields: Mapping[str, Sequence[str]], query: SearchQuery
) -> SavedSearch:
    """Keep a search, of which `fields` are those of its address; from now on it looks at what comes in.

    It is run once, so whatever is wrong with it is raised as `search` does. Raises InvalidQuery, NotAllowed, or
    Conflict for more than `MOST_SEARCHES`.
    """
    check_changing(principal)
    label = clean_label(name, "The name of a search", LONGEST_NAME)
    if any(term.picture is not None for term in query.terms):
        raise InvalidQuery(UNSAVABLE)
    search(backend, SearchQuery(query.terms, query.where, limit=1), principal)
    question = ask(backend, query.terms, principal) if query.terms else None
    vector = question.vector if question else None
    keys = [term.picture_key for term in query.terms if term.picture_key]
    if len(keys) > 1:
        raise InvalidQuery("Only a search by one picture can be saved. Please leave the others out.")
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        if records_searches.count_of(connection, principal.person_id) >= MOST_SEARCHES:
            raise Conflict(TOO_MANY)
        if not all(records_searches.has_picture(connection, key) for key in keys):
            raise QueryPictureNotFound(PICTURE_GONE)
        saved = SavedSearch(
            id=str(uuid4()),
            owner=principal.person_id,
            name=label,
            fields={field: list(values) for field, values in fields.items()},
            query=stored_queries.to_json(query),
            picture_key=keys[0] if keys else None,
            vector=vector.astype(np.float32).tobytes() if vector is not None else None,
            encoder=backend.encoder.fingerprint if vector is not None else None,
            by_picture=question is not None and question.by_picture,
            seen=records_embeddings.last_change(connection),
            paused=False,
            problem="",
            feed_made_at=None,
            created_at=datetime.now(UTC),
        )
        records_searches.add(connection, saved)
    return saved


def list_saved(backend: Backend, principal: Principal) -> list[SavedSearch]:
    """Return the searches that this person keeps, by name."""
    check_reading(principal)
    _check_known(principal)
    with backend.database.read() as connection:
        return records_searches.list_of(connection, principal.person_id)


def get_saved(backend: Backend, principal: Principal, search_id: str) -> SavedSearch:
    """Return one of this person's searches. Raises NotFound."""
    check_reading(principal)
    with backend.database.read() as connection:
        return find(connection, principal, search_id)


def rename(backend: Backend, principal: Principal, search_id: str, name: str) -> None:
    """Call a search by another name. Raises InvalidQuery or NotFound."""
    check_changing(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        found = find(connection, principal, search_id)
        label = clean_label(name, "The name of a search", LONGEST_NAME)
        records_searches.change(connection, found.id, name=label)


def pause(backend: Backend, principal: Principal, search_id: str, *, paused: bool) -> None:
    """Let a search look at nothing and send nothing, or go on with what comes in from now. Raises NotFound."""
    check_changing(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        found = find(connection, principal, search_id)
        if found.paused != paused:
            seen = records_embeddings.last_change(connection)
            records_searches.change(connection, found.id, paused=paused, seen=seen)


def delete(backend: Backend, principal: Principal, search_id: str) -> SavedSearch:
    """Forget a search, what it has found, its feed and its webhook; return it. Raises NotFound."""
    check_changing(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        found = find(connection, principal, search_id)
        records_searches.remove(connection, found.id)
    return found


def count_found(backend: Backend, principal: Principal, search_id: str) -> int:
    """Return how many of the pictures that a search has found, and still remembers, they may see. Or NotFound."""
    check_reading(principal)
    with backend.database.read() as connection:
        return records_matches.count_visible(connection, find(connection, principal, search_id).id, principal)


# ---- Whose it is


def check_changing(principal: Principal) -> None:
    """Raise NotAllowed when `principal` came with a token that may not manage: what is set here outlives the token."""
    _check_known(principal)
    if Scope.MANAGE not in principal.scopes:
        raise NotAllowed(SCOPE_MISSING)
    check_reading(principal)


def find(connection: Connection, principal: Principal, search_id: str) -> SavedSearch:
    """Return one of this person's searches, in the caller's transaction. Raises NotFound."""
    _check_known(principal)
    found = records_searches.get(connection, search_id, principal.person_id)
    if found is None:
        raise NotFound(UNKNOWN)
    return found


def owner_now(connection: Connection, search: SavedSearch) -> Principal | None:
    """Return who keeps a search, as they are at this moment and may look; None when they may see nothing at all.

    That is whoever was deactivated, and nobody in particular as soon as there are accounts.
    """
    if search.owner is None:
        if records_people.any_people(connection):
            return None
        return Principal(OWNER.name, hidden=records_libraries.deleted_ids(connection), scopes=frozenset({Scope.READ}))
    person = records_people.get(connection, search.owner)
    if person is None or person.deactivated_at:
        return None
    roles = records_libraries.roles_of(connection, person.id)
    return Principal(person.name, roles, person.id, scopes=frozenset({Scope.READ}))


def _check_known(principal: Principal) -> None:
    if principal.person_id is None and not principal.owns_everything:
        raise NotAllowed(LOG_IN)
