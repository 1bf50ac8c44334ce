"""What a worker does for vector engines that processes share."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import GridEncoder
from pictures import picture_bytes
from putting import putting

from pipeline.features.extractor import FeatureExtractor
from pipeline.images import ImageState
from pipeline.stores import records_images, records_listing
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


class Overflowing(GridEncoder):
    """An encoder whose numbers are too large to be kept."""

    def embed_pictures(self, pictures):
        return super().embed_pictures(pictures) * np.float32(1e6)


def test_an_image_whose_embedding_is_no_number_fails_at_once_with_a_sentence(backend):
    broken = replace(backend, extractor=FeatureExtractor(Overflowing(), 1))
    image = putting(backend)(picture_bytes("noise", seed=1))

    assert Worker(broken).drain() == 1

    with backend.database.read() as connection:
        [found] = records_images.get_by_rows(connection, [image.row])
    assert found.state is ImageState.FAILED
    assert "cannot be compared" in found.error
    assert backend.vectors.count() == 0
    broken.extractor.close()
