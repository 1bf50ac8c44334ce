"""Workers: what they do with pictures that are fine, that are not, and with stores that are down."""

import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fakes import GridEncoder
from pictures import picture_bytes
from putting import putting
from queue_clock import let_leases_run_out, let_waiting_end

from pipeline.backend import Backend
from pipeline.bulk_import import working
from pipeline.features.extractor import FeatureExtractor
from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState, thumbnail_key
from pipeline.ingest import analyze
from pipeline.stores import records_images, records_listing, records_queue
from pipeline.stores.tables import images
from pipeline.worker import LONGEST_PAUSE_SECONDS, UNEXPECTED, Worker

pytestmark = pytest.mark.on_both_databases

WHOLE = picture_bytes("noise", size=(256, 256))
DAMAGED = WHOLE[: len(WHOLE) // 2] + bytes(200) + WHOLE[len(WHOLE) // 2 + 200 :]
"""A PNG of which a part was overwritten with zeros, as failing disks do; its header is fine."""


def get(backend: Backend, image: ImageRecord) -> ImageRecord:
    with backend.database.read() as connection:
        return records_images.get_by_rows(connection, [image.row])[0]


def states(backend: Backend) -> dict[str, int]:
    with backend.database.read() as connection:
        return {state.value: count for state, count in records_listing.count_states(connection).items() if count}


def due_in(backend: Backend, image: ImageRecord) -> timedelta:
    with backend.database.read() as connection:
        return connection.scalar(
            images.select().with_only_columns(images.c.not_before).where(images.c.row == image.row)
        ) - datetime.now(UTC)


def attempts(backend: Backend, image: ImageRecord) -> int:
    with backend.database.read() as connection:
        return connection.scalar(images.select().with_only_columns(images.c.attempts).where(images.c.row == image.row))


@contextmanager
def objects_down(backend: Backend):
    """Put a file where the folder of the originals was, as no permission would stop somebody who may do everything."""
    folder: Path = backend.objects.folder
    aside = folder.with_name("aside")
    shutil.move(folder, aside)
    folder.write_text("no folder")
    yield
    folder.unlink()
    shutil.move(aside, folder)


class StumblingEncoder(GridEncoder):
    """An encoder with an error in it: it cannot bear pictures that are red."""

    def embed_pictures(self, pictures):
        if any(picture.pixels[..., 0].mean() > 150 > picture.pixels[..., 1].mean() for picture in pictures):
            raise ZeroDivisionError("red")
        return super().embed_pictures(pictures)


@pytest.fixture
def stumbling(backend):
    extractor = FeatureExtractor(StumblingEncoder(), 1)
    yield replace(backend, extractor=extractor)
    extractor.close()


def test_waiting_pictures_become_ready_with_everything_that_is_computed(backend, put):
    waiting = [put(kind="disc", seed=number) for number in range(20)]

    assert Worker(backend).drain() == 20

    assert states(backend) == {"ready": 20}
    image = get(backend, waiting[7])
    assert image.encoder == "grid"
    assert image.color.swatches
    assert backend.vectors.count() == 20
    for px in (320, 640):
        assert backend.objects.exists(thumbnail_key("main", image.sha256, px))


def test_draining_tells_how_far_it_is(backend, put):
    for number in range(10):
        put(kind="disc", seed=number)
    told: list[int] = []

    Worker(backend).drain(told.append)

    assert told == [8, 2]  # the setting `batch_size` is 8


def test_two_workers_share_the_work_and_do_nothing_twice(backend, put):
    for number in range(40):
        put(kind="disc", seed=number)
    workers = [Worker(backend) for _ in range(2)]
    handled: list[int] = []

    threads = [threading.Thread(target=lambda worker=worker: handled.append(worker.drain())) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(handled) == 40
    assert states(backend) == {"ready": 40}


def test_a_damaged_picture_fails_with_its_sentence_and_the_others_go_on(backend, put):
    damaged = put(DAMAGED)
    put(seed=1)

    Worker(backend).drain()

    assert states(backend) == {"ready": 1, "failed": 1}
    failed = get(backend, damaged)
    assert failed.error.endswith(".")
    assert "damaged" in failed.error
    assert Worker(backend).drain() == 0


def test_a_picture_whose_file_is_gone_fails_with_its_sentence(backend, put):
    image = put()
    backend.objects.delete(image.object_key)

    Worker(backend).drain()

    assert get(backend, image).error == "The file of this picture is gone from the store."


def test_while_the_object_store_is_down_pictures_wait_and_no_try_is_counted(backend, put):
    image = put()
    with objects_down(backend):
        for _ in range(backend.settings.max_attempts + 2):
            assert Worker(backend).drain() == 1
            assert get(backend, image).state == ImageState.WAITING
            assert attempts(backend, image) == 0
            assert Worker(backend).drain() == 0  # not due yet
            let_waiting_end(backend.database)

    Worker(backend).drain()
    assert get(backend, image).state == ImageState.READY


def test_each_further_try_on_a_store_that_is_down_waits_twice_as_long(backend, put):
    image = put()
    worker = Worker(backend)
    waits = []
    with objects_down(backend):
        for _ in range(6):
            worker.drain()
            waits.append(due_in(backend, image).total_seconds())
            let_waiting_end(backend.database)

    # The setting `retry_seconds` is 5; the pause is cut at a minute. A second is left for the test itself.
    assert LONGEST_PAUSE_SECONDS == 60
    for wait, expected in zip(waits, (5, 10, 20, 40, 60, 60), strict=True):
        assert expected - 1 < wait <= expected


def test_a_worker_does_not_go_through_the_whole_queue_while_a_store_is_down(backend, put):
    for number in range(30):
        put(kind="disc", seed=number)

    with objects_down(backend):
        assert Worker(backend).drain() == 8


def test_an_error_of_our_own_is_tried_again_and_then_given_up_with_a_sentence(stumbling, put):
    red, blue = put(color="#d02020"), put(color="#2020d0")
    for _ in range(stumbling.settings.max_attempts):
        assert get(stumbling, red).state == ImageState.WAITING
        Worker(stumbling).drain()
        let_waiting_end(stumbling.database)

    assert get(stumbling, red).state == ImageState.FAILED
    assert get(stumbling, red).error == UNEXPECTED
    assert get(stumbling, blue).state == ImageState.READY


def test_a_picture_that_kills_every_worker_is_given_up_and_takes_no_other_with_it(backend, put):
    """A worker that is killed finishes nothing and gives nothing back; here it only claims."""
    poison, *others = [put(kind="disc", seed=number) for number in range(8)]
    settings = backend.settings

    for _ in range(settings.max_attempts):
        let_leases_run_out(backend.database)
        with backend.database.write() as connection:
            claimed = records_queue.claim(
                connection, limit=settings.batch_size, lease=timedelta(minutes=1), max_attempts=settings.max_attempts
            )
        assert claimed.images[0].row == poison.row

    let_leases_run_out(backend.database)
    Worker(backend).drain()

    assert get(backend, poison).error == records_queue.GAVE_UP
    assert [get(backend, image).state for image in others] == [ImageState.READY] * 7


def test_a_worker_that_is_told_to_stop_gives_back_what_it_has_not_begun(backend, put):
    for number in range(16):
        put(kind="disc", seed=number)
    worker = Worker(backend)

    worker.drain(lambda _done: worker.stop())

    assert states(backend) == {"ready": 8, "waiting": 8}
    with backend.database.read() as connection:
        assert not connection.execute(images.select().where(images.c.lease_token.is_not(None))).all()
    assert Worker(backend).drain() == 8


def test_a_slow_worker_whose_lease_was_lost_changes_nothing(backend, put):
    image = put(color="#d02020")
    with backend.database.write() as connection:
        slow = records_queue.claim(connection, limit=1, lease=timedelta(0), max_attempts=5)
    let_leases_run_out(backend.database)
    Worker(backend).drain()
    before, changes = get(backend, image), backend.vectors.catch_up()

    assert not analyze(backend, slow.images[0], slow.token)

    assert get(backend, image) == before
    assert (changes, backend.vectors.catch_up()) == (1, 0)


def test_a_lease_is_renewed_for_as_long_as_the_work_takes(settings, open_grid_backend):
    """The encoder waits until the first lease would be over; nobody else may have got the picture by then."""
    backend = open_grid_backend(settings.model_copy(update={"lease_seconds": 0.3}))
    putting(backend)()
    lease_over = threading.Event()

    class SlowEncoder(GridEncoder):
        def embed_pictures(self, pictures):
            lease_over.wait(0.9)
            others.append(Worker(backend).drain())
            return super().embed_pictures(pictures)

    others: list[int] = []
    extractor = FeatureExtractor(SlowEncoder(), 1)
    Worker(replace(backend, extractor=extractor)).drain()
    extractor.close()

    assert others == [0]
    assert states(backend) == {"ready": 1}


def test_a_running_worker_takes_what_comes_and_ends_when_told(backend, put):
    with working(backend) as worker:
        image = put()
        worker.bell.set()
        deadline = threading.Event()
        for _ in range(200):
            if get(backend, image).state != ImageState.WAITING:
                break
            deadline.wait(0.05)

    assert get(backend, image).state == ImageState.READY


def test_a_running_worker_waits_for_a_database_that_is_down(backend, tmp_path):
    """A worker that is asked to stop ends at once, however long its pause would be."""
    moved = tmp_path / "away"
    backend.database.close()
    shutil.move(backend.settings.data, moved)
    backend.settings.data.write_text("no folder")

    with working(backend) as worker:
        worker.bell.set()

    backend.settings.data.unlink()
    shutil.move(moved, backend.settings.data)
    assert Worker(backend).drain() == 0


def test_the_same_picture_gets_the_same_features_from_every_worker(backend, put):
    first, second = put(kind="disc", seed=5), put(kind="disc", seed=5, library="copy")
    Worker(backend).drain()

    one, two = get(backend, first), get(backend, second)
    assert (one.color, one.category) == (two.color, two.category)
    found = backend.vectors.nearest(np.full(48, 48**-0.5, np.float32), 2, where=Filter())
    assert found[0].similarity == found[1].similarity
