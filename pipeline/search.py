"""Searching: from a question to ranked images. The page, the API and the shell call the same function."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pipeline.access import visible
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery
from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState
from pipeline.principals import Principal
from pipeline.questions import Question, Term, ask
from pipeline.relevance import Strength, Verdict, strength, verdict
from pipeline.sorting import ONLY_READY, Sort
from pipeline.stores import records_images, records_listing, records_queries
from pipeline.stores.database import Connection
from pipeline.stores.protocols import Neighbor

Rows = npt.NDArray[np.int64]

FROZEN_RESULTS = 1000  # ranked at once for a search by picture; whoever pages deeper has them ranked again, doubled
MOST_MATCHES = 1000
"""How many of the nearest are looked through for those that are strong or possible, where these are sorted otherwise
or counted: as many as are ranked at once, and more than anybody looks through."""

OVER_FETCH = 32  # neighbors asked beyond the page, for those that were hidden a moment ago

ONLY_LISTS_HAVE_STATES = "A search finds analyzed pictures only. Please leave out the state, or what to compare with."


@dataclass(frozen=True)
class SearchQuery:
    """What is asked. Without terms it lists what passes the filter, newest first unless sorted otherwise.

    With terms and another order than the best first, only what is strong or possible is returned, among the
    MOST_MATCHES nearest. `states` are for lists: a search finds analyzed images only.
    """

    terms: tuple[Term, ...] = ()
    where: Filter = field(default_factory=Filter)
    sort: Sort = Sort.BEST
    states: tuple[ImageState, ...] = ONLY_READY
    limit: int = 20
    offset: int = 0


@dataclass(frozen=True)
class Hit:
    """An image that was found. `similarity` and `strength` are None in a plain list; `why` says what matched."""

    image: ImageRecord
    similarity: float | None
    strength: Strength | None
    why: dict[str, object]


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first. `verdict` is that of the whole search, also on a later page and behind the last one.

    `ignored` are the words of the question that the encoder does not know. `question` is what the terms came to.
    """

    hits: tuple[Hit, ...]
    verdict: Verdict
    has_more: bool
    encoder: str
    took_ms: float
    ignored: tuple[str, ...] = ()
    question: Question | None = None


@dataclass(frozen=True)
class _Page:
    """The hits of one page, and what the ranking from its top on says of the whole search."""

    hits: list[Hit]
    has_more: bool
    verdict: Verdict

    @property
    def is_full(self) -> bool:
        """Whether nothing that comes later could change it."""
        return self.has_more


def search(backend: Backend, query: SearchQuery, principal: Principal) -> SearchResult:
    """Return the images that answer `query`, among those `principal` may see.

    The libraries of its filter may be names or ids. Raises InvalidQuery, ImageNotFound, QueryPictureNotFound or
    NotAllowed, each with its sentence.
    """
    started = time.perf_counter()
    query = replace(query, where=visible(backend, query.where, principal))
    question: Question | None = None
    if not query.terms:
        found = _list(backend, query)
    else:
        if query.states != ONLY_READY:
            raise InvalidQuery(ONLY_LISTS_HAVE_STATES)
        question = ask(backend, query.terms, principal)
        find = _find if query.sort is Sort.BEST else _find_sorted
        found = find(backend, query, question)
    return SearchResult(
        hits=tuple(found.hits),
        verdict=found.verdict,
        has_more=found.has_more,
        encoder=backend.encoder.name,
        took_ms=(time.perf_counter() - started) * 1000,
        ignored=question.ignored if question else (),
        question=question,
    )


def rows_of_matches(backend: Backend, where: Filter, question: Question) -> Rows | None:
    """Return the rows of what is strong or possible among the MOST_MATCHES nearest that pass `where`; None for none."""
    neighbors = _matches(backend, _ranked(backend, where, question, MOST_MATCHES), question)
    return np.array([neighbor.row for neighbor in neighbors], np.int64) if neighbors else None


