"""What is measured and how, from numbers to scores: no pictures, no files, no clock.

Retrieval: each labelled picture is a query and all others are the gallery; relevant are those of the same set and
label. Scores are means over the queries of a set, and then over sets, so that a large set does not drown the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, f1_score, precision_recall_fscore_support

from pipeline.features.color import ciede2000, hex_to_lab

RANKS = 10
"""How many results a person looks at; the k of P@k and recall@k."""

CAPTION_RANKS = (1, 5, 10)

CLOSE_COLOR = 5.0
"""CIEDE2000 at which two colors are told apart only side by side."""

NEAR_COLOR = 8.0
"""CIEDE2000 at which two colors still get the same name."""

QUERIES_AT_ONCE = 256  # rows of the similarity matrix held at once

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RetrievalScores:
    """Means over the queries of one set, or over sets; all 0 to 1.

    `precision` is P@k with k = min(10, size of the class - 1), so that a perfect ranking of a small class scores 1;
    `recall` is the part of the class among the first 10; `mean_average_precision` is the mean over the queries of
    the average, over the relevant pictures, of the precision at the rank of each (not interpolated).
    """

    queries: int
    precision: float
    recall: float
    mean_average_precision: float


@dataclass(frozen=True)
class CategoryScore:
    """One category: how many pictures have it, and how well it is told, each 0 to 1."""

    category: str
    pictures: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class CategoryScores:
    """`macro_f1` is the mean of F1 over the categories that occur."""

    pictures: int
    macro_f1: float
    accuracy: float
    categories: tuple[CategoryScore, ...]


@dataclass(frozen=True)
class CaptionScores:
    """The part of the captions whose picture is among the first 1, 5 and 10, and `chance` for the last.

    `not_understood` is the part of the captions in which the encoder knows no word; they count as not found.
    """

    pictures: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    chance_at_10: float
    not_understood: float


@dataclass(frozen=True)
class ColorScores:
    """Means over pictures, each 0 to 1.

    `recall_5` and `recall_8` are the share of the true palette that has a found color within CIEDE2000 of 5 and 8;
    `share_error` is the mean absolute error of the shares of the true colors; `spurious_colors` is the part of the
    found colors that are farther than 8 from every true one, `spurious_share` the area they claim.
    """

    pictures: int
    recall_5: float
    recall_8: float
    share_error: float
    spurious_colors: float
    spurious_share: float


def score_retrieval(vectors: Vectors, classes: Sequence[tuple[str, str] | None]) -> dict[str, RetrievalScores]:
    """Return the scores of each set. `classes` are (set, label) of each row, None for those that only fill the gallery.

    A class of one picture has nothing to find and asks nothing.
    """
    numbers = {name: number for number, name in enumerate(dict.fromkeys(filter(None, classes)))}
    labels = np.array([numbers[name] if name else -1 for name in classes])
    sizes = np.bincount(labels[labels >= 0], minlength=len(numbers))
    queries = np.array([row for row, label in enumerate(labels) if label >= 0 and sizes[label] > 1], np.int64)
    rows_by_set: dict[str, list[tuple[float, float, float]]] = {}
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        part = queries[start : start + QUERIES_AT_ONCE]
        similarities = vectors[part] @ vectors.T
        for query, ranked in zip(part, similarities, strict=True):
            others = np.arange(len(labels)) != query
            scores = _score_query(ranked[others], labels[others] == labels[query])
            rows_by_set.setdefault((classes[query] or ("", ""))[0], []).append(scores)
    return {name: _mean_scores(rows) for name, rows in rows_by_set.items()}


def mean_over_sets(scores: dict[str, RetrievalScores]) -> RetrievalScores:
    """Return the plain mean of the sets."""
    each = list(scores.values())
    return RetrievalScores(
        queries=sum(item.queries for item in each),
        precision=_mean([item.precision for item in each]),
        recall=_mean([item.recall for item in each]),
        mean_average_precision=_mean([item.mean_average_precision for item in each]),
    )


def score_categories(true: Sequence[str], predicted: Sequence[str]) -> CategoryScores:
    """Return how well `predicted` tells `true`."""
    names = sorted(set(true))
    columns = precision_recall_fscore_support(true, predicted, labels=names, zero_division=0.0)
    return CategoryScores(
        pictures=len(true),
        macro_f1=float(f1_score(true, predicted, labels=names, average="macro", zero_division=0.0)),
        accuracy=_mean([a == b for a, b in zip(true, predicted, strict=True)]),
        categories=tuple(
            CategoryScore(name, int(support), float(precision), float(recall), float(f1))
            for name, precision, recall, f1, support in zip(names, *columns, strict=True)
        ),
    )


def score_captions(pictures: Vectors, captions: Sequence[Vectors | None]) -> CaptionScores:
    """Return how well each caption finds the picture of its row; None is a caption that was not understood."""
    ranks = [_rank(pictures, row, caption) for row, caption in enumerate(captions)]
    recalls = {limit: _mean([rank <= limit for rank in ranks]) for limit in CAPTION_RANKS}
    return CaptionScores(
        pictures=len(pictures),
        recall_at_1=recalls[1],
        recall_at_5=recalls[5],
        recall_at_10=recalls[10],
        chance_at_10=min(1.0, CAPTION_RANKS[-1] / max(1, len(pictures))),
        not_understood=_mean([caption is None for caption in captions]),
    )


def score_colors(
    pairs: Sequence[tuple[Sequence[tuple[str, float]], Sequence[tuple[str, float]]]],
) -> ColorScores:
    """Return the scores of (true palette, found palette) of each picture; palettes are (`#rrggbb`, share)."""
    rows = [_score_palette(true, found) for true, found in pairs]
    columns = [_mean(list(column)) for column in zip(*rows, strict=True)] or [0.0] * 5
    return ColorScores(len(rows), *columns)


def _score_query(similarities: Vectors, relevant: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    size = int(relevant.sum())
    first = relevant[np.argsort(-similarities, kind="stable")[:RANKS]]
    k = min(RANKS, size)
    return (
        float(first[:k].mean()),
        float(first.sum()) / size,
        float(average_precision_score(relevant, similarities)),
    )


def _mean_scores(rows: list[tuple[float, float, float]]) -> RetrievalScores:
    precision, recall, average = np.array(rows).mean(axis=0)
    return RetrievalScores(len(rows), float(precision), float(recall), float(average))


def _rank(pictures: Vectors, row: int, caption: Vectors | None) -> float:
    """Return the rank of the right picture, from 1; of equals it comes last, so that nothing is found by chance."""
    if caption is None:
        return float("inf")
    similarities = pictures @ caption
    return float((similarities >= similarities[row]).sum())


def _score_palette(
    true: Sequence[tuple[str, float]], found: Sequence[tuple[str, float]]
) -> tuple[float, float, float, float, float]:
    true_shares = np.array([share for _, share in true])
    found_shares = np.array([share for _, share in found])
    if not len(found_shares):
        return 0.0, 0.0, float(true_shares.mean()), 0.0, 0.0
    distances = ciede2000(_labs(true)[:, None, :], _labs(found)[None, :, :])
    nearest = distances.min(axis=1)
    claimed = np.where(distances.min(axis=0) <= NEAR_COLOR, distances.argmin(axis=0), -1)
    told = np.array([found_shares[claimed == number].sum() for number in range(len(true))])
    spurious = claimed < 0
    return (
        float(true_shares[nearest <= CLOSE_COLOR].sum() / true_shares.sum()),
        float(true_shares[nearest <= NEAR_COLOR].sum() / true_shares.sum()),
        float(np.abs(told - true_shares).mean()),
        float(spurious.mean()),
        float(found_shares[spurious].sum()),
    )


def _labs(palette: Sequence[tuple[str, float]]) -> npt.NDArray[np.float64]:
    return np.array([hex_to_lab(color) for color, _ in palette], np.float64)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
