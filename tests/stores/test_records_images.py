"""Images in the database: added, edited, deleted, listed, and told as they were written."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
import sqlalchemy as sa
from fakes import GridEncoder
from house import ensure_library
from random_records import add_image, fill, random_features

from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState, image_of_key, new_image_id, original_key, thumbnail_key
from pipeline.principals import OWNER
from pipeline.stores import (
    records_embeddings,
    records_images,
    records_imports,
    records_listing,
    records_repair,
)
from pipeline.stores.records_images import NewImage
from pipeline.stores.swatches import SwatchTable
from pipeline.stores.tables import image_sources, images, palette, tags

pytestmark = pytest.mark.on_both_databases


def new(number: int, **options) -> NewImage:
    values = {"library": "main", "media_type": "image/png", "width": 6, "height": 4, "filename": f"{number}.png"}
    return NewImage(sha256=f"{number:064x}", bytes=10, **(values | options))


@pytest.fixture
def ready(database) -> list[ImageRecord]:
    """Five analyzed images."""
    rng = np.random.default_rng(1)
    with database.write() as connection:
        return [
            add_image(
                connection,
                f"{number}",
                random_features(rng, GridEncoder.dimension),
                encoder=GridEncoder.fingerprint,
            )
            for number in range(5)
        ]


def counts(database, row: int) -> dict[str, int]:
    """Return how many rows other tables have for an image."""
    with database.read() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).where(table.c.image_row == row))
            for table in (image_sources, palette, tags)
        }


def test_ids_are_version_7_and_sort_by_time():
    made = [new_image_id() for _ in range(50)]

    for one in made:
        read = uuid.UUID(one)
        assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert len(set(made)) == 50
    moments = [int(one.replace("-", "")[:12], 16) for one in made]  # RFC 9562, 5.7: 48 bits of milliseconds
    assert moments == sorted(moments)
    assert abs(moments[0] / 1000 - datetime.now(UTC).timestamp()) < 60


def test_the_keys_of_objects_tell_whose_they_are():
    sha256 = "0f" * 32

    assert image_of_key(original_key("main", sha256)) == ("main", sha256)
    assert image_of_key(thumbnail_key("my-library", sha256, 320)) == ("my-library", sha256)
    for other in ("originals/main/short", f"originals/{sha256}", f"exports/main/{sha256}", f"originals/main/{sha256}x"):
        assert image_of_key(other) is None


def test_what_was_written_reads_back_the_same(database, ready):
    with database.read() as connection:
        again = records_images.get_present(connection, [image.id for image in reversed(ready)], OWNER)

    assert again == ready[::-1]
    assert again[0].created_at.tzinfo is not None
    assert sum(again[0].color.names.values()) == pytest.approx(1.0)


def test_ids_that_are_not_there_are_left_out(database, ready):
    with database.read() as connection:
        found = records_images.get_present(connection, ["nothing", ready[2].id, "' OR 1=1 --"], OWNER)

    assert found == [ready[2]]


def test_a_moment_in_another_zone_is_the_same_moment(database):
    with database.write() as connection:
        image, _ = records_images.add(connection, new(1))
        noon_in_india = datetime(2024, 6, 1, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
        connection.execute(images.update().values(created_at=noon_in_india))

    with database.read() as connection:
        found = records_images.get_by_rows(connection, [image.row])[0]
        before = Filter(created_after=datetime(2024, 6, 1, 6, 30, tzinfo=UTC))
        after = Filter(created_after=datetime(2024, 6, 1, 6, 30, 0, 1, tzinfo=UTC))
        assert records_listing.list_rows(connection, before, OWNER, limit=5) == [image.row]
        assert records_listing.list_rows(connection, after, OWNER, limit=5) == []
    assert found.created_at == noon_in_india
    assert found.created_at.utcoffset() == timedelta(0)


def test_a_caption_and_tags_are_edited_apart(database, ready):
    row = ready[0].row
    with database.write() as connection:
        records_images.edit(connection, row, caption="Grandmother's kitchen", new_tags=["b", "a"])
        records_images.edit(connection, row, caption="")
        records_images.add_tags(connection, [row, ready[1].row], ["a", "c"])

    with database.read() as connection:
        first, second = records_images.get_by_rows(connection, [row, ready[1].row])
    assert (first.caption, first.tags) == ("", ("a", "b", "c"))
    assert second.tags == ("a", "c")


def test_a_purged_image_leaves_nothing_but_a_tombstone(database, ready):
    row = ready[0].row
    with database.write() as connection:
        records_images.add_tags(connection, [row], ["sea"])
        records_images.purge(connection, [row])

    assert counts(database, row) == {"image_sources": 0, "palette": 0, "tags": 0}
    with database.read() as connection:
        assert records_images.get_by_rows(connection, [row]) == []
        [buried] = [
            change
            for change in records_embeddings.changes_since(connection, GridEncoder.fingerprint, 0, 100)
            if change.row == row
        ]
    assert (buried.vector, buried.visible) == (None, False)


def test_the_row_of_a_purged_image_is_never_given_again(database, ready):
    last = ready[-1].row
    with database.write() as connection:
        records_images.purge(connection, [last])
        image, _ = records_images.add(connection, new(99))

    assert image.row > last


def test_changes_are_numbered_without_gaps_in_the_order_of_their_commits(database, ready):
    with database.read() as connection:
        before = records_embeddings.last_change(connection)
    with database.write() as connection:
        records_images.delete(connection, [ready[2].row])
        records_images.delete(connection, [ready[0].row])
        records_images.restore(connection, [ready[2].row])

    with database.read() as connection:
        changes = records_embeddings.changes_since(connection, GridEncoder.fingerprint, before, 100)
        last = records_embeddings.last_change(connection)
    assert [(change.number, change.row, change.visible) for change in changes] == [
        (before + 2, ready[0].row, False),
        (before + 3, ready[2].row, True),
    ]
    assert last == before + 3


def test_changes_can_be_read_in_portions(database, ready):
    seen, rows = 0, []
    with database.read() as connection:
        while portion := records_embeddings.changes_since(connection, GridEncoder.fingerprint, seen, 2):
            rows += [change.row for change in portion]
            seen = portion[-1].number

    assert rows == [image.row for image in ready]


def test_a_list_goes_on_below_the_last_row_and_misses_nothing(database):
    with database.write() as connection:
        made = fill(
            connection, np.random.default_rng(3), 60, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension
        )
    where = Filter(libraries=("main", "attic"))
    expected = [image.row for image in made if image.deleted_at is None and image.library in {"main", "attic"}][::-1]

    ids, found = {image.row: image.id for image in made}, []
    with database.read() as connection:
        behind = None
        while page := records_listing.list_rows(connection, where, OWNER, behind=behind, limit=7):
            found += page
            behind = records_listing.place_behind(connection, ids[page[-1]], OWNER)

    assert found == expected


def test_a_list_by_color_is_paged_like_any_other(database):
    with database.write() as connection:
        made = fill(
            connection, np.random.default_rng(4), 60, encoder=GridEncoder.fingerprint, dimension=GridEncoder.dimension
        )
    where = Filter(colors=(made[0].color.swatches[0].hex,), color_tolerance=30.0)
    colored = SwatchTable(database).rows_with(where)
    with database.read() as connection:
        everything = records_listing.list_rows(connection, where, OWNER, colored=colored, limit=100)
        parts = [
            records_listing.list_rows(connection, where, OWNER, colored=colored, limit=4, offset=start)
            for start in range(0, 100, 4)
        ]
        visible = records_listing.visible_rows(connection, where, colored=colored)

    assert [row for part in parts for row in part] == everything
    assert sorted(everything) == visible
    assert 4 < len(everything) < 60


def test_images_are_counted_by_state_and_library(database, ready):
    with database.write() as connection:
        ensure_library(connection, "private")
        records_images.add(connection, new(1))
        records_images.add(connection, new(1, library="private"))
        records_images.delete(connection, [ready[0].row])

    with database.read() as connection:
        counted = records_listing.count_states(connection)
        of_private = records_listing.count_states(connection, Filter(libraries=("private",)))
        of_none = records_listing.count_states(connection, Filter(libraries=()))
        without = records_listing.count_states(connection, Filter(without_libraries=("main",)))
    assert without == of_private
    assert counted == {ImageState.READY: 4, ImageState.WAITING: 2, ImageState.FAILED: 0, ImageState.HELD: 0}
    assert of_private[ImageState.WAITING] == 1
    assert not any(of_none.values())


def test_imported_files_are_known_by_path_and_stamp_until_they_are_purged(database):
    with database.write() as connection:
        image, _ = records_images.add(connection, new(1, path="/photos/100%_a.png", file_stamp="10-1"))
        records_images.add(connection, new(2, path="/photos/more/b.png", file_stamp="20-1"))
        records_images.add(connection, new(3, path="/photos2/c.png", file_stamp="30-1"))
        records_images.add(connection, new(5, path="/Photos/d.png", file_stamp="40-1"))
        records_images.add(connection, new(4))
        records_images.add(connection, new(1, path="/photos/100%_a.png", file_stamp="10-2"))  # only its time changed

    def known(place):
        return records_imports.imported_stamps(connection, "main", place)

    with database.write() as connection:
        below = {"/photos/100%_a.png": "10-2", "/photos/more/b.png": "20-1"}
        assert known("/photos") == known("/photos/") == below
        assert known("/photos/100%_a.png") == {"/photos/100%_a.png": "10-2"}
        assert known("/photos/100%_") == {}
        assert len(known("/")) == 4
        records_images.purge(connection, [image.row])
        assert set(known("/photos")) == {"/photos/more/b.png"}


def test_a_record_without_a_vector_is_asked_to_be_analyzed_again(database, ready):
    with database.write() as connection:
        records_embeddings.bury(connection, [ready[3].row])
        lost = records_repair.without_embedding(connection, GridEncoder.fingerprint, 10)
        assert records_repair.requeue(connection, lost, GridEncoder.fingerprint) == 1

    with database.read() as connection:
        assert records_images.get_by_rows(connection, [ready[3].row])[0].state == ImageState.WAITING
        assert records_repair.quick_check(connection) == "ok"


def test_many_thousand_rows_fit_into_one_question(database, ready):
    wanted = [image.row for image in ready]
    with database.read() as connection:
        found = records_images.get_by_rows(connection, [*range(1000, 41_000), *wanted])

    assert [image.row for image in found] == wanted
