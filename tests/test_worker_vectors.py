"""What a worker does for vector engines that processes share."""

import pytest
from pictures import picture_bytes
from putting import putting

from pipeline.images import ImageState
from pipeline.stores import records_listing
from pipeline.stores.following import Follower
from pipeline.worker import Worker

NOBODY_LISTENS = "pgvector://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def on_postgresql(settings, postgresql_url, open_grid_backend):
    """Open stores on PostgreSQL whose vectors are at an address."""

    def opened(vectors_url: str):
        update = {"database_url": postgresql_url, "vectors_url": vectors_url}
        return open_grid_backend(settings.model_copy(update=update))

    return opened


def test_what_was_analyzed_is_in_a_shared_engine_before_anybody_searches(on_postgresql):
    backend = on_postgresql("pgvector://")
    for number in range(3):
        putting(backend)(picture_bytes("noise", seed=number))

    Worker(backend).drain()

    position = Follower(backend.database, backend.encoder.fingerprint, backend.vectors.address).position()
    assert position is not None
    assert position.is_newest


def test_a_shared_engine_that_is_down_does_not_stop_the_analysis(on_postgresql):
    backend = on_postgresql(NOBODY_LISTENS)
    for number in range(3):
        putting(backend)(picture_bytes("noise", seed=number))

    Worker(backend).drain()

    with backend.database.read() as connection:
        assert records_listing.count_states(connection)[ImageState.READY] == 3
