"""Expected scores are worked out by hand on a few vectors."""

import numpy as np
import pytest

from pipeline.evaluation_protocols import (
    RetrievalScores,
    mean_over_sets,
    score_captions,
    score_categories,
    score_colors,
    score_retrieval,
)


def at_degrees(*angles: float) -> np.ndarray:
    """Return unit vectors in a plane: the nearer their angles, the more similar."""
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_a_ranking_that_finds_every_class_first_scores_one() -> None:
    scores = score_retrieval(at_degrees(0, 1, 90, 91), [("s", "a"), ("s", "a"), ("s", "b"), ("s", "b")])
    assert scores["s"] == RetrievalScores(4, 1.0, 1.0, 1.0)


def test_precision_counts_to_the_size_of_the_class_and_average_precision_by_rank() -> None:
    # From 0 degrees the order is 10 (b), 20 (a), 41 (a): with two relevant, k = 2 and one of the first two is.
    # Average precision: (1/2 + 2/3) / 2 = 7/12. From 20: 10 (b), 0 (a), 41 (a): the same. From 41: 20 (a), 10 (b),
    # 0 (a): P = 1/2, AP = (1 + 2/3) / 2 = 5/6. The only b asks nothing.
    vectors = at_degrees(0, 10.1, 20, 41)
    scores = score_retrieval(vectors, [("s", "a"), ("s", "b"), ("s", "a"), ("s", "a")])["s"]
    assert scores.queries == 3
    assert scores.precision == pytest.approx(1 / 2)
    assert scores.recall == pytest.approx(1.0)
    assert scores.mean_average_precision == pytest.approx((7 / 12 + 7 / 12 + 5 / 6) / 3)


def test_recall_counts_the_first_ten_of_a_large_class() -> None:
    # Twelve alike: each finds ten of the eleven others.
    scores = score_retrieval(at_degrees(*range(12)), [("s", "a")] * 12)["s"]
    assert scores.precision == 1.0
    assert scores.recall == pytest.approx(10 / 11)


def test_the_same_label_in_another_set_is_another_class() -> None:
    classes = [("photo", "dog"), ("sketch", "dog"), ("photo", "dog"), ("sketch", "dog")]
    scores = score_retrieval(at_degrees(0, 1, 90, 91), classes)
    assert set(scores) == {"photo", "sketch"}
    assert scores["photo"].precision == 0.0


def test_pictures_without_a_class_stand_in_the_way_and_ask_nothing() -> None:
    scores = score_retrieval(at_degrees(0, 1, 10), [("s", "a"), None, ("s", "a")])["s"]
    assert scores.queries == 2
    assert scores.precision == 0.0
    assert scores.mean_average_precision == pytest.approx(1 / 2)


def test_the_mean_over_sets_gives_every_set_the_same_weight() -> None:
    mean = mean_over_sets({"large": RetrievalScores(99, 1.0, 1.0, 1.0), "small": RetrievalScores(1, 0.0, 0.5, 0.0)})
    assert mean == RetrievalScores(100, 0.5, 0.75, 0.5)


def test_macro_f1_is_the_mean_over_the_categories_that_occur() -> None:
    # food: precision 2/3, recall 1, F1 4/5; text: precision 1, recall 1/2, F1 2/3.
    scores = score_categories(["food", "food", "text", "text"], ["food", "food", "food", "text"])
    assert scores.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert scores.accuracy == 0.75
    assert [(row.category, row.pictures) for row in scores.categories] == [("food", 2), ("text", 2)]


def test_a_category_that_is_only_guessed_costs_recall_and_is_no_row() -> None:
    scores = score_categories(["food", "food"], ["food", "other"])
    assert [row.category for row in scores.categories] == ["food"]
    assert scores.macro_f1 == pytest.approx(2 / 3)


def test_a_caption_counts_when_its_picture_is_among_the_first() -> None:
    pictures = at_degrees(0, 30, 60, 90)
    captions = [at_degrees(1)[0], at_degrees(59)[0], None, at_degrees(80)[0]]
    scores = score_captions(pictures, captions)  # ranks: 1, 2, never, 1
    assert (scores.recall_at_1, scores.recall_at_5, scores.recall_at_10) == (0.5, 0.75, 0.75)
    assert scores.not_understood == 0.25
    assert scores.chance_at_10 == 1.0


def test_equal_similarities_find_nothing_by_chance() -> None:
    pictures = at_degrees(*[0] * 20)
    scores = score_captions(pictures, [pictures[0]] * 20)
    assert scores.recall_at_10 == 0.0


def test_a_palette_that_is_right_scores_one() -> None:
    flag = [("#0055a4", 0.33), ("#ffffff", 0.34), ("#ef4135", 0.33)]
    scores = score_colors([(flag, flag)])
    assert (scores.recall_5, scores.recall_8, scores.share_error, scores.spurious_colors) == (1.0, 1.0, 0.0, 0.0)


def test_recall_is_weighted_by_share_and_what_is_not_there_is_spurious() -> None:
    true = [("#ffffff", 0.8), ("#ff0000", 0.2)]
    found = [("#ffffff", 0.7), ("#00ff00", 0.3)]
    scores = score_colors([(true, found)])
    assert scores.recall_8 == pytest.approx(0.8)
    assert scores.share_error == pytest.approx((0.1 + 0.2) / 2)
    assert scores.spurious_colors == pytest.approx(1 / 2)
    assert scores.spurious_share == pytest.approx(0.3)


def test_two_found_shades_of_one_true_color_share_it() -> None:
    scores = score_colors([([("#808080", 1.0)], [("#7f7f7f", 0.6), ("#828282", 0.4)])])
    assert scores.share_error == pytest.approx(0.0)


def test_a_wholly_transparent_picture_has_found_nothing() -> None:
    scores = score_colors([([("#808080", 1.0)], [])])
    assert (scores.recall_8, scores.share_error) == (0.0, 1.0)
