"""What only Milvus has: addresses, consistency between clients, collections that come and go, a server that is away."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes import GridEncoder
from milvus_server import MilvusServer

from pipeline.backend import Backend
from pipeline.errors import ConfigurationError, LikenessError, StoreUnavailable
from pipeline.filters import Filter
from pipeline.stores import records_images, vectors_milvus
from pipeline.stores.opening import open_vectors
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.vectors_milvus import MilvusVectors
from pipeline.stores.vectors_milvus_address import parse_address
from pipeline.stores.vectors_milvus_filter import expression

ALL = Filter()
LONGEST_WAIT_SECONDS = 60.0
ENCODER = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)


def rows(neighbors) -> list[int]:
    return [neighbor.row for neighbor in neighbors]


@pytest.fixture
def another(backend: Backend, milvus: MilvusServer):
    """A client of its own for the same copy, as another process has one."""
    store = open_vectors(milvus.url, backend.database, ENCODER, backend.settings)
    yield store
    store.close()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def eventually(ask):
    """Return what `ask` returns as soon as it does not say that the store is away."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while True:
        try:
            return ask()
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            threading.Event().wait(0.1)


@pytest.mark.parametrize(
    ("url", "uri", "shown"),
    [
        ("milvus://host", "http://host:19530", "milvus://host:19530"),
        ("milvus://host:1/pictures", "http://host:1", "milvus://host:1/pictures"),
        ("milvus+https://me:se%40cret@host:443", "https://host:443", "milvus+https://host:443"),
        ("milvus://host?token=secret&prefix=ours", "http://host:19530", "milvus://host:19530?prefix=ours"),
        ("milvus://[::1]:1", "http://[::1]:1", "milvus://[::1]:1"),
        ("milvus:///data/v.db", "/data/v.db", "milvus:///data/v.db"),
    ],
)
def test_an_address_says_where_and_is_shown_without_a_secret(url, uri, shown):
    address = parse_address(url)

    assert (address.uri, address.shown) == (uri, shown)
    assert "secret" not in address.shown


def test_a_password_in_an_address_may_have_any_letter():
    assert parse_address("milvus://me:se%40cr%2Fet@host").token.split(":") == ["me", "se@cr/et"]


@pytest.mark.parametrize(
    "url",
    [
        "milvus://",
        "milvus:///folder",
        "milvus://host/a/b",
        "milvus://host:x",
        "milvus://host?what=1",
        "milvus+https:///v.db",
        "milvus://host?prefix=1;drop",
    ],
)
def test_an_address_that_means_nothing_is_refused(url):
    with pytest.raises(ConfigurationError, match="LIKENESS_VECTORS_URL"):
        parse_address(url)


def test_words_in_a_filter_are_quoted():
    asked = Filter(libraries=('a"] or row >= 0 or library in ["', "back\\slash"))

    assert expression(asked) == r'library in ["a\"] or row >= 0 or library in [\"", "back\\slash"]'


def test_what_one_client_wrote_the_other_finds_at_once(milvus_vectors, another, shelf):
    for number in range(8):
        image = shelf.add(f"{number}", shelf.axis(number))
        writer, reader = (milvus_vectors, another) if number % 2 else (another, milvus_vectors)
        assert writer.catch_up() == 1
        assert rows(reader.nearest(shelf.axis(number), 1, where=ALL)) == [image.row]


def test_what_another_client_is_still_writing_is_found_too(milvus_vectors, shelf):
    """The lock of whoever brings the copy on is held, so this search can write nothing itself."""
    shelf.add("before", shelf.axis(0))
    milvus_vectors.catch_up()
    follower = milvus_vectors._follower
    with shelf.backend.database.exclusively(follower._lock_name, wait_seconds=10):
        image = shelf.add("meanwhile", shelf.axis(3))
        assert rows(milvus_vectors.nearest(shelf.axis(3), 1, where=ALL)) == [image.row]
        with shelf.backend.database.write() as connection:
            records_images.delete(connection, [image.row])
        assert image.row not in rows(milvus_vectors.nearest(shelf.axis(3), 5, where=ALL))
    assert milvus_vectors.count() == 1


def test_a_collection_that_was_dropped_is_made_and_filled_again(milvus_vectors, another, shelf):
    images = [shelf.add(f"{number}", shelf.axis(number)) for number in range(5)]
    milvus_vectors.catch_up()
    another.nearest(shelf.axis(0), 1, where=ALL)
    collections = milvus_vectors._collections
    collections.connection.call("drop_alias", collections.alias)
    collections.drop(milvus_vectors._follower.position().place)

    assert rows(another.nearest(shelf.axis(2), 1, where=ALL)) == [images[2].row]
    assert milvus_vectors.count() == 5


def test_a_collection_that_was_released_answers_again(milvus_vectors, shelf):
    image = shelf.add("one", shelf.axis(0))
    milvus_vectors.catch_up()
    milvus_vectors._connection.call("release_collection", milvus_vectors._follower.position().place)

    assert rows(milvus_vectors.nearest(shelf.axis(0), 1, where=ALL)) == [image.row]


