"""How pictures come in: what is accepted, what is refused, and that neither leaves a mess."""

import io
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pictures import picture_bytes
from PIL import Image
from putting import putting

from pipeline import curation
from pipeline.access import get_image
from pipeline.errors import DamagedImage, ImageRejected, InvalidQuery, ObjectNotFound, TooManyBytes, TooManyPixels
from pipeline.images import ImageState
from pipeline.ingest import accept, accept_into
from pipeline.originals import open_original, original_bytes
from pipeline.principals import OWNER, Principal, Role
from pipeline.reconcile import reconcile
from pipeline.stores import records_images, records_listing
from pipeline.stores.objects_folder import FolderObjects
from pipeline.uploads import existing_file, spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases


def nothing_is_kept(backend) -> bool:
    with backend.database.read() as connection:
        counts = records_listing.count_states(connection)
    return not any(counts.values()) and list(backend.objects.list("")) == []


def sources(backend, image) -> list[tuple[str, str | None]]:
    with backend.database.read() as connection:
        return [(source.filename, source.path) for source in records_images.sources(connection, image.row)]


def accept_bytes(backend, data: bytes, principal: Principal = OWNER, **options):
    with spooled(io.BytesIO(data), options.pop("filename", "a.png"), max_bytes=1 << 26) as upload:
        if "place" in options:
            return accept_into(backend, upload, principal, "main", **options)
        return accept(backend, upload, principal, **options)


def accept_in_place(backend, path: Path):
    return accept_into(backend, existing_file(path, max_bytes=1 << 26), OWNER, "main", place=path, in_place=True)


def test_an_accepted_picture_waits_with_its_original_kept_byte_for_byte(backend):
    data = picture_bytes(size=(120, 80))

    accepted = accept_bytes(backend, data, filename="harbor.png", caption=" At dawn ", tags=["sea", "sea", " boats "])

    image = accepted.image
    assert not accepted.existing
    assert (image.state, image.width, image.height, image.bytes) == (ImageState.WAITING, 120, 80, len(data))
    assert (image.filename, image.media_type, image.library) == ("harbor.png", "image/png", "main")
    assert (image.caption, image.tags) == ("At dawn", ("boats", "sea"))
    assert original_bytes(backend, image) == data


def test_the_same_bytes_make_one_image_with_every_place_they_came_from(backend):
    data = picture_bytes()

    first = accept_bytes(backend, data, filename="a.png", place=Path("/photos/a.png"))
    second = accept_bytes(backend, data, filename="b.png", place=Path("/backup/b.png"))
    third = accept_bytes(backend, data, filename="b.png", place=Path("/backup/b.png"))

    assert (first.existing, second.existing, third.existing) == (False, True, True)
    assert {first.image.id, second.image.id, third.image.id} == {first.image.id}
    assert sources(backend, first.image) == [("a.png", "/photos/a.png"), ("b.png", "/backup/b.png")]


def test_the_same_bytes_in_two_libraries_are_two_images(backend):
    data = picture_bytes()

    first, second = accept_bytes(backend, data), accept_bytes(backend, data, library="private")

    assert not second.existing
    assert first.image.id != second.image.id


def test_the_same_bytes_sent_by_many_at_once_make_one_image(backend):
    data = picture_bytes()
    accepted = []

    threads = [threading.Thread(target=lambda: accepted.append(accept_bytes(backend, data))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one.image.id for one in accepted}) == 1
    assert sum(not one.existing for one in accepted) == 1


def test_deleted_bytes_that_come_again_are_restored(backend, put):
    image = put()
    Worker(backend).drain()
    curation.delete(backend, [image.id], OWNER)

    again = accept_bytes(backend, picture_bytes())

    assert again.existing
    assert (again.image.id, again.image.deleted_at) == (image.id, None)
    assert backend.vectors.count() == 1


def test_purged_bytes_that_come_again_are_a_new_image(backend, put):
    image = put()
    curation.delete(backend, [image.id], OWNER, purge=True)

    again = accept_bytes(backend, picture_bytes())

    assert not again.existing
    assert again.image.row != image.row


def test_a_failed_picture_that_comes_again_is_analyzed_again(backend, put):
    image = put()
    backend.objects.delete(image.object_key)
    Worker(backend).drain()

    put()
    Worker(backend).drain()

    assert get_image(backend, image.id, OWNER).state == ImageState.READY


