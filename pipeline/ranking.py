"""The order in which images answer a question, before anybody looks at what they are: rows, best first.

What is near in the space of the encoder and what has the words are ranked apart and joined. The results of a search by
one kept picture are frozen while they are paged.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from math import nan

import numpy as np
import numpy.typing as npt

from pipeline.backend import Backend
from pipeline.filters import Filter
from pipeline.fusion import FUSED_NEIGHBORS, Weights, fuse
from pipeline.questions import Question, Term
from pipeline.stores import records_listing, records_queries, word_search
from pipeline.stores.database import Connection
from pipeline.stores.protocols import Neighbor
from pipeline.stores.word_search import Ranked

FROZEN_RESULTS = 1000  # ranked at once for a search by picture; whoever pages deeper has them ranked again, doubled
OVER_FETCH = 32  # neighbors asked beyond the page, for those that were hidden a moment ago

FrozenKey = tuple[str, str]
"""The key of a kept picture, and a digest of everything else that its results depend on."""


def rank(
    backend: Backend, where: Filter, question: Question, by_words: list[Ranked], weights: Weights, depth: int
) -> list[Neighbor]:
    """Return the first `depth` of both rankings joined, fewer only when there are no more.

    Words count by what their texts weigh in the question, and do not come before the very picture that was sent. The
    similarity of an image that only its words have found is NaN.
    """
    if question.vector is None or not weights.content:
        if word_search.LOOKED_THROUGH <= len(by_words) < depth:
            deeper = rank_by_words(backend, where, question, word_search.LOOKED_THROUGH_DEEP)
            shown = {found.row for found in by_words}
            by_words = by_words + [found for found in deeper if found.row not in shown]
        return [Neighbor(found.row, nan) for found in by_words[:depth]]
    if not by_words:
        return _nearest(backend, where, question, question.vector, depth)
    neighbors = _nearest(backend, where, question, question.vector, max(depth, FUSED_NEIGHBORS))
    fused = fuse(neighbors, by_words, replace(weights, words=weights.words * question.words_share))
    identical = [neighbor for neighbor in neighbors if neighbor.row in question.identical]
    return (identical + [neighbor for neighbor in fused if neighbor.row not in question.identical])[:depth]


def rank_by_words(
    backend: Backend, where: Filter, question: Question, look_through: int = word_search.LOOKED_THROUGH
) -> list[Ranked]:
    """Return the images that have words of the question, best first."""
    if not question.words:
        return []
    colored = backend.swatches.rows_with(where)
    with backend.database.read() as connection:
        ranked = word_search.rank(connection, question.words, where, colored=colored, look_through=look_through)
    return [found for found in ranked if found.row not in question.leave_out]


def _nearest(
    backend: Backend, where: Filter, question: Question, vector: npt.NDArray[np.float32], depth: int
) -> list[Neighbor]:
    colored = rows = backend.swatches.rows_with(where)
    if where.needs_rows:
        rows = backend.images.rows(where, colored=colored)
    asked = depth + len(question.leave_out) + OVER_FETCH
    found = backend.vectors.nearest(vector, asked, where=where, rows=rows)
    known = {neighbor.row: neighbor for neighbor in found}
    first = [
        known.get(row, Neighbor(row, nan)) if question.is_mixed else Neighbor(row, 1.0) for row in question.identical
    ]
    placed = question.leave_out | {neighbor.row for neighbor in first}
    with backend.database.read() as connection:
        # The same bytes come first whatever the filter of the index thought of them; it must hold here too.
        allowed = set(records_listing.passing_rows(connection, question.identical, where, colored=colored))
    first = [neighbor for neighbor in first if neighbor.row in allowed]
    return (first + [neighbor for neighbor in found if neighbor.row not in placed])[:depth]


def continued(frozen: list[Neighbor], ranked: list[Neighbor]) -> list[Neighbor]:
    """Return what was frozen, as it was, and behind it what a deeper ranking found beyond that.

    A picture that came in meanwhile stands behind as well, however near: what was shown must not shift.
    """
    shown = {neighbor.row for neighbor in frozen}
    return frozen + [neighbor for neighbor in ranked if neighbor.row not in shown]


def shown_rows(connection: Connection, rows: Sequence[int], where: Filter, needed: int) -> list[int]:
    """Return those of `rows` that may be shown, in their order, up to `needed` if there are as many.

    Nothing else is read of them: the records of all that stand before a late page would take seconds.
    """
    shown: list[int] = []
    for start in range(0, len(rows), needed):
        shown += records_listing.shown_rows(connection, rows[start : start + needed], where)
        if len(shown) >= needed:
            break
    return shown[:needed]


def frozen_key(backend: Backend, terms: Sequence[Term], where: Filter) -> FrozenKey | None:
    """Return under what the results of a search by one kept picture are frozen, or None for other searches.

    What was ranked with another encoder is not found: its cosines are no figures of this one.
    """
    picture_key = terms[0].picture_key if len(terms) == 1 else None
    if picture_key is None:
        return None
    said = repr((backend.encoder.fingerprint, where, terms[0].weight, terms[0].region))
    return picture_key, hashlib.sha256(said.encode()).hexdigest()


def freeze(backend: Backend, key: FrozenKey, neighbors: list[Neighbor]) -> None:
    """Keep a ranking; nothing is said when that cannot be, because nobody's search is to fail for it."""
    backend.database.note(lambda connection: records_queries.freeze(connection, *key, neighbors))


def frozen(backend: Backend, key: FrozenKey | None) -> list[Neighbor] | None:
    """Return the ranking that was kept, or None."""
    if key is None:
        return None
    with backend.database.read() as connection:
        return records_queries.frozen(connection, *key)
