"""Moving to other stores and back: everything arrives, nothing is lost, and there is always one place in charge."""

import hashlib
import itertools
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from house import House
from putting import putting
from s3_server import S3Server

from pipeline import curation
from pipeline.backend import Backend
from pipeline.doctor import examine
from pipeline.errors import Conflict, LikenessError, StoreUnavailable
from pipeline.images import ImageState
from pipeline.moving import Moved, move
from pipeline.principals import OWNER, Role
from pipeline.questions import Term
from pipeline.search import SearchQuery, search
from pipeline.settings import Settings
from pipeline.stores import records_audit, records_images, records_moves, records_people
from pipeline.stores.charge import MOVED, StoreId
from pipeline.stores.copying import copied_tables
from pipeline.stores.database import Database
from pipeline.stores.database_address import without_secrets
from pipeline.stores.inventories import Inventory
from pipeline.stores.objects_folder import FolderObjects
from pipeline.stores.opening import open_objects
from pipeline.stores.records_audit import Event
from pipeline.stores.tables import encoders, image_sources, images, metadata, moves, vector_copies
from pipeline.stores.tables_people import people
from pipeline.worker import Worker

PLACE_TABLES = {"moves", "vector_copies"}
TESTS = Path(__file__).parent


class Enough(Exception):
    """Stops a move where a test wants it."""


@dataclass(frozen=True)
class Place:
    """Where data may be: the addresses of a database and of an object store."""

    database_url: str
    objects_url: str

    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"database_url": self.database_url, "objects_url": self.objects_url})


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.close()


@pytest.fixture
def old(settings: Settings, backend: Backend) -> Settings:
    """The settings of the embedded stores, which are there."""
    assert backend.settings is settings
    return settings


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    """Another SQLite file and another folder."""
    return Place(f"sqlite:///{tmp_path}/new/likeness.db", (tmp_path / "new" / "objects").as_uri())


@pytest.fixture
def servers(postgresql, s3: S3Server) -> Iterator[Place]:
    """A PostgreSQL database without any tables, and a bucket that is not there yet."""
    url = postgresql.new_database()
    yield Place(url, s3.url())
    postgresql.drop_database(url)


@pytest.fixture
def worked(backend: Backend) -> Backend:
    """A backend in which much has happened: everything that there is a table for."""
    put = putting(backend)
    house = House(backend)
    family = house.library("family", ann=Role.OWNER, bob=Role.VIEWER)
    pictures = [put(kind="noise", seed=seed, library="main" if seed % 3 else family) for seed in range(12)]
    with backend.database.write() as connection:
        records_images.add_tags(connection, [pictures[0].row, pictures[1].row], ["Strand", "beach", "ärger", "zoo 2"])
        records_images.edit(connection, pictures[0].row, caption="ein Bild\nmit Zeilen - и буквами 🙂")
        person = records_people.by_name(connection, "ann")
        records_people.change(connection, person.id, email="ann@example.org")
        records_audit.add(connection, OWNER, Event.PERSON_ADDED, "ann", was={"a": [1, 2.5, None, "ü"]})
        records_people.keep_server_secret(connection, "session key", "k" * 64)
    Worker(backend).drain()
    waiting = put(kind="noise", seed=100)
    gone = put(kind="noise", seed=101)
    curation.delete(backend, [pictures[5].id], OWNER)
    with backend.database.write() as connection:
        records_images.purge(connection, [gone.row])  # the highest number of all is never given again
    assert waiting.state is ImageState.WAITING
    search(backend, SearchQuery((Term(image_id=pictures[1].id),)), OWNER)
    return backend


@pytest.fixture
def stocked(backend: Backend) -> Backend:
    """A backend with three pictures that wait."""
    for seed in range(3):
        putting(backend)(kind="noise", seed=seed)
    return backend


def contents(url: str) -> dict[str, list[tuple]]:
    """Return every row of every table that people or the program have filled, in no order of the database."""
    database = Database(url)
    with database.read() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name not in PLACE_TABLES
        }
    database.close()
    return found


def originals(url: str) -> dict[str, str]:
    """Return the SHA-256 of every original in a store, by its key."""
    store = open_objects(url)
    found = {}
    for stored in store.list("originals/"):
        with store.open(stored.key) as stream:
            found[stored.key] = hashlib.sha256(stream.read()).hexdigest()
    return found


def move_to(settings: Settings, place: Place, **options) -> Moved:
    return move(settings, database_url=place.database_url, objects_url=place.objects_url, **options)


