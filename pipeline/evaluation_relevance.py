"""How well "there is nothing like it here" is told: queries with kin against the same queries without.

Each picture with a label is a query twice: with its class in the gallery, and with kin taken away, the whole set it
belongs to (or its class alone, where there is only one set). What is counted: the share of queries without kin that
are answered "none" or "weak", against the share of right hits among the first ten that queries with kin lose by the
same limit. Right is what has the same set and label. Nothing here is fitted; bench/fit_relevance.py does that with
the same figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.relevance import JUDGED_HITS, Rule, figures_of, rule_for, score_of

LOSSES = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of the right hits that may be lost, at which the curve is told."""

FEWEST_LEFT = 100  # pictures that must be left in the gallery without a set, for it to be a library still

Vectors = npt.NDArray[np.float32]
Classes = Sequence[tuple[str, str] | None]


@dataclass(frozen=True)
class Query:
    """One query both ways: its figures (see Rule), the right hits among its first ones, and all its first cosines.

    `without` is None when too little was left of the gallery. `right` are of the first JUDGED_HITS.
    """

    set: str
    label: str
    with_kin: tuple[float, ...]
    without: tuple[float, ...] | None
    positions: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RelevancePoint:
    """A point of the curve: that share of right hits is lost, that share of queries without kin is told so."""

    lost: float
    told: float


@dataclass(frozen=True)
class BandScores:
    """A strength as a limit for single hits, the first ten of queries with kin.

    `precision` is the share of hits from there on that is right, `right_kept` and `wrong_kept` are the shares of all
    right and of all wrong hits that lie there.
    """

    strength: str
    precision: float
    right_kept: float
    wrong_kept: float


@dataclass(frozen=True)
class RelevanceScores:
    """How well queries without kin are told.

    `curve` is with whatever limit gives each of LOSSES. `told`, `lost` and `by_set` are with the limit in use, and
    `none` is the share of all queries without kin that are answered "none". `left_out` is "set" or "class".
    """

    queries: int
    left_out: str
    curve: tuple[RelevancePoint, ...]
    lost: float
    told: float
    none: float
    by_set: dict[str, RelevancePoint]
    strengths: tuple[BandScores, ...]


def collect(vectors: Vectors, classes: Classes, bands: SimilarityBands, *, by_class: bool = False) -> Iterator[Query]:
    """Give every labelled row as a query among all others, by its set left out or, with `by_class`, its class alone."""
    sets = np.array([name[0] if name else "" for name in classes])
    labels = np.array([f"{name[0]}/{name[1]}" if name else "" for name in classes])
    for row in np.flatnonzero(labels != ""):
        kin = labels == labels[row]
        kin[row] = False
        if not kin.any():
            continue
        cosines = vectors @ vectors[row]
        cosines[row] = -np.inf
        places = positions(cosines, bands)
        first = np.argsort(-places)[:JUDGED_HITS]
        kept = ~kin if by_class else sets != sets[row]
        kept[row] = False
        yield Query(
            set=str(sets[row]),
            label=str(labels[row]),
            with_kin=figures_of(places[first].tolist(), len(vectors) - 1),
            without=nearest_figures(places[kept]) if kept.sum() >= FEWEST_LEFT else None,
            positions=places[first],
            right=kin[first],
        )


def positions(cosines: Vectors, bands: SimilarityBands) -> Vectors:
    """Return cosines of pictures in units of the bands."""
    scaled: Vectors = (cosines - bands.picture_possible) / (bands.picture_strong - bands.picture_possible)
    return scaled


def nearest_figures(places: Vectors) -> tuple[float, ...]:
    """Return the figures of a query whose gallery lies at `places`, in units of the bands."""
    return figures_of(np.sort(places)[::-1][:JUDGED_HITS].tolist(), len(places))


def score_relevance(vectors: Vectors, classes: Classes, bands: SimilarityBands) -> RelevanceScores | None:
    """Return how well the rule for pictures tells queries without kin; None when there are none."""
    several = len({name[0] for name in classes if name}) > 1
    queries = list(collect(vectors, classes, bands, by_class=not several))
    asked = [query for query in queries if query.without is not None]
    if not asked:
        return None
    rule = rule_for(by_picture=True)
    scores = np.array([decide(query.with_kin, rule) for query in asked])
    without = np.array([decide(query.without or (), rule) for query in asked])
    right = np.array([int(query.right.sum()) for query in asked])
    sets = np.array([query.set for query in asked])
    return RelevanceScores(
        queries=len(asked),
        left_out="set" if several else "class",
        curve=curve(scores, right, without),
        lost=lost_at(0, scores, right),
        told=float((without < 0).mean()),
        none=float((without < rule.none_below).mean()),
        by_set={
            name: RelevancePoint(lost_at(0, scores[sets == name], right[sets == name]), _below(without, sets == name))
            for name in sorted(set(sets.tolist()))
        },
        strengths=_strengths(asked),
    )


def decide(figures: Sequence[float], rule: Rule) -> float:
    """Return the score of figures by `rule`, infinite where the first hit alone suffices."""
    return float("inf") if figures[0] >= rule.alone else score_of(figures, rule)


def curve(
    scores: npt.NDArray[np.float64], right: npt.NDArray[np.int64], without: npt.NDArray[np.float64]
) -> tuple[RelevancePoint, ...]:
    """Return what share of `without` lies below the limit that loses each of LOSSES of the `right` hits."""
    limits = [limit_at(loss, scores, right) for loss in LOSSES]
    return tuple(RelevancePoint(lost_at(limit, scores, right), float((without < limit).mean())) for limit in limits)


def limit_at(loss: float, scores: npt.NDArray[np.float64], right: npt.NDArray[np.int64]) -> float:
    """Return the highest limit below which at most the share `loss` of all right hits is lost."""
    order = np.argsort(scores, kind="stable")
    lost = np.cumsum(right[order]) / max(1, right.sum())
    return float(scores[order][min(int(np.searchsorted(lost, loss, side="right")), len(order) - 1)])


def lost_at(limit: float, scores: npt.NDArray[np.float64], right: npt.NDArray[np.int64]) -> float:
    """Return the share of right hits whose query lies below `limit`."""
    return float(right[scores < limit].sum() / max(1, right.sum()))


def _below(without: npt.NDArray[np.float64], chosen: npt.NDArray[np.bool_]) -> float:
    return float((without[chosen] < 0).mean())


def _strengths(queries: Sequence[Query]) -> tuple[BandScores, ...]:
    places = np.concatenate([query.positions for query in queries])
    right = np.concatenate([query.right for query in queries])
    found = []
    for name, limit in (("possible", 0.0), ("strong", 1.0)):
        above = places >= limit
        found.append(BandScores(name, _share(right[above]), _share(above[right]), _share(above[~right])))
    return tuple(found)


def _share(chosen: npt.NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if len(chosen) else 0.0
