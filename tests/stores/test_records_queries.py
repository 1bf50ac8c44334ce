"""Pictures that were searched with, their frozen results, and the lists of uploads."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from random_records import random_unit

from pipeline.stores import records_queries, records_uploads
from pipeline.stores.protocols import Neighbor
from pipeline.stores.records_queries import QueryPicture
from pipeline.stores.tables import frozen_results, query_pictures

pytestmark = pytest.mark.on_both_databases

DIGEST = "d" * 64


@pytest.fixture
def kept(database) -> QueryPicture:
    picture = QueryPicture(
        key=records_queries.new_key(),
        sha256="a" * 64,
        encoder="grid",
        embedding=random_unit(np.random.default_rng(0), 48),
        thumbnail=b"RIFF",
        width=30,
        height=20,
    )
    with database.write() as connection:
        records_queries.keep(connection, picture)
    return picture


def test_a_kept_picture_reads_back_to_the_last_bit(database, kept):
    with database.read() as connection:
        found = records_queries.get(connection, kept.key)

    assert found.embedding.tobytes() == kept.embedding.tobytes()
    assert (found.key, found.sha256, found.thumbnail, found.width) == (kept.key, "a" * 64, b"RIFF", 30)


def test_keys_cannot_be_guessed():
    keys = {records_queries.new_key() for _ in range(100)}

    assert len(keys) == 100
    assert {len(key) for key in keys} == {43}  # 256 bits in base 64


def test_frozen_results_read_back_in_order_and_are_replaced(database, kept):
    first = [Neighbor(row, 1.0 - row / 64) for row in range(50)]
    second = [Neighbor(7, 0.5)]
    with database.write() as connection:
        assert records_queries.frozen(connection, kept.key, DIGEST) is None
        records_queries.freeze(connection, kept.key, DIGEST, first)
        assert records_queries.frozen(connection, kept.key, DIGEST) == first
        records_queries.freeze(connection, kept.key, DIGEST, second)
        records_queries.freeze(connection, kept.key, "e" * 64, [])

    with database.read() as connection:
        assert records_queries.frozen(connection, kept.key, DIGEST) == second
        assert records_queries.frozen(connection, kept.key, "e" * 64) == []


def test_a_forgotten_picture_takes_its_results_with_it(database, kept):
    with database.write() as connection:
        records_queries.freeze(connection, kept.key, DIGEST, [Neighbor(1, 1.0)])
        assert records_queries.forget_before(connection, datetime.now(UTC) - timedelta(days=1)) == 0
        assert records_queries.forget_before(connection, datetime.now(UTC) + timedelta(seconds=1)) == 1

    with database.read() as connection:
        assert records_queries.get(connection, kept.key) is None
        assert connection.execute(frozen_results.select()).all() == []


def test_only_the_newest_results_of_a_picture_are_kept(database, kept, monkeypatch):
    monkeypatch.setattr(records_queries, "RESULTS_KEPT", 3)
    digests = [f"{number:064x}"[::-1] for number in range(5)]
    for digest in (*digests, digests[3]):
        with database.write() as connection:
            records_queries.freeze(connection, kept.key, digest, [Neighbor(1, 1.0)])
        with database.read() as connection:
            assert records_queries.frozen(connection, kept.key, digest)

    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(frozen_results)) == 3


def test_results_are_forgotten_by_age_and_so_are_those_without_one(database, kept):
    with database.write() as connection:
        records_queries.freeze(connection, kept.key, DIGEST, [Neighbor(1, 1.0)])
        connection.execute(
            frozen_results.insert().values(key=kept.key, filter_digest="f" * 64, rows=b"", similarities=b"")
        )
        connection.execute(query_pictures.update().values(created_at=datetime.now(UTC) + timedelta(days=9)))
        records_queries.forget_before(connection, datetime.now(UTC) - timedelta(days=1))
        assert connection.scalar(sa.select(sa.func.count()).select_from(frozen_results)) == 1
        records_queries.forget_before(connection, datetime.now(UTC) + timedelta(seconds=1))
        assert connection.scalar(sa.select(sa.func.count()).select_from(frozen_results)) == 0
        assert records_queries.get(connection, kept.key)


def test_the_cards_of_an_upload_come_in_their_order(database):
    for number in range(3):
        with database.write() as connection:
            records_uploads.add(connection, "mine", filename=f"{number}.png", size=number, outcome="accepted")
            records_uploads.add(connection, "theirs", filename="x.png", size=1, outcome="refused", sentence="No.")

    with database.read() as connection:
        mine = records_uploads.list_batch(connection, "mine", None)
        theirs = records_uploads.list_batch(connection, "theirs", None)
    assert [(card.number, card.filename, card.bytes) for card in mine] == [
        (1, "0.png", 0),
        (2, "1.png", 1),
        (3, "2.png", 2),
    ]
    assert {card.sentence for card in theirs} == {"No."}
    assert len({card.id for card in (*mine, *theirs)}) == 6


def test_two_people_who_come_by_the_same_list_have_each_their_own(database):
    with database.write() as connection:
        for person in ("ada", None, "ben", "ben"):
            records_uploads.add(connection, "list", uploader=person, filename="a.png", size=1, outcome="accepted")

    with database.read() as connection:
        numbers = {
            person: [card.number for card in records_uploads.list_batch(connection, "list", person)]
            for person in ("ada", None, "ben", "eve")
        }
    assert numbers == {"ada": [1], None: [1], "ben": [1, 2], "eve": []}