def _list(backend: Backend, query: SearchQuery) -> _Page:
    colored = backend.swatches.rows_with(query.where)
    sort = Sort.NEWEST if query.sort is Sort.BEST else query.sort
    needed = query.offset + query.limit + 1
    in_memory = sort not in {Sort.NEWEST, Sort.OLDEST} and query.states == ONLY_READY
    ranked = backend.images.rows(query.where, colored=colored, sort=sort).tolist() if in_memory else None
    with backend.database.read() as connection:

        def rows_from(offset: int, limit: int) -> list[int]:
            if ranked is not None:
                return _shown(connection, ranked, query.where, needed)[offset : offset + limit]
            return records_listing.list_rows(
                connection,
                query.where,
                colored=colored,
                states=query.states,
                sort=sort,
                limit=limit,
                offset=offset,
            )

        rows = rows_from(query.offset, query.limit + 1)
        is_there_any = bool(rows) or (query.offset > 0 and bool(rows_from(0, 1)))
        records = records_images.get_by_rows(connection, rows[: query.limit])
    hits = [Hit(record, None, None, {}) for record in records]
    return _Page(hits, len(rows) > query.limit, "match" if is_there_any else "none")


def _find(backend: Backend, query: SearchQuery, question: Question) -> _Page:
    """Page through the neighbors, asking for more until the page is full or the index is exhausted."""
    needed = query.offset + query.limit + 1
    frozen_key = _frozen_key(backend, query)
    neighbors = _frozen_neighbors(backend, frozen_key) if query.offset else None
    exhausted = neighbors is not None and len(neighbors) < FROZEN_RESULTS
    neighbors = neighbors or []
    frozen, depth = len(neighbors), len(neighbors)
    page = _page_of(backend, neighbors, query, question)
    while not page.is_full and not exhausted:
        depth = max(needed + OVER_FETCH, 2 * depth, FROZEN_RESULTS if frozen_key else 0)
        ranked = _ranked(backend, query.where, question, depth)
        exhausted = len(ranked) < depth
        neighbors = _continued(neighbors[:frozen], ranked)
        page = _page_of(backend, neighbors, query, question)
    if frozen_key and (len(neighbors) > frozen or not frozen):
        _freeze(backend, frozen_key, neighbors)
    return page


def _find_sorted(backend: Backend, query: SearchQuery, question: Question) -> _Page:
    """Put what is strong or possible among the MOST_MATCHES nearest into another order.

    Weak ones are left out: in an order that says nothing of likeness they would stand before those that were meant.
    """
    frozen_key = _frozen_key(backend, query)
    neighbors = _frozen_neighbors(backend, frozen_key) if query.offset else None
    if neighbors is None:
        neighbors = _ranked(backend, query.where, question, MOST_MATCHES)
        if frozen_key:
            _freeze(backend, frozen_key, neighbors)
    best = _visible_bands(backend, neighbors, query.where, question)
    matches = {neighbor.row: neighbor for neighbor in _matches(backend, neighbors[:MOST_MATCHES], question)}
    order = backend.images.sorted(np.array(list(matches), np.int64), query.sort)
    page = _page_of(backend, [matches[row] for row in order.tolist()], query, question)
    return replace(page, verdict=verdict(best))


def _matches(backend: Backend, neighbors: list[Neighbor], question: Question) -> list[Neighbor]:
    return [neighbor for neighbor in neighbors if _band(backend, neighbor, question) != "weak"]


def _visible_bands(backend: Backend, neighbors: list[Neighbor], where: Filter, question: Question) -> list[Strength]:
    """Return the band of the nearest that may be shown, if there is one."""
    with backend.database.read() as connection:
        first = _shown(connection, [neighbor.row for neighbor in neighbors], where, 1)[:1]
    return [_band(backend, neighbor, question) for neighbor in neighbors if neighbor.row in first]


