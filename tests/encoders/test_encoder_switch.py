"""Changing the encoder of a database in use: nothing is mixed, no search fails, and the way back is open."""

import io
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from command import wait_until
from pictures import picture_bytes
from putting import putting
from switching import COLORS, FIRST, SECOND, change_to, words
from tiny_clip import build_tiny_clip

from pipeline import encoder_switch, query_pictures
from pipeline.bulk_import import working
from pipeline.current_backend import CurrentBackend
from pipeline.errors import Conflict, ModelUnusable
from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.listing import count_all_states
from pipeline.principals import OWNER
from pipeline.questions import Term
from pipeline.reconcile import reconcile
from pipeline.search import SearchQuery, search
from pipeline.stores import records_embeddings, records_encoders
from pipeline.stores.tables import encoders, images
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases


# ---- From the beginning to the end


def test_searches_go_over_to_the_next_encoder_when_it_has_every_picture(filled):
    encoder_switch.begin(filled.now, OWNER, SECOND)
    assert filled.now.encoder.name == FIRST

    Worker(filled).fill_encoder()

    assert filled.now.encoder.name == SECOND
    assert encoder_switch.filling(filled.now) is None
    assert [words(filled, text)[0] for text in ("red", "green", "blue")] == [f"{color}.png" for color in COLORS[:3]]
    assert len(words(filled, "red")) == len(COLORS)
    with filled.now.database.read() as connection:
        assert set(connection.scalars(images.select().with_only_columns(images.c.encoder))) == {SECOND}


def test_an_empty_database_goes_over_at_once(current):
    change_to(current, SECOND)

    assert current.now.encoder.name == SECOND


def test_a_running_worker_fills_it_and_takes_new_pictures_first(filled):
    with working(filled):
        encoder_switch.begin(filled.now, OWNER, SECOND)
        putting(filled.now)(color="#ff8000", filename="late.png", seed=99)
        wait_until(lambda: filled.now.encoder.name == SECOND)
        wait_until(lambda: not count_all_states(filled.now)[ImageState.WAITING])

    assert words(filled, "orange")[0] == "late.png"


def test_other_processes_follow_by_themselves(filled, opened):
    other = opened()

    change_to(filled, SECOND)

    wait_until(lambda: other.now.encoder.name == SECOND)
    assert words(other, "blue")[0] == f"{COLORS[2]}.png"


def test_whoever_began_a_search_ends_it_with_the_encoder_they_began_with(filled):
    before = filled.now

    change_to(filled, SECOND)

    found = search(before, SearchQuery((Term(text="red"),)), OWNER)
    assert found.encoder == FIRST
    assert found.hits[0].image.filename == f"{COLORS[0]}.png"


def test_constant_searches_never_fail_and_never_mix_two_encoders(filled, opened):
    other = opened()
    ended = threading.Event()
    seen: set[tuple[str, float]] = set()
    problems: list[BaseException] = []

    def ask(current: CurrentBackend) -> None:
        try:
            while not ended.is_set():
                found = search(current.now, SearchQuery((Term(text="red"),)), OWNER)
                assert len(found.hits) == len(COLORS)
                seen.add((found.encoder, round(found.hits[0].similarity, 3)))
        except BaseException as error:  # noqa: BLE001 - told by the test
            problems.append(error)

    askers = [threading.Thread(target=ask, args=(current,)) for current in (filled, other)]
    for asker in askers:
        asker.start()
    change_to(filled, SECOND)
    wait_until(lambda: other.now.encoder.name == SECOND)
    ended.set()
    for asker in askers:
        asker.join()

    assert problems == []
    # A vector of one encoder among those of the other would have another cosine than these.
    assert {name for name, _ in seen} <= {FIRST, SECOND}
    assert len(seen) <= 2


@pytest.mark.parametrize("vectors_url", ["pgvector", "milvus"], indirect=True)
def test_an_engine_that_is_shared_holds_every_vector_before_it_is_asked(filled):
    change_to(filled, SECOND)

    assert filled.now.vectors.is_shared
    assert filled.now.vectors.count() == len(COLORS)
    assert [words(filled, text)[0] for text in ("red", "green", "blue")] == [f"{color}.png" for color in COLORS[:3]]


# ---- Pausing, ending, and going back


def test_a_change_that_rests_goes_no_further_until_it_is_resumed(filled):
    encoder_switch.begin(filled.now, OWNER, SECOND)
    encoder_switch.rest(filled.now, OWNER, resting=True)
    Worker(filled).fill_encoder()
    told = encoder_switch.filling(filled.now)
    assert (told.name, told.done, told.total, told.resting) == (SECOND, 0, len(COLORS), True)

    encoder_switch.rest(filled.now, OWNER, resting=False)
    Worker(filled).fill_encoder()

    assert filled.now.encoder.name == SECOND


def test_a_change_that_was_cancelled_leaves_everything_as_it_was(filled):
    encoder_switch.begin(filled.now, OWNER, SECOND)
    encoder_switch.cancel(filled.now, OWNER)

    Worker(filled).fill_encoder()

    assert filled.now.encoder.name == FIRST
    assert words(filled, "red")[0] == f"{COLORS[0]}.png"
    with pytest.raises(Conflict, match="No change of encoder is under way"):
        encoder_switch.cancel(filled.now, OWNER)