def place_of(settings: Settings) -> Place:
    return Place(settings.database_url, settings.objects_url)


def found_ids(backend: Backend, image_id: str) -> list[str]:
    return [hit.image.id for hit in search(backend, SearchQuery((Term(image_id=image_id),)), OWNER).hits]


# ---- Everything arrives


@pytest.mark.parametrize("kind", ["folder", "servers"])
def test_everything_arrives_and_comes_back(kind, worked, old, request, open_grid_backend):
    new: Place = request.getfixturevalue(kind)
    some = worked.settings
    image = next(iter(found_ids(worked, _any_ready(worked))))
    answers = found_ids(worked, image)

    moved = move_to(old, new)

    before = contents(some.database_url)
    assert contents(new.database_url) == before
    assert moved.rows == sum(map(len, before.values()))
    assert originals(new.objects_url) == originals(old.objects_url)
    assert all(key.endswith(digest) for key, digest in originals(new.objects_url).items())
    there = open_grid_backend(new.settings(old))
    assert found_ids(there, image) == answers == found_ids(worked, image)
    Worker(there).drain()
    fresh = putting(there)(kind="noise", seed=200)
    curation.edit(there, image, OWNER, caption="written in the new place")
    assert fresh.row > max(record[0] for record in before["images"]) + 1  # a purged number is never given again

    back = move(new.settings(old), database_url=old.database_url, objects_url=old.objects_url)

    assert contents(old.database_url) == contents(new.database_url)
    assert fresh.object_key in originals(old.objects_url)
    assert back.files.objects < moved.files.objects
    again = open_grid_backend(old)
    assert putting(again)(kind="noise", seed=201).row > fresh.row


def _any_ready(backend: Backend) -> str:
    with backend.database.read() as connection:
        ready = sa.select(images.c.id).where(images.c.state == ImageState.READY, images.c.deleted_at.is_(None))
        return connection.scalar(ready.order_by(images.c.row).limit(1))


def test_only_the_pictures_move_and_processes_with_the_old_address_change_nothing_any_more(worked, old, folder):
    image = _any_ready(worked)
    answers = found_ids(worked, image)

    moved = move(old, objects_url=folder.objects_url)

    assert (moved.database, moved.objects) == (None, folder.objects_url)
    assert found_ids(worked, image) == answers
    with pytest.raises(StoreUnavailable, match="has moved"):
        putting(worked)(kind="noise", seed=300)
    new = old.model_copy(update={"objects_url": folder.objects_url})
    reopened = Database(new.database_url)
    reopened.store_id = StoreId(open_objects(folder.objects_url))
    with reopened.write() as connection:
        assert connection.scalar(sa.select(moves.c.target)) == folder.objects_url
    move(new, objects_url=old.objects_url)
    putting(worked)(kind="noise", seed=300)
    with pytest.raises(StoreUnavailable, match="has moved"), reopened.write():
        pytest.fail("the pictures have moved back")


def test_the_doctor_says_where_the_data_is(stocked, old, folder):
    def said() -> list[str]:
        return [finding.sentence for finding in examine(old) if finding.level == "problem"]

    assert stocked.settings == old
    move(old, objects_url=folder.objects_url)
    assert f"The pictures have moved to {folder.objects_url}. Please set LIKENESS_OBJECTS_URL to that." in said()
    move(old.model_copy(update={"objects_url": folder.objects_url}), database_url=folder.database_url)
    assert f"This data has moved to {folder.database_url}. Please set LIKENESS_DATABASE_URL to that." in said()


def test_only_the_database_moves(old, folder, open_grid_backend):
    there = Place(folder.database_url, old.objects_url)

    move(old, database_url=folder.database_url)

    assert contents(there.database_url) == contents(old.database_url) != {}
    putting(open_grid_backend(there.settings(old)))(kind="noise", seed=1)


def test_the_new_database_with_the_old_pictures_takes_no_changes(stocked, old, folder, open_grid_backend):
    move_to(old, folder)
    mixed = open_grid_backend(Place(folder.database_url, old.objects_url).settings(old))

    with pytest.raises(StoreUnavailable, match="has moved"):
        putting(mixed)(kind="noise", seed=1)

    assert stocked.settings == old


