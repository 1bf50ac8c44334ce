"""Turns at something costly: so many at once, so many of one person, so many a minute."""

import pytest

from pipeline.errors import TooManyAttempts
from pipeline.turns import Turns


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_turn_is_given_back_also_by_what_failed():
    turns = Turns(at_once=1, of_one_at_once=1, of_one_a_minute=9)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.taken("ada"):
            raise ZeroDivisionError
    with turns.taken("eve"), pytest.raises(TooManyAttempts), turns.taken("ada"):
        pytest.fail("there was no turn left")


def test_one_person_has_only_some_of_the_turns():
    turns = Turns(at_once=3, of_one_at_once=2, of_one_a_minute=9)

    with turns.taken("ada"), turns.taken("ada"):
        with pytest.raises(TooManyAttempts), turns.taken("ada"):
            pytest.fail("this was the third")
        with turns.taken("eve"), pytest.raises(TooManyAttempts), turns.taken("bob"):
            pytest.fail("this was the fourth")


def test_after_a_minute_a_person_may_begin_again():
    clock = Clock()
    turns = Turns(at_once=1, of_one_at_once=1, of_one_a_minute=2, now=clock)

    for clock.seconds in (0.0, 20.0):
        with turns.taken("ada"):
            pass
    clock.seconds = 45.0
    with pytest.raises(TooManyAttempts) as caught, turns.taken("ada"):
        pytest.fail("this was the third in a minute")
    assert caught.value.retry_seconds == 15
    clock.seconds = 60.0
    with turns.taken("ada"):
        pass
    with pytest.raises(TooManyAttempts), turns.taken("ada"):
        pytest.fail("the one of 20 seconds still counts")


def test_what_was_refused_does_not_count():
    clock = Clock()
    turns = Turns(at_once=1, of_one_at_once=1, of_one_a_minute=2, now=clock)

    with turns.taken("ada"):
        for _ in range(5):
            with pytest.raises(TooManyAttempts), turns.taken("ada"):
                pytest.fail("there was one turn")
    with turns.taken("ada"):
        pass
