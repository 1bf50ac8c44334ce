"""Repairing what crashes left behind, in both directions, and forgetting what is due."""

import io
import os
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from pictures import picture_bytes
from putting import putting

from pipeline import curation
from pipeline.access import get_image
from pipeline.images import ImageState, original_key, thumbnail_key
from pipeline.principals import OWNER
from pipeline.query_pictures import get_query_picture, keep_query_picture
from pipeline.reconcile import _sweep, reconcile
from pipeline.stores import records_images, records_uploads
from pipeline.stores.database import Database
from pipeline.stores.tables import embeddings, images, query_pictures, upload_cards
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

SHA256 = "ab" * 32
HOUR = 3600


def age(backend, key: str, seconds: float) -> None:
    """Let an object look as if it had been put so long ago."""
    segments = key.split("/")
    path = backend.objects.folder.joinpath(*segments[:-1], segments[-1][:2], segments[-1])
    moment = datetime.now(UTC).timestamp() - seconds
    os.utime(path, (moment, moment))


def keys(backend) -> list[str]:
    return sorted(stored.key for stored in backend.objects.list(""))


def put_orphan(backend, key: str, seconds: float) -> None:
    backend.objects.put(key, io.BytesIO(b"left by a crash"))
    age(backend, key, seconds)


@pytest.fixture
def ready(backend, put):
    """Three analyzed images."""
    found = [put(kind="disc", seed=number) for number in range(3)]
    Worker(backend).drain()
    return found


@pytest.mark.usefixtures("ready")
def test_a_sound_library_needs_no_repair(backend):
    before = keys(backend)
    for key in before:
        age(backend, key, 100 * HOUR)

    repairs = reconcile(backend, sweep_objects=True)

    assert repairs.sentence() == "Everything is in order; nothing had to be repaired."
    assert keys(backend) == before
    assert len(before) == 9  # an original and two thumbnails each


def test_an_image_that_lost_its_embedding_is_analyzed_again(backend, ready):
    with backend.database.write() as connection:
        connection.execute(embeddings.delete().where(embeddings.c.image_row == ready[1].row))

    assert reconcile(backend).analyzed_again == 1
    Worker(backend).drain()

    assert get_image(backend, ready[1].id, OWNER).state == ImageState.READY
    backend.vectors.rebuild()
    assert backend.vectors.count() == 3
    assert reconcile(backend).analyzed_again == 0


@pytest.mark.usefixtures("ready")
def test_keywords_are_read_off_the_vectors_of_images_that_an_older_version_analyzed(backend, put):
    red = put(kind="plain", color="#dc1e1e")
    Worker(backend).drain()
    assert [keyword.word for keyword in get_image(backend, red.id, OWNER).keywords] == ["red"]
    with backend.database.write() as connection:
        connection.execute(images.update().values(keywords=sa.null()))
        number = connection.scalar(sa.select(sa.func.max(embeddings.c.change)))

    reconcile(backend)

    assert [keyword.word for keyword in get_image(backend, red.id, OWNER).keywords] == ["red"]
    with backend.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.max(embeddings.c.change))) == number  # the index has nothing to do


def test_an_old_object_without_a_record_is_removed_and_a_young_one_is_not(backend):
    kept = keys(backend)
    grace = backend.settings.grace_seconds
    old = [original_key("main", SHA256), thumbnail_key("main", SHA256, 320)]
    young = original_key("main", "cd" * 32)
    for key in old:
        put_orphan(backend, key, grace + 60)
    put_orphan(backend, young, grace - 60)

    assert reconcile(backend, sweep_objects=True).removed_objects == 2
    assert keys(backend) == sorted([*kept, young])

    age(backend, young, grace + 60)
    assert reconcile(backend, sweep_objects=True).removed_objects == 1
    assert keys(backend) == kept


def test_the_timer_leaves_the_object_store_alone(backend):
    put_orphan(backend, original_key("main", SHA256), 100 * HOUR)

    assert reconcile(backend).removed_objects == 0
    assert keys(backend) == [original_key("main", SHA256)]


def test_the_same_bytes_in_another_library_do_not_protect_an_orphan(backend, ready):
    orphan = original_key("attic", ready[0].sha256)
    put_orphan(backend, orphan, 100 * HOUR)

    assert reconcile(backend, sweep_objects=True).removed_objects == 1
    assert orphan not in keys(backend)


def test_objects_that_are_not_ours_are_left_alone(backend):
    for key in ("exports/2024/all", "readme", "originals/main/not-a-hash"):
        put_orphan(backend, key, 100 * HOUR)

    assert reconcile(backend, sweep_objects=True).removed_objects == 0
    assert len(keys(backend)) == 3


def test_originals_that_are_missing_are_counted_and_what_is_known_of_them_is_kept(backend, ready):
    backend.objects.delete(ready[0].object_key)

    repairs = reconcile(backend, sweep_objects=True)

    assert repairs.missing_originals == 1
    assert "1 originals are missing" in repairs.sentence()
    assert get_image(backend, ready[0].id, OWNER).state == ImageState.READY


@pytest.mark.usefixtures("ready")
def test_an_original_that_arrives_during_the_sweep_is_not_missing(backend, open_grid_backend):
    """The listing has passed its folder already when it is put."""

    class BusyObjects(type(backend.objects)):
        def list(self, prefix):
            yield from super().list(prefix)
            putting(other)(seed=77)

    other = open_grid_backend(backend.settings)
    busy = open_grid_backend(backend.settings)
    object.__setattr__(busy, "objects", BusyObjects(backend.objects.folder))

    assert reconcile(busy, sweep_objects=True).missing_originals == 0


