"""Two rankings made into one, by hand."""

from math import isnan

import pytest

from pipeline import fusion
from pipeline.fusion import LEAST_SHARE, Weights, fuse
from pipeline.stores.protocols import Neighbor
from pipeline.stores.word_search import Ranked


def near(*rows: int) -> list[Neighbor]:
    return [Neighbor(row, 0.9 - place / 1000) for place, row in enumerate(rows)]


def having(*rows: int) -> list[Ranked]:
    return [Ranked(row, 1.0 - place / 100) for place, row in enumerate(rows)]


def order(*args: object) -> list[int]:
    return [neighbor.row for neighbor in fuse(*args)]


def test_what_is_in_both_rankings_comes_before_what_is_first_in_one():
    # 3 has 1/63 + 1/62, more than the 1/61 of 1 and of 7; of these two, 7 has the words.
    assert order(near(1, 2, 3), having(7, 3), Weights()) == [3, 7, 1, 2]


def test_weights_decide_which_ranking_counts_more():
    # 3 has 1/63 + w/62. With w = 0.1 that is 0.0175, with w = 0 it is 0.0159, behind 1/61 = 0.0164.
    assert order(near(1, 2, 3), having(3), Weights(words=0.1)) == [3, 1, 2]
    assert order(near(1, 2, 3), having(3), Weights(words=0.0)) == [1, 2, 3]
    assert order(near(1, 2, 3), having(7, 8), Weights(content=0.5)) == [7, 8, 1, 2, 3]


def test_images_with_the_same_words_share_a_place_so_that_the_content_decides():
    equal = [Ranked(9, 1.0), Ranked(3, 1.0), Ranked(2, 1.0)]

    assert order(near(1, 2, 3), equal, Weights()) == [2, 3, 9, 1]


def test_too_small_a_part_of_the_words_changes_nothing():
    assert order(near(1, 2), [Ranked(5, LEAST_SHARE - 0.01)], Weights()) == [1, 2]
    assert order(near(1, 2), [Ranked(5, LEAST_SHARE)], Weights()) == [5, 1, 2]


def test_neighbors_keep_their_similarity_and_others_have_none_yet():
    [found, _, neighbor] = fuse(near(1, 2), having(7), Weights())

    assert isnan(found.similarity)
    assert neighbor == near(1, 2)[1]


@pytest.mark.parametrize("depth", [12, 20, 50])
def test_a_deeper_ranking_begins_as_a_shallow_one_and_has_everything_once(monkeypatch, depth):
    monkeypatch.setattr(fusion, "FUSED_NEIGHBORS", 10)
    everything = near(*range(100))
    words = having(70, 5, 11, 300)
    shallow, deep = (order(everything[:most], words, Weights()) for most in (10, depth))

    assert deep[: len(shallow)] == shallow
    assert sorted(deep) == sorted({*range(depth), 70, 300})
