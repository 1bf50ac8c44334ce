"""The background of a library: measured on its own pictures, and again when there are many more."""

import numpy as np
import pytest
from fakes import GridEncoder
from shelf import Shelf

from pipeline import calibration
from pipeline.calibration import MOST_COSINE, measure_vectors, refresh
from pipeline.reconcile import reconcile
from pipeline.stores import records_encoders

FINGERPRINT = GridEncoder.fingerprint


def at_random(number: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(number, GridEncoder.dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def measured(backend) -> tuple[object, int]:
    with backend.database.read() as connection:
        bands = records_encoders.bands_of(connection, FINGERPRINT)
        return bands, records_encoders.measured_on(connection, FINGERPRINT)


def test_bands_are_where_hardly_any_pair_of_a_large_library_is_as_near():
    vectors = at_random(1200)
    bands = measure_vectors(vectors, GridEncoder())

    others = at_random(1200, seed=1)  # a second draw of the same kind, so that nothing is compared with itself
    pairs = others @ others.T
    pairs = pairs[np.triu_indices(len(pairs), 1)]
    assert (pairs < bands.picture_strong).mean() == pytest.approx(calibration.PICTURE_STRONG, abs=0.001)
    assert (pairs < bands.picture_possible).mean() == pytest.approx(calibration.PICTURE_POSSIBLE, abs=0.002)


def test_a_small_library_stays_near_the_bands_that_the_encoder_came_with():
    prior = GridEncoder.bands.picture_strong
    half, whole = (measure_vectors(at_random(size), GridEncoder()).picture_strong for size in (500, 1000))

    assert half == pytest.approx((prior + whole) / 2, abs=0.02)
    assert measure_vectors(at_random(199), GridEncoder()) is None


def test_a_library_of_bursts_does_not_push_the_bands_beyond_reach():
    vectors = np.repeat(at_random(1), 1000, axis=0)
    bands = measure_vectors(vectors, GridEncoder())

    assert (bands.picture_strong, bands.picture_possible) == (MOST_COSINE, MOST_COSINE)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [(0, 199, False), (0, 200, True), (200, 299, False), (200, 300, True), (900, 601, False), (900, 600, True)],
)
def test_it_is_measured_again_when_the_library_is_half_as_large_again(before, now, expected):
    assert calibration.is_due(before, now) is expected


@pytest.mark.on_both_databases
def test_it_is_measured_once_for_all_processes_and_again_when_there_are_many_more(backend):
    shelf = Shelf(backend)
    vectors = list(at_random(450))
    shelf.add_many(vectors[:190])
    assert not refresh(backend)
    assert measured(backend) == (None, 0)

    shelf.add_many(vectors[190:250], first=190)
    reconcile(backend)
    first, on = measured(backend)
    assert first is not None
    assert on == 250
    assert not refresh(backend)

    shelf.add_many(vectors[250:], first=250)
    assert refresh(backend)
    assert measured(backend)[1] == 450