@pytest.mark.parametrize("batch", [1, 2, 4, 7])
def test_a_sweep_in_portions_finds_the_same(backend, ready, batch, monkeypatch):
    monkeypatch.setattr("pipeline.reconcile.SWEEP_BATCH", batch)
    backend.objects.delete(ready[1].object_key)
    kept = keys(backend)
    for number in range(5):
        put_orphan(backend, original_key("main", f"{number:064x}"), 100 * HOUR)
    for key in kept:
        age(backend, key, 100 * HOUR)

    repairs = reconcile(backend, sweep_objects=True)

    assert (repairs.removed_objects, repairs.missing_originals) == (5, 1)
    assert keys(backend) == kept


@pytest.mark.usefixtures("ready")
def test_an_image_that_is_recorded_during_the_sweep_keeps_its_old_objects(backend, open_grid_backend):
    """Its original was left by an upload that broke off long ago; the upload is repeated between look and removal."""

    class Repeated(Database):
        @contextmanager
        def write(self, *how):
            with database.write() as connection:
                records_images.add(connection, records_images.NewImage("main", SHA256, 9, "image/png", 6, 4, "a.png"))
            with super().write(*how) as connection:
                yield connection

    database = backend.database
    put_orphan(backend, original_key("main", SHA256), 100 * HOUR)
    other = open_grid_backend(backend.settings)
    object.__setattr__(other, "database", Repeated(backend.settings.database_url))

    removed, missing = _sweep(other, datetime.now(UTC))
    other.database.close()

    assert (removed, missing) == (0, 0)
    assert original_key("main", SHA256) in keys(backend)


def test_files_in_place_are_neither_missing_nor_removed(backend):
    with backend.database.write() as connection:
        new = records_images.NewImage("main", SHA256, 9, "image/png", 6, 4, "a.png", path="/gone/a.png", in_place=True)
        records_images.add(connection, new)

    assert reconcile(backend, sweep_objects=True).missing_originals == 0


@pytest.mark.parametrize(("days", "stays"), [(29, True), (31, False)])
def test_deleted_pictures_can_be_restored_for_a_month_and_are_then_gone(backend, ready, days, stays):
    image = ready[0]
    curation.delete(backend, [image.id], OWNER)
    with backend.database.write() as connection:
        long_ago = datetime.now(UTC) - timedelta(days=days)
        connection.execute(images.update().where(images.c.row == image.row).values(deleted_at=long_ago))
    orphan = original_key("main", SHA256)
    put_orphan(backend, orphan, 100 * HOUR)

    repairs = reconcile(backend)

    assert repairs.purged_images == (0 if stays else 1)
    assert len([key for key in keys(backend) if image.sha256 in key]) == (3 if stays else 0)
    assert orphan in keys(backend)  # what falls due is no reason to list the whole store
    assert len(curation.restore(backend, [image.id], OWNER)) == (1 if stays else 0)
    assert backend.vectors.count() == (3 if stays else 2)


def test_queries_and_lists_of_uploads_are_forgotten_when_their_time_is_over(backend):
    with spooled(io.BytesIO(picture_bytes()), "q.png", max_bytes=1 << 20) as upload:
        old, new = keep_query_picture(backend, upload), keep_query_picture(backend, upload)
    with backend.database.write() as connection:
        for batch in ("old", "new"):
            records_uploads.add(connection, batch, filename="a.png", size=1, outcome="refused", sentence="No.")
        two_days = datetime.now(UTC) - timedelta(days=2)
        connection.execute(query_pictures.update().where(query_pictures.c.key == old.key).values(created_at=two_days))
        nine_days = datetime.now(UTC) - timedelta(days=9)
        connection.execute(upload_cards.update().where(upload_cards.c.batch == "old").values(created_at=nine_days))

    assert reconcile(backend).forgotten_queries == 1

    assert get_query_picture(backend, new.key).key == new.key
    with backend.database.read() as connection:
        assert len(records_uploads.list_batch(connection, "new", None)) == 1
        assert records_uploads.list_batch(connection, "old", None) == []


@pytest.mark.usefixtures("ready")
def test_several_may_repair_at_once(backend, open_grid_backend):
    put_orphan(backend, original_key("main", SHA256), 100 * HOUR)
    others = [open_grid_backend(backend.settings) for _ in range(2)]

    removed = [reconcile(one, sweep_objects=True).removed_objects for one in (backend, *others)]

    assert removed == [1, 0, 0]
    assert len(keys(backend)) == 9


def test_uploads_that_a_killed_process_left_are_removed_after_a_day(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with spooled(io.BytesIO(b"x"), "a.png", max_bytes=10) as upload:
        in_hand = upload.path
        left = tmp_path / in_hand.name.replace(in_hand.stem, "likeness-killed")
        left.write_bytes(b"half a pict")
        other = tmp_path / "somebody-elses.upload"
        other.write_bytes(b"x")
        day_ago = datetime.now(UTC).timestamp() - 25 * HOUR
        for path in (left, other):
            os.utime(path, (day_ago, day_ago))

        reconcile(backend)

        assert not left.exists()
        assert in_hand.exists()
        assert other.exists()
