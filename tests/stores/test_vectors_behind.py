"""Copies that processes share and that are behind: an answer leaves nothing out, or says that it would."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from command import wait_until
from fakes import GridEncoder

from pipeline.errors import StoreUnavailable
from pipeline.filters import Filter
from pipeline.stores import records_embeddings, records_images, vectors_behind, vectors_milvus
from pipeline.stores.following import Follower
from pipeline.stores.protocols import VectorStore
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.vectors_current import CurrentVectors

ALL = Filter()
ENCODER = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)


def rows(neighbors) -> list[int]:
    return [neighbor.row for neighbor in neighbors]


@pytest.fixture(params=["pgvector_vectors", "milvus_vectors"])
def behind(request: pytest.FixtureRequest, shelf) -> Iterator[VectorStore]:
    """An engine whose copy has ten images, and which somebody else brings on, who never comes to anything."""
    vectors = request.getfixturevalue(request.param)
    for number in range(10):
        shelf.add(f"{number}", shelf.axis(0, tilt=0.01 * number))
    assert vectors.catch_up() == 10
    begun, ended = threading.Event(), threading.Event()

    def hold() -> None:
        follower = vectors._follower
        with shelf.backend.database.exclusively(follower._lock_name, wait_seconds=10):
            begun.set()
            ended.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait()
    yield vectors
    ended.set()
    holder.join()


def test_what_was_written_last_is_found_by_a_copy_that_is_far_behind(behind, shelf, monkeypatch):
    monkeypatch.setattr(vectors_milvus, "MOST_RECENT", 100)
    shelf.add_many([shelf.axis(0, tilt=0.5)] * 300)
    newest = shelf.add("just uploaded", shelf.axis(5))

    assert rows(behind.nearest(shelf.axis(5), 1, where=ALL)) == [newest.row]


def test_a_copy_that_is_behind_answers_as_the_table_is_now(behind, shelf):
    """Of ten images the nearest five are gone, one moves away, and two come."""
    [*_, tenth] = found = rows(behind.nearest(shelf.axis(0), 10, where=ALL))
    come = shelf.add_many([shelf.axis(0, tilt=0.001), shelf.axis(0, tilt=0.065)])
    with shelf.backend.database.write() as connection:
        records_images.delete(connection, found[:5])
        records_embeddings.put(connection, found[5], shelf.encoder, shelf.axis(9))

    answer = rows(behind.nearest(shelf.axis(0), 5, where=ALL))

    assert answer == [come[0].row, found[6], come[1].row, found[7], found[8]]
    assert rows(behind.nearest(shelf.axis(0), 3, where=ALL, rows=np.array([tenth, found[0]]))) == [tenth]


def test_a_copy_that_misses_too_much_says_how_far_it_is(behind, shelf, monkeypatch):
    monkeypatch.setattr(vectors_behind, "MOST_BEHIND", 40)
    images = shelf.add_many([shelf.axis(3)] * 90)

    with pytest.raises(StoreUnavailable, match=r"being filled \(10 of 100\)"):
        behind.nearest(shelf.axis(3), 5, where=ALL)
    some = np.array([image.row for image in images[7:9]])
    assert rows(behind.nearest(shelf.axis(3), 5, where=ALL, rows=some)) == some.tolist()


def test_whoever_opens_a_shared_engine_fills_it_without_a_search(backend, shelf, postgresql):
    shelf.add_many([shelf.axis(0)] * 50)
    settings = backend.settings.model_copy(update={"vectors_url": postgresql.url()})

    vectors = CurrentVectors(backend.database, ENCODER, settings)

    follower = Follower(backend.database, ENCODER.fingerprint, vectors.address)
    wait_until(lambda: (position := follower.position()) is not None and position.is_newest)
    vectors.close()
