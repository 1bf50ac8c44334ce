"""Comparing what has come in with the searches that people keep: in batches, each image once with each search.

New images and saved searches are two matrices, whose product says what is alike; what passes is then asked of the
database, for those images alone. How far a search has been compared, and what it has found, is written in one
transaction: whoever dies before it has changed nothing, and the next one does the same again.

A search sees what its owner may see at that moment. Whoever reads of it later may see less, which is theirs to check.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline import stored_queries
from pipeline.access import visible
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery, NotAllowed, NotFound
from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.filters import Filter
from pipeline.judging import bands_for
from pipeline.principals import Principal
from pipeline.questions import Term, ask
from pipeline.relevance import Strength, least_possible, strength
from pipeline.saved_searches import owner_now
from pipeline.stores import (
    records_arrivals,
    records_embeddings,
    records_listing,
    records_matches,
    records_searches,
    records_words,
)
from pipeline.stores.database import Database, Writing
from pipeline.stores.records_arrivals import Arrival
from pipeline.stores.records_matches import Found
from pipeline.stores.records_searches import SavedSearch
from pipeline.why import match_words, strength_with_words
from pipeline.words import Asked

log = logging.getLogger(__name__)

BATCH = 500  # images compared at once: with 512 numbers each a megabyte, and one list of rows in a statement

LIKE_GONE = "The picture that this search compares with is gone, so nothing new is found."

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Asked:
    """A search as it is asked now; with a `problem` nothing is found.

    `vector` is None and there are no `words` without a question; where the encoder understands nothing of it, there are
    words alone. `bands` are those of its kind of question.
    """

    search: SavedSearch
    where: Filter = field(default_factory=Filter)
    vector: Vector | None = None
    by_picture: bool = False
    words: tuple[Asked, ...] = ()
    bands: SimilarityBands | None = None
    problem: str = ""
    finds: bool = True


def is_behind(database: Database) -> bool:
    """Whether something has come in that a search has not been compared with."""
    with database.read() as connection:
        return records_searches.is_any_behind(connection)


def step(backend: Backend) -> bool:
    """Compare the next batch of what has come in; return whether there may be more.

    Only one process does so at a time. One that has not gone over to a new encoder yet leaves it to others.
    """
    if not is_behind(backend.database):
        return False
    with backend.database.exclusively("compare saved searches") as held:
        return _compare(backend) if held else False


def _compare(backend: Backend) -> bool:
    encoder = backend.encoder.fingerprint
    with backend.database.read() as connection:
        active = records_embeddings.active_encoder(connection)
        if active is None or active.fingerprint != encoder:
            return False
        searches = records_searches.behind(connection, records_arrivals.newest(connection))
        if not searches:
            return False
        fresh = records_arrivals.after(connection, min(search.seen for search in searches), encoder, BATCH)
        until = fresh[-1].number
        searches = [search for search in searches if search.seen < until]
        owners = {search.owner: owner_now(connection, search) for search in {s.owner: s for s in searches}.values()}
    asked = [_asked(backend, search, owners[search.owner]) for search in searches]
    found = _found(backend, asked, fresh)
    with backend.database.write(Writing.BESIDE) as connection:
        advanced = records_searches.advance(connection, searches, until)
        records_matches.add(connection, [one for one in found if one.search in advanced])
        for one in asked:
            if one.search.id in advanced and (changed := _changed(one, encoder)):
                records_searches.change(connection, one.search.id, **changed)
    log.info("compared %d new images with %d saved searches: %d matches", len(fresh), len(searches), len(found))
    return True


# ---- What is asked


def _asked(backend: Backend, search: SavedSearch, owner: Principal | None) -> _Asked:
    if owner is None:
        return _Asked(search, finds=False)
    try:
        query = stored_queries.from_json(search.query)
        where = visible(backend, query.where, owner)
        if not query.terms:
            return _Asked(search, where)
        return _with_question(backend, search, where, query.terms, owner)
    except (InvalidQuery, NotFound, NotAllowed) as error:
        return _Asked(search, problem=error.user_message, finds=False)


def _with_question(
    backend: Backend, search: SavedSearch, where: Filter, terms: Sequence[Term], owner: Principal
) -> _Asked:
    """Return the search with what it asks: its vector as it was kept, or embedded anew after a change of encoder.

    Texts and what leads away are read each time, which takes less than a picture: what texts mean may be broad, and
    their words are looked for. Raises NotFound when an image that it compares with does not exist for its owner any
    more.
    """
    likes = {term.image_id for term in terms if term.image_id}
    if likes:
        with backend.database.read() as connection:
            if not records_searches.are_present(connection, likes, owner):
                raise NotFound(LIKE_GONE)
    is_plain = all(term.text is None and term.weight > 0 for term in terms)
    if search.vector is not None and search.encoder == backend.encoder.fingerprint and is_plain:
        kept = np.frombuffer(search.vector, np.float32)
        return _Asked(search, where, kept, search.by_picture, bands=backend.bands)
    question = ask(backend, terms, owner)
    words = question.deciding_words
    return _Asked(search, where, question.vector, question.by_picture, words, bands_for(backend, question))


def _changed(asked: _Asked, encoder: str) -> dict[str, object]:
    """Return what is new about a search since it was read."""
    changed: dict[str, object] = {}
    if asked.problem != asked.search.problem:
        changed["problem"] = asked.problem
    if asked.vector is not None and asked.search.encoder != encoder:
        changed |= {"vector": asked.vector.tobytes(), "encoder": encoder, "by_picture": asked.by_picture}
    return changed


# ---- What is found


def _found(backend: Backend, asked: Sequence[_Asked], fresh: Sequence[Arrival]) -> list[Found]:
    asked = [one for one in asked if one.finds]
    rows = [arrival.row for arrival in fresh]
    numbers = np.array([arrival.number for arrival in fresh], np.int64)
    has_vector = np.array([arrival.vector is not None for arrival in fresh])
    cosines = _cosines(asked, fresh)
    written = _words_of(backend, asked, rows)
    passing = _Passing(backend, rows)
    found: list[Found] = []
    for one in asked:
        strengths = _strengths(one, rows, cosines.get(one.search.id), has_vector, written)
        candidates = [place for place in strengths if numbers[place] > one.search.seen]
        passed = passing.of(one.where) if candidates else frozenset()
        found += [Found(one.search.id, rows[place], *strengths[place]) for place in candidates if rows[place] in passed]
    return found


def _strengths(
    one: _Asked,
    rows: Sequence[int],
    cosines: Vector | None,
    has_vector: npt.NDArray[np.bool_],
    written: Mapping[int, Mapping[str, Iterable[str]]],
) -> dict[int, tuple[float | None, Strength | None]]:
    """Return cosine and strength of each new image that is alike, by its place; all of them without a question."""
    if one.bands is None:
        return dict.fromkeys(range(len(rows)), (None, None))
    near = np.zeros(len(rows), np.bool_)
    if cosines is not None:
        near = has_vector & (cosines >= least_possible(one.bands, by_picture=one.by_picture))
    strengths: dict[int, tuple[float | None, Strength | None]] = {}
    for place, row in enumerate(rows):
        match = match_words(one.words, written[row]) if one.words and row in written else None
        if not near[place] and match is None:
            continue
        cosine = None
        if cosines is not None and has_vector[place]:
            cosine = max(-1.0, min(1.0, float(cosines[place])))
        band = None if cosine is None else strength(cosine, one.bands, by_picture=one.by_picture)
        found = strength_with_words(band, match)
        if found != "weak":
            strengths[place] = (cosine, found)
    return strengths


def _words_of(
    backend: Backend, asked: Sequence[_Asked], rows: Sequence[int]
) -> Mapping[int, Mapping[str, Iterable[str]]]:
    if not any(one.words for one in asked):
        return {}
    with backend.database.read() as connection:
        return records_words.words_by_field(connection, rows)


def _cosines(asked: Sequence[_Asked], fresh: Sequence[Arrival]) -> dict[str, Vector]:
    """Return by search that has a question its cosine to each new image; one without a vector counts as 0."""
    questions = {one.search.id: one.vector for one in asked if one.vector is not None}
    if not questions:
        return {}
    matrix = np.stack(list(questions.values()))
    vectors = np.zeros((len(fresh), matrix.shape[1]), np.float32)
    for place, arrival in enumerate(fresh):
        if arrival.vector is not None:
            vectors[place] = np.frombuffer(arrival.vector, np.float16)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return dict(zip(questions, matrix @ vectors.T, strict=True))


class _Passing:
    """Which of the new images pass a filter, asked once for all searches that have the same one."""

    def __init__(self, backend: Backend, rows: Sequence[int]) -> None:
        self._backend = backend
        self._rows = rows
        self._known: dict[Filter, frozenset[int]] = {}

    def of(self, where: Filter) -> frozenset[int]:
        """Return the rows that are visible and pass `where`."""
        if where not in self._known:
            colored = self._backend.swatches.rows_with(where)
            with self._backend.database.read() as connection:
                passing = records_listing.passing_rows(connection, self._rows, where, colored=colored)
            self._known[where] = frozenset(passing)
        return self._known[where]