def test_going_back_computes_only_what_came_in_meanwhile(filled):
    change_to(filled, SECOND)
    putting(filled.now)(color="#ff8000", filename="late.png", seed=99)
    Worker(filled).drain()
    encoder_switch.begin(filled.now, OWNER, FIRST)
    assert encoder_switch.filling(filled.now).done == len(COLORS)

    Worker(filled).fill_encoder()

    assert filled.now.encoder.name == FIRST
    assert words(filled, "orange")[0] == "late.png"


def test_what_an_old_encoder_computed_can_be_dropped_and_only_that(filled):
    change_to(filled, SECOND)
    with pytest.raises(Conflict, match="Some processes may still be searching with the encoder tiny-a"):
        encoder_switch.drop(filled.now, OWNER, FIRST)
    with filled.now.database.write() as connection:
        connection.execute(encoders.update().values(ended_at=datetime.now(UTC) - timedelta(minutes=5)))

    assert encoder_switch.drop(filled.now, OWNER, FIRST) == len(COLORS)

    assert [state.encoder.name for state in encoder_switch.known(filled.now)] == [SECOND]
    with pytest.raises(Conflict, match="No vectors of an old encoder tiny-b"):
        encoder_switch.drop(filled.now, OWNER, SECOND)
    assert len(words(filled, "red")) == len(COLORS)


def test_two_changes_at_a_time_are_refused_and_the_same_one_goes_on(filled, two_models):
    build_tiny_clip(two_models / "tiny-c", "tiny-c", seed=3)
    encoder_switch.begin(filled.now, OWNER, SECOND)
    encoder_switch.begin(filled.now, OWNER, SECOND)

    with pytest.raises(Conflict, match="The change to the encoder tiny-b is under way"):
        encoder_switch.begin(filled.now, OWNER, "tiny-c")
    with pytest.raises(Conflict, match="Searches use the encoder tiny-a already"):
        encoder_switch.begin(filled.now, OWNER, FIRST)
    with pytest.raises(ModelUnusable):
        encoder_switch.begin(filled.now, OWNER, "never-heard-of")


def test_a_sample_of_vectors_is_of_all_pictures_not_of_the_first_ones(filled):
    with filled.now.database.read() as connection:
        active = filled.now.encoder.fingerprint
        rows = list(connection.scalars(images.select().with_only_columns(images.c.row).order_by(images.c.row)))
        vectors = {row: records_embeddings.get_vector(connection, row, active).tobytes() for row in rows}
        sampled = {
            limit: {row.tobytes() for row in records_encoders.sample_vectors(connection, active, limit)}
            for limit in (1, 2, 3, 4, 5)
        }

    chosen = {limit: [row for row in rows if vectors[row] in found] for limit, found in sampled.items()}
    assert rows == [1, 2, 3, 4, 5]
    assert chosen == {1: [5], 2: [3], 3: [2, 4], 4: [2, 4], 5: [1, 2, 3, 4, 5]}


# ---- What people see


def test_categories_and_keywords_are_those_of_the_encoder_in_use_again_after_going_back(filled):
    def categories() -> dict[str, tuple[object, ...]]:
        with filled.now.database.read() as connection:
            wanted = (images.c.id, images.c.category, images.c.keywords, images.c.encoder)
            found = connection.execute(images.select().with_only_columns(*wanted)).all()
        return {row.id: (row.category, [word for word, _ in row.keywords], row.encoder) for row in found}

    before = categories()
    change_to(filled, SECOND)
    assert {encoder for *_, encoder in categories().values()} == {SECOND}
    change_to(filled, FIRST)

    reconcile(filled.now)

    assert categories() == before


def test_the_link_of_a_search_by_picture_outlives_the_change(filled):
    red = picture_bytes(color="#e00808", size=(300, 300), seed=7)
    with spooled(io.BytesIO(red), "q.png", max_bytes=len(red)) as upload:
        kept = query_pictures.keep_query_picture(filled.now, upload)
    query = SearchQuery((Term(picture_key=kept.key),), limit=2)
    first = search(filled.now, query, OWNER)

    change_to(filled, SECOND)

    again = search(filled.now, query, OWNER)
    assert [hit.image.id for hit in again.hits][:1] == [hit.image.id for hit in first.hits][:1]
    behind = search(filled.now, replace(query, offset=2), OWNER)
    assert not {hit.image.id for hit in behind.hits} & {hit.image.id for hit in again.hits}


def test_filters_see_the_category_that_the_next_encoder_gave(filled):
    change_to(filled, SECOND)

    with filled.now.database.read() as connection:
        rows = connection.execute(images.select().with_only_columns(images.c.id, images.c.category)).all()
    assert len(rows) == len(COLORS)
    for image_id, category in rows:
        found = search(filled.now, SearchQuery((Term(text="red"),), where=Filter(categories=(category,))), OWNER)
        assert image_id in {hit.image.id for hit in found.hits}
