"""The promises of `VectorStore`, kept by every implementation."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from shelf import Shelf

from pipeline.filters import Filter
from pipeline.holding import hold, release
from pipeline.stores import records_embeddings, records_encoders, records_images
from pipeline.stores.database import Database
from pipeline.stores.tables import embeddings
from pipeline.stores.vectors_faiss import FaissVectors

ALL = Filter()
HALF_PRECISION = 2e-3  # vectors are kept as float16: 11 bits of mantissa in each of 48 terms of at most 1


def rows(neighbors) -> list[int]:
    return [neighbor.row for neighbor in neighbors]


def test_an_empty_store_has_no_neighbors(vectors, shelf):
    assert vectors.nearest(shelf.axis(0), 10, where=ALL) == []
    assert vectors.count() == 0


def test_the_nearest_vector_to_a_stored_vector_is_itself(vectors, shelf):
    images = [shelf.add(f"{number}", shelf.axis(number)) for number in range(5)]

    for number, image in enumerate(images):
        [nearest] = vectors.nearest(shelf.axis(number), 1, where=ALL)
        assert nearest.row == image.row
        assert nearest.similarity == pytest.approx(1.0, abs=HALF_PRECISION)


def test_neighbors_come_most_similar_first_with_their_cosine(vectors, shelf):
    angles = [1.2, 0.1, 0.8, 0.4]
    images = {angle: shelf.add(f"{angle}", shelf.axis(0, tilt=angle)) for angle in angles}

    found = vectors.nearest(shelf.axis(0), 10, where=ALL)

    assert rows(found) == [images[angle].row for angle in sorted(angles)]
    for neighbor, angle in zip(found, sorted(angles), strict=True):
        assert neighbor.similarity == pytest.approx(np.cos(angle), abs=HALF_PRECISION)


def test_the_answer_is_the_same_as_comparing_with_every_vector(vectors, shelf):
    everything = np.stack([shelf.rng.normal(size=shelf.dimension) for _ in range(200)])
    everything = (everything / np.linalg.norm(everything, axis=1, keepdims=True)).astype(np.float32)
    by_row = {image.row: vector for image, vector in zip(shelf.add_many(everything), everything, strict=True)}
    query = everything[17]

    found = vectors.nearest(query, 25, where=ALL)

    kept = {row: float(query @ vector.astype(np.float16).astype(np.float32)) for row, vector in by_row.items()}
    assert rows(found) == sorted(kept, key=lambda row: -kept[row])[:25]


def test_equal_similarities_are_ordered_by_row_number_however_many_there_are(vectors, shelf):
    images = shelf.add_many([shelf.axis(0)] * 60)
    vectors.catch_up()
    with shelf.backend.database.write() as connection:  # the older half moves to the end of the index
        records_embeddings.touch(connection, [image.row for image in images[:30]])

    for limit in (1, 5, 30, 59, 60):
        found = vectors.nearest(shelf.axis(0), limit, where=ALL)
        assert rows(found) == [image.row for image in images][:limit]


def test_putting_an_image_twice_keeps_the_second_vector(vectors, shelf):
    image = shelf.add("moved", shelf.axis(0))
    vectors.catch_up()
    with shelf.backend.database.write() as connection:
        records_embeddings.put(connection, image.row, shelf.encoder, shelf.axis(4))

    [found] = vectors.nearest(shelf.axis(4), 10, where=ALL)

    assert (found.row, found.similarity) == (image.row, pytest.approx(1.0, abs=HALF_PRECISION))
    assert vectors.count() == 1


def test_a_deleted_image_is_no_neighbor_until_it_is_restored(vectors, shelf):
    gone, stays = shelf.add("gone", shelf.axis(0)), shelf.add("stays", shelf.axis(0, tilt=0.3))
    vectors.catch_up()

    with shelf.backend.database.write() as connection:
        records_images.delete(connection, [gone.row])
    assert rows(vectors.nearest(shelf.axis(0), 10, where=ALL)) == [stays.row]

    with shelf.backend.database.write() as connection:
        records_images.restore(connection, [gone.row])
    assert rows(vectors.nearest(shelf.axis(0), 10, where=ALL)) == [gone.row, stays.row]


def test_a_held_image_is_no_neighbor_until_it_is_released(vectors, shelf):
    held, stays = shelf.add("held", shelf.axis(0)), shelf.add("stays", shelf.axis(0, tilt=0.3))
    vectors.catch_up()
    with shelf.backend.database.write() as connection:
        hold(connection, held.row, reason="It was reported.")
    assert rows(vectors.nearest(shelf.axis(0), 10, where=ALL)) == [stays.row]

    with shelf.backend.database.write() as connection:
        release(connection, held.row)
    assert rows(vectors.nearest(shelf.axis(0), 10, where=ALL)) == [held.row, stays.row]


def test_a_purged_image_is_never_a_neighbor_again(vectors, shelf):
    gone, stays = shelf.add("gone", shelf.axis(0)), shelf.add("stays", shelf.axis(0, tilt=0.3))
    vectors.catch_up()
    with shelf.backend.database.write() as connection:
        records_images.purge(connection, [gone.row])

    assert rows(vectors.nearest(shelf.axis(0), 10, where=ALL)) == [stays.row]
    assert vectors.rebuild() == 1
    assert rows(vectors.nearest(shelf.axis(0), 10, where=ALL)) == [stays.row]


def test_what_another_connection_committed_is_found_at_once(vectors, shelf):
    vectors.catch_up()
    other = Database(shelf.backend.settings.database_url)
    try:
        image = Shelf(replace(shelf.backend, database=other)).add("by another", shelf.axis(2))
    finally:
        other.close()

    assert rows(vectors.nearest(shelf.axis(2), 10, where=ALL)) == [image.row]


def test_catching_up_tells_how_many_changes_came(vectors, shelf):
    shelf.add("one")
    shelf.add("two")

    assert vectors.catch_up() == 2
    assert vectors.catch_up() == 0


def test_a_rebuilt_store_answers_as_before(vectors, shelf):
    for number in range(50):
        shelf.add(f"{number}")
    before = vectors.nearest(shelf.axis(0), 20, where=ALL)

    assert vectors.rebuild() == 50
    assert vectors.nearest(shelf.axis(0), 20, where=ALL) == before


def test_a_store_that_was_changed_a_thousand_times_still_answers_exactly(vectors, shelf):
    images = shelf.add_many([shelf.axis(number % 40) for number in range(80)])
    for turn in range(20):
        with shelf.backend.database.write() as connection:
            for image in images[turn : turn + 60]:
                position = (image.row * 7 + turn) % 40
                records_embeddings.put(connection, image.row, shelf.encoder, shelf.axis(position))
        vectors.catch_up()
    with shelf.backend.database.read() as connection:
        kept = {image.row: records_embeddings.get_vector(connection, image.row, shelf.encoder) for image in images}

    for number in range(40):
        expected = [row for row, vector in kept.items() if vector is not None and vector[number] > 0.5]
        found = vectors.nearest(shelf.axis(number), len(expected), where=ALL)
        assert rows(found) == sorted(expected)
    assert vectors.count() == 80


def test_only_the_given_rows_are_considered(vectors, shelf):
    images = [shelf.add(f"{number}") for number in range(30)]
    wanted = [images[number].row for number in (3, 7, 21)]

    found = vectors.nearest(shelf.axis(0), 10, where=ALL, rows=np.array(wanted, np.int64))

    assert sorted(rows(found)) == wanted
    assert vectors.nearest(shelf.axis(0), 10, where=ALL, rows=np.empty(0, np.int64)) == []


def test_conditions_on_rows_that_the_engine_cannot_decide_are_left_to_the_caller(vectors, shelf):
    image = shelf.add("any")

    found = vectors.nearest(shelf.axis(0), 10, where=Filter(tags=("none has it",)), rows=np.array([image.row]))

    assert rows(found) == [image.row]


def test_a_rare_value_is_found_however_far_away_it_is(vectors, shelf):
    shelf.add_many([shelf.axis(0, tilt=0.001 * number) for number in range(300)])
    rare = shelf.add("rare", -shelf.axis(0), library="private")

    found = vectors.nearest(shelf.axis(0), 5, where=Filter(libraries=("private",)))

    assert rows(found) == [rare.row]


def test_no_library_means_no_image(vectors, shelf):
    shelf.add("any")

    assert vectors.nearest(shelf.axis(0), 5, where=Filter(libraries=())) == []
    assert vectors.nearest(shelf.axis(0), 5, where=Filter(libraries=("no such",))) == []


def test_the_bounds_of_dates_belong_to_the_range(vectors, shelf):
    image = shelf.add("now")
    moment = image.created_at
    later = moment + timedelta(microseconds=1)

    exactly = Filter(created_after=moment, created_before=moment)
    assert rows(vectors.nearest(shelf.axis(0), 5, where=exactly)) == [image.row]
    assert vectors.nearest(shelf.axis(0), 5, where=Filter(created_after=later)) == []


@pytest.mark.parametrize("limit", [0, -1])
def test_no_neighbors_are_returned_when_none_are_asked_for(vectors, shelf, limit):
    shelf.add("any")

    assert vectors.nearest(shelf.axis(0), limit, where=ALL) == []


@pytest.mark.parametrize("length", [0, 47, 49, 512])
def test_a_vector_of_the_wrong_length_is_refused(vectors, length):
    with pytest.raises(ValueError, match="48"):
        vectors.nearest(np.zeros(length, np.float32), 5, where=ALL)


def test_a_query_vector_is_left_unchanged(vectors, shelf):
    shelf.add("any")
    query = shelf.axis(1, tilt=0.5)
    before = query.copy()
    query.setflags(write=False)

    vectors.nearest(query, 5, where=ALL)

    assert np.array_equal(query, before)


def test_vectors_of_another_encoder_are_never_neighbors(vectors, shelf):
    other = records_embeddings.EncoderRow("f" * 64, "other", shelf.dimension)
    image = shelf.add("one", shelf.axis(0))
    with shelf.backend.database.write() as connection:
        records_encoders.begin(connection, other)
        records_embeddings.put(connection, image.row, other.fingerprint, shelf.axis(9))

    [found] = vectors.nearest(shelf.axis(9), 5, where=ALL)
    assert found.similarity == pytest.approx(0.0, abs=HALF_PRECISION)
    theirs = FaissVectors(shelf.backend.database, other.fingerprint, other.dimension)
    assert theirs.nearest(shelf.axis(9), 5, where=ALL)[0].similarity == pytest.approx(1.0, abs=HALF_PRECISION)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_image_whose_vector_is_no_number_is_no_neighbor_and_hides_none(vectors, shelf, number):
    stays, broken = shelf.add("stays", shelf.axis(0)), shelf.add("broken", shelf.axis(1))
    vector = shelf.axis(1).astype(np.float16)
    vector[5] = number
    with shelf.backend.database.write() as connection:  # as an encoder has written it before that was refused
        connection.execute(
            embeddings.update().where(embeddings.c.image_row == broken.row).values(vector=vector.tobytes())
        )
        records_embeddings.touch(connection, [broken.row])

    assert rows(vectors.nearest(shelf.axis(1), 5, where=ALL)) == [stays.row]
    assert vectors.nearest(shelf.axis(1), 5, where=ALL, rows=np.array([broken.row])) == []
    assert vectors.count() == 1
    with shelf.backend.database.write() as connection:
        records_embeddings.put(connection, broken.row, shelf.encoder, shelf.axis(1))
    assert rows(vectors.nearest(shelf.axis(1), 5, where=ALL)) == [broken.row, stays.row]


def test_a_healthy_store_passes_its_check(vectors):
    vectors.check()
