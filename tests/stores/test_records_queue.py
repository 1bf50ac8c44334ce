"""The queue of images that wait for analysis: claims, leases, attempts."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

import numpy as np
import pytest
import sqlalchemy as sa
from fakes import GridEncoder
from queue_clock import let_leases_run_out, let_waiting_end
from random_records import random_features

from pipeline.features.picture import Facts
from pipeline.images import ImageRecord, ImageState
from pipeline.stores import records_embeddings, records_images, records_queue
from pipeline.stores.database import Database
from pipeline.stores.records_images import NewImage
from pipeline.stores.records_queue import Claim
from pipeline.stores.tables import images

pytestmark = pytest.mark.on_both_databases

LEASE = timedelta(minutes=1)
FACTS = Facts("PNG", "image/png", 640, 480)


@pytest.fixture
def waiting(database) -> list[ImageRecord]:
    """Twenty images that wait."""
    with database.write() as connection:
        return [
            records_images.add(connection, NewImage("main", f"{n:064x}", 10, "image/png", 640, 480, f"{n}.png"))[0]
            for n in range(20)
        ]


def claim(database: Database, limit: int = 8, max_attempts: int = 5) -> Claim:
    with database.write() as connection:
        return records_queue.claim(connection, limit=limit, lease=LEASE, max_attempts=max_attempts)


def rows(claimed: Claim) -> list[int]:
    return [image.row for image in claimed.images]


def get(database: Database, row: int) -> ImageRecord:
    with database.read() as connection:
        return records_images.get_by_rows(connection, [row])[0]


def complete(database: Database, row: int, token: str) -> bool:
    features = random_features(np.random.default_rng(row), GridEncoder.dimension)
    with database.write() as connection:
        return records_queue.complete(
            connection,
            row,
            token,
            facts=FACTS,
            features=features,
            encoder_name=GridEncoder.name,
            encoder=GridEncoder.fingerprint,
        )


def fail(database: Database, row: int, token: str) -> bool:
    with database.write() as connection:
        return records_queue.fail(connection, row, token, sentence="It is damaged.", code="damaged_image")


def put_back(database: Database, row: int, token: str, *, forgive: bool = False) -> bool:
    with database.write() as connection:
        return records_queue.put_back(connection, row, token, wait=timedelta(0), forgive=forgive)


def test_the_oldest_images_are_claimed_first(database, waiting):
    assert rows(claim(database, limit=3)) == [image.row for image in waiting[:3]]
    assert rows(claim(database, limit=3)) == [image.row for image in waiting[3:6]]


def test_two_workers_never_claim_the_same_image(database, waiting):
    claimed: list[int] = []

    def take_all() -> None:
        while taken := rows(claim(database, limit=2)):
            claimed.extend(taken)

    workers = [threading.Thread(target=take_all) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(claimed) == [image.row for image in waiting]


def test_an_image_whose_lease_ran_out_is_claimed_again(database, waiting):
    first = claim(database, limit=20)
    assert claim(database).images == ()

    let_leases_run_out(database)

    second = claim(database)
    assert rows(second)[0] == waiting[0].row
    assert second.token != first.token
    assert second.attempts[waiting[0].row] == 2


def test_a_lease_lasts_also_for_a_machine_whose_clock_is_ahead(database, waiting, monkeypatch):
    """Where there is a database server; with SQLite all are on one machine."""
    first = claim(database, limit=len(waiting))

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + 2 * LEASE

    monkeypatch.setattr(records_queue, "datetime", Ahead)
    monkeypatch.setattr(records_images, "datetime", Ahead)
    with database.write() as connection:
        new = records_images.add(connection, NewImage("main", "f" * 64, 10, "image/png", 640, 480, "a.png"))[0]
        assert records_queue.renew(connection, first, LEASE) == 20
    monkeypatch.undo()
    assert rows(claim(database)) == [new.row]
    if not database.is_sqlite:
        monkeypatch.setattr(records_queue, "datetime", Ahead)
        assert claim(database).images == ()


def test_images_that_were_interrupted_are_claimed_one_by_one(database, waiting):
    """Else one picture that kills its worker would take the other seven of its batch with it, five times."""
    claim(database, limit=8)
    let_leases_run_out(database)

    assert rows(claim(database)) == [waiting[0].row]
    assert rows(claim(database)) == [waiting[1].row]


def test_new_images_before_an_interrupted_one_are_still_claimed_together(database, waiting):
    with database.write() as connection:
        records_images.delete(connection, [image.row for image in waiting[:3]])
    claim(database, limit=1)  # the fourth
    with database.write() as connection:
        records_images.restore(connection, [image.row for image in waiting[:3]])
    let_leases_run_out(database)

    assert rows(claim(database)) == [image.row for image in waiting[:3]]
    assert rows(claim(database)) == [waiting[3].row]
    assert len(claim(database).images) == 8


def test_a_renewed_lease_keeps_others_away(database, waiting):
    first = claim(database, limit=20)
    let_leases_run_out(database)

    with database.write() as connection:
        assert records_queue.renew(connection, first, LEASE) == len(waiting)

    assert claim(database).images == ()


def test_a_worker_whose_lease_was_lost_changes_nothing(database, waiting):
    row = waiting[0].row
    slow = claim(database, limit=1)
    let_leases_run_out(database)
    quick = claim(database, limit=1)
    before = get(database, row)

    assert not complete(database, row, slow.token)
    assert not fail(database, row, slow.token)
    assert not put_back(database, row, slow.token)
    with database.write() as connection:
        assert records_queue.renew(connection, slow, LEASE) == 0

    assert get(database, row) == before
    with database.read() as connection:
        assert records_embeddings.get_vector(connection, row, GridEncoder.fingerprint) is None
    assert complete(database, row, quick.token)
    assert get(database, row).state == ImageState.READY


def test_a_slow_worker_cannot_spoil_what_a_quicker_one_finished(database, waiting):
    row = waiting[0].row
    slow = claim(database, limit=1)
    let_leases_run_out(database)
    complete(database, row, claim(database, limit=1).token)
    before = get(database, row)

    assert not fail(database, row, slow.token)
    assert not complete(database, row, slow.token)

    assert get(database, row) == before


def test_what_was_completed_reads_back_as_it_was_computed(database, waiting):
    features = random_features(np.random.default_rng(4), GridEncoder.dimension)
    taken = datetime(2021, 5, 6, 7, 8, 9)  # noqa: DTZ001 - a camera's clock has no zone
    facts = replace(FACTS, taken_at=taken, exif={"camera": "Leica M3"})
    row, token = waiting[0].row, claim(database, limit=1).token

    with database.write() as connection:
        records_queue.complete(
            connection, row, token, facts=facts, features=features, encoder_name="grid", encoder=GridEncoder.fingerprint
        )

    image = get(database, row)
    assert (image.state, image.category, image.color) == (ImageState.READY, features.meaning.category, features.palette)
    assert (image.taken_at, image.exif, image.encoder) == (taken, {"camera": "Leica M3"}, "grid")
    with database.read() as connection:
        kept = records_embeddings.get_vector(connection, row, GridEncoder.fingerprint)
    assert np.abs(kept - features.embedding).max() < 2**-11  # float16 has eleven bits


def test_attempts_are_counted_until_the_image_is_given_up_with_a_sentence(database, waiting):
    row = waiting[0].row
    for attempt in (1, 2, 3):
        assert claim(database, limit=1, max_attempts=3).attempts == {row: attempt}
        let_leases_run_out(database)

    assert rows(claim(database, limit=1, max_attempts=3)) == [waiting[1].row]

    given_up = get(database, row)
    assert given_up.state == ImageState.FAILED
    assert given_up.error == records_queue.GAVE_UP
    with database.read() as connection:
        assert records_queue.error_code(connection, row) == "gave_up"


def test_many_images_that_used_up_their_attempts_do_not_keep_others_from_being_claimed(database, waiting):
    with database.write() as connection:
        first = [image.row for image in waiting[:11]]
        connection.execute(images.update().where(images.c.row.in_(first)).values(attempts=3))

    assert rows(claim(database, limit=4, max_attempts=3)) == [image.row for image in waiting[11:15]]

    states = [get(database, image.row).state for image in waiting]
    assert states == [ImageState.FAILED] * 11 + [ImageState.WAITING] * 9


@pytest.mark.parametrize("limit", [1, 3, 20])
def test_those_in_a_hurry_are_claimed_before_the_oldest(database, waiting, limit):
    everyone = [image.row for image in waiting]
    hurried = [everyone[15], everyone[4]]
    with database.write() as connection:
        claimed = records_queue.claim(connection, limit=limit, lease=LEASE, max_attempts=5, first=hurried)

    expected = [everyone[4], everyone[15], *(row for row in everyone if row not in hurried)]
    assert sorted(claimed.attempts) == sorted(expected[:limit])


def test_the_queue_is_read_along_an_index_and_never_sorted(database, waiting):
    """Else each claim would read all that waits: 70 ms among 100,000 images, in a transaction that others wait for."""
    statements = []
    with database.write() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2:4]))
        records_queue.claim(connection, limit=8, lease=LEASE, max_attempts=5, first=[waiting[7].row])
        choosing = [told for told in statements if "ORDER BY images." in told[0]]
        plans = [plan(connection, text, values) for text, values in choosing]

    assert len(plans) == 2
    for told in plans:
        assert "SEARCH images" in told or "Index Scan" in told
        assert "TEMP B-TREE" not in told
        assert "Sort" not in told


def plan(connection: sa.Connection, statement: str, values: object) -> str:
    """Return how the database runs a statement."""
    if connection.dialect.name == "sqlite":
        return " ".join(step[3] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values))
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # which reads twenty rows more cheaply
    return " ".join(connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars())


def test_a_forgiven_try_is_not_counted(database, waiting):
    for _ in range(10):
        taken = claim(database, limit=1, max_attempts=2)
        assert taken.attempts == {waiting[0].row: 1}
        assert put_back(database, waiting[0].row, taken.token, forgive=True)


def test_an_image_put_back_is_not_claimed_before_its_time(database, waiting):
    taken = claim(database, limit=20)
    later = timedelta(hours=1)
    with database.write() as connection:
        for image in waiting:
            records_queue.put_back(connection, image.row, taken.token, wait=later, forgive=True)
    assert claim(database).images == ()

    let_waiting_end(database)
    assert len(claim(database).images) == 8


def test_a_deleted_image_is_not_claimed_until_it_is_restored(database, waiting):
    with database.write() as connection:
        records_images.delete(connection, [image.row for image in waiting])
    assert claim(database).images == ()

    with database.write() as connection:
        records_images.restore(connection, [waiting[5].row])
    assert rows(claim(database)) == [waiting[5].row]


def test_an_image_deleted_while_it_is_analyzed_is_analyzed_when_it_is_restored(database, waiting):
    row, token = waiting[0].row, claim(database, limit=1).token
    with database.write() as connection:
        records_images.delete(connection, [row])

    assert not complete(database, row, token)

    deleted = get(database, row)
    assert (deleted.state, deleted.deleted_at is None) == (ImageState.WAITING, False)
    with database.write() as connection:
        assert records_embeddings.changes_since(connection, GridEncoder.fingerprint, 0, 10) == []
        records_images.restore(connection, [row])
    taken = claim(database, limit=1)
    assert taken.attempts == {row: 1}
    assert complete(database, row, taken.token)
    assert get(database, row).state == ImageState.READY


def test_an_image_purged_while_it_is_analyzed_is_not_brought_back(database, waiting):
    row, token = waiting[0].row, claim(database, limit=1).token
    with database.write() as connection:
        records_images.purge(connection, [row])

    assert not complete(database, row, token)

    with database.read() as connection:
        assert records_images.get_by_rows(connection, [row]) == []
        assert records_embeddings.changes_since(connection, GridEncoder.fingerprint, 0, 10) == []


def test_failed_images_wait_again_as_if_new_when_asked_to(database, waiting):
    taken = claim(database, limit=2)
    for row in rows(taken):
        assert fail(database, row, taken.token)
    assert get(database, waiting[0].row).error == "It is damaged."

    with database.write() as connection:
        assert records_images.wait_again(connection, [waiting[0].row]) == 1

    again = get(database, waiting[0].row)
    assert (again.state, again.error) == (ImageState.WAITING, None)
    assert get(database, waiting[1].row).state == ImageState.FAILED
    retried = claim(database, limit=1)
    assert retried.attempts == {waiting[0].row: 1}


def test_an_upload_that_was_rolled_back_leaves_no_work(database):
    def add_and_fail() -> None:
        with database.write() as connection:
            records_images.add(connection, NewImage("main", "a" * 64, 10, "image/png", 6, 4, "a.png"))
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        add_and_fail()

    assert claim(database).images == ()
