"""Waiting for a store that is down: how often it is tried, what is said, and when it ends."""

import threading

import pytest

from pipeline.errors import StoreUnavailable
from pipeline.patience import GOES_ON, Patience, no_patience


class Flaky:
    """Work that fails so many times because a store is down, and then returns its name."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.failures:
            raise StoreUnavailable("The store does not answer.")
        return "done"


def test_work_is_tried_again_until_the_store_answers_and_each_outage_is_told_once():
    said: list[str] = []
    work = Flaky(2)

    assert Patience(60.0, said.append).bear(work) == "done"
    assert work.tries == 3
    assert said == ["The store does not answer. Waiting for it, 60 seconds at most.", GOES_ON]


def test_without_patience_the_error_comes_at_once():
    work = Flaky(1)
    with pytest.raises(StoreUnavailable):
        no_patience().bear(work)
    assert work.tries == 1


def test_whoever_waits_can_be_stopped():
    waiting = threading.Event()
    patience = Patience(600.0, lambda _: waiting.set())
    raised: list[StoreUnavailable] = []

    def bear() -> None:
        try:
            patience.bear(Flaky(1000))
        except StoreUnavailable as error:
            raised.append(error)

    thread = threading.Thread(target=bear)
    thread.start()
    waiting.wait(60)
    patience.stop()
    thread.join(60)
    assert len(raised) == 1


def test_other_errors_are_not_borne():
    def mistake() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Patience(60.0, lambda _: None).bear(mistake)
