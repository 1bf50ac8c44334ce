"""What people do to images that are there."""

import io
import os
from datetime import UTC, datetime

import pytest
from pictures import picture_bytes

from pipeline import curation
from pipeline.access import get_image
from pipeline.errors import InvalidQuery
from pipeline.images import thumbnail_key
from pipeline.ingest import accept
from pipeline.originals import SIZES, original_bytes, thumbnail
from pipeline.principals import OWNER
from pipeline.reconcile import reconcile
from pipeline.uploads import spooled

pytestmark = pytest.mark.on_both_databases


def numbered(first: int, last: int) -> list[str]:
    return [f"tag {number:03}" for number in range(first, last)]


def tags_of(backend, image) -> list[str]:
    return list(get_image(backend, image.id, OWNER).tags)


def test_tagging_many_pictures_stops_at_fifty_tags_each_and_then_tags_none(backend, put):
    crowded, fresh = put(seed=1), put(seed=2)
    curation.add_tags(backend, [crowded.id], OWNER, numbered(0, 40))

    with pytest.raises(InvalidQuery, match=r"1 of these 2 would get more"):
        curation.add_tags(backend, [crowded.id, fresh.id], OWNER, numbered(35, 51))

    assert tags_of(backend, crowded) == numbered(0, 40)
    assert tags_of(backend, fresh) == []
    curation.add_tags(backend, [crowded.id, fresh.id, fresh.id], OWNER, numbered(35, 50))
    assert tags_of(backend, crowded) == numbered(0, 50)
    assert tags_of(backend, fresh) == numbered(35, 50)


def test_an_upload_of_the_same_bytes_cannot_add_tags_beyond_fifty(backend, put_with_tags):
    image = put_with_tags(picture_bytes(), numbered(0, 50))

    with pytest.raises(InvalidQuery, match="50 tags"):
        put_with_tags(picture_bytes(), ["one more"])

    assert tags_of(backend, image) == numbered(0, 50)
    assert put_with_tags(picture_bytes(), numbered(20, 30)).id == image.id


def keys(backend) -> set[str]:
    return {stored.key for stored in backend.objects.list("")}


def test_purging_removes_the_original_and_every_thumbnail_at_once(backend, put):
    other = put(seed=2)
    image, twin = put(seed=1), put(seed=1, library="attic")
    for px in SIZES:
        for each in (image, twin):
            thumbnail(backend, each, px)
    before = keys(backend)

    curation.delete(backend, [image.id], OWNER, purge=True)

    gone = {f"originals/main/{image.sha256}", *(f"thumbnails/main/{image.sha256}-{px}.webp" for px in SIZES)}
    assert before - keys(backend) == gone
    assert {other.object_key, twin.object_key} <= keys(backend)


def test_a_picture_uploaded_again_while_it_is_purged_keeps_its_original(backend, put):
    """The upload comes in after the record has gone and before the files go."""

    class BusyDatabase:
        def __init__(self):
            self.writes = 0

        def __getattr__(self, name):
            return getattr(database, name)

        def write(self, *how):
            self.writes += 1
            if self.writes == 2:
                again.append(put(seed=1))
            return database.write(*how)

    image, again, database = put(seed=1), [], backend.database
    object.__setattr__(backend, "database", BusyDatabase())

    curation.delete(backend, [image.id], OWNER, purge=True)

    assert again[0].id != image.id
    assert original_bytes(backend, again[0]) == picture_bytes(seed=1)


def test_files_that_a_store_in_trouble_keeps_are_removed_by_a_later_sweep(backend, put):
    image = put()
    folder, away = backend.objects.folder, backend.settings.data / "away"
    folder.rename(away)
    folder.touch()

    assert curation.delete(backend, [image.id], OWNER, purge=True)

    folder.unlink()
    away.rename(folder)
    assert keys(backend) == {image.object_key}
    day_ago = datetime.now(UTC).timestamp() - 24 * 3600
    for path in folder.rglob(image.sha256):
        os.utime(path, (day_ago, day_ago))
    assert reconcile(backend, sweep_objects=True).removed_objects == 1
    assert keys(backend) == set()


@pytest.fixture
def put_with_tags(backend):
    def put_one(data, tags):
        with spooled(io.BytesIO(data), "a.png", max_bytes=len(data)) as upload:
            return accept(backend, upload, OWNER, tags=tags).image

    return put_one


def test_a_thumbnail_that_a_power_cut_left_damaged_is_made_again(backend, put):
    image = put()
    whole = thumbnail(backend, image, 320)
    for left in (b"", whole[:100], bytes(len(whole))):
        backend.objects.put(thumbnail_key("main", image.sha256, 320), io.BytesIO(left))
        assert thumbnail(backend, image, 320) == whole
