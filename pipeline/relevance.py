"""How strong a similarity is, in words: of a single hit, and of a search as a whole.

A raw cosine means something else for each encoder and for a text than for a picture. So everything here is read in
units of the encoder's bands, which `calibration` measures on the library itself: 0 is where a hit is possible, 1 where
it is strong. Whether there is a match at all belongs to the search as a whole: a hit alone hardly tells a picture that
has kin in the library from one that has none. docs/relevance.md has where the numbers come from and their worth.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Literal

import numpy as np

from pipeline.features.encoders.protocol import SimilarityBands

Strength = Literal["strong", "possible", "weak"]
Verdict = Literal["match", "weak", "none"]

JUDGED_HITS = 10  # from the top on, which the verdict rests on
FIRST_HITS = 5  # of which the mean is taken

LOWEST = -1.0
"""Where a hit lies at least, in units of the bands: as good as no hit. In a library of a handful of pictures the others
are anything, and how far away they are says nothing of the first."""

SMALLEST, LARGEST = 100, 10_000
"""Numbers of pictures beyond which the size of what was searched is taken for these: the rules were fitted on galleries
from about a hundred pictures to three thousand, and are not to run away where nothing was measured."""


@dataclass(frozen=True)
class Rule:
    """When a search by one kind of query has a match: a logistic regression of four figures, and two limits.

    `best`, `mean` and `last` are the weights of the first hit, of the mean of the first FIRST_HITS and of the last of
    JUDGED_HITS, in units of the bands; `size` that of the natural logarithm of thousands of pictures searched;
    `constant` is chosen so that a score of 0 is a match. Below `none_below` there is nothing alike. A first hit of at
    least `alone` is a match by itself.
    """

    best: float
    mean: float
    last: float
    size: float
    constant: float
    none_below: float
    alone: float


BROAD_POSSIBLE, BROAD_STRONG = 0.45, 0.6
"""What the bands of texts are multiplied with for broad words: "dog" and "animal" begin at cosines of 0.28 and 0.14
where the name of a single thing begins at 0.30 and higher. Read off docs/evaluation-lite.md, not fitted: too few broad
words have labels. They are rather answered with strangers than with nothing."""

PICTURE_RULE = Rule(best=1.14, mean=1.74, last=0.36, size=-0.53, constant=0.26, none_below=-0.55, alone=1.76)
TEXT_RULE = Rule(best=2.82, mean=-0.26, last=0.11, size=-0.34, constant=-0.16, none_below=-0.75, alone=1.43)
"""Fitted for `lite` by `bench/fit_relevance.py`. Other encoders are judged by the same rules, in units of their own
bands, until somebody fits theirs: spaces made out of that of `lite` kept the loss in bounds, CLIP was not measured."""


def rule_for(*, by_picture: bool) -> Rule:
    """Return the rule for a query with a picture in it, or of words only."""
    return PICTURE_RULE if by_picture else TEXT_RULE


def strength(similarity: float, bands: SimilarityBands, *, by_picture: bool) -> Strength:
    """Return the band of a cosine; `by_picture` is false when only words were asked."""
    position = in_bands(similarity, bands, by_picture=by_picture)
    if position >= 1:
        return "strong"
    return "possible" if position >= 0 else "weak"


def in_bands(similarity: float, bands: SimilarityBands, *, by_picture: bool) -> float:
    """Return where a cosine lies: 0 is where the possible ones begin, 1 where the strong ones do."""
    strong = bands.picture_strong if by_picture else bands.text_strong
    possible = least_possible(bands, by_picture=by_picture)
    return (similarity - possible) / max(strong - possible, 1e-6)


def least_possible(bands: SimilarityBands, *, by_picture: bool) -> float:
    """Return the cosine below which everything is weak."""
    return bands.picture_possible if by_picture else bands.text_possible


def judge(
    similarities: Sequence[float], bands: SimilarityBands, searched: int, *, by_picture: bool, rule: Rule | None = None
) -> Verdict:
    """Return what a search found, from the cosines of its first hits, best first, among `searched` pictures."""
    if not len(similarities):
        return "none"
    rule = rule or rule_for(by_picture=by_picture)
    figures = figures_of([in_bands(each, bands, by_picture=by_picture) for each in similarities], searched)
    if figures[0] >= rule.alone:
        return "match"
    score = score_of(figures, rule)
    if score >= 0:
        return "match"
    return "weak" if score >= rule.none_below else "none"


def bands_of_broad(bands: SimilarityBands) -> SimilarityBands:
    """Return the bands for words that stand for very many kinds of things."""
    return replace(
        bands, text_possible=BROAD_POSSIBLE * bands.text_possible, text_strong=BROAD_STRONG * bands.text_strong
    )


def bands_within(bands: SimilarityBands, reach: float) -> SimilarityBands:
    """Return the bands for a question that also leads away from something, `reach` as in Question.

    What leads away is mostly at a right angle to what is found, so it only makes the question longer. Measured by
    `bench/mixtures.py`: without this 7 to 14 % of right hits are lost where 5 % are with nothing to lead away from.
    """
    return SimilarityBands(*(reach * bound for bound in astuple(bands)))


def judge_broad(similarities: Sequence[float], bands: SimilarityBands) -> Verdict:
    """Return what a search by a broad word found; `bands` are those of broad words. Only the first hit is looked at."""
    if similarities and in_bands(similarities[0], bands, by_picture=False) >= 0:
        return "match"
    return "weak" if similarities else "none"


def figures_of(positions: Sequence[float], searched: int) -> tuple[float, float, float, float]:
    """Return what a Rule weighs: first hit, mean of the first ones, last one, and the logarithm of the size."""
    first = [max(position, LOWEST) for position in positions[:JUDGED_HITS]]
    size = np.log(min(max(searched, SMALLEST), LARGEST) / 1000)
    return float(first[0]), float(np.mean(first[:FIRST_HITS])), float(first[-1]), float(size)


def score_of(figures: Sequence[float], rule: Rule) -> float:
    """Return the log-odds of a match, 0 where `rule` says match."""
    weights = (rule.best, rule.mean, rule.last, rule.size)
    return rule.constant + sum(weight * figure for weight, figure in zip(weights, figures, strict=True))


def graded(
    similarity: float, bands: SimilarityBands, verdict: Verdict, *, is_first: bool, by_picture: bool
) -> Strength:
    """Return the strength of a hit of a search with this verdict.

    Where there is no match every hit is weak, however near for itself; where there is one, the first is possible at
    least.
    """
    if verdict != "match":
        return "weak"
    band = strength(similarity, bands, by_picture=by_picture)
    return "possible" if is_first and band == "weak" else band
