"""What is sent for an original, and that no file made of a picture tells more than the picture."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import told
from PIL import Image
from putting import Put, putting
from told import SECRET

from pipeline.backend import Backend
from pipeline.downloads import entity_tag, open_download
from pipeline.errors import DamagedImage, ObjectNotFound
from pipeline.export import FolderTarget, export, list_rows
from pipeline.filters import Filter
from pipeline.originals import SIZES, open_original, thumbnail
from pipeline.principals import OWNER
from pipeline.settings import Settings, read_settings
from pipeline.zipping import MISSING_NOTE, zip_of_originals

WOVEN = {"AVIF": "photo.avif", "HEIF": "photo.heic", "TIFF": "photo.tif"}
"""Formats that Pillow can write EXIF into and that are made anew."""


@pytest.fixture
def strict(tmp_path: Path, models: Path, open_grid_backend: Callable[[Settings], Backend]) -> Backend:
    """Opened stores of a server that strips originals."""
    return open_grid_backend(read_settings(data=tmp_path / "data", models=models, strip_originals=True))


def woven(plugin: str) -> bytes:
    return told.saved(told.photo(160, 120), plugin, exif=told.exif(1))


def sent(download) -> bytes:
    data = b"".join(download.chunks)
    assert len(data) == download.size_bytes
    return data


# ---- Derivatives


@pytest.mark.parametrize("px", SIZES)
@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "HEIF", "TIFF"])
def test_a_derivative_holds_pixels_and_nothing_else(backend: Backend, put: Put, name: str, px: int) -> None:
    data = woven(name) if name in WOVEN else getattr(told, name)()
    made = thumbnail(backend, put(data), px)
    assert SECRET in data
    assert SECRET not in made
    assert chunk_names(made) <= {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
    with Image.open(io.BytesIO(made)) as image:
        image.load()
        assert dict(image.getexif()) == {}
        assert not {"exif", "xmp", "icc_profile", "comment"} & set(image.info)
        assert name in WOVEN or image.height > image.width  # upright, so that it needs no orientation


def chunk_names(webp: bytes) -> set[bytes]:
    names, at = set(), 12
    while at < len(webp):
        length = int.from_bytes(webp[at + 4 : at + 8], "little")
        names.add(webp[at : at + 4])
        at += 8 + length + length % 2
    assert at == len(webp)
    return names


# ---- Originals


def test_originals_are_sent_as_they_are_unless_it_is_set_otherwise(backend: Backend, put: Put) -> None:
    data = told.jpeg()
    image = put(data, filename="a.jpg")
    download = open_download(backend, image)
    assert (download.filename, download.media_type, sent(download)) == ("a.jpg", "image/jpeg", data)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("jpeg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp"), ("gif", "image/gif"), ("bmp", "image/bmp")],
)
def test_a_stripped_original_keeps_name_type_and_pixels(strict: Backend, name: str, media_type: str) -> None:
    data = getattr(told, name)()
    download = open_download(strict, putting(strict)(data, filename=f"a.{name}"))
    assert (download.filename, download.media_type) == (f"a.{name}", media_type)
    left = sent(download)
    assert SECRET not in left
    assert told.frames(left) == told.frames(data)


@pytest.mark.parametrize("plugin", WOVEN)
def test_a_format_that_cannot_be_stripped_is_made_anew_at_full_size(strict: Backend, plugin: str) -> None:
    data = woven(plugin)
    download = open_download(strict, putting(strict)(data, filename=WOVEN[plugin]))
    left = sent(download)
    assert SECRET in data
    assert SECRET not in left
    assert (download.filename, download.media_type) == ("photo.webp", "image/webp")
    with Image.open(io.BytesIO(left)) as image:
        assert image.format == "WEBP"
        assert image.size == (160, 120)


def test_a_file_that_is_not_as_its_standard_has_it_is_made_anew(strict: Backend) -> None:
    data = told.jpeg()
    at = data.index(b"\xff\xe1")
    crooked = data[:at] + b"\0" + SECRET + data[at:]  # decoders look for the next marker; we do not
    download = open_download(strict, putting(strict)(crooked, filename="a.b.jpg"))
    assert download.filename == "a.b.webp"
    assert SECRET not in sent(download)


def test_a_picture_that_cannot_be_read_at_all_is_not_sent(strict: Backend) -> None:
    data = told.jpeg_without_pixels()
    image = putting(strict)(data)
    with open_original(strict, image) as stream:
        assert stream.read() == data
    with pytest.raises(DamagedImage, match="cannot be given out"):
        open_download(strict, image)


@pytest.mark.parametrize("stripped", [False, True], ids=["whole", "stripped"])
def test_a_file_that_has_rotted_in_the_store_is_told_and_not_sent(backend: Backend, strict: Backend, stripped) -> None:
    served = strict if stripped else backend
    data = told.jpeg()
    image = putting(served)(data)
    served.objects.put(image.object_key, io.BytesIO(data[:-40] + bytes([data[-40] ^ 1]) + data[-39:]))

    with pytest.raises(ObjectNotFound, match="damaged in the store"):
        open_download(served, image)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(zip_of_originals(served, [image]))))
    assert "damaged in the store" in archive.read(MISSING_NOTE).decode()

    putting(served)(data)
    assert sent(open_download(served, image))


def test_the_entity_tag_tells_stripped_originals_from_whole_ones(backend: Backend, strict: Backend, put: Put) -> None:
    image = put(told.jpeg())
    tags = {entity_tag(backend, image), entity_tag(strict, image)}
    assert len(tags) == 2
    assert all(tag.startswith(f'"{image.sha256}') and tag.endswith('"') for tag in tags)


# ---- Many at once


def test_an_archive_holds_what_would_be_sent_one_by_one(strict: Backend) -> None:
    put = putting(strict)
    images = [put(told.jpeg(), filename="a.jpg"), put(woven("HEIF"), filename="b.heic"), put(told.png(), filename="c")]
    torn = put(told.webp(), filename="d.webp")
    strict.objects.put(torn.object_key, io.BytesIO(b"RIFF\0\0\0\0WEBP" + SECRET))
    data = b"".join(zip_of_originals(strict, [*images, torn]))
    assert SECRET not in data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["a.jpg", "b.webp", "c", MISSING_NOTE]
        assert archive.testzip() is None
        assert "d.webp" in archive.read(MISSING_NOTE).decode()
        assert told.frames(archive.read("a.jpg")) == told.frames(told.jpeg())


def test_whoever_runs_the_server_exports_the_very_bytes(strict: Backend, tmp_path: Path) -> None:
    data = told.jpeg()
    putting(strict)(data, filename="a.jpg")
    list(export(strict, list_rows(strict, Filter(), OWNER), FolderTarget(tmp_path / "out")))
    assert (tmp_path / "out" / "originals" / "a.jpg").read_bytes() == data