def test_characters_that_postgresql_cannot_keep_become_marks_and_are_told(backend, old, servers):
    image = putting(backend)()
    with sqlite3.connect(old.data / "likeness.db") as connection:
        connection.execute("UPDATE images SET caption = ?, exif = ?", ("a\0b", '{"Make": "X\\u0000\\ud800Y"}'))
    connection.close()

    moved = move_to(old, servers)

    row = next(row for row in contents(servers.database_url)["images"] if row[0] == image.row)
    assert "\0" not in repr(row)
    assert moved.cleaned == 1
    again = Database(servers.database_url)
    with again.read() as connection:
        caption, exif = connection.execute(sa.select(images.c.caption, images.c.exif)).one()
    again.close()
    assert (caption[0], caption[-1], exif["Make"][0], exif["Make"][-1]) == ("a", "b", "X", "Y")


def test_originals_that_were_lost_or_damaged_before_are_told_and_stop_nothing(backend, old, folder):
    put = putting(backend)
    lost, damaged, whole = (put(kind="noise", seed=seed) for seed in range(3))
    backend.objects.delete(lost.object_key)
    file = next(Path(old.data / "objects").rglob(damaged.sha256))
    file.write_bytes(b"rust")

    moved = move_to(old, folder)

    assert moved.missing == 1
    assert moved.files.damaged == [damaged.object_key]
    assert set(originals(folder.objects_url)) == {damaged.object_key, whole.object_key}


def test_what_was_in_the_new_store_before_is_believed_only_when_it_is_whole(backend, old, folder, tmp_path):
    """Also what records name and the old store has lost."""
    put = putting(backend)
    rotten, whole, only_there, lost = (put(kind="noise", seed=seed) for seed in range(4))
    store = FolderObjects(tmp_path / "new" / "objects")
    for image in (rotten, whole, only_there, lost):
        with backend.objects.open(image.object_key) as stream:
            content = stream.read()
        is_right = image in (whole, only_there)
        store.put(image.object_key, BytesIO(content if is_right else bytes(len(content))))
    for image in (only_there, lost):
        backend.objects.delete(image.object_key)
    with backend.database.write() as connection:  # the pictures were in that store once
        store.put(f"installation/{records_moves.name_installation(connection)}", BytesIO(b""))

    moved = move(old, objects_url=folder.objects_url)

    kept = originals(folder.objects_url)
    assert [kept[image.object_key] == image.sha256 for image in (rotten, whole, only_there)] == [True] * 3
    assert (moved.files.objects, moved.missing) == (1, 1)


def test_what_an_interrupted_move_has_verified_is_not_read_again(stocked, old, folder, tmp_path):
    def stop(label: str, done: int, total: int) -> None:
        if label == "Copying pictures" and done == total:
            raise Enough

    with pytest.raises(Enough):
        move_to(old, folder, tell=stop)
    kept = Inventory(FolderObjects(tmp_path / "new" / "objects"))
    assert all(kept.is_verified(key) for key in originals(old.objects_url))
    assert stocked.settings == old

    moved = move_to(old, folder)

    assert (moved.files.objects, moved.files.found) == (0, 0)
    kept = Inventory(FolderObjects(tmp_path / "new" / "objects"))
    assert not any(kept.is_verified(key) for key in originals(old.objects_url))


def test_a_store_that_is_known_by_another_address_is_the_same_one(stocked, old, folder, tmp_path, open_grid_backend):
    """A link stands for whatever gives a folder or a bucket two names: mounts of containers, names of hosts."""
    for name, target in (("old by link", old.data / "objects"), ("new by link", tmp_path / "new" / "objects")):
        (tmp_path / name).symlink_to(target)
    by_link = old.model_copy(update={"objects_url": (tmp_path / "old by link").as_uri()})
    other = open_grid_backend(by_link)
    with pytest.raises(Conflict, match="already"):
        move(old, objects_url=by_link.objects_url)

    move(old, objects_url=folder.objects_url)

    for backend in (stocked, other):
        with pytest.raises(StoreUnavailable, match="has moved"):
            putting(backend)(kind="noise", seed=1)
    with pytest.raises(Conflict, match="has moved to"):
        move(by_link, objects_url=(tmp_path / "third").as_uri())
    new_by_link = old.model_copy(update={"objects_url": (tmp_path / "new by link").as_uri()})
    putting(open_grid_backend(new_by_link))(kind="noise", seed=1)


def test_no_password_is_shown_or_kept():
    url = "postgresql://ann:ONE@host/name?password=TWO&sslmode=require&sslpassword=THREE"

    assert without_secrets(sa.make_url(url)) == "postgresql://ann@host/name?sslmode=require"
    assert without_secrets(sa.make_url("sqlite:////tmp/a.db")) == "sqlite:////tmp/a.db"


