"""What is particular to vectors in PostgreSQL: where they lie, their graph, and what can be lost or in the way."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from command import wait_until
from fakes import GridEncoder
from random_records import FIRST_DAY, LIBRARIES, add_image, fill, random_features
from real_servers import PostgresqlServer
from shelf import Shelf

from pipeline.backend import Backend
from pipeline.errors import ConfigurationError, StoreUnavailable
from pipeline.filters import Filter
from pipeline.settings import Settings, read_settings
from pipeline.stores import vectors_pgvector, vectors_pgvector_graph
from pipeline.stores.database import Database
from pipeline.stores.opening import open_vectors
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.tables import vector_copies
from pipeline.stores.vectors_faiss import FaissVectors
from pipeline.stores.vectors_pgvector import PgvectorVectors

ALL = Filter()
ENCODER = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)
UNIT = np.eye(1, GridEncoder.dimension, dtype=np.float32)[0]


@pytest.fixture
def settings(tmp_path, models, postgresql_url) -> Settings:
    """Everything in one PostgreSQL: the small server."""
    return read_settings(data=tmp_path / "data", models=models, database_url=postgresql_url, vectors_url="pgvector://")


@pytest.fixture
def vectors(backend: Backend) -> PgvectorVectors:
    return backend.vectors


@pytest.fixture
def shelf(backend: Backend) -> Shelf:
    return Shelf(backend)


@pytest.fixture
def small_graphs(monkeypatch) -> None:
    """Let graphs begin at a hundred vectors, and be asked whenever a filter keeps ten."""
    monkeypatch.setattr(vectors_pgvector_graph, "LEAST_INDEXED", 100)
    monkeypatch.setattr(vectors_pgvector, "MOST_COMPARED", 10)


def tables(backend: Backend) -> list[str]:
    with backend.database.read() as connection:
        return sorted(name for name in sa.inspect(connection).get_table_names() if name.startswith("vectors_"))


def has_graph(backend: Backend) -> bool:
    with backend.database.read() as connection:
        asked = "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname LIKE %s AND indisvalid"
        return connection.exec_driver_sql(asked, ("vectors%graph",)).scalar_one() == 1


def rows(found) -> list[int]:
    return [neighbor.row for neighbor in found]


def fan(shelf: Shelf, count: int) -> list[np.ndarray]:
    """Return so many vectors, each a little farther from the first axis than the one before."""
    return [shelf.axis(0, tilt=0.002 * number) for number in range(count)]


def random_filters(rng: np.random.Generator, count: int) -> Iterator[Filter]:
    """Yield filters that ask of every column an engine can decide, alone and together."""
    for _ in range(count):
        asked = Filter()
        if rng.random() < 0.4:
            asked = replace(asked, libraries=tuple(rng.choice(LIBRARIES, size=rng.integers(1, 3), replace=False)))
        if rng.random() < 0.2:
            asked = replace(asked, without_libraries=(str(rng.choice(LIBRARIES)),))
        if rng.random() < 0.3:
            asked = replace(asked, categories=("animal", "food", "vehicle"))
        if rng.random() < 0.3:
            asked = replace(asked, schemes=("warm",))
        if rng.random() < 0.4:
            asked = replace(asked, min_brightness=0.3, max_brightness=float(np.round(rng.uniform(0.4, 1), 1)))
        if rng.random() < 0.3:
            asked = replace(asked, max_saturation=0.7, min_width=int(rng.integers(1, 20)) * 100)
        if rng.random() < 0.3:
            asked = replace(asked, created_after=FIRST_DAY + timedelta(days=int(rng.integers(40))), min_height=300)
        yield asked


def test_filters_decide_as_the_exact_search_in_the_process_does_with_a_graph_and_without(
    backend, vectors, shelf, request
):
    rng = np.random.default_rng(5)
    with backend.database.write() as connection:
        images = [image.row for image in fill(connection, rng, 130, encoder=ENCODER.fingerprint, dimension=48)]
    exact = FaissVectors(backend.database, ENCODER.fingerprint, ENCODER.dimension)
    filters = list(random_filters(rng, 40))

    def compare() -> None:
        for number, where in enumerate(filters):
            some = rng.choice(images, 60, replace=False) if number % 3 == 0 else None
            expected = exact.nearest(shelf.axis(number), 12, where=where, rows=some)
            found = vectors.nearest(shelf.axis(number), 12, where=where, rows=some)
            assert rows(found) == rows(expected)
            assert [neighbor.similarity for neighbor in found] == pytest.approx(
                [neighbor.similarity for neighbor in expected], abs=1e-5
            )

    compare()
    assert not has_graph(backend)
    request.getfixturevalue("small_graphs")
    vectors.settle()
    assert has_graph(backend)
    compare()


@pytest.mark.usefixtures("small_graphs")
def test_many_vectors_get_a_graph_in_the_background(backend, vectors, shelf):
    images = shelf.add_many(fan(shelf, 120))

    assert rows(vectors.nearest(shelf.axis(0), 5, where=ALL)) == [image.row for image in images[:5]]
    wait_until(lambda: has_graph(backend))
    assert rows(vectors.nearest(shelf.axis(0), 5, where=ALL)) == [image.row for image in images[:5]]


@pytest.mark.usefixtures("small_graphs")
def test_a_graph_that_was_begun_and_never_finished_is_built_again(backend, vectors, shelf):
    shelf.add_many(fan(shelf, 120))
    vectors.settle()
    with backend.database.engine.begin() as connection:  # as a build that was killed leaves it
        connection.exec_driver_sql(
            "UPDATE pg_index SET indisvalid = false FROM pg_class"
            " WHERE oid = indexrelid AND relname LIKE 'vectors%%graph'"
        )
    assert not has_graph(backend)

    vectors.settle()

    assert has_graph(backend)


@pytest.mark.usefixtures("small_graphs")
def test_equal_similarities_are_cut_by_row_number_with_a_graph_too(vectors, shelf):
    images = shelf.add_many([shelf.axis(0)] * 150)
    vectors.settle()

    assert rows(vectors.nearest(shelf.axis(0), 20, where=ALL)) == [image.row for image in images[:20]]


@pytest.mark.usefixtures("small_graphs")
def test_a_list_is_filled_from_the_graph_whatever_a_filter_keeps(vectors, shelf):
    near = shelf.add_many(fan(shelf, 200))
    with shelf.backend.database.write() as connection:
        far = [
            add_image(
                connection,
                f"far {number}",
                replace(random_features(shelf.rng, shelf.dimension), embedding=-shelf.axis(0, tilt=0.01 * number)),
                encoder=shelf.encoder,
                library="private",
            )
            for number in range(30)
        ]
    vectors.settle()

    found = vectors.nearest(shelf.axis(0), 30, where=Filter(libraries=("private",)))

    assert sorted(rows(found)) == [image.row for image in far]
    assert len(vectors.nearest(shelf.axis(0), 1500, where=ALL)) == len(near) + len(far)


def test_a_table_that_was_dropped_is_made_and_filled_again(backend, vectors, shelf):
    image = shelf.add("one", shelf.axis(0))
    assert vectors.count() == 1
    with backend.database.engine.begin() as connection:
        connection.exec_driver_sql(f'DROP TABLE "{tables(backend)[0]}"')

    assert rows(vectors.nearest(shelf.axis(0), 5, where=ALL)) == [image.row]


def test_an_extension_that_was_dropped_is_made_and_the_vectors_filled_again(backend, vectors, shelf):
    image = shelf.add("one", shelf.axis(0))
    assert vectors.count() == 1
    with backend.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP EXTENSION vector CASCADE")

    assert rows(vectors.nearest(shelf.axis(0), 5, where=ALL)) == [image.row]


def test_a_rebuild_removes_the_old_table_and_what_an_interrupted_one_has_left(backend, vectors, shelf):
    shelf.add("one", shelf.axis(0))
    vectors.catch_up()
    vectors._make()  # as a rebuild that was killed leaves it
    before = tables(backend)

    assert vectors.rebuild() == 1

    assert len(before) == 2
    assert len(tables(backend)) == 1
    assert not set(tables(backend)) & set(before)


def test_a_rebuild_that_fails_leaves_the_old_table_answering(backend, vectors, shelf):
    image = shelf.add("one", shelf.axis(0))
    vectors.catch_up()
    before = tables(backend)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vectors.rebuild(interrupt)

    assert tables(backend) == before
    assert rows(vectors.nearest(shelf.axis(0), 5, where=ALL)) == [image.row]


def test_searches_go_on_while_the_table_is_replaced(vectors, shelf):
    expected = [image.row for image in shelf.add_many(fan(shelf, 30))][:10]
    wrong: list[object] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            if (found := rows(vectors.nearest(shelf.axis(0), 10, where=ALL))) != expected:
                wrong.append(found)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert vectors.rebuild() == 30
    stop.set()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_two_installations_share_a_database_and_never_touch_each_others_vectors(postgresql, shelf, tmp_path):
    shelf.add("one", shelf.axis(0))
    url = postgresql.new_database()
    other = Database(f"sqlite:///{tmp_path}/other.db")
    other.migrate()
    with other.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO encoders (fingerprint, name, dimension, state, created_at) "
                "VALUES (:fingerprint, 'grid', 48, 'active', '2026-01-01')"
            ),
            {"fingerprint": ENCODER.fingerprint},
        )
    settings = shelf.backend.settings
    ours = open_vectors(url, shelf.backend.database, ENCODER, settings)
    theirs = open_vectors(url, other, ENCODER, settings)

    assert (ours.count(), theirs.count()) == (1, 0)
    assert theirs.rebuild() == 0
    assert ours.count() == 1

    for store in (ours, theirs, other):
        store.close()


def test_hostile_words_in_filters_are_only_words(vectors, shelf):
    hostile = "'; DROP TABLE images; --"
    image = shelf.add("one", shelf.axis(0), library=hostile)

    found = vectors.nearest(shelf.axis(0), 5, where=Filter(libraries=(hostile,)))

    assert rows(found) == [image.row]
    assert vectors.nearest(shelf.axis(0), 5, where=Filter(categories=(hostile,))) == []
    assert vectors.count() == 1


@pytest.mark.usefixtures("small_graphs")
@pytest.mark.parametrize("dimension", [2000, 4096])
def test_long_vectors_are_kept_and_only_those_beyond_the_limit_have_no_graph(backend, dimension):
    encoder = EncoderRow("e" * 64, "long", dimension)
    long = np.eye(120, dimension, dtype=np.float32)
    with backend.database.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO encoders (fingerprint, name, dimension, state, created_at) "
                "VALUES (:fingerprint, 'long', :dimension, 'old', '2026-01-01')"
            ),
            {"fingerprint": encoder.fingerprint, "dimension": dimension},
        )
    shelf = Shelf(backend)
    shelf.encoder, shelf.dimension = encoder.fingerprint, dimension
    images = shelf.add_many(list(long))
    vectors = PgvectorVectors("pgvector://", backend.database, encoder, backend.settings)

    vectors.settle()

    assert has_graph(backend) is (dimension == 2000)
    assert rows(vectors.nearest(long[7], 1, where=ALL)) == [images[7].row]
    vectors.close()


def test_a_server_that_is_down_is_unavailable_and_used_again_when_it_is_back(tmp_path, empty_database, models):
    database_file = tmp_path / "likeness.db"
    shutil.copyfile(empty_database, database_file)
    settings = read_settings(data=tmp_path, models=models)
    database = Database(settings.database_url)
    server = PostgresqlServer()
    store = open_vectors(server.url(), database, ENCODER, settings)
    assert store.count() == 0

    server.kill()
    for ask in (store.check, store.count, store.catch_up, lambda: store.nearest(UNIT, 5, where=ALL)):
        with pytest.raises(StoreUnavailable, match="PostgreSQL"):
            ask()
    server.start()

    store.check()
    assert store.count() == 0
    store.close()
    database.close()
    server.close()


def test_an_address_without_host_needs_postgresql(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/likeness.db")
    settings = read_settings(data=tmp_path)

    with pytest.raises(ConfigurationError, match="LIKENESS_DATABASE_URL"):
        open_vectors("pgvector://", database, ENCODER, settings)


@pytest.mark.parametrize("url", ["pgvector://host:port/name", "pgvector:/name"])
def test_an_address_that_means_nothing_is_told(backend, url):
    with pytest.raises(ConfigurationError, match="LIKENESS_VECTORS_URL"):
        open_vectors(url, backend.database, ENCODER, backend.settings)


def test_the_address_that_is_shown_has_no_secrets(backend):
    url = "pgvector://me:secret1@127.0.0.1:1/name?password=secret2&sslmode=prefer"
    store = open_vectors(url, backend.database, ENCODER, backend.settings)

    assert store.address == "pgvector://me@127.0.0.1:1/name?sslmode=prefer"
    with pytest.raises(StoreUnavailable) as caught:
        store.check()
    assert "secret" not in str(caught.value)
    store.close()


def test_a_user_without_rights_is_told_what_to_do(postgresql: PostgresqlServer, backend):
    url = postgresql.new_database()
    postgresql.execute("DROP ROLE IF EXISTS guest")
    postgresql.execute("CREATE ROLE guest LOGIN")
    guest = url.replace("postgres:@", "guest@")
    store = open_vectors(guest, backend.database, ENCODER, backend.settings)

    with pytest.raises(StoreUnavailable, match="administrator"):
        store.count()
    store.close()

    administrator = Database(url)
    with administrator.engine.begin() as connection:
        connection.exec_driver_sql("CREATE EXTENSION vector")
    administrator.close()
    store = open_vectors(guest, backend.database, ENCODER, backend.settings)
    with pytest.raises(StoreUnavailable, match="grant"):
        store.count()
    store.close()


@pytest.mark.usefixtures("small_graphs")
def test_closing_ends_a_graph_that_is_being_built(backend, shelf):
    shelf.add_many(fan(shelf, 300))
    store = open_vectors("pgvector://", backend.database, ENCODER, backend.settings)

    store.catch_up()
    store.close()

    assert not store._tender.is_at_work


def test_the_position_of_the_copy_stands_in_the_database(backend, vectors, shelf):
    shelf.add("one", shelf.axis(0))
    vectors.catch_up()

    with backend.database.read() as connection:
        [copy] = connection.execute(vector_copies.select())

    assert (copy.address, [copy.place]) == ("pgvector://", tables(backend))
