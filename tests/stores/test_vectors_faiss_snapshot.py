"""The file of a large index: a start reads it instead of the table, and whatever is wrong with it only costs time."""

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from crowd import crowded, write_crowd

from pipeline.filters import Filter
from pipeline.stores import records_embeddings, records_encoders, records_images
from pipeline.stores.database import Database
from pipeline.stores.vectors_faiss import FaissVectors
from pipeline.stores.vectors_faiss_graph import GraphPlan
from pipeline.stores.vectors_faiss_snapshot import SnapshotFile

ALL = Filter()
NUMBER = 400
PLAN = GraphPlan(least_vectors=100, longest_tail=20, compared_per_walked=0.0, in_background=False)
SETTLED_SECONDS = 60.0

Opened = Callable[..., FaissVectors]


@pytest.fixture
def folder(settings) -> Path:
    return settings.data / "index"


@pytest.fixture
def open_vectors(backend, folder) -> Iterator[Opened]:
    """Open an index that keeps its file in `folder`, as another process would; closed at the end of the test."""
    opened: list[FaissVectors] = []

    def open_index(plan: GraphPlan = PLAN, *, encoder: str = "", dimension: int = 0, **options) -> FaissVectors:
        fingerprint = encoder or backend.encoder.fingerprint
        database = options.pop("database", backend.database)
        place = options.pop("folder", folder)
        size = dimension or backend.encoder.dimension
        opened.append(FaissVectors(database, fingerprint, size, folder=place, plan=plan))
        return opened[-1]

    yield open_index
    for vectors in opened:
        vectors.close()


@pytest.fixture
def crowd(backend) -> np.ndarray:
    """Four hundred vectors in the tables, the first of row 1."""
    vectors, clusters = crowded(NUMBER)
    write_crowd(backend.database, vectors, clusters)
    return vectors


@pytest.fixture
def file(open_vectors, crowd, folder) -> Path:
    """The file that an index over the crowd has left."""
    del crowd
    open_vectors().catch_up()
    [file] = folder.glob("*.faiss")
    return file


def rows(neighbors) -> list[int]:
    return [neighbor.row for neighbor in neighbors]


def answers(vectors: FaissVectors, crowd: np.ndarray) -> list:
    return [vectors.nearest(query, 10, where=ALL) for query in crowd[::20]]


@pytest.mark.usefixtures("file")
def test_a_start_reads_the_file_and_then_only_what_changed_since(backend, open_vectors, crowd):
    newer, _ = crowded(5, seed=8)

    assert open_vectors().catch_up() == 0
    new = write_crowd(backend.database, newer)
    with backend.database.write() as connection:
        records_images.purge(connection, [17])
        records_embeddings.put(connection, 18, backend.encoder.fingerprint, -crowd[17])
    started = open_vectors()

    assert started.catch_up() == 7
    assert started.count() == NUMBER + 4
    assert [rows(started.nearest(vector, 1, where=ALL)) for vector in newer] == [[row] for row in new]
    assert 17 not in rows(started.nearest(crowd[16], 20, where=ALL))
    assert rows(started.nearest(-crowd[17], 1, where=ALL)) == [18]


@pytest.mark.usefixtures("file")
def test_what_was_read_from_the_file_answers_as_what_was_built(open_vectors, crowd):
    built = open_vectors(replace(PLAN), folder=None)

    assert answers(open_vectors(), crowd) == answers(built, crowd)


@pytest.mark.usefixtures("file")
def test_filters_see_the_same_after_a_start_from_the_file(open_vectors, crowd):
    started, exact = open_vectors(), open_vectors(GraphPlan(), folder=None)

    for where in (
        Filter(categories=("2",)),
        Filter(min_width=500),
        Filter(libraries=("no such",)),
        Filter(schemes=("warm",)),
    ):
        assert rows(started.nearest(crowd[9], NUMBER, where=where)) == rows(
            exact.nearest(crowd[9], NUMBER, where=where)
        )


