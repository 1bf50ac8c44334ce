"""Where the time of an answer goes."""

import time
from contextlib import suppress

from pipeline.stopwatch import measured, spent_on


def busy(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_parts_exclude_each_other_and_add_up_to_less_than_the_total():
    with measured() as stopwatch:
        with spent_on("index"):
            busy(0.01)
            with spent_on("database"):
                busy(0.02)
            busy(0.01)
        with spent_on("index"):
            busy(0.01)
        busy(0.01)
        total = stopwatch.total_seconds
    spent = stopwatch.seconds
    assert list(spent) == ["index", "database"]
    assert spent["index"] >= 0.03
    assert spent["database"] >= 0.02
    assert sum(spent.values()) <= total - 0.01


def test_time_counts_also_when_a_part_ends_with_an_error():
    with measured() as stopwatch:
        with suppress(ValueError), spent_on("embedding"):
            busy(0.01)
            raise ValueError
        with spent_on("index"):
            pass
    assert stopwatch.seconds["embedding"] >= 0.01


def test_nothing_is_counted_while_nobody_measures():
    with spent_on("index"), measured() as stopwatch:
        pass
    assert stopwatch.seconds == {}
    with spent_on("index"):
        pass
    assert stopwatch.seconds == {}
