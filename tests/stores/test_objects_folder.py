"""What only the folder has: files that others leave in it, and leftovers of writers that were killed."""

import io
import os
import shutil
from pathlib import Path

import pytest

from pipeline.errors import StoreUnavailable
from pipeline.stores.objects_folder import STALE_SECONDS, TEMPORARY, FolderObjects

KEY = "originals/main/0a1b2c"


@pytest.fixture
def objects(tmp_path) -> FolderObjects:
    store = FolderObjects(tmp_path / "objects")
    store.put(KEY, io.BytesIO(b"x"))
    return store


@pytest.mark.parametrize(
    "stray", ["README", ".DS_Store", "originals/Thumbs.db", "originals/main/zz/0a1b2c", "originals/main/0a/.DS_Store"]
)
def test_files_that_are_no_objects_are_not_listed(objects, stray):
    path = objects.folder / stray
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("left by somebody else")

    assert [stored.key for stored in objects.list("")] == [KEY]
    assert path.exists()


def test_what_a_killed_writer_left_is_swept_when_it_is_a_day_old(objects):
    leftover = objects.folder / "originals" / "main" / "0a" / f"{TEMPORARY}00ff"
    leftover.write_bytes(b"half a pict")

    assert [stored.key for stored in objects.list("")] == [KEY]
    assert leftover.exists()  # its writer may still be at work

    day_ago = leftover.stat().st_mtime - STALE_SECONDS - 1
    os.utime(leftover, (day_ago, day_ago))
    assert [stored.key for stored in objects.list("")] == [KEY]
    assert not leftover.exists()


def test_a_folder_that_has_vanished_is_a_store_that_is_down(objects):
    shutil.rmtree(objects.folder)

    with pytest.raises(StoreUnavailable):
        objects.open(KEY)


def test_the_names_of_folders_may_have_spaces_and_signs(tmp_path):
    store = FolderObjects(tmp_path / "my photos 100% #1 ü")
    store.put(KEY, io.BytesIO(b"x"))

    assert store.exists(KEY)


@pytest.fixture
def synced(monkeypatch) -> list[str]:
    """The names of what is synced from now on, in order."""
    names, sync = [], os.fsync

    def note(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return names


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells which file a descriptor is of")
def test_a_durable_object_is_synced_with_its_folder_and_each_new_folder_once(tmp_path, synced):
    store = FolderObjects(tmp_path / "objects")
    store.put(KEY, io.BytesIO(b"x"))
    assert synced[0].startswith(TEMPORARY)
    assert synced[1:] == ["0a", "main", "originals", "objects"]

    del synced[:]
    store.put("originals/main/0a9999", io.BytesIO(b"x"))
    assert synced[1:] == ["0a"]

    del synced[:]
    store.put("originals/main/0b1111", io.BytesIO(b"x"))
    assert synced[1:3] == ["0b", "main"]

    del synced[:]
    store.put("originals/main/0c1111", io.BytesIO(b"x"), durable=False)
    assert synced == []
