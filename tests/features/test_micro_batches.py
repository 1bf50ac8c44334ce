from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from pipeline.features.encoders.micro_batches import MicroBatches


def rows(*numbers):
    return np.array([[number] for number in numbers], np.float32)


def test_a_caller_alone_is_answered_at_once():
    np.testing.assert_array_equal(MicroBatches(lambda given: given * 2, 4)(rows(1, 2)), rows(2, 4))


def test_what_comes_while_a_batch_runs_is_run_together():
    first_runs, go_on, sizes = Event(), Event(), []

    def run(given):
        sizes.append(len(given))
        if len(sizes) == 1:
            first_runs.set()
            assert go_on.wait(10)
        return given * 2

    batches = MicroBatches(run, 4)
    with ThreadPoolExecutor(7) as pool:
        first = pool.submit(batches, rows(0))
        assert first_runs.wait(10)
        others = [pool.submit(batches, rows(number)) for number in range(1, 7)]
        while len(batches._waiting) < 6:
            first_runs.wait(0.01)
        go_on.set()
        found = [answer.result()[0, 0] for answer in (first, *others)]

    assert found == [0, 2, 4, 6, 8, 10, 12]
    assert sizes == [1, 4, 2]


def test_a_caller_with_more_rows_than_fit_is_run_alone():
    sizes = []
    batches = MicroBatches(lambda given: sizes.append(len(given)) or given, 2)

    assert len(batches(rows(1, 2, 3))) == 3
    assert sizes == [3]


def test_an_error_reaches_whoever_asked_and_the_next_one_is_answered():
    def run(given):
        if given.min() < 0:
            raise ValueError("negative")
        return given

    batches = MicroBatches(run, 4)
    with pytest.raises(ValueError, match="negative"):
        batches(rows(-1))
    np.testing.assert_array_equal(batches(rows(1)), rows(1))
