"""Groups that do not chain, for any set of ties; and which one a picture is in where several could have it."""

import numpy as np

from pipeline.features.comparison import Verdict
from pipeline.stores.stars import Tie, implied, stars

COPIES = (Verdict.IDENTICAL, Verdict.REENCODED, Verdict.EDITED)


def drawn_ties(draw: np.random.Generator) -> list[Tie]:
    count, often = draw.integers(2, 12), draw.choice((0.15, 0.4))
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count) if draw.random() < often]
    return [Tie(a, b, COPIES[draw.integers(3)], decided=bool(draw.random() < 0.3)) for a, b in pairs]


def test_any_ties_make_stars():
    draw = np.random.default_rng(7)
    for often_apart in [0.0, 0.1, 0.4] * 100:
        ties = drawn_ties(draw)
        tied = {(tie.a, tie.b) for tie in ties}
        apart = {(a, b) for a in range(12) for b in range(a + 1, 12) if draw.random() < often_apart} - tied
        made = stars(ties, apart=apart)

        keepers = [star.keeper for star in made]
        members = [tie.other(star.keeper) for star in made for tie in star.ties]
        assert all(star.keeper in (tie.a, tie.b) and tie in ties for star in made for tie in star.ties)
        assert len({*keepers, *members}) == len(keepers) + len(members)
        assert all({tie.a, tie.b} & {*keepers, *members} for tie in ties)
        together = [{star.keeper, *(tie.other(star.keeper) for tie in star.ties)} for star in made]
        assert not any({a, b} <= theirs for a, b in apart for theirs in together)
        for tie in ties:
            of_both = [theirs for theirs in together if theirs & {tie.a, tie.b}]
            kept_apart = any((min(x, y), max(x, y)) in apart for x in (tie.a, tie.b) for y in set().union(*of_both))
            assert not (tie.a in keepers and tie.b in keepers) or kept_apart
        assert all(star.ties for star in made)
        assert any(star.is_open for star in made) == any(not tie.decided for tie in ties)
        assert stars([ties[place] for place in draw.permutation(len(ties))], apart=apart) == made


def test_a_picture_is_with_the_keeper_that_it_is_closest_to():
    near, far = Tie(2, 5, Verdict.REENCODED, decided=False), Tie(3, 5, Verdict.EDITED, decided=False)
    others = [Tie(2, 7, Verdict.EDITED, decided=False), Tie(2, 8, Verdict.EDITED, decided=False)]
    more = [Tie(3, 9, Verdict.EDITED, decided=False), Tie(3, 10, Verdict.EDITED, decided=False)]

    assert near in next(star for star in stars([far, near, *others, *more]) if star.keeper == 2).ties

    even = Tie(2, 5, Verdict.EDITED, decided=False)
    distances = {(2, 5): 0.4, (3, 5): 0.1}
    made = stars([far, even, *others, *more], distances=lambda _: distances)
    assert far in next(star for star in made if star.keeper == 3).ties


def test_a_claimed_keeper_stays_one_and_otherwise_who_was_one_before():
    line = [Tie(1, 2, Verdict.EDITED, decided=False), Tie(2, 3, Verdict.EDITED, decided=False)]

    assert [star.keeper for star in stars(line)] == [2]
    assert [star.keeper for star in stars(line, claimed=[1])] == [1]
    assert [star.keeper for star in stars(line[:1], keepers_before=[2])] == [2]


def test_duplicates_of_a_duplicate_need_no_decision_of_their_own():
    ties = [
        Tie(1, 2, Verdict.EDITED, decided=True),
        Tie(2, 3, Verdict.EDITED, decided=True),
        Tie(1, 3, Verdict.EDITED, decided=False),
        Tie(3, 4, Verdict.EDITED, decided=False),
    ]

    assert implied(ties) == {(1, 3)}
