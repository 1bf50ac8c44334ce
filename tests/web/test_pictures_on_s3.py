"""The way of a picture where originals and thumbnails lie in a bucket: in, out, away, and through an outage."""

import io
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pictures import picture_bytes
from putting import putting
from s3_server import S3Server

from pipeline import curation
from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.downloads import open_download
from pipeline.errors import ObjectNotFound
from pipeline.export import FolderTarget, export, list_rows
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.filters import Filter
from pipeline.images import ImageState, original_key, thumbnail_key
from pipeline.originals import SIZES, original_bytes, thumbnail
from pipeline.principals import OWNER
from pipeline.reconcile import reconcile
from pipeline.settings import Settings, read_settings
from pipeline.stores.opening import open_objects
from pipeline.worker import Worker
from pipeline.zipping import zip_of_originals
from tests.web.conftest import OpenClient
from tests.web.photos import jpeg

SHA256 = "ab" * 32


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.url()


@pytest.fixture
def backend(bucket: str, tmp_path: Path, models: Path, open_grid_backend: Callable[[Settings], Backend]) -> Backend:
    """Opened stores whose files lie in a bucket; what no record names is removed at once."""
    return open_grid_backend(
        read_settings(data=tmp_path / "data", models=models, objects_url=bucket, grace_seconds=0, retry_seconds=0)
    )


@pytest.fixture
def own_s3() -> Iterator[S3Server]:
    """A server to be stopped."""
    server = S3Server()
    yield server
    server.close()


def keys(backend: Backend) -> list[str]:
    return sorted(stored.key for stored in backend.objects.list(""))


def test_a_picture_comes_in_is_analyzed_and_is_given_out_again(backend, put):
    data = picture_bytes(kind="disc", seed=1)
    image = put(data)
    Worker(backend).drain()

    assert get_image(backend, image.id, OWNER).state is ImageState.READY
    small = [thumbnail_key("main", image.sha256, px) for px in THUMBNAIL_SIZES]
    assert keys(backend) == sorted([image.object_key, *small])
    assert b"".join(open_download(backend, image).chunks) == data

    before = thumbnail(backend, image, THUMBNAIL_SIZES[0])
    backend.objects.delete(small[0])
    assert thumbnail(backend, image, THUMBNAIL_SIZES[0]) == before
    assert backend.objects.exists(small[0])


def test_an_export_and_an_archive_hold_the_very_bytes(backend, put, tmp_path):
    originals = [picture_bytes(seed=number) for number in range(3)]
    images = [put(data, filename="a.png") for data in originals]

    rows = list_rows(backend, Filter(), OWNER)
    assert all(done.file for done in export(backend, rows, FolderTarget(tmp_path / "out")))
    assert {file.read_bytes() for file in (tmp_path / "out/originals").iterdir()} == set(originals)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(zip_of_originals(backend, images))))
    assert {archive.read(name) for name in archive.namelist()} == set(originals)


def test_purged_pictures_take_their_files_with_them(backend, put):
    images = [put(kind="disc", seed=number) for number in range(3)]
    Worker(backend).drain()
    thumbnail(backend, images[0], SIZES[-1])

    curation.delete(backend, [image.id for image in images[:2]], OWNER, purge=True)

    assert {key.split("/")[-1][:64] for key in keys(backend)} == {images[2].sha256}


def test_a_sweep_removes_what_no_record_names_and_tells_what_is_missing(backend, put, bucket, s3):
    images = [put(seed=number) for number in range(2)]
    backend.objects.put(original_key("main", SHA256), io.BytesIO(b"left by a crash"))
    backend.objects.delete(images[0].object_key)
    others = s3.file(bucket, "others/notes.txt")
    others.parent.mkdir()
    others.write_text("of somebody else")

    repairs = reconcile(backend, sweep_objects=True)

    assert (repairs.removed_objects, repairs.missing_originals) == (1, 1)
    assert images[1].object_key in keys(backend)
    assert not backend.objects.exists(original_key("main", SHA256))
    assert others.exists()


def test_a_file_that_rots_on_the_disk_of_the_server_is_told_and_mended_by_sending_it_again(backend, put, bucket, s3):
    data = picture_bytes(seed=1)
    image = put(data)
    s3.file(bucket, image.object_key).write_bytes(data[:-1] + b"!")

    with pytest.raises(ObjectNotFound, match="damaged in the store"):
        original_bytes(backend, image)

    put(data)
    assert original_bytes(backend, image) == data


def test_a_large_original_does_not_pile_up_in_memory(bucket):
    objects = open_objects(bucket)
    size, allowed = 40 << 20, 8 << 20
    objects.put("originals/main/large", io.BytesIO(bytes(size)))

    tracemalloc.start()
    with objects.open("originals/main/large") as stream:
        read = sum(len(chunk) for chunk in iter(lambda: stream.read(1 << 18), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert read == size
    assert peak < allowed


def test_pictures_wait_while_the_store_is_down_and_are_analyzed_when_it_is_back(
    own_s3, tmp_path, models, open_grid_backend
):
    backend = open_grid_backend(
        read_settings(data=tmp_path / "data", models=models, objects_url=own_s3.url(), retry_seconds=0)
    )
    images = [putting(backend)(kind="disc", seed=number) for number in range(3)]
    own_s3.kill()
    Worker(backend).drain()
    assert {get_image(backend, image.id, OWNER).state for image in images} == {ImageState.WAITING}

    own_s3.start()
    Worker(backend).drain()
    assert {get_image(backend, image.id, OWNER).state for image in images} == {ImageState.READY}


def test_a_browser_is_told_of_an_outage_and_served_again_after_it(open_client: OpenClient, own_s3, tmp_path):
    data = jpeg("coffee.png")
    with open_client(tmp_path / "data", objects_url=own_s3.url()) as client:
        sent = client.post("/api/v1/images", files={"file": ("a.jpg", data)}, data={"wait": "true"})
        assert (sent.status_code, sent.json()["state"]) == (201, "ready")
        files = [f"/api/v1/images/{sent.json()['id']}/{kind}" for kind in ("original", "thumbnail")]
        assert client.get(files[0]).content == data
        assert client.get(files[1]).headers["content-type"] == "image/webp"

        own_s3.kill()
        answers = [client.get(file) for file in files]
        answers.append(client.post("/api/v1/images", files={"file": ("b.jpg", jpeg("chelsea.png"))}))
        assert [answer.status_code for answer in answers] == [503] * 3
        assert {answer.json()["error"]["message"] for answer in answers} == {
            "The object store does not answer. Please try again in a moment."
        }

        own_s3.start()
        assert [client.get(file).status_code for file in files] == [200, 200]
