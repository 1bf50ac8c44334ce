"""Searching: from a question to ranked images. The page, the API and the shell call the same function."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.access import visible
from pipeline.backend import Backend
from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState
from pipeline.principals import Principal
from pipeline.questions import Question, Term, ask
from pipeline.relevance import Strength, Verdict, strength, verdict
from pipeline.stores import records_images, records_listing, records_queries
from pipeline.stores.protocols import Neighbor

FROZEN_RESULTS = 1000  # ranked at once for a search by picture; whoever pages deeper has them ranked again, doubled
OVER_FETCH = 32  # neighbors asked beyond the page, for those that were hidden a moment ago


@dataclass(frozen=True)
class SearchQuery:
    """What is asked. Without terms it lists what passes the filter, newest first."""

    terms: tuple[Term, ...] = ()
    where: Filter = field(default_factory=Filter)
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

    `ignored` are the words of the question that the encoder does not know.
    """

    hits: tuple[Hit, ...]
    verdict: Verdict
    has_more: bool
    encoder: str
    took_ms: float
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Page:
    """The hits of one page, and what the ranking from its top on says of the whole search."""

    hits: list[Hit]
    has_more: bool
    verdict: Verdict


def search(backend: Backend, query: SearchQuery, principal: Principal) -> SearchResult:
    """Return the images that answer `query`, among those `principal` may see.

    The libraries of its filter may be names or ids. Raises InvalidQuery, ImageNotFound, QueryPictureNotFound or
    NotAllowed, each with its sentence.
    """
    started = time.perf_counter()
    query = replace(query, where=visible(backend, query.where, principal))
    if not query.terms:
        found = _list(backend, query)
        ignored: tuple[str, ...] = ()
    else:
        question = ask(backend, query.terms, principal)
        found = _find(backend, query, question)
        ignored = question.ignored
    return SearchResult(
        hits=tuple(found.hits),
        verdict=found.verdict,
        has_more=found.has_more,
        encoder=backend.encoder.name,
        took_ms=(time.perf_counter() - started) * 1000,
        ignored=ignored,
    )


def _list(backend: Backend, query: SearchQuery) -> _Page:
    colored = backend.swatches.rows_with(query.where)
    with backend.database.read() as connection:

        def rows_from(offset: int, limit: int) -> list[int]:
            states = (ImageState.READY,)
            return records_listing.list_rows(
                connection, query.where, colored=colored, states=states, limit=limit, offset=offset
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
    found = _visible(backend, neighbors, query.where, needed)
    while len(found) < needed and not exhausted:
        depth = max(needed + OVER_FETCH, 2 * depth, FROZEN_RESULTS if frozen_key else 0)
        ranked = _ranked(backend, query.where, question, depth)
        exhausted = len(ranked) < depth
        neighbors = _continued(neighbors[:frozen], ranked)
        found = _visible(backend, neighbors, query.where, needed)
    if frozen_key and (len(neighbors) > frozen or not frozen):
        key, digest = frozen_key
        backend.database.note(lambda connection: records_queries.freeze(connection, key, digest, neighbors))
    page = found[query.offset : query.offset + query.limit]
    hits = [_hit(backend, record, neighbor, question) for record, neighbor in page]
    best = [_hit(backend, record, neighbor, question).strength for record, neighbor in found[:1]]
    return _Page(hits, len(found) > query.offset + query.limit, verdict([band for band in best if band]))


def _ranked(backend: Backend, where: Filter, question: Question, depth: int) -> list[Neighbor]:
    colored = rows = backend.swatches.rows_with(where)
    if where.needs_sql:
        with backend.database.read() as connection:
            rows = np.array(records_listing.visible_rows(connection, where, colored=colored), np.int64)
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


def _visible(
    backend: Backend, neighbors: Sequence[Neighbor], where: Filter, needed: int
) -> list[tuple[ImageRecord, Neighbor]]:
    """Return the neighbors that may be shown with their records, at least `needed` if there are as many."""
    shown: list[tuple[ImageRecord, Neighbor]] = []
    with backend.database.read() as connection:
        for start in range(0, len(neighbors), needed):
            part = neighbors[start : start + needed]
            records = records_images.get_by_rows(connection, [neighbor.row for neighbor in part])
            by_row = {record.row: record for record in records if _may_be_shown(record, where)}
            shown += [(by_row[neighbor.row], neighbor) for neighbor in part if neighbor.row in by_row]
            if len(shown) >= needed:
                break
    return shown


def _may_be_shown(record: ImageRecord, where: Filter) -> bool:
    return (
        record.state == ImageState.READY
        and record.deleted_at is None
        and (where.libraries is None or record.library in where.libraries)
        and record.library not in where.without_libraries
    )


def _hit(backend: Backend, record: ImageRecord, neighbor: Neighbor, question: Question) -> Hit:
    similarity = max(-1.0, min(1.0, neighbor.similarity))
    band = strength(similarity, backend.bands, by_picture=question.by_picture)
    if neighbor.row in question.identical:
        return Hit(record, 1.0, "strong", {"identical": True})
    return Hit(record, similarity, band, {"content": round(similarity, 4)})


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


def _frozen_neighbors(backend: Backend, key: tuple[str, str] | None) -> list[Neighbor] | None:
    if key is None:
        return None
    with backend.database.read() as connection:
        return records_queries.frozen(connection, *key)
