"""Searching: from a question to ranked images. The page, the API and the shell call the same function.

The question is made in `questions`, the order in `ranking`, and what hits are worth is said in `judging`.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pipeline.access import visible
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery
from pipeline.filters import Filter
from pipeline.fusion import ALIKE, Weights
from pipeline.images import ImageState
from pipeline.judging import JUDGED_ROWS, Hit, Judge, judge_search
from pipeline.palette_search import color_hits, rows_by_colors
from pipeline.principals import Principal
from pipeline.questions import Question, Term, ask
from pipeline.ranking import (
    FROZEN_RESULTS,
    OVER_FETCH,
    continued,
    freeze,
    frozen,
    frozen_key,
    rank,
    rank_by_words,
    shown_rows,
)
from pipeline.relevance import Verdict
from pipeline.sorting import ONLY_READY, Sort
from pipeline.stacking import Slice, sliced, stacked
from pipeline.stores import records_images, records_listing
from pipeline.stores.protocols import Neighbor
from pipeline.stores.word_search import Ranked
from pipeline.why import explain_colors

Rows = npt.NDArray[np.int64]

MOST_MATCHES = 1000
"""How many of the nearest are looked through for those that are strong or possible, where these are sorted otherwise
or counted: as many as are ranked at once, and more than anybody looks through."""

ONLY_LISTS_HAVE_STATES = "A search finds analyzed pictures only. Please leave out the state, or what to compare with."


@dataclass(frozen=True)
class SearchQuery:
    """What is asked. Without terms it lists what passes the filter, by colors best first, or else newest first.

    With terms and another order than the best first, only what is strong or possible is returned, among the
    MOST_MATCHES nearest. `states` are for lists: a search finds analyzed images only. `weights` say what the content of
    pictures counts beside the words in captions, tags and file names. `offset` is a place in the ranking. What answers
    a question may be `stacked`: `limit` is that of the tiles then, under which lies what is nearly the same.
    """

    terms: tuple[Term, ...] = ()
    where: Filter = field(default_factory=Filter)
    sort: Sort = Sort.BEST
    states: tuple[ImageState, ...] = ONLY_READY
    limit: int = 20
    offset: int = 0
    weights: Weights = ALIKE
    stacked: bool = False


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first. `verdict` is that of the whole search, also on a later page and behind the last one.

    `ignored` are the words of the question that the encoder does not know. `by_words_alone` says that it knows none,
    so that only what has the words was found; when nothing has them either, `reason` is what it said to them.
    `question` is what the terms came to. `beneath` is how many pictures of the result lie under which hit, by row,
    `before` how many hits the pages before have, and `next_offset` the place at which the next one begins.
    """

    hits: tuple[Hit, ...]
    verdict: Verdict
    has_more: bool
    encoder: str
    took_ms: float
    ignored: tuple[str, ...] = ()
    by_words_alone: bool = False
    reason: str = ""
    question: Question | None = None
    beneath: Mapping[int, int] = field(default_factory=dict)
    before: int = 0
    next_offset: int = 0


@dataclass(frozen=True)
class _Page:
    """The hits of one page, where it lies, and what the ranking from its top on says of the whole search."""

    hits: list[Hit]
    slice: Slice
    verdict: Verdict


