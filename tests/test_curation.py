"""What people do to images that are there."""

import io

import pytest
from pictures import picture_bytes

from pipeline import curation
from pipeline.errors import InvalidQuery
from pipeline.ingest import accept
from pipeline.principals import OWNER
from pipeline.uploads import spooled


def numbered(first: int, last: int) -> list[str]:
    return [f"tag {number:03}" for number in range(first, last)]


def tags_of(backend, image) -> list[str]:
    return list(curation.get_image(backend, image.id, OWNER).tags)


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


@pytest.fixture
def put_with_tags(backend):
    def put_one(data, tags):
        with spooled(io.BytesIO(data), "a.png", max_bytes=len(data)) as upload:
            return accept(backend, upload, OWNER, tags=tags).image

    return put_one