@pytest.mark.on_both_databases
def test_the_copies_of_vector_engines_that_nobody_follows_any_more_are_told(stocked, old, folder):
    with stocked.database.write() as connection:
        encoder = connection.scalar(sa.select(encoders.c.fingerprint))
        for address, place in (
            ("milvus://host:19530", "likeness_7"),
            ("milvus://host:19530 replaced", "likeness_6"),
            ("pgvector://", "in_the_old_database"),
        ):
            values = {
                "address": address,
                "place": place,
                "encoder": encoder,
                "change": 1,
                "written_at": datetime.now(UTC),
            }
            connection.execute(vector_copies.insert().values(values))

    moved = move(old, database_url=folder.database_url)

    assert moved.copies == [("milvus://host:19530", "likeness_7"), ("milvus://host:19530", "likeness_6")]


def test_pictures_that_were_imported_in_place_stay_where_they_are(backend, old, folder):
    image = putting(backend)()
    with backend.database.write() as connection:
        connection.execute(images.update().values(path="/photos/a.png"))
        connection.execute(image_sources.update().values(path="/photos/a.png"))
    backend.objects.delete(image.object_key)

    moved = move_to(old, folder)

    assert (moved.in_place, moved.missing) == (1, 0)


# ---- While people work


def test_whatever_is_accepted_during_a_move_has_arrived_and_searches_are_answered_throughout(worked, old, servers):
    put, image = putting(worked), _any_ready(worked)
    accepted: list[str] = []
    refusals: list[LikenessError] = []
    answers: list[int] = []
    moving = threading.Event()
    moving.set()

    def upload() -> None:
        for seed in itertools.count(1000):
            try:
                accepted.append(put(kind="noise", seed=seed).object_key)
            except LikenessError as error:
                refusals.append(error)
                if error.user_message == MOVED:
                    return

    def ask() -> None:
        while moving.is_set():
            answers.append(len(found_ids(worked, image)))

    threads = [threading.Thread(target=work) for work in (upload, ask)]
    for thread in threads:
        thread.start()
    move_to(old, servers)
    moving.clear()
    for thread in threads:
        thread.join()

    assert accepted
    assert {error.user_message for error in refusals} == {MOVED}
    assert set(accepted) <= set(originals(servers.objects_url))
    database = Database(servers.database_url)
    with database.read() as connection:
        hashes = set(connection.scalars(sa.select(images.c.sha256)))
    database.close()
    assert {key.rpartition("/")[2] for key in accepted} <= hashes
    assert answers
    assert min(answers) > 0
    assert contents(servers.database_url) == contents(old.database_url)


@pytest.mark.parametrize("tables", [4, 10, 15])
def test_what_changes_behind_a_copy_that_was_stopped_is_changed_there_too(tables, worked, old, folder):
    """It is stopped after so many tables; then much happens that is in its own way; then it is made to its end."""
    told = itertools.count(1)

    def stop(label: str, _done: int, _total: int) -> None:
        if label == "Copying the database" and next(told) == tables:
            raise Enough

    with pytest.raises(Enough):
        move_to(old, folder, tell=stop)
    with worked.database.write() as connection:
        gone, other = connection.scalars(sa.select(images.c.row).order_by(images.c.row).limit(2))
        digest = connection.scalar(sa.select(images.c.sha256).where(images.c.row == gone))
        records_images.purge(connection, [gone])
        connection.execute(images.update().where(images.c.row == other).values(sha256=digest, library="main"))
        for before, after in (("ann", "eva"), ("bob", "ann"), ("eva", "bob")):
            connection.execute(people.update().where(people.c.name == before).values(name=after))
    putting(worked)(kind="noise", seed=400)
    Worker(worked).drain()
    filled = Database(folder.database_url)
    with pytest.raises(StoreUnavailable, match="likeness move"), filled.write():
        pytest.fail("a database that is being filled takes no changes")
    filled.close()

    move(old, database_url=folder.database_url)

    assert contents(folder.database_url) == contents(old.database_url)


# ---- Whatever is interrupted goes on