def _ranked(backend: Backend, where: Filter, question: Question, depth: int) -> list[Neighbor]:
    colored = rows = backend.swatches.rows_with(where)
    if where.needs_rows:
        rows = backend.images.rows(where, colored=colored)
    asked = depth + len(question.leave_out) + OVER_FETCH
    found = backend.vectors.nearest(question.vector, asked, where=where, rows=rows)
    first = [Neighbor(row, 1.0) for row in question.identical]
    placed = question.leave_out | {neighbor.row for neighbor in first}
    with backend.database.read() as connection:
        # The same bytes come first whatever the filter of the index thought of them; it must hold here too.
        allowed = set(records_listing.passing_rows(connection, question.identical, where, colored=colored))
    first = [neighbor for neighbor in first if neighbor.row in allowed]
    return (first + [neighbor for neighbor in found if neighbor.row not in placed])[:depth]


def _continued(frozen: list[Neighbor], ranked: list[Neighbor]) -> list[Neighbor]:
    """Return what was frozen, as it was, and behind it what a deeper ranking found beyond that.

    A picture that came in meanwhile stands behind as well, however near: what was shown must not shift.
    """
    shown = {neighbor.row for neighbor in frozen}
    return frozen + [neighbor for neighbor in ranked if neighbor.row not in shown]


def _page_of(backend: Backend, neighbors: Sequence[Neighbor], query: SearchQuery, question: Question) -> _Page:
    """Return the page of `query` among the neighbors that may be shown.

    Of those before it nothing is read but whether they may be: their records would take seconds on a late page.
    """
    needed = query.offset + query.limit + 1
    by_row = {neighbor.row: neighbor for neighbor in neighbors}
    with backend.database.read() as connection:
        rows = _shown(connection, list(by_row), query.where, needed)
        records = records_images.get_by_rows(connection, rows[query.offset : needed - 1])
    hits = [_hit(backend, record, by_row[record.row], question) for record in records]
    best = [_band(backend, by_row[row], question) for row in rows[:1]]
    return _Page(hits, len(rows) >= needed, verdict(best))


def _shown(connection: Connection, rows: Sequence[int], where: Filter, needed: int) -> list[int]:
    """Return those of `rows` that may be shown, in their order, up to `needed` if there are as many."""
    shown: list[int] = []
    for start in range(0, len(rows), needed):
        shown += records_listing.shown_rows(connection, rows[start : start + needed], where)
        if len(shown) >= needed:
            break
    return shown[:needed]


def _hit(backend: Backend, record: ImageRecord, neighbor: Neighbor, question: Question) -> Hit:
    similarity = max(-1.0, min(1.0, neighbor.similarity))
    if neighbor.row in question.identical:
        return Hit(record, 1.0, "strong", {"identical": True})
    return Hit(record, similarity, _band(backend, neighbor, question), {"content": round(similarity, 4)})


def _band(backend: Backend, neighbor: Neighbor, question: Question) -> Strength:
    if neighbor.row in question.identical:
        return "strong"
    return strength(neighbor.similarity, backend.bands, by_picture=question.by_picture)


def _frozen_key(backend: Backend, query: SearchQuery) -> tuple[str, str] | None:
    """Return under what the results of a search by one kept picture are frozen, or None for other searches.

    What was ranked with another encoder is not found: its cosines are no figures of this one.
    """
    if len(query.terms) != 1 or query.terms[0].picture_key is None:
        return None
    digest = hashlib.sha256(
        repr((backend.encoder.fingerprint, query.where, query.terms[0].weight, query.terms[0].region)).encode()
    ).hexdigest()
    return query.terms[0].picture_key, digest


def _freeze(backend: Backend, key: tuple[str, str], neighbors: list[Neighbor]) -> None:
    backend.database.note(lambda connection: records_queries.freeze(connection, *key, neighbors))


def _frozen_neighbors(backend: Backend, key: tuple[str, str] | None) -> list[Neighbor] | None:
    if key is None:
        return None
    with backend.database.read() as connection:
        return records_queries.frozen(connection, *key)