def test_searches_go_on_while_the_copy_is_made_anew_and_the_old_one_is_dropped(milvus_vectors, another, shelf):
    images = shelf.add_many([shelf.axis(number % 40) for number in range(80)])
    milvus_vectors.catch_up()
    old = milvus_vectors._follower.position().place
    done, wrong = threading.Event(), []

    def search_on() -> None:
        while not done.is_set():
            try:
                found = rows(another.nearest(shelf.axis(7), 2, where=ALL))
            except LikenessError as error:
                wrong.append(error)
                return
            if found != [images[7].row, images[47].row]:
                wrong.append(found)

    searching = threading.Thread(target=search_on)
    searching.start()
    told = []
    try:
        assert milvus_vectors.rebuild(told.append) == 80
    finally:
        done.set()
        searching.join()

    assert (wrong, sum(told)) == ([], 80)
    assert not milvus_vectors._collections.exists(old)
    shown = milvus_vectors._connection.call("describe_alias", milvus_vectors._collections.alias)
    assert shown["collection_name"] == milvus_vectors._follower.position().place


def test_what_an_interrupted_rebuild_left_behind_is_dropped_by_the_next(milvus_vectors, shelf):
    shelf.add("one")
    milvus_vectors.catch_up()

    def interrupt(_changes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        milvus_vectors.rebuild(interrupt)
    left = milvus_vectors._leftovers[0].position().place
    assert milvus_vectors._collections.exists(left)
    assert milvus_vectors.count() == 1

    assert milvus_vectors.rebuild() == 1
    assert not milvus_vectors._collections.exists(left)


def test_milvus_lite_is_there_again_after_it_was_closed(milvus_lite_vectors, backend, shelf):
    images = [shelf.add(f"{number}", shelf.axis(number)) for number in range(5)]
    assert milvus_lite_vectors.count() == 5
    milvus_lite_vectors.close()
    again = open_vectors(milvus_lite_vectors.address, backend.database, ENCODER, backend.settings)

    assert rows(again.nearest(shelf.axis(3), 1, where=ALL)) == [images[3].row]
    again.close()


def test_a_server_that_does_not_answer_is_told_to_everybody_at_once_and_is_found_again(
    milvus, milvus_vectors, another, shelf
):
    """Eight ask at the same moment; none of them waits for another."""
    image = shelf.add("one", shelf.axis(0))
    milvus_vectors.catch_up()
    another.check()

    def fails() -> bool:
        with pytest.raises(StoreUnavailable, match="does not answer"):
            another.nearest(shelf.axis(0), 1, where=ALL)
        return True

    milvus.pause()
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda _: fails(), range(8)))
        with pytest.raises(StoreUnavailable):
            milvus_vectors.check()
    finally:
        milvus.go_on()
    assert rows(eventually(lambda: another.nearest(shelf.axis(0), 1, where=ALL))) == [image.row]
    eventually(milvus_vectors.check)


def test_a_question_that_cannot_be_answered_keeps_nobody_else_from_asking(milvus_vectors, shelf):
    image = shelf.add("one", shelf.axis(0))
    milvus_vectors.catch_up()
    connection, place = milvus_vectors._connection, milvus_vectors._follower.position().place

    with pytest.raises(StoreUnavailable, match="cannot answer this"):
        milvus_vectors.nearest(shelf.axis(0), 1, where=Filter(libraries=("\ud800",)))
    with pytest.raises(StoreUnavailable, match="cannot answer this"):
        connection.call("query", place, filter="row >=", output_fields=["row"])

    assert rows(milvus_vectors.nearest(shelf.axis(0), 1, where=ALL)) == [image.row]


def test_more_equal_vectors_than_a_search_returns_are_not_all_compared(milvus_lite_vectors, shelf, monkeypatch):
    monkeypatch.setattr(vectors_milvus, "MOST_HITS", 100)
    images = shelf.add_many([shelf.axis(0)] * 150)

    found = rows(milvus_lite_vectors.nearest(shelf.axis(0), 5, where=ALL))

    assert len(set(found)) == 5
    assert found == sorted(found)
    assert set(found) <= {image.row for image in images}


def test_a_database_that_the_server_does_not_have_is_named_as_the_reason(milvus, backend):
    store = open_vectors(f"{milvus.url}/no_such", backend.database, ENCODER, backend.settings)

    with pytest.raises(StoreUnavailable, match="no database of the name"):
        store.count()
    store.close()


def test_an_address_where_nothing_listens_is_unavailable(backend, shelf, free_port):
    store = MilvusVectors(f"milvus://127.0.0.1:{free_port}", backend.database, ENCODER, backend.settings)
    shelf.add("one")

    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.check()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.nearest(shelf.axis(0), 1, where=ALL)
    store.close()
