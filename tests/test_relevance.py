"""Judging cosines: in units of bands whose arithmetic can be done by hand."""

import pytest

from pipeline import relevance
from pipeline.features.encoders.protocol import SimilarityBands
from pipeline.relevance import (
    Rule,
    bands_of_broad,
    figures_of,
    graded,
    in_bands,
    judge,
    judge_broad,
    score_of,
    strength,
)

BANDS = SimilarityBands(picture_strong=0.6, picture_possible=0.4, text_strong=0.3, text_possible=0.2)
RULE = Rule(best=1.0, mean=2.0, last=0.5, size=-1.0, constant=0.5, none_below=-1.0, alone=1.75)


def verdict(positions: list[float], searched: int = 1000, **options: object) -> str:
    """Judge hits that lie at these places of the bands."""
    return judge([0.4 + 0.2 * place for place in positions], BANDS, searched, by_picture=True, **options)


def test_a_cosine_is_read_in_units_of_the_bands_of_its_kind():
    assert in_bands(0.5, BANDS, by_picture=True) == pytest.approx(0.5)
    assert in_bands(0.5, BANDS, by_picture=False) == pytest.approx(3.0)
    kinds = [strength(0.25, BANDS, by_picture=by_picture) for by_picture in (True, False)]
    assert kinds == ["weak", "possible"]


def test_the_figures_are_the_first_the_mean_of_five_the_tenth_and_the_size():
    positions = [1.0, 0.8, 0.6, 0.4, 0.2, 0.0, -0.1, -0.2, -0.3, -0.4, -9.0]

    assert figures_of(positions, 1000) == pytest.approx((1.0, 0.6, -0.4, 0.0))


def test_a_hit_that_is_farther_than_any_counts_as_no_hit_and_not_against_the_first():
    assert figures_of([1.0, -50.0], 1000) == pytest.approx((1.0, 0.0, -1.0, 0.0))


def test_the_size_of_a_library_is_held_where_nothing_was_measured():
    assert figures_of([1.0], 3) == figures_of([1.0], 100)
    assert figures_of([1.0], 10_000) == figures_of([1.0], 50_000_000)


def test_the_score_is_the_weighted_sum():
    assert score_of((1.0, 0.6, -0.4, 2.0), RULE) == pytest.approx(0.5 + 1.0 + 1.2 - 0.2 - 2.0)


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([0.2] * 10, "match"),  # 0.5 + 0.2 + 0.4 + 0.1
        ([-0.2] * 10, "weak"),  # 0.5 - 0.2 - 0.4 - 0.1 = -0.2
        ([-0.5] * 10, "none"),  # 0.5 - 0.5 - 1.0 - 0.25 = -1.25
        ([1.8, *[-2.0] * 9], "match"),  # the first is enough by itself
        ([0.4, *[-2.0] * 9], "none"),  # 0.5 + 0.4 - 1.44 - 0.5 = -1.04
        ([], "none"),
    ],
)
def test_the_verdict_belongs_to_the_first_hits_together(positions, expected):
    assert verdict(positions, rule=RULE) == expected


def test_hits_of_a_search_without_a_match_are_weak_however_near():
    for found in ("weak", "none"):
        assert graded(0.9, BANDS, found, is_first=True, by_picture=True) == "weak"


def test_the_first_hit_of_a_match_is_possible_at_least():
    assert graded(0.1, BANDS, "match", is_first=True, by_picture=True) == "possible"
    assert graded(0.1, BANDS, "match", is_first=False, by_picture=True) == "weak"
    assert graded(0.7, BANDS, "match", is_first=True, by_picture=True) == "strong"


@pytest.mark.parametrize("by_picture", [True, False])
def test_the_rules_in_use_call_a_near_copy_a_match_in_a_library_of_any_size(by_picture):
    rule = relevance.rule_for(by_picture=by_picture)
    low = BANDS.picture_possible if by_picture else BANDS.text_possible
    unit = BANDS.picture_strong - BANDS.picture_possible if by_picture else BANDS.text_strong - BANDS.text_possible
    for searched in (1, 100, 10_000_000):
        near, others = low + (rule.alone + 0.01) * unit, [low - 2 * unit] * 9
        assert judge([near, *others], BANDS, searched, by_picture=by_picture) == "match"


@pytest.mark.parametrize("by_picture", [True, False])
def test_the_rules_in_use_find_nothing_where_all_is_as_far_as_pairs_at_random(by_picture):
    low = BANDS.picture_possible if by_picture else BANDS.text_possible
    unit = BANDS.picture_strong - BANDS.picture_possible if by_picture else BANDS.text_strong - BANDS.text_possible
    assert judge([low - unit] * 10, BANDS, 3000, by_picture=by_picture) == "none"


def test_nearer_hits_never_make_a_worse_verdict_for_pictures():
    order = ["none", "weak", "match"]
    found = [order.index(verdict([place / 10] * 10, searched=3000)) for place in range(-20, 30)]
    assert found == sorted(found)
    assert set(found) == {0, 1, 2}


def test_a_broad_word_is_judged_by_its_first_hit_alone_and_by_lower_bands():
    bands = bands_of_broad(BANDS)

    assert (bands.text_possible, bands.text_strong) == pytest.approx((0.09, 0.18))
    assert bands.picture_possible == BANDS.picture_possible
    assert [judge_broad(each, bands) for each in ([0.1, 0.0], [0.08], [])] == ["match", "weak", "none"]
