"""What the images that were found are worth: how strong each hit is, why it is there, and whether there is a match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

import numpy as np

from pipeline.backend import Backend
from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.filters import Filter
from pipeline.images import ImageRecord
from pipeline.near_duplicates import near_duplicates
from pipeline.questions import Question
from pipeline.relevance import JUDGED_HITS, Strength, Verdict, bands_of_broad, bands_within, graded, judge, judge_broad
from pipeline.stores import records_embeddings, records_words
from pipeline.stores.protocols import Neighbor
from pipeline.why import SIMILARITY_DIGITS, WordMatch, explain, explain_colors, match_words, strength_with_words

JUDGED_ROWS = 20
"""How many images from the top of a ranking on are looked at for what a search as a whole has found."""


@dataclass(frozen=True)
class Hit:
    """An image that was found. `why` says what matched.

    `similarity` and `strength` are None in a plain list, `similarity` also where the encoder understood nothing.
    """

    image: ImageRecord
    similarity: float | None
    strength: Strength | None
    why: dict[str, object]


@dataclass(frozen=True)
class Judge:
    """Judges the hits of one search.

    `content` is the verdict on what the pictures show, and `verdict` that of the search as a whole, words included.
    `bands` are those of its kind of question, `best` is the row that is nearest.
    """

    backend: Backend
    question: Question
    where: Filter
    bands: SimilarityBands
    content: Verdict
    best: int | None
    verdict: Verdict

    def hits(self, images: Sequence[ImageRecord], neighbors: Mapping[int, Neighbor]) -> list[Hit]:
        """Return the images as hits, in their order; `neighbors` has the figures of the ranking, by row."""
        seen = _look_at(self.backend, self.where, self.question, [neighbors[image.row] for image in images])
        rows = [image.row for image in images]
        pictured = self.question.pictured
        copies = near_duplicates(self.backend, pictured, rows) if pictured is not None else {}
        cosines = _cosines_of_parts(self.backend, self.question, rows)
        return [self._hit(image, seen, _Beside(copies.get(image.row), cosines.get(image.row))) for image in images]

    def strengths(self, neighbors: Sequence[Neighbor]) -> dict[int, Strength]:
        """Return how strong each hit is, by row."""
        seen = _look_at(self.backend, self.where, self.question, neighbors)
        return {neighbor.row: self._strength(neighbor.row, seen) for neighbor in neighbors}

    def _hit(self, image: ImageRecord, seen: "_Seen", beside: "_Beside") -> Hit:
        band = self._strength(image.row, seen)
        is_identical = image.row in self.question.identical
        if is_identical and not self.question.is_mixed:
            return Hit(image, 1.0, band, {"identical": True, **explain_colors(image, self.where)})
        similarity, match = seen.similarities.get(image.row), seen.matches.get(image.row)
        told: dict[str, object] = {"identical": True} if is_identical else {}
        if beside.bits is not None and not is_identical:
            told["near_duplicate"] = beside.bits
        told |= explain(image, similarity, match, self.where)
        return Hit(image, similarity, band, told | ({"terms": beside.cosines} if beside.cosines else {}))

    def _strength(self, row: int, seen: "_Seen") -> Strength:
        if row in self.question.identical:
            return "strong"
        similarity = seen.similarities.get(row)
        band = None if similarity is None else self._band(row, similarity)
        return strength_with_words(band, seen.matches.get(row) if self.question.deciding_words else None)

    def _band(self, row: int, similarity: float) -> Strength:
        by_picture = self.question.by_picture
        return graded(similarity, self.bands, self.content, is_first=row == self.best, by_picture=by_picture)


def judge_search(
    backend: Backend, question: Question, where: Filter, first: Sequence[Neighbor], best_by_words: int | None
) -> Judge:
    """Return the judge of a search whose ranking begins with `first`, up to JUDGED_ROWS that may be shown.

    `best_by_words` is the row that has most of the words, when one has any. Whatever matches by its words is a match,
    although nothing may look like it.
    """
    bands = bands_for(backend, question)
    nearest = sorted((one for one in first if not isnan(one.similarity)), key=lambda one: -one.similarity)
    similarities = [one.similarity for one in nearest[:JUDGED_HITS]]
    if question.is_broad:
        content = judge_broad(similarities, bands)
    else:
        searched = _searched(backend, where) if similarities else 0
        content = judge(similarities, bands, searched, by_picture=question.by_picture)
    best = nearest[0].row if nearest else None
    as_shown = Judge(backend, question, where, bands, content, best, content)
    if content == "match" or not first:
        return as_shown
    looked_at = [first[0], *(neighbor for neighbor in first if neighbor.row == best_by_words)]
    by_words = as_shown.strengths(looked_at).values()
    if any(band != "weak" for band in by_words):
        return replace(as_shown, verdict="match")
    return replace(as_shown, verdict="weak" if content == "none" and best_by_words is not None else content)


def bands_for(backend: Backend, question: Question) -> SimilarityBands:
    """Return from which cosine on a hit of this kind of question is strong or possible."""
    bands = bands_of_broad(backend.bands) if question.is_broad else backend.bands
    return bands_within(bands, question.reach)


def _searched(backend: Backend, where: Filter) -> int:
    """Return among how many pictures is searched: where there are many, a near one says less."""
    return len(backend.images.rows(where, colored=backend.swatches.rows_with(where)))


@dataclass(frozen=True)
class _Seen:
    """The cosine of every image that has one, and what it has of the words, by row."""

    similarities: Mapping[int, float]
    matches: Mapping[int, WordMatch | None]


@dataclass(frozen=True)
class _Beside:
    """What else is told of a shown hit: the bits in which it differs from the picture, its cosine to each term."""

    bits: int | None = None
    cosines: list[float | None] | None = None


def _cosines_of_parts(backend: Backend, question: Question, rows: Sequence[int]) -> dict[int, list[float | None]]:
    """Return the cosine of each of `rows` and each term of a question that has several, None for one that has none."""
    if not question.parts or not rows:
        return {}
    with backend.database.read() as connection:
        vectors = records_embeddings.get_vectors(connection, rows, backend.encoder.fingerprint)
    return {
        row: [
            None if part is None else round(float(part @ vector / np.linalg.norm(vector)), SIMILARITY_DIGITS)
            for part in question.parts
        ]
        for row, vector in vectors.items()
    }


def _look_at(backend: Backend, where: Filter, question: Question, neighbors: Sequence[Neighbor]) -> _Seen:
    matches: dict[int, WordMatch | None] = {}
    if question.words and neighbors:
        with backend.database.read() as connection:
            words = records_words.words_by_field(connection, [neighbor.row for neighbor in neighbors])
        matches = {row: match_words(question.words, theirs) for row, theirs in words.items()}
    return _Seen(_similarities(backend, where, question, neighbors), matches)


def _similarities(
    backend: Backend, where: Filter, question: Question, neighbors: Sequence[Neighbor]
) -> dict[int, float]:
    """Return the cosines by row; of images that only words have found they are computed now."""
    known = {neighbor.row: neighbor.similarity for neighbor in neighbors if not isnan(neighbor.similarity)}
    unknown = np.array(sorted({neighbor.row for neighbor in neighbors} - known.keys()), np.int64)
    if len(unknown) and question.vector is not None:
        nearest = backend.vectors.nearest(question.vector, len(unknown), where=where, rows=unknown)
        known |= {neighbor.row: neighbor.similarity for neighbor in nearest}
    return {row: max(-1.0, min(1.0, similarity)) for row, similarity in known.items()}
