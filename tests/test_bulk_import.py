import os
import shutil
from pathlib import Path

import pytest
from pictures import picture_bytes, torn

from pipeline.backend import Backend
from pipeline.bulk_import import Destination, FileResult, Outcome, count_waiting, import_files, list_failures, working
from pipeline.curation import delete
from pipeline.errors import InvalidQuery, ObjectNotFound, StoreUnavailable
from pipeline.folder_walk import list_files
from pipeline.images import ImageRecord
from pipeline.originals import original_bytes
from pipeline.principals import OWNER
from pipeline.stores import records_images

MAIN = Destination("main", OWNER)
IN_PLACE = Destination("main", OWNER, in_place=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two different pictures in a folder and its subfolder."""
    place = tmp_path / "photos"
    (place / "more").mkdir(parents=True)
    (place / "one.png").write_bytes(picture_bytes(seed=1))
    (place / "more" / "two.png").write_bytes(picture_bytes(seed=2))
    return place


def bring_in(backend: Backend, folder: Path, destination: Destination = MAIN) -> list[FileResult]:
    listing = list_files([str(folder)])
    return list(import_files(backend, listing.files, [str(folder)], destination))


def outcomes(results: list[FileResult]) -> list[str]:
    return [result.outcome.value for result in results]


def all_images(backend: Backend) -> list[ImageRecord]:
    with backend.database.read() as connection:
        return records_images.get_by_rows(connection, range(1, 1000))


def test_a_file_that_did_not_change_is_not_read_again(backend: Backend, folder: Path) -> None:
    assert outcomes(bring_in(backend, folder)) == ["new", "new"]
    assert outcomes(bring_in(backend, folder)) == ["unchanged", "unchanged"]


def test_a_deleted_picture_does_not_come_back_with_its_folder(backend: Backend, folder: Path) -> None:
    bring_in(backend, folder)
    thrown_away = all_images(backend)[0]
    delete(backend, [thrown_away.id], OWNER)

    assert outcomes(bring_in(backend, folder)) == ["unchanged", "unchanged"]
    assert [image.id for image in all_images(backend) if image.deleted_at] == [thrown_away.id]


def test_a_deleted_picture_that_comes_in_from_a_new_file_is_restored_and_told(backend: Backend, folder: Path) -> None:
    bring_in(backend, folder)
    delete(backend, [image.id for image in all_images(backend)], OWNER)
    shutil.copy(folder / "one.png", folder / "more" / "z.png")

    assert outcomes(bring_in(backend, folder)) == ["unchanged", "unchanged", "restored"]
    assert [image.filename for image in all_images(backend) if not image.deleted_at] == ["one.png"]


def test_a_file_that_changed_is_a_new_picture(backend: Backend, folder: Path) -> None:
    bring_in(backend, folder)
    (folder / "one.png").write_bytes(picture_bytes(seed=3, size=(120, 80)))
    assert outcomes(bring_in(backend, folder)) == ["new", "unchanged"]
    assert len(all_images(backend)) == 3


def test_the_same_bytes_in_a_second_place_are_the_same_picture(backend: Backend, folder: Path) -> None:
    shutil.copy(folder / "one.png", folder / "zwilling.png")
    results = bring_in(backend, folder)
    assert sorted(outcomes(results)) == ["existing", "new", "new"]
    assert len(all_images(backend)) == 2


def test_a_copy_stays_when_the_file_is_removed(backend: Backend, folder: Path) -> None:
    bring_in(backend, folder)
    shutil.rmtree(folder)
    assert {original_bytes(backend, image) for image in all_images(backend)} == {
        picture_bytes(seed=1),
        picture_bytes(seed=2),
    }


def test_in_place_nothing_is_copied(backend: Backend, folder: Path) -> None:
    bring_in(backend, folder, IN_PLACE)
    assert {image.path for image in all_images(backend)} == {
        str(folder / "one.png"),
        str(folder / "more" / "two.png"),
    }
    assert not list(backend.objects.list(""))


def replace_with_other_bytes(file: Path) -> None:
    """Put another picture of the very same size there."""
    size, changed = file.stat().st_size, file.stat().st_mtime_ns
    file.write_bytes(picture_bytes(seed=3).ljust(size, b"\0")[:size])
    os.utime(file, ns=(changed, changed + 1_000_000_000))
    assert file.stat().st_size == size


@pytest.fixture
def padded(folder: Path) -> Path:
    """A picture with room behind it, so that another of the same size can take its place."""
    file = folder / "one.png"
    file.write_bytes(picture_bytes(seed=1) + bytes(4096))
    return file


def test_a_file_in_place_with_other_bytes_of_the_same_size_is_not_served(
    backend: Backend, folder: Path, padded: Path
) -> None:
    bring_in(backend, folder, IN_PLACE)
    image = next(image for image in all_images(backend) if image.path == str(padded))
    replace_with_other_bytes(padded)
    with pytest.raises(ObjectNotFound, match="has changed"):
        original_bytes(backend, image)


def test_a_file_in_place_that_was_replaced_leaves_one_picture_on_its_path(
    backend: Backend, folder: Path, padded: Path
) -> None:
    first = padded.read_bytes()
    bring_in(backend, folder, IN_PLACE)
    replace_with_other_bytes(padded)

    assert sorted(outcomes(bring_in(backend, folder, IN_PLACE))) == ["new", "unchanged"]

    on_path = [image for image in all_images(backend) if image.path == str(padded)]
    old, new = sorted(on_path, key=lambda image: image.row)
    assert (old.deleted_at is None, new.deleted_at is None) == (False, True)
    assert original_bytes(backend, new) == padded.read_bytes()
    with pytest.raises(ObjectNotFound, match="has changed"):
        original_bytes(backend, old)
    assert outcomes(bring_in(backend, folder, IN_PLACE)) == ["unchanged", "unchanged"]

    padded.write_bytes(first)
    os.utime(padded, ns=(1, 1))
    assert sorted(outcomes(bring_in(backend, folder, IN_PLACE))) == ["restored", "unchanged"]
    deleted = [image.row for image in all_images(backend) if image.deleted_at]
    assert deleted == [new.row]
    assert outcomes(bring_in(backend, folder, IN_PLACE)) == ["unchanged", "unchanged"]


def test_a_replaced_file_in_place_whose_bytes_lie_elsewhere_too_keeps_its_picture(
    backend: Backend, folder: Path, padded: Path
) -> None:
    first = padded.read_bytes()
    shutil.copy(padded, folder / "a copy.png")
    for place in (folder, folder):
        bring_in(backend, place, IN_PLACE)
    row = next(image.row for image in all_images(backend) if image.path in {str(padded), str(folder / "a copy.png")})
    replace_with_other_bytes(padded)

    bring_in(backend, folder, IN_PLACE)

    kept = next(image for image in all_images(backend) if image.row == row)
    assert (kept.path, kept.deleted_at) == (str(folder / "a copy.png"), None)
    assert original_bytes(backend, kept) == first


def test_what_is_no_picture_is_refused_and_the_others_go_in(backend: Backend, folder: Path) -> None:
    (folder / "notes.txt").write_text("milk, eggs")
    (folder / "empty.jpg").touch()
    (folder / "nowhere.jpg").symlink_to(folder / "missing.jpg")
    results = {Path(result.path).name: result for result in bring_in(backend, folder)}
    assert {name for name, result in results.items() if result.outcome is Outcome.REFUSED} == {
        "notes.txt",
        "empty.jpg",
        "nowhere.jpg",
    }
    assert "text file" in results["notes.txt"].sentence
    assert "gone" in results["nowhere.jpg"].sentence
    assert len(all_images(backend)) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused_with_a_sentence(backend: Backend, folder: Path) -> None:
    (folder / "one.png").chmod(0)
    refused = [result for result in bring_in(backend, folder) if result.outcome is Outcome.REFUSED]
    assert [result.sentence for result in refused] == ["There is no permission to read this file."]


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"line\nbreak.png", b" .png", "日本 🐈.png".encode(), b"a\\b.png"])
def test_odd_file_names_are_imported_and_recognized_again(backend: Backend, folder: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(picture_bytes(seed=9))
    assert sorted(outcomes(bring_in(backend, folder))) == ["new"] * 3
    assert outcomes(bring_in(backend, folder)) == ["unchanged"] * 3


def test_a_name_that_is_no_text_cannot_be_used_in_place(backend: Backend, folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(picture_bytes(seed=9))
    refused = [result for result in bring_in(backend, folder, IN_PLACE) if result.outcome is Outcome.REFUSED]
    assert len(refused) == 1
    assert "rename it" in refused[0].sentence


def test_closing_the_iterator_early_keeps_what_came_in(backend: Backend, folder: Path) -> None:
    files = list_files([str(folder)]).files
    results = import_files(backend, files, [str(folder)], MAIN)
    next(results)
    results.close()
    assert 1 <= len(all_images(backend)) <= 2
    again = bring_in(backend, folder)
    assert len(all_images(backend)) == 2
    assert "refused" not in outcomes(again)


def test_a_library_that_cannot_be_is_refused_before_anything_is_read(backend: Backend, folder: Path) -> None:
    with pytest.raises(InvalidQuery, match="name of a library"):
        list(import_files(backend, [str(folder / "one.png")], [str(folder)], Destination("../x", OWNER)))


def test_a_store_that_goes_away_ends_the_import(backend: Backend, folder: Path) -> None:
    objects = backend.settings.data / "objects"
    shutil.rmtree(objects, ignore_errors=True)
    objects.write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable):
        bring_in(backend, folder)


def test_waiting_counts_only_what_lies_below_the_places_of_this_import(backend: Backend, folder: Path) -> None:
    bring_in(backend, folder)
    assert count_waiting(backend, [str(folder)], "main") == 2
    assert count_waiting(backend, [str(folder / "more")], "main") == 1
    assert count_waiting(backend, [str(folder / "mo")], "main") == 0
    assert count_waiting(backend, [str(folder)], "other") == 0


def test_a_picture_that_fails_in_analysis_is_told_with_its_path(backend: Backend, folder: Path) -> None:
    (folder / "torn.png").write_bytes(torn(picture_bytes("noise", size=(400, 300), seed=5)))
    accepted = bring_in(backend, folder)
    with working(backend) as worker:
        while count_waiting(backend, [str(folder)], "main"):
            worker.bell.set()
    failed = list_failures(backend, [str(folder)], "main")
    assert [failure.path for failure in failed] == [str(folder / "torn.png")]
    assert "damaged" in failed[0].sentence
    assert len(accepted) == 3