def damage(file: Path) -> None:
    held = bytearray(file.read_bytes())
    held[len(held) // 2] ^= 1
    file.write_bytes(held)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda file: file.unlink(),
    "one bit": damage,
    "half of it": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "nothing in it": lambda file: file.write_bytes(b""),
    "something else": lambda file: file.write_bytes(b"likeness" * 1000),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.parametrize("damaged", DAMAGES)
def test_a_file_that_is_not_whole_is_passed_over_and_written_anew(open_vectors, crowd, file, damaged):
    before = answers(open_vectors(), crowd)
    DAMAGES[damaged](file)

    started = open_vectors()
    assert started.catch_up() == NUMBER
    assert answers(started, crowd) == before
    if damaged != "a folder":
        assert open_vectors().catch_up() == 0


@pytest.mark.parametrize(
    ("what", "value"), [("faiss", "0.0"), ("format", "likeness faiss 0"), ("neighbors", 99), ("dimension", 512)]
)
def test_a_file_that_was_made_for_something_else_is_passed_over(open_vectors, file, monkeypatch, what, value):
    made_for = SnapshotFile._made_for
    monkeypatch.setattr(SnapshotFile, "_made_for", lambda self: made_for(self) | {what: value})
    file.unlink()
    open_vectors().catch_up()
    monkeypatch.undo()

    assert open_vectors().catch_up() == NUMBER


def test_a_file_left_half_written_by_a_crash_is_in_nobodys_way(open_vectors, file):
    partial = file.with_suffix(".partial")
    partial.write_bytes(file.read_bytes()[:1000])
    file.unlink()

    assert open_vectors().catch_up() == NUMBER
    assert open_vectors().catch_up() == 0
    assert not partial.exists()


def test_each_encoder_has_a_file_of_its_own(open_vectors, backend, crowd, file, folder):
    other = records_embeddings.EncoderRow("f" * 64, "other", backend.encoder.dimension)
    with backend.database.write() as connection:
        records_encoders.begin(connection, other)
        for row, vector in enumerate(crowd[:150], 1):
            records_embeddings.put(connection, row, other.fingerprint, -vector)

    theirs = open_vectors(encoder=other.fingerprint)

    assert rows(theirs.nearest(-crowd[4], 1, where=ALL)) == [5]
    assert len(set(folder.glob("*.faiss"))) == 2
    assert file in folder.glob("*.faiss")
    assert open_vectors(encoder=other.fingerprint).catch_up() == 0


@pytest.mark.usefixtures("file")
def test_a_file_of_another_database_is_passed_over(open_vectors, empty_database, tmp_path, caplog):
    """As when the data folder stays and the address of the database changes."""
    shutil.copyfile(empty_database, tmp_path / "other.db")
    other = Database(f"sqlite:///{tmp_path}/other.db")
    write_crowd(other, crowded(NUMBER, seed=77)[0])

    started = open_vectors(database=other)

    assert started.catch_up() == NUMBER
    assert "belongs to other data" in caplog.text
    other.close()


@pytest.mark.usefixtures("file")
def test_a_database_that_was_restored_and_went_on_is_noticed(open_vectors, backend, tmp_path, caplog):
    """Its newest numbers were given twice, so that by the numbers alone the file is right."""
    backend.database.close()
    saved, live = tmp_path / "saved.db", backend.settings.data / "likeness.db"
    shutil.copyfile(live, saved)
    lost, _ = crowded(30, seed=31)
    write_crowd(backend.database, lost)
    open_vectors().catch_up()  # whose file has the numbers of what will be lost
    backend.database.close()
    shutil.copyfile(saved, live)
    other, _ = crowded(30, seed=32)
    new = write_crowd(backend.database, other)

    started = open_vectors()

    assert [rows(started.nearest(vector, 1, where=ALL)) for vector in other] == [[row] for row in new]
    assert "belongs to other data" in caplog.text
    assert started.count() == NUMBER + 30


def test_two_processes_build_one_graph(open_vectors, crowd, folder, caplog):
    """They take turns at the file; whose turn comes second finds it written."""
    caplog.set_level(logging.INFO)
    plan = replace(PLAN, in_background=True)
    first, second = open_vectors(plan), open_vectors(plan)

    first.catch_up()
    second.catch_up()
    assert first.settle(SETTLED_SECONDS)
    assert second.settle(SETTLED_SECONDS)

    assert caplog.text.count("was built") == 1
    assert (first.description, second.description) == ("graph, 400 vectors", "graph, 400 vectors")
    assert answers(first, crowd) == answers(second, crowd)
    assert len(list(folder.glob("*.faiss"))) == 1


def test_while_another_process_builds_searches_are_exact(open_vectors, backend, crowd, folder):
    file = SnapshotFile(folder, backend.encoder.fingerprint, backend.encoder.dimension, PLAN)
    vectors = open_vectors(replace(PLAN, in_background=True))
    with file.turn() as ours:
        assert ours
        vectors.catch_up()
        assert not vectors.settle(0.2)
        assert vectors.description == "exact, 400 vectors"
        assert rows(vectors.nearest(crowd[3], 1, where=ALL)) == [4]

    assert vectors.settle(SETTLED_SECONDS)
    assert vectors.description == "graph, 400 vectors"


@pytest.mark.usefixtures("file")
def test_the_file_is_written_again_when_much_has_changed(open_vectors, backend):
    vectors = open_vectors()
    vectors.catch_up()
    write_crowd(backend.database, crowded(100, seed=5)[0])
    vectors.catch_up()

    assert open_vectors().catch_up() == 0


def test_a_folder_that_cannot_be_written_to_costs_only_the_file(open_vectors, crowd, tmp_path, caplog):
    (tmp_path / "no folder").write_text("a file")

    vectors = open_vectors(folder=tmp_path / "no folder")

    assert rows(vectors.nearest(crowd[6], 1, where=ALL)) == [7]
    assert vectors.description == "graph, 400 vectors"
    assert "cannot be kept in a file" in caplog.text


@pytest.mark.usefixtures("file")
def test_a_rebuild_reads_the_table_and_not_the_file(open_vectors):
    steps = []

    assert open_vectors().rebuild(steps.append) == NUMBER

    assert sum(steps) == NUMBER
    assert open_vectors().catch_up() == 0


def test_a_small_library_leaves_no_file(open_vectors, crowd, folder):
    vectors = open_vectors(GraphPlan())
    vectors.catch_up()

    assert vectors.count() == len(crowd)
    assert not folder.exists()
