"""What only the folder has: files that others leave in it, and leftovers of writers that were killed."""

import io
import os
import shutil

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
