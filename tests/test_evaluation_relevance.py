"""How well "nothing alike" is told: on galleries whose answer can be counted by hand."""

import numpy as np
import pytest

from pipeline import evaluation_relevance
from pipeline.evaluation_relevance import collect, curve, limit_at, lost_at, score_relevance
from pipeline.features.encoders.protocol import SimilarityBands

BANDS = SimilarityBands(picture_strong=0.8, picture_possible=0.5, text_strong=0.8, text_possible=0.5)

SCORES = np.array([1.0, 2.0, 3.0, 4.0])
RIGHT = np.array([1, 0, 4, 5])


def circle(number: int, center: int, spread: float) -> np.ndarray:
    """Return unit vectors around an axis of their own, in 40 dimensions."""
    random = np.random.default_rng(center)
    vectors = random.normal(scale=spread, size=(number, 40))
    vectors[:, center] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_limit_loses_no_more_right_hits_than_it_may():
    assert limit_at(0.05, SCORES, RIGHT) == 1.0
    assert limit_at(0.10, SCORES, RIGHT) == 3.0  # the first loses one of ten, the second has none to lose
    assert limit_at(0.50, SCORES, RIGHT) == 4.0
    assert lost_at(3.0, SCORES, RIGHT) == pytest.approx(0.1)
    assert lost_at(4.0, SCORES, RIGHT) == pytest.approx(0.5)


def test_the_curve_has_what_lies_below_each_limit():
    without = np.array([0.0, 2.5, 2.9, 3.5])
    points = curve(SCORES, RIGHT, without)

    assert [point.lost for point in points] == pytest.approx([0, 0, 0, 0.1, 0.1])
    assert [point.told for point in points] == [0.25, 0.25, 0.25, 0.75, 0.75]


def test_a_query_asks_with_its_class_and_without_its_set():
    # Two classes of a set around the first axis, so that each is near the other; strangers elsewhere.
    vectors = np.concatenate([circle(20, 0, 0.02), circle(20, 0, 0.02), circle(100, 5, 0.02)])
    classes = [("near", "a")] * 20 + [("near", "b")] * 20 + [("far", "c")] * 100

    query = next(collect(vectors.astype(np.float32), classes, BANDS))

    assert query.with_kin[0] > 1  # as good as the same
    assert query.without is not None
    assert query.without[0] < 0  # with the class alone left out, the other class would be as near
    assert query.without[3] == pytest.approx(np.log(0.1))  # a hundred pictures are left


def test_sets_that_are_apart_are_told_and_sets_that_mix_are_not():
    apart = np.concatenate([circle(110, 0, 0.05), circle(110, 7, 0.05)]).astype(np.float32)
    classes = [("one", "a")] * 110 + [("two", "b")] * 110
    scores = score_relevance(apart, classes, BANDS)
    assert (scores.queries, scores.left_out) == (220, "set")
    assert (scores.told, scores.none, scores.lost) == (1.0, 1.0, 0.0)
    assert {point.told for point in scores.by_set.values()} == {1.0}
    assert [(band.strength, band.precision) for band in scores.strengths] == [("possible", 1.0), ("strong", 1.0)]

    mixed = circle(220, 0, 0.05).astype(np.float32)
    assert score_relevance(mixed, classes, BANDS).told == 0.0


def test_with_one_set_alone_its_classes_are_left_out():
    vectors = np.concatenate([circle(110, 0, 0.05), circle(110, 7, 0.05)]).astype(np.float32)
    classes = [("photos", "a")] * 110 + [("photos", "b")] * 110

    scores = score_relevance(vectors, classes, BANDS)

    assert (scores.left_out, scores.told) == ("class", 1.0)


def test_too_few_pictures_say_nothing():
    vectors = circle(evaluation_relevance.FEWEST_LEFT - 1, 0, 0.1).astype(np.float32)

    assert score_relevance(vectors, [("one", "a")] * len(vectors), BANDS) is None