@pytest.mark.parametrize("event", ["commit", "rename"])
def test_a_move_that_is_killed_at_any_step_goes_on_and_loses_nothing(event, worked, tmp_path):
    worked.database.close()
    done = subprocess.run(
        [sys.executable, TESTS / "killed_move.py", worked.settings.data, tmp_path / "trials", event],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    kills = int(done.stdout.split()[0])
    assert kills >= {"commit": 7, "rename": 2}[event]


def test_a_store_that_goes_down_ends_the_move_with_a_sentence_and_the_next_one_goes_on(worked, old, postgresql):
    own = S3Server()
    url = postgresql.new_database()
    try:
        new = Place(url, own.url())

        def pull_the_plug(label: str, done: int, _total: int) -> None:
            if label == "Copying pictures" and done >= 3:
                own.kill()

        with pytest.raises(StoreUnavailable):
            move_to(old, new, tell=pull_the_plug)
        putting(worked)(kind="noise", seed=500)
        own.start()

        moved = move_to(old, new)

        assert originals(new.objects_url) == originals(old.objects_url)
        assert moved.files.objects > 0
    finally:
        own.close()
        postgresql.drop_database(url)


# ---- Nobody's library is overwritten


def test_a_database_with_data_of_its_own_is_refused(stocked, old, folder, open_grid_backend, tmp_path):
    other = open_grid_backend(old.model_copy(update=other_data(tmp_path)))
    image = putting(other)()

    with pytest.raises(Conflict, match="data of its own"):
        move(old, database_url=other.settings.database_url)

    assert [row[1] for row in contents(other.settings.database_url)["images"]] == [image.id]
    assert stocked.settings == old
    assert folder


def other_data(tmp_path: Path) -> dict[str, object]:
    data = tmp_path / "other"
    return {
        "data": data,
        "database_url": f"sqlite:///{data}/likeness.db",
        "objects_url": (data / "objects").as_uri(),
    }


def test_an_object_store_with_pictures_of_others_is_refused(stocked, old, folder, tmp_path):
    store = FolderObjects(tmp_path / "new" / "objects")
    with (tmp_path / "a").open("w+b") as file:
        store.put(f"originals/main/{'ab' * 32}", file)

    with pytest.raises(Conflict, match="not of this installation"):
        move(old, objects_url=folder.objects_url)

    putting(stocked)(seed=1)


def test_a_copy_made_beforehand_saves_copying(stocked, old, folder, tmp_path):
    store = FolderObjects(tmp_path / "new" / "objects")
    for stored in stocked.objects.list(""):
        with stocked.objects.open(stored.key) as stream:
            store.put(stored.key, stream)

    moved = move(old, objects_url=folder.objects_url)

    assert moved.files.objects == 0
    assert originals(folder.objects_url) == originals(old.objects_url)


def test_one_database_is_not_moved_twice(stocked, old, folder, tmp_path):
    move_to(old, folder)

    with pytest.raises(Conflict, match=r"moved to .*new/likeness\.db already"):
        move_to(old, folder)
    with pytest.raises(Conflict, match=r"moved to .*new/likeness\.db already"):
        move(old, database_url=f"sqlite:///{tmp_path}/third.db")
    assert stocked.settings == old


def test_two_moves_do_not_run_at_once(stocked, old, folder):
    with stocked.database.exclusively("move"), pytest.raises(Conflict, match="Another"):
        move_to(old, folder)


def test_the_same_addresses_and_an_empty_beginning_are_told(settings, backend, tmp_path):
    with pytest.raises(Conflict, match="already"):
        move(settings, database_url=settings.database_url, objects_url=settings.objects_url)
    nothing = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/none.db"})
    with pytest.raises(Conflict, match="nothing to move"):
        move(nothing, database_url=settings.database_url)
    assert not (tmp_path / "none.db").exists()
    assert backend.settings is settings


def test_a_database_that_was_used_since_a_copy_is_refused_rather_than_rewritten(stocked, old, folder):
    """Its audit log, which nobody can change, tells of something else."""

    def stop(label: str, _done: int, _total: int) -> None:
        if label == "Catching up":
            raise Enough

    with pytest.raises(Enough):
        move_to(old, folder, tell=stop)
    other = Database(folder.database_url)
    with other.engine.begin() as connection:
        records_audit.add(connection, OWNER, Event.PERSON_ADDED, "somebody else")
    other.close()

    with pytest.raises(Conflict, match="audit log"):
        move_to(old, folder)

    putting(stocked)(seed=1)


def test_every_table_is_copied_or_belongs_to_a_place(old):
    assert set(copied_tables()) == set(metadata.tables) - PLACE_TABLES
    assert old