def test_a_second_upload_does_not_overwrite_what_people_wrote(backend):
    data = picture_bytes()
    accept_bytes(backend, data, caption="Grandmother", tags=["family"])

    again = accept_bytes(backend, data, tags=["1962"]).image

    assert (again.caption, again.tags) == ("Grandmother", ("1962", "family"))


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", ImageRejected),
        (b"not a picture at all, but long enough to look for a header in it", ImageRejected),
        (b"%PDF-1.7\n" + bytes(100), ImageRejected),
        (picture_bytes()[:40], DamagedImage),
    ],
    ids=["empty", "text", "pdf", "cut off"],
)
def test_what_is_no_picture_is_refused_and_leaves_nothing(backend, data, refusal):
    with pytest.raises(refusal) as caught:
        accept_bytes(backend, data)

    assert caught.value.user_message.endswith(".")
    assert nothing_is_kept(backend)


def test_too_many_pixels_are_refused_before_anything_is_kept(backend):
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG")  # 400 megapixels in 50 KB; the limit is 100

    with pytest.raises(TooManyPixels, match="400 megapixels"):
        accept_bytes(backend, file.getvalue())

    assert nothing_is_kept(backend)


def test_too_many_bytes_are_refused_as_soon_as_they_are_counted():
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    with (
        pytest.raises(TooManyBytes, match="larger than the limit of 3 MB"),
        spooled(Endless(), "endless.jpg", max_bytes=3_000_000),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"caption": "x" * 2001}, "2,000 characters"),
        ({"tags": ["x" * 101]}, "100 characters"),
        ({"tags": [str(number) for number in range(51)]}, "50 tags"),
        ({"library": "no/such"}, "name of a library"),
        ({"library": ""}, "name of a library"),
        ({"library": "private", "principal": Principal("guest", {"main": Role.OWNER})}, "no such library"),
    ],
)
def test_a_question_that_cannot_be_met_leaves_nothing(backend, options, sentence):
    with pytest.raises(InvalidQuery, match=sentence):
        accept_bytes(backend, picture_bytes(), **options)

    assert nothing_is_kept(backend)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\me\a.png", "a.png"),
        ("line\nbreak\x00.png", "line break.png"),
        ("", "unnamed"),
        ("x" * 400 + ".png", "x" * 255),
    ],
)
def test_a_file_name_is_kept_without_its_folder_and_control_characters(backend, sent, kept):
    assert accept_bytes(backend, picture_bytes(), filename=sent).image.filename == kept


def test_a_picture_in_place_is_not_copied(backend, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(picture_bytes())

    image = accept_in_place(backend, path).image

    assert image.path == str(path)
    assert list(backend.objects.list("originals/")) == []
    assert original_bytes(backend, image) == picture_bytes()


def test_a_picture_in_place_that_was_moved_is_found_when_it_is_imported_again(backend, tmp_path):
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    old.write_bytes(picture_bytes())
    accept_in_place(backend, old)
    old.rename(new)

    image = accept_in_place(backend, new).image

    assert original_bytes(backend, image) == picture_bytes()


def test_a_picture_in_place_that_is_uploaded_is_kept_here_from_then_on(backend, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(picture_bytes())
    accept_in_place(backend, path)

    image = accept_bytes(backend, picture_bytes()).image
    path.unlink()

    assert image.path is None
    assert original_bytes(backend, image) == picture_bytes()


@pytest.mark.parametrize("mishap", ["removed", "replaced", "a folder now"])
def test_a_picture_in_place_that_is_not_what_it_was_says_so(backend, tmp_path, mishap):
    path = tmp_path / "a.png"
    path.write_bytes(picture_bytes())
    image = accept_in_place(backend, path).image
    path.unlink()
    if mishap == "replaced":
        path.write_bytes(picture_bytes() + b"more")
    elif mishap == "a folder now":
        path.mkdir()

    with pytest.raises(ObjectNotFound) as caught:
        open_original(backend, image)
    assert caught.value.user_message.endswith((".", "?"))


def test_the_same_bytes_uploaded_during_a_sweep_keep_their_original(backend):
    """The sweep comes at the worst moment: after the original was put and before the record is written."""

    class SweptObjects(FolderObjects):
        sweeps = 0

        def put(self, key, stream, *, durable=True):
            super().put(key, stream, durable=durable)
            if not self.sweeps:
                self.sweeps += 1
                removed.append(reconcile(patient, sweep_objects=True).removed_objects)

    removed: list[int] = []
    patient = replace(backend, settings=backend.settings.model_copy(update={"grace_seconds": 0.0}))
    swept = replace(backend, objects=SweptObjects(backend.objects.folder))

    image = putting(swept)()

    assert removed == [1]
    assert original_bytes(backend, image) == picture_bytes()
