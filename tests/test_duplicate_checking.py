"""The check for duplicates: on arrival and in bulk, by several workers, after crashes, and with stores down."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from edits import as_png, cropped, encoded_anew, mirrored, turned
from pictures import picture_bytes
from queue_clock import LONG_AGO

from pipeline import curation, duplicate_checking, duplicate_scanning
from pipeline.access import get_image
from pipeline.comparing import compare_images
from pipeline.duplicate_checking import Checker, copies_of, progress
from pipeline.errors import DamagedImage, ImageNotFound, NotAllowed, StoreUnavailable
from pipeline.features.comparison import EditKind, Verdict
from pipeline.features.fingerprint import Fingerprint
from pipeline.images import ImageRecord, thumbnail_key
from pipeline.principals import OWNER, Principal, Role, Scope
from pipeline.stores import records_findings, records_fingerprints
from pipeline.stores.records_fingerprints import CHECK_VERSION, IN_NO_HURRY, UNREADABLE, Progress
from pipeline.stores.tables_duplicates import fingerprints, pair_findings
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

LEASE = timedelta(minutes=1)


@pytest.fixture
def checked(backend, put):
    """Put pictures in, analyze and check them; return their records."""

    def check(*files: bytes, library: str = "main") -> list[ImageRecord]:
        images = [put(data, library=library) for data in files]
        worker = Worker(backend)
        worker.drain()
        worker.check()
        return images

    return check


@pytest.fixture
def analyzed(backend, put):
    """Put pictures in and analyze them; return their records."""

    def analyze(*files: bytes, library: str = "main") -> list[ImageRecord]:
        images = [put(data, library=library) for data in files]
        Worker(backend).drain()
        return images

    return analyze


def pairs(backend) -> dict[tuple[int, int], str]:
    with backend.database.read() as connection:
        found = connection.execute(sa.select(pair_findings.c.a_row, pair_findings.c.b_row, pair_findings.c.verdict))
        return {(a, b): verdict for a, b, verdict in found}


def states(backend) -> dict[int, int | None]:
    """What `checked` is, by row."""
    with backend.database.read() as connection:
        return dict(connection.execute(sa.select(fingerprints.c.image_row, fingerprints.c.checked)).all())


def set_columns(backend, **values) -> None:
    with backend.database.write() as connection:
        connection.execute(fingerprints.update().values(values))


@contextmanager
def objects_down(backend):
    """Put a file where the folder of the originals was, as no permission would stop somebody who may do everything."""
    folder: Path = backend.objects.folder
    aside = folder.with_name("aside")
    shutil.move(folder, aside)
    folder.write_text("no folder")
    yield
    folder.unlink()
    shutil.move(aside, folder)


def test_what_comes_in_is_compared_with_what_is_there(backend, checked, photos):
    cat, cup = checked(photos["chelsea"], photos["coffee"])
    assert pairs(backend) == {}

    (smaller,) = checked(encoded_anew(photos["chelsea"]))
    (part,) = checked(cropped(mirrored(photos["coffee"])))

    assert pairs(backend) == {(cat.row, smaller.row): "re-encoded", (cup.row, part.row): "edited"}
    [(other, comparison)] = copies_of(backend, part, OWNER)
    assert other.id == cup.id
    assert {edit.kind for edit in comparison.edits} >= {EditKind.MIRRORED, EditKind.CROPPED}
    assert comparison.mirrored
    [(other, back)] = copies_of(backend, cup, OWNER)
    assert other.id == part.id
    assert {edit.of for edit in back.edits} == {"b"} != {edit.of for edit in comparison.edits}
    assert set(states(backend).values()) == {CHECK_VERSION}


def test_copies_in_other_libraries_are_found_and_told_to_those_who_see_both(backend, checked, photos):
    (mine,) = checked(photos["rocket"])
    same, other = checked(photos["rocket"], turned(photos["rocket"]), library="theirs")

    assert pairs(backend)[mine.row, same.row] == "identical"
    assert [image.id for image, _ in copies_of(backend, mine, OWNER)] == [same.id, other.id]
    assert copies_of(backend, mine, Principal("ann", {"main": Role.OWNER})) == []


def test_the_same_pixels_in_another_file_are_identical_by_their_originals(backend, checked, photos):
    one, other = checked(photos["chelsea"], as_png(photos["chelsea"]))

    assert one.sha256 != other.sha256
    assert pairs(backend) == {(one.row, other.row): "identical"}


def test_several_workers_check_every_picture_once(backend, analyzed, photos):
    images = analyzed(
        *(edit(photos[name]) for name in ("chelsea", "rocket") for edit in (encoded_anew, mirrored, turned, cropped))
    )
    checkers, counted = [Checker(), Checker()], []

    def work(checker):
        with ThreadPoolExecutor(2) as pool:
            while number := checker.step(backend, pool):
                counted.append(number)

    threads = [threading.Thread(target=work, args=[checker]) for checker in checkers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counted) == len(images) == 8
    cats, rockets = [image.row for image in images[:4]], [image.row for image in images[4:]]
    assert set(pairs(backend)) == {(a, b) for rows in (cats, rockets) for a in rows for b in rows if a < b}


def test_what_a_dead_worker_held_is_checked_by_another_and_its_late_words_do_not_count(backend, analyzed, photos):
    one, other = analyzed(photos["coffee"], mirrored(photos["coffee"]))
    with backend.database.write() as connection:
        dead = records_fingerprints.claim(connection, limit=8, lease=LEASE)
        assert records_fingerprints.claim(connection, limit=8, lease=LEASE).rows == ()
    assert dead.rows == (one.row, other.row)
    assert Worker(backend).check() is False
    assert pairs(backend) == {}

    set_columns(backend, lease_until=LONG_AGO)
    Worker(backend).check()

    assert set(pairs(backend)) == {(one.row, other.row)}
    with backend.database.write() as connection:
        assert not records_fingerprints.finish(connection, one.row, dead.token)


def test_a_store_that_is_down_delays_the_check_and_loses_nothing(backend, analyzed, photos):
    one, other = analyzed(photos["coffee"], mirrored(photos["coffee"]))
    worker = Worker(backend)

    with objects_down(backend):
        assert worker.attempt(worker.check) > 0
        with pytest.raises(StoreUnavailable):
            duplicate_scanning.scan(backend, lambda _: None)
    assert set(states(backend).values()) == {None}

    worker.check()

    assert set(pairs(backend)) == {(one.row, other.row)}


def test_a_picture_that_cannot_be_read_any_more_holds_no_other_up(backend, analyzed, photos):
    gone, one, other = analyzed(photos["coffee"], mirrored(photos["coffee"]), turned(photos["coffee"]))
    backend.objects.delete(gone.object_key)
    for px in (320, 640):
        backend.objects.delete(thumbnail_key(gone.library, gone.sha256, px))

    Worker(backend).check()

    assert set(pairs(backend)) == {(one.row, other.row)}
    assert set(states(backend).values()) == {CHECK_VERSION}


def test_what_is_in_the_trash_is_compared_when_it_is_back_and_forgotten_when_it_is_purged(backend, checked, photos):
    (old,) = checked(photos["astronaut"])
    curation.delete(backend, [old.id], OWNER)
    (new,) = checked(mirrored(photos["astronaut"]))
    assert pairs(backend) == {}

    curation.restore(backend, [old.id], OWNER)
    Worker(backend).check()
    assert set(pairs(backend)) == {(old.row, new.row)}

    curation.delete(backend, [old.id], OWNER)
    assert copies_of(backend, new, OWNER) == []
    curation.delete(backend, [old.id], OWNER, purge=True)
    assert pairs(backend) == {}


def test_a_scan_checks_what_older_versions_left_and_goes_on_where_it_was_interrupted(backend, analyzed, photos):
    images = analyzed(photos["chelsea"], mirrored(photos["chelsea"]), photos["rocket"], encoded_anew(photos["rocket"]))
    with backend.database.write() as connection:
        connection.execute(fingerprints.delete())
    lost = images[2]
    for key in (lost.object_key, thumbnail_key(lost.library, lost.sha256, 640)):
        backend.objects.delete(key)
    told: list[Progress] = []

    def interrupt(now: Progress) -> None:
        told.append(now)
        raise KeyboardInterrupt

    duplicate_scanning.fill(backend, lambda _: None)
    with backend.database.read() as connection:
        made = records_fingerprints.get_many(connection, [image.row for image in images])
    assert made.pop(lost.row) == UNREADABLE
    assert all(one.quality > 0 and len(one.trimmed) == 256 for one in made.values())
    assert set(states(backend).values()) == {IN_NO_HURRY}
    with pytest.raises(KeyboardInterrupt):
        duplicate_scanning.scan(backend, interrupt)
    scanned = duplicate_scanning.scan(backend, told.append)

    assert (told[0].checked + scanned.checked, told[-1].left) == (4, 0)
    assert set(pairs(backend)) == {(images[0].row, images[1].row)}
    assert sum(scanned.pairs.values()) == 1


def test_everything_is_checked_again_when_asked_and_when_the_check_is_another(backend, checked, photos):
    one, other = checked(photos["rocket"], turned(photos["rocket"]))
    with backend.database.write() as connection:
        connection.execute(pair_findings.update().values(verdict="same-scene"))
    assert duplicate_scanning.scan(backend, lambda _: None).checked == 0
    assert pairs(backend) == {(one.row, other.row): "same-scene"}

    assert duplicate_scanning.scan(backend, lambda _: None, again=True, library="elsewhere").checked == 0
    assert duplicate_scanning.scan(backend, lambda _: None, again=True, library="main").checked == 2
    assert pairs(backend) == {(one.row, other.row): "edited"}

    set_columns(backend, checked=CHECK_VERSION - 1)
    assert progress(backend, OWNER) == Progress(0, 2)
    Worker(backend).check()
    assert progress(backend, OWNER) == Progress(2, 2)
    assert progress(backend, Principal("ann", {"other": Role.OWNER})) == Progress(0, 0)


def test_what_is_found_no_more_is_forgotten(backend, checked, photos):
    one, other = checked(photos["rocket"], photos["coffee"])
    with backend.database.write() as connection:
        found = replace(duplicate_checking.SAME_BYTES, verdict=Verdict.EDITED)
        records_findings.write(connection, other.row, {one.row: found})
    assert len(pairs(backend)) == 1

    duplicate_scanning.scan(backend, lambda _: None, again=True)

    assert pairs(backend) == {}


def test_whoever_waits_for_a_picture_has_it_checked_at_once(backend, put, checked, photos):
    checked(photos["coffee"])
    waited_for, other = put(mirrored(photos["coffee"])), put(photos["rocket"])
    worker = Worker(backend)
    worker.hurried.add(waited_for.row)

    worker.drain()

    assert len(pairs(backend)) == 1
    assert states(backend)[other.row] is None


def test_two_named_pictures_are_compared_whether_they_are_kept_or_not(backend, checked, photos, tmp_path):
    kept, copy = checked(photos["coffee"], cropped(photos["coffee"]))
    file = tmp_path / "mirrored.jpg"
    file.write_bytes(mirrored(photos["coffee"]))
    ann = Principal("ann", {"main": Role.VIEWER})

    assert compare_images(backend, kept.id, copy.id, ann) == copies_of(backend, kept, ann)[0][1]
    assert compare_images(backend, copy.id, kept.id, ann) == copies_of(backend, copy, ann)[0][1]
    assert compare_images(backend, kept.id, file, ann).mirrored
    assert compare_images(backend, photos["coffee"], kept.id, ann).verdict is Verdict.IDENTICAL
    assert not compare_images(backend, photos["coffee"], photos["rocket"], ann).verdict.is_copy
    assert backend.images.rows is not None

    for stranger, error in (
        (Principal("bob", {"other": Role.OWNER}), ImageNotFound),
        (Principal("ann", {"main": Role.VIEWER}, scopes=frozenset({Scope.UPLOAD})), NotAllowed),
    ):
        with pytest.raises(error):
            compare_images(backend, kept.id, photos["coffee"], stranger)
    with pytest.raises(DamagedImage):
        compare_images(backend, kept.id, photos["coffee"][:2000], ann)


def test_plain_pictures_are_no_copies_of_one_another(backend, checked):
    checked(*(picture_bytes(color=color, size=(200, 150)) for color in ("#101010", "#f0f0f0", "#c02020")))

    assert pairs(backend) == {}


def test_fingerprints_are_those_of_the_picture(backend, analyzed, photos):
    (image,) = analyzed(photos["astronaut"])

    with backend.database.read() as connection:
        [found] = records_fingerprints.get_many(connection, [image.row, image.row + 1]).values()

    assert isinstance(found, Fingerprint)
    assert (len(found.whole), len(found.trimmed)) == (32, 256)
    assert found.quality == 100
    assert get_image(backend, image.id, OWNER).state == "ready"
