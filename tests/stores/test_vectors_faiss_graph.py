"""What the graph of a large library finds, and that nobody notices how it is built, grows and is renewed."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from crowd import CLUSTERS, WIDTHS, category_of, crowded, write_crowd

from pipeline.filters import Filter
from pipeline.stores import records_embeddings, records_images, vectors_faiss_keeper
from pipeline.stores.vectors_faiss import FaissVectors
from pipeline.stores.vectors_faiss_graph import GraphPlan

ALL = Filter()
NUMBER = 1200
ALWAYS = GraphPlan(least_vectors=100, compared_per_walked=0.0, in_background=False)
"""A graph from 100 vectors on, which is asked whatever a filter keeps."""

SETTLED_SECONDS = 60.0

Opened = Callable[[GraphPlan], FaissVectors]


@pytest.fixture
def open_vectors(backend) -> Iterator[Opened]:
    """Open an index with a plan; closed at the end of the test."""
    opened: list[FaissVectors] = []

    def open_with(plan: GraphPlan) -> FaissVectors:
        encoder = backend.encoder
        opened.append(FaissVectors(backend.database, encoder.fingerprint, encoder.dimension, plan=plan))
        return opened[-1]

    yield open_with
    for vectors in opened:
        vectors.close()


@pytest.fixture
def crowd(backend) -> np.ndarray:
    """Twelve hundred vectors in the tables, the first of row 1."""
    vectors, clusters = crowded(NUMBER)
    write_crowd(backend.database, vectors, clusters)
    return vectors


def rows(neighbors) -> list[int]:
    return [neighbor.row for neighbor in neighbors]


def by_hand(vectors: np.ndarray, query: np.ndarray, limit: int) -> list[int]:
    """Return the rows of the nearest vectors, compared one by one with half precision."""
    similarities = vectors.astype(np.float16).astype(np.float32) @ query
    return [int(place) + 1 for place in np.lexsort((np.arange(len(vectors)), -similarities))[:limit]]


FILTERS: dict[str, Callable[[int], Filter]] = {
    "none": lambda _cluster: ALL,
    "half": lambda _cluster: Filter(min_width=WIDTHS // 2),
    "a twentieth": lambda _cluster: Filter(min_width=WIDTHS - WIDTHS // 20),
    "a fiftieth": lambda _cluster: Filter(min_width=WIDTHS - WIDTHS // 50),
    "its own category": lambda cluster: Filter(categories=(category_of(cluster),)),
    "another category": lambda cluster: Filter(categories=(category_of(cluster + 1),)),
    "all but its own category": lambda cluster: Filter(
        categories=tuple({category_of(other) for other in range(CLUSTERS)} - {category_of(cluster)})
    ),
}


@pytest.mark.usefixtures("crowd")
def test_the_graph_finds_nearly_all_neighbors_whatever_a_filter_keeps(open_vectors):
    graph, exact = open_vectors(ALWAYS), open_vectors(GraphPlan())
    queries, clusters = crowded(25, seed=4)
    graph.catch_up()
    exact.catch_up()
    assert (graph.description, exact.description) == ("graph, 1,200 vectors", "exact, 1,200 vectors")

    recalls: dict[str, list[float]] = {kept: [] for kept in FILTERS}
    for kept, where in FILTERS.items():
        for query, cluster in zip(queries, clusters, strict=True):
            expected = rows(exact.nearest(query, 10, where=where(int(cluster))))
            found = rows(graph.nearest(query, 10, where=where(int(cluster))))
            assert len(found) == len(expected) == 10
            recalls[kept].append(len(set(found) & set(expected)) / 10)

    assert {kept: share for kept, found in recalls.items() if (share := np.mean(found)) < 0.97} == {}


def test_similarities_are_those_of_the_exact_comparison_to_the_last_bit(open_vectors, crowd):
    graph, exact = open_vectors(ALWAYS), open_vectors(GraphPlan())

    for query in crowd[:20]:
        exactly = dict(exact.nearest(query, 20, where=ALL))
        assert all(
            exactly.get(row, similarity) == similarity for row, similarity in graph.nearest(query, 20, where=ALL)
        )


def test_deep_pages_are_full_as_long_as_there_are_images(open_vectors, crowd):
    vectors = open_vectors(ALWAYS)

    for limit in (300, 1000, 1199, 1200, 5000):
        found = rows(vectors.nearest(crowd[5], limit, where=ALL))
        assert len(found) == len(set(found)) == min(limit, NUMBER)
        assert len(set(found) & set(by_hand(crowd, crowd[5], limit))) >= 0.97 * len(found)


def test_hundreds_of_equal_vectors_come_in_the_order_of_their_rows(backend, open_vectors, crowd):
    copies = write_crowd(backend.database, np.repeat(crowd[:1], 300, axis=0))

    found = rows(open_vectors(ALWAYS).nearest(crowd[0], 200, where=ALL))

    assert found == [1, *copies[:199]]


@pytest.mark.usefixtures("crowd")
def test_what_comes_after_the_graph_was_built_is_found_beside_it_and_then_in_it(backend, open_vectors):
    vectors = open_vectors(replace(ALWAYS, longest_tail=50))
    vectors.catch_up()
    newer, _ = crowded(120, seed=9)

    for first in range(0, 120, 40):  # 40 beside it, 80 that join it, 40 beside it again
        new = write_crowd(backend.database, newer[first : first + 40])
        for row, vector in zip(new, newer[first : first + 40], strict=True):
            assert rows(vectors.nearest(vector, 1, where=ALL)) == [row]

    assert vectors.description == "graph, 1,320 vectors"


def test_images_that_are_hidden_moved_or_gone_are_not_found_where_they_were(backend, open_vectors, crowd):
    vectors = open_vectors(ALWAYS)
    vectors.catch_up()
    with backend.database.write() as connection:
        records_images.delete(connection, [1])
        records_images.purge(connection, [2])
        records_embeddings.put(connection, 3, backend.encoder.fingerprint, -crowd[2])

    for place in range(3):
        assert not {1, 2, 3} & set(rows(vectors.nearest(crowd[place], 50, where=ALL)))
    assert rows(vectors.nearest(-crowd[2], 1, where=ALL)) == [3]


def test_a_graph_with_many_dead_vectors_is_built_anew_without_them(backend, open_vectors, crowd):
    vectors = open_vectors(ALWAYS)
    vectors.catch_up()
    moved, _ = crowded(500, seed=12)
    with backend.database.write() as connection:
        for row, vector in enumerate(moved, 1):
            records_embeddings.put(connection, row, backend.encoder.fingerprint, vector)
    now = np.concatenate([moved, crowd[500:]])

    shares = [
        len(set(rows(vectors.nearest(query, 10, where=ALL))) & set(by_hand(now, query, 10))) / 10
        for query in moved[:40]
    ]

    assert np.mean(shares) >= 0.97
    assert vectors.description == "graph, 1,200 vectors"


def test_a_library_that_became_small_is_exact_again(backend, open_vectors, crowd):
    vectors = open_vectors(replace(ALWAYS, least_vectors=1000))
    vectors.catch_up()
    with backend.database.write() as connection:
        records_images.purge(connection, list(range(1, 1001)))

    found = rows(vectors.nearest(crowd[1100], 10, where=ALL))

    assert vectors.description == "exact, 200 vectors"
    assert found == [row + 1000 for row in by_hand(crowd[1000:], crowd[1100], 10)]


def test_searches_are_exact_while_the_graph_is_built_in_the_background(open_vectors, crowd, monkeypatch):
    monkeypatch.setattr(vectors_faiss_keeper, "BUILT_AT_ONCE", 100)
    vectors = open_vectors(GraphPlan(least_vectors=1000))
    asked, told = 0, set()

    while not (vectors.settle(0) and asked):
        told.add(vectors.description.split(",")[0])
        assert rows(vectors.nearest(crowd[asked], 10, where=ALL)) == by_hand(crowd, crowd[asked], 10)
        asked += 1

    assert "exact" in told
    assert vectors.description == "graph, 1,200 vectors"


def test_what_changes_while_the_graph_is_built_is_right_when_it_is_there(backend, open_vectors, crowd, monkeypatch):
    monkeypatch.setattr(vectors_faiss_keeper, "BUILT_AT_ONCE", 100)
    vectors = open_vectors(replace(ALWAYS, in_background=True))
    with backend.database.write() as connection:  # so that slots are dead before, and numbered anew after
        records_images.purge(connection, list(range(1, 101)))
    vectors.catch_up()
    newer, _ = crowded(200, seed=21)
    new = write_crowd(backend.database, newer)
    with backend.database.write() as connection:
        records_images.purge(connection, list(range(101, 201)))
    vectors.catch_up()
    assert vectors.settle(SETTLED_SECONDS)

    for row, vector in zip(new, newer, strict=True):
        assert rows(vectors.nearest(vector, 1, where=ALL)) == [row]
    for place in range(0, 200, 20):
        assert min(rows(vectors.nearest(crowd[place], 50, where=ALL))) > 200
    assert vectors.description == "graph, 1,200 vectors"


@pytest.mark.usefixtures("crowd")
def test_closing_ends_the_building(open_vectors):
    vectors = open_vectors(GraphPlan(least_vectors=1000))
    vectors.catch_up()

    vectors.close()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith(vectors_faiss_keeper.THREAD)]


def test_a_rebuild_has_its_graph_when_it_is_done_and_searches_go_on_meanwhile(open_vectors, crowd):
    vectors = open_vectors(GraphPlan(least_vectors=1000, compared_per_walked=0.0))
    vectors.catch_up()
    stop, wrong, steps = threading.Event(), [], []

    def search_on() -> None:
        while not stop.is_set():
            if rows(vectors.nearest(crowd[7], 1, where=ALL)) != [8]:
                wrong.append("not found")

    thread = threading.Thread(target=search_on)
    thread.start()
    held = vectors.rebuild(steps.append)
    stop.set()
    thread.join()

    assert (held, sum(steps), wrong) == (NUMBER, NUMBER, [])
    assert vectors.description == "graph, 1,200 vectors"


def test_a_change_that_leaves_the_vector_as_it_is_leaves_no_dead_one(backend, open_vectors, crowd):
    """Deleting and restoring a large library must not make the graph anew."""
    vectors = open_vectors(replace(ALWAYS, longest_tail=0))
    vectors.catch_up()
    grown = vectors.slots_held
    with backend.database.write() as connection:
        records_images.delete(connection, list(range(1, 601)))
    assert vectors.count() == 600
    with backend.database.write() as connection:
        records_images.restore(connection, list(range(1, 601)))

    assert vectors.count() == NUMBER
    assert vectors.slots_held == grown
    assert rows(vectors.nearest(crowd[3], 1, where=ALL)) == [4]


def test_the_settings_say_how_the_graph_is_built_and_where_its_file_is(settings, open_grid_backend):
    backend = open_grid_backend(settings.model_copy(update={"hnsw_m": 24, "hnsw_ef_construction": 77}))

    assert backend.vectors.plan == GraphPlan(neighbors=24, ef_construction=77)
    assert backend.vectors.folder == settings.data / "index"