def search(backend: Backend, query: SearchQuery, principal: Principal) -> SearchResult:
    """Return the images that answer `query`, among those `principal` may see.

    The libraries of its filter may be names or ids. Raises InvalidQuery, ImageNotFound, QueryPictureNotFound or
    NotAllowed, each with its sentence.
    """
    started = time.perf_counter()
    query = replace(query, where=visible(backend, query.where, principal))
    question: Question | None = None
    reason = ""
    if not query.terms and query.where.has_colors and (query.sort, query.states) == (Sort.BEST, ONLY_READY):
        found = _by_colors(backend, query)
    elif not query.terms:
        found = _list(backend, query, principal)
    else:
        if query.states != ONLY_READY:
            raise InvalidQuery(ONLY_LISTS_HAVE_STATES)
        question = _weighed(ask(backend, query.terms, principal), query.weights)
        by_words = rank_by_words(backend, query.where, question)
        if question.refusal and question.vector is None and not by_words:
            reason = question.refusal.user_message
        find = _find if query.sort is Sort.BEST else _find_sorted
        found = find(backend, query, question, by_words)
    return SearchResult(
        hits=tuple(found.hits),
        verdict=found.verdict,
        has_more=found.slice.has_more,
        encoder=backend.encoder.name,
        took_ms=(time.perf_counter() - started) * 1000,
        ignored=question.ignored if question else (),
        by_words_alone=question is not None and question.vector is None,
        reason=reason,
        question=question,
        beneath=found.slice.beneath,
        before=found.slice.before,
        next_offset=found.slice.next_place,
    )


def rows_of_matches(backend: Backend, where: Filter, question: Question, weights: Weights = ALIKE) -> Rows | None:
    """Return the rows of what is strong or possible among the MOST_MATCHES nearest that pass `where`; None for none."""
    by_words = rank_by_words(backend, where, question)
    neighbors = rank(backend, where, question, by_words, weights, MOST_MATCHES)
    matches = _matches(_judge(backend, where, question, neighbors, by_words), neighbors)
    return np.array(list(matches), np.int64) if matches else None


def _weighed(question: Question, weights: Weights) -> Question:
    """Return the question without the part that does not count. Raises InvalidQuery when nothing is left."""
    if not weights.words:
        question = replace(question, words=())
    if not weights.content and not question.words and not (weights.words and question.refusal):
        raise InvalidQuery("Neither content nor words count in this search. Please change a weight.")
    return question


def _by_colors(backend: Backend, query: SearchQuery) -> _Page:
    part = _sliced(backend, query, lambda needed: rows_by_colors(backend, query.where, needed))
    hits = [Hit(hit.image, None, None, hit.why) for hit in color_hits(backend, query.where, part.tiles)]
    return _Page(hits, part, "match" if part.ranked else "none")


def _sliced(
    backend: Backend,
    query: SearchQuery,
    rows_up_to: Callable[[int], list[int]],
    *,
    among: Collection[int] | None = None,
    leave_out: Collection[int] = (),
) -> Slice:
    """Return the page of a ranking, stacked if that was asked."""
    if not query.stacked:
        return sliced(rows_up_to, offset=query.offset, limit=query.limit)
    part = {"offset": query.offset, "limit": query.limit}
    return stacked(backend, query.where, rows_up_to, **part, among=among, leave_out=leave_out)


def _list(backend: Backend, query: SearchQuery, principal: Principal) -> _Page:
    colored = backend.swatches.rows_with(query.where)
    sort = Sort.NEWEST if query.sort is Sort.BEST else query.sort
    needed = query.offset + query.limit + 1
    in_memory = sort not in {Sort.NEWEST, Sort.OLDEST} and query.states == ONLY_READY
    ranked = backend.images.rows(query.where, colored=colored, sort=sort).tolist() if in_memory else None
    with backend.database.read() as connection:

        def rows_from(offset: int, limit: int) -> list[int]:
            if ranked is not None:
                return shown_rows(connection, ranked, query.where, needed)[offset : offset + limit]
            return records_listing.list_rows(
                connection,
                query.where,
                principal,
                colored=colored,
                states=query.states,
                sort=sort,
                limit=limit,
                offset=offset,
            )

        rows = rows_from(query.offset, query.limit + 1)
        is_there_any = bool(rows) or (query.offset > 0 and bool(rows_from(0, 1)))
        records = records_images.get_by_rows(connection, rows[: query.limit])
    hits = [Hit(record, None, None, explain_colors(record, query.where)) for record in records]
    end = query.offset + query.limit
    part = Slice(rows[: query.limit], query.offset, end, len(rows) > query.limit, rows)
    return _Page(hits, part, "match" if is_there_any else "none")


