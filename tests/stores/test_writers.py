"""Several writers at once, in threads and in processes, on each database: nothing twice, nothing lost, nobody stuck."""

import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa
from house import House
from pictures import picture_bytes

from pipeline import accounts, members
from pipeline.errors import LikenessError
from pipeline.ingest import accept
from pipeline.principals import OWNER, Role
from pipeline.stores import records_images, records_libraries, records_people, records_uploads
from pipeline.stores.records_images import NewImage
from pipeline.stores.tables import embeddings, image_sources, images, tags
from pipeline.upload_list import add_card
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

TESTS = Path(__file__).parents[1]
THREADS = 8
IMAGES = 100  # claimed by eights: a dozen rounds for eight threads


def side_by_side(call: Callable[[int], object]) -> list[object]:
    """Call with 0 to 7 at the same moment; return what came of each, an error of ours as itself."""
    together = Barrier(THREADS)

    def one(number: int) -> object:
        together.wait()
        try:
            return call(number)
        except LikenessError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


def count(backend, statement: sa.Select) -> int:
    with backend.database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(statement.subquery()))


def test_two_processes_of_four_threads_analyze_every_image_once(backend):
    with backend.database.write() as connection:
        for number in range(IMAGES):
            new = NewImage("main", f"{number:064x}", 10, "image/png", 640, 480, f"{number}.png")
            records_images.add(connection, new)
    script = TESTS / "queue_process.py"
    url = backend.database.url.render_as_string(hide_password=False)
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}

    processes = [
        subprocess.Popen([sys.executable, script, url, "4"], stdout=subprocess.PIPE, env=environment) for _ in range(2)
    ]
    told = Counter(int(row) for process in processes for row in process.communicate(timeout=120)[0].split())

    assert [process.returncode for process in processes] == [0, 0]
    assert (len(told), set(told.values())) == (IMAGES, {1})
    with backend.database.read() as connection:
        numbers = list(connection.scalars(sa.select(embeddings.c.change).order_by(embeddings.c.change)))
    assert numbers == list(range(1, IMAGES + 1))
    assert count(backend, sa.select(images.c.row).where(images.c.state == "ready", images.c.attempts == 0)) == IMAGES


def test_the_same_bytes_from_eight_at_once_are_one_image(backend):
    data = picture_bytes(color="#d02020")

    def send(number: int) -> tuple[str, bool]:
        with spooled(io.BytesIO(data), "red.png", max_bytes=len(data)) as upload:
            accepted = accept(backend, upload, OWNER, library="main", tags=["same", f"of {number}"])
        return accepted.image.id, accepted.existing

    sent = side_by_side(send)

    assert len({image_id for image_id, _ in sent}) == 1
    assert sorted(existing for _, existing in sent) == [False] + [True] * 7
    assert count(backend, sa.select(image_sources)) == 1
    assert count(backend, sa.select(tags)) == 9


def test_different_bytes_into_a_library_that_nobody_has_made_yet_make_it_once(backend):
    def send(number: int) -> object:
        data = picture_bytes(kind="disc", seed=number)
        with spooled(io.BytesIO(data), "disc.png", max_bytes=len(data)) as upload:
            return accept(backend, upload, OWNER, library="brand-new").existing

    assert side_by_side(send) == [False] * 8

    assert count(backend, sa.select(images).where(images.c.library == "brand-new")) == 8


def test_restoring_and_deleting_side_by_side_ends_in_one_state_that_indexes_follow(backend, put):
    pictures = [picture_bytes(kind="disc", seed=number) for number in range(2)]
    rows = [put(data).row for data in pictures]
    Worker(backend).drain()

    def turn(number: int) -> None:
        for _ in range(3):
            if number % 2:
                put(pictures[number // 2 % 2])
            else:
                with backend.database.write() as connection:
                    records_images.delete(connection, rows)

    assert side_by_side(turn) == [None] * 8

    with backend.database.read() as connection:
        numbers = list(connection.scalars(sa.select(embeddings.c.change)))
        images_there = records_images.get_by_rows(connection, rows)
    assert len(set(numbers)) == 2
    backend.vectors.catch_up()
    assert backend.vectors.count() == sum(image.deleted_at is None for image in images_there)


def test_the_last_owners_who_leave_at_the_same_time_do_not_all_get_away(backend):
    house = House(backend)
    names = [f"owner{number}" for number in range(THREADS)]
    library = house.library("shared", **dict.fromkeys(names, Role.OWNER))
    principals = [house.asks(name) for name in names]

    left = side_by_side(lambda number: members.leave(backend, principals[number], library))

    assert sum(isinstance(result, LikenessError) for result in left) == 1
    with backend.database.read() as connection:
        assert len(records_libraries.members_of(connection, library)) == 1


def test_administrators_who_take_the_right_from_each_other_leave_one(backend):
    house = House(backend)
    ids = [house.add(f"admin{number}", administrator=True) for number in range(THREADS)]
    principals = [house.asks(f"admin{number}") for number in range(THREADS)]

    side_by_side(
        lambda number: accounts.set_administrator(
            backend, principals[number], ids[(number + 1) % THREADS], administrator=False
        )
    )

    with backend.database.read() as connection:
        assert records_people.administrators(connection)


def test_the_cards_of_an_upload_have_numbers_of_their_own(backend):
    side_by_side(
        lambda number: add_card(
            backend, "b" * 43, OWNER, filename=f"{number}.png", size=1, image=None, sentence="It is damaged."
        )
    )

    with backend.database.read() as connection:
        cards = records_uploads.list_batch(connection, "b" * 43, None)
    assert [card.number for card in cards] == list(range(1, 9))
