"""Moving the vectors to another engine while searches go on, in the process that does it and in others."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from command import CommandHere, wait_until
from fakes import GridEncoder
from pictures import picture_bytes
from real_servers import PostgresqlServer
from shelf import Shelf

from pipeline import reindexing
from pipeline.backend import Backend
from pipeline.errors import ConfigurationError, Conflict, StoreUnavailable
from pipeline.filters import Filter
from pipeline.reconcile import reconcile
from pipeline.stores import following
from pipeline.stores.opening import open_vectors
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.tables import moves, vector_copies
from pipeline.stores.vectors_current import CurrentVectors

ALL = Filter()
NOBODY = "pgvector://nobody:secret@127.0.0.1:1/nowhere"
ENCODER = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)

OpenProcess = Callable[[], Backend]


@pytest.fixture
def elsewhere(postgresql: PostgresqlServer) -> str:
    """The address of a PostgreSQL that holds vectors and nothing else."""
    return postgresql.url()


@pytest.fixture
def open_process(backend: Backend) -> Iterator[OpenProcess]:
    """Open the stores once more, as another process on the same data does."""
    opened: list[CurrentVectors] = []

    def open_one() -> Backend:
        vectors = CurrentVectors(backend.database, ENCODER, backend.settings)
        opened.append(vectors)
        return replace(backend, vectors=vectors)

    yield open_one
    for vectors in opened:
        vectors.close()


@pytest.fixture
def process(open_process: OpenProcess) -> Backend:
    return open_process()


@pytest.fixture
def shelf(backend: Backend) -> Shelf:
    return Shelf(backend)


def forwardings(backend: Backend) -> dict[str, str]:
    with backend.database.read() as connection:
        return {row.origin: row.target for row in connection.execute(moves.select())}


def nearest(backend: Backend, shelf: Shelf) -> list[int]:
    return [neighbor.row for neighbor in backend.vectors.nearest(shelf.axis(0), 10, where=ALL)]


def test_another_engine_is_filled_and_answers_from_then_on(process, shelf, elsewhere):
    images = shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(30)])
    before = nearest(process, shelf)

    switched = reindexing.switch(process, elsewhere)
    process.vectors.look()

    assert (switched.origin, switched.vectors) == ("faiss://", 30)
    assert process.vectors.address == switched.address
    assert switched.address.startswith("pgvector://")
    assert nearest(process, shelf) == before == [image.row for image in images[:10]]


def test_what_is_written_after_the_move_is_found_at_once(process, shelf, elsewhere):
    shelf.add("before", shelf.axis(3))
    reindexing.switch(process, elsewhere)
    process.vectors.look()

    image = shelf.add("after", shelf.axis(0))

    assert nearest(process, shelf)[0] == image.row


def test_another_process_goes_to_the_new_engine_by_itself(process, open_process, shelf, elsewhere):
    shelf.add("one", shelf.axis(0))
    other = open_process()

    switched = reindexing.switch(process, elsewhere)

    wait_until(lambda: other.vectors.address == switched.address)
    assert len(nearest(other, shelf)) == 1


def test_searches_go_on_while_engines_change_under_them(process, shelf, elsewhere):
    expected = [image.row for image in shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(20)])][:10]
    stop = threading.Event()
    wrong: list[object] = []
    searches = 0

    def search() -> None:
        nonlocal searches
        while not stop.is_set():
            found = nearest(process, shelf)
            searches += 1
            if found != expected:
                wrong.append(found)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        for target in (elsewhere, "faiss://"):
            reindexing.switch(process, target)
            process.vectors.look()
            reached = searches + 10
            wait_until(lambda reached=reached: searches >= reached or not threads[0].is_alive())
    stop.set()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert process.vectors.address == "faiss://"


def test_a_start_with_the_old_address_is_led_to_the_new_one(process, open_process, shelf, elsewhere):
    shelf.add("one", shelf.axis(0))
    switched = reindexing.switch(process, elsewhere)

    started = open_process()

    assert (started.vectors.address, started.vectors.named) == (switched.address, "faiss://")


def test_moving_back_makes_no_circle(process, open_process, shelf, elsewhere):
    shelf.add("one", shelf.axis(0))
    there = reindexing.switch(process, elsewhere).address
    process.vectors.look()

    reindexing.switch(process, "faiss://")
    process.vectors.look()

    assert forwardings(process) == {there: "faiss://"}
    assert process.vectors.address == "faiss://"
    assert open_process().vectors.address == "faiss://"


def test_a_way_of_several_moves_is_gone_to_its_end(process, open_process, shelf, postgresql):
    shelf.add("one", shelf.axis(0))
    first, second = postgresql.new_database(), postgresql.new_database()
    reindexing.switch(process, first)
    process.vectors.look()
    last = reindexing.switch(process, second)

    assert open_process().vectors.address == last.address
    assert second.split("?")[0].rsplit("/")[-1] in last.address


def test_the_engine_in_use_is_no_target(process):
    with pytest.raises(Conflict, match="already"):
        reindexing.switch(process, "faiss://")


def test_two_moves_at_once_are_refused(process, elsewhere):
    with process.database.exclusively("reindex to another engine"), pytest.raises(Conflict, match="at work"):
        reindexing.switch(process, elsewhere)


@pytest.mark.parametrize(("url", "error"), [(NOBODY, StoreUnavailable), ("nonsense://", ConfigurationError)])
def test_where_the_target_cannot_be_used_nothing_changes(process, shelf, url, error):
    shelf.add("one", shelf.axis(0))

    with pytest.raises(error):
        reindexing.switch(process, url)

    assert forwardings(process) == {}
    assert process.vectors.address == "faiss://"


@pytest.mark.parametrize("target", [NOBODY, "nonsense://"])
def test_an_engine_that_cannot_be_used_here_is_told_once_and_the_old_one_goes_on(process, shelf, caplog, target):
    image = shelf.add("one", shelf.axis(0))
    with process.database.write() as connection:
        connection.execute(
            moves.insert().values(kind="vectors", origin="faiss://", target=target, moved_at=image.created_at)
        )

    with caplog.at_level(logging.WARNING):
        process.vectors.look()
        process.vectors.look()

    assert len(caplog.messages) == 1
    assert "secret" not in caplog.text
    assert process.vectors.address == "faiss://"
    assert nearest(process, shelf) == [image.row]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_database_that_does_not_answer_is_told_once_each_time_and_is_no_move(
    process, shelf, elsewhere, postgresql, caplog
):
    shelf.add("one", shelf.axis(0))
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING), locked(postgresql, process.database.url.database):
            process.vectors.look()
            process.vectors.look()
        [told] = caplog.messages
        assert told.startswith("whether the vectors have moved cannot be seen now: The database does not answer.")
        process.vectors.look()
    assert process.vectors.address == "faiss://"

    switched = reindexing.switch(process, elsewhere)
    process.vectors.look()

    assert process.vectors.address == switched.address


@contextmanager
def locked(server: PostgresqlServer, name: str) -> Iterator[None]:
    """Let nobody into a database for as long as the block lasts, and end the connections to it."""
    server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    yield
    server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_looking_where_the_vectors_are_goes_on_after_any_error(process, open_process, shelf, elsewhere, caplog):
    shelf.add("one", shelf.axis(0))
    other = open_process()
    with shelf.backend.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE moves RENAME TO moves_of_another_version")
    wait_until(lambda: "met an error" in caplog.text)
    with shelf.backend.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE moves_of_another_version RENAME TO moves")

    switched = reindexing.switch(process, elsewhere)

    wait_until(lambda: other.vectors.address == switched.address)


def test_an_interrupted_filling_goes_on_where_it_stood(process, shelf, elsewhere, monkeypatch):
    monkeypatch.setattr(following, "CHANGES_PER_STEP", 10)
    shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(30)])
    interrupted = open_vectors(elsewhere, process.database, ENCODER, process.settings)
    interrupted._established()
    interrupted._follower.advance(interrupted._apply, wait_seconds=0, work_seconds=0)
    interrupted.close()
    with process.database.read() as connection:
        stood = connection.execute(vector_copies.select()).one()
    reached: list[int] = []

    switched = reindexing.switch(process, elsewhere, reached.append)

    with process.database.read() as connection:
        stands = connection.execute(vector_copies.select()).one()
    assert (switched.vectors, reached[-1]) == (30, 30)
    assert stands.place == stood.place
    assert stands.change == stood.change + 20


def test_a_copy_that_has_lost_vectors_is_filled_anew_before_it_answers(process, shelf, elsewhere, postgresql):
    shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(30)])
    reindexing.switch(process, elsewhere)
    process.vectors.look()
    reindexing.switch(process, "faiss://")
    process.vectors.look()
    with process.database.read() as connection:
        place = connection.execute(vector_copies.select()).one().place
    postgresql.execute(f'DELETE FROM "{place}" WHERE mod(row, 3) = 0')

    assert reindexing.switch(process, elsewhere).vectors == 30


def test_vectors_that_an_engine_has_lost_are_told_and_mended(process, shelf, elsewhere, postgresql):
    shelf.add_many([shelf.axis(0, tilt=0.01 * number) for number in range(30)])
    reindexing.switch(process, elsewhere)
    process.vectors.look()
    assert reconcile(process, sweep_objects=True).lost_vectors == 0
    with process.database.read() as connection:
        place = connection.execute(vector_copies.select()).one().place
    postgresql.execute(f'DELETE FROM "{place}" WHERE mod(row, 3) = 0')

    repairs = reconcile(process, sweep_objects=True)

    assert repairs.lost_vectors == 10
    assert "filled anew" in repairs.sentence()
    assert process.vectors.count() == 30


def test_the_command_moves_the_vectors_and_says_what_to_set(
    tmp_path: Path,
    models: Path,
    elsewhere: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    command = CommandHere(tmp_path / "data", models, monkeypatch, capsys)
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(picture_bytes("noise", size=(100, 80), seed=number))
    assert command.run("import", tmp_path).returncode == 0

    done = command.run("reindex", "--to", elsewhere)
    again = command.run("reindex", "--to", elsewhere)
    found = command.run("doctor")

    assert (done.returncode, done.stdout.endswith("which holds 3 vectors.\n")) == (0, True), done.stderr
    assert "LIKENESS_VECTORS_URL" in done.stderr
    assert (again.returncode, "already" in again.stderr) == (1, True)
    assert "LIKENESS_VECTORS_URL names faiss://, but the vectors were moved to pgvector://" in found.stdout
    assert found.returncode == 0