def _find(backend: Backend, query: SearchQuery, question: Question, by_words: list[Ranked]) -> _Page:
    """Page through the ranking, asking for more until the page is full or there is no more."""
    key = frozen_key(backend, query.terms, query.where)
    kept = frozen(backend, key) if query.offset else None
    exhausted = kept is not None and len(kept) < FROZEN_RESULTS
    neighbors = kept or []
    first, depth = len(neighbors), len(neighbors)

    def rows_up_to(number: int) -> list[int]:
        nonlocal neighbors, depth, exhausted
        needed = max(number, JUDGED_ROWS)
        rows = _shown(backend, neighbors, query.where, needed)
        while len(rows) < needed and not exhausted:
            depth = max(needed + OVER_FETCH, 2 * depth, FROZEN_RESULTS if key else 0)
            ranked = rank(backend, query.where, question, by_words, query.weights, depth)
            exhausted = len(ranked) < depth
            neighbors = continued(neighbors[:first], ranked)
            rows = _shown(backend, neighbors, query.where, needed)
        return rows

    has_words_only = question.vector is None or not query.weights.content
    among = {found.row for found in by_words} if has_words_only else None
    part = _sliced(backend, query, rows_up_to, among=among, leave_out=question.leave_out)
    if key and (query.offset > 0 or part.has_more) and (len(neighbors) > first or not first):
        freeze(backend, key, neighbors)
    return _page_of(_judge(backend, query.where, question, neighbors, by_words, part.ranked), part, neighbors)


def _find_sorted(backend: Backend, query: SearchQuery, question: Question, by_words: list[Ranked]) -> _Page:
    """Put what is strong or possible among the MOST_MATCHES nearest into another order.

    Weak ones are left out: in an order that says nothing of likeness they would stand before those that were meant.
    """
    key = frozen_key(backend, query.terms, query.where)
    neighbors = frozen(backend, key) if query.offset else None
    is_new = neighbors is None
    if neighbors is None:
        neighbors = rank(backend, query.where, question, by_words, query.weights, MOST_MATCHES)
    judge = _judge(backend, query.where, question, neighbors, by_words)
    matches = _matches(judge, neighbors[:MOST_MATCHES])
    if key and is_new and (query.offset > 0 or len(matches) > query.limit):
        freeze(backend, key, neighbors)
    order = backend.images.sorted(np.array(list(matches), np.int64), query.sort)
    in_order = [matches[row] for row in order.tolist()]
    part = _sliced(backend, query, lambda needed: _shown(backend, in_order, query.where, needed), among=matches)
    return _page_of(judge, part, in_order)


def _judge(
    backend: Backend,
    where: Filter,
    question: Question,
    neighbors: list[Neighbor],
    by_words: list[Ranked],
    rows: list[int] | None = None,
) -> Judge:
    """Return the judge of a ranking, whose `rows` that may be shown are looked for when they are not given."""
    shown = _shown(backend, neighbors, where, JUDGED_ROWS) if rows is None else rows[:JUDGED_ROWS]
    by_row = {neighbor.row: neighbor for neighbor in neighbors}
    first = [by_row[row] for row in shown]
    return judge_search(backend, question, where, first, by_words[0].row if by_words else None)


def _matches(judge: Judge, neighbors: list[Neighbor]) -> dict[int, Neighbor]:
    strengths = judge.strengths(neighbors)
    return {neighbor.row: neighbor for neighbor in neighbors if strengths[neighbor.row] != "weak"}


def _shown(backend: Backend, neighbors: list[Neighbor], where: Filter, needed: int) -> list[int]:
    with backend.database.read() as connection:
        return shown_rows(connection, [neighbor.row for neighbor in neighbors], where, needed)


def _page_of(judge: Judge, part: Slice, neighbors: list[Neighbor]) -> _Page:
    with judge.backend.database.read() as connection:
        records = records_images.get_by_rows(connection, part.tiles)
    hits = judge.hits(records, {neighbor.row: neighbor for neighbor in neighbors})
    return _Page(hits, part, judge.verdict)
