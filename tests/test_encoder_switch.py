"""Changing the encoder of a database in use: nothing is lost, nothing is mixed, and no search fails."""

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command import wait_until
from pictures import picture_bytes
from putting import putting
from queue_clock import let_leases_run_out
from tiny_clip import build_tiny_clip

from pipeline import curation, encoder_switch, query_pictures
from pipeline.backend import Backend, open_space, row_of
from pipeline.bulk_import import working
from pipeline.current_backend import CurrentBackend
from pipeline.errors import Conflict, ModelUnusable, StoreUnavailable
from pipeline.features.encoders import registry
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState, thumbnail_key
from pipeline.ingest import analyze
from pipeline.listing import count_all_states
from pipeline.principals import OWNER
from pipeline.reconcile import reconcile
from pipeline.search import SearchQuery, Term, search
from pipeline.settings import Settings
from pipeline.stores import records_embeddings, records_encoders, records_images, records_queue
from pipeline.stores.tables import encoders, images
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

COLORS = ("#d01010", "#10b010", "#1010d0", "#d0d010", "#808080")
FIRST, SECOND = "tiny-a", "tiny-b"

OpenFor = Callable[[], CurrentBackend]


@pytest.fixture
def two_models(tmp_path: Path) -> Path:
    """A folder with two models, whose vectors have nothing to do with each other."""
    build_tiny_clip(tmp_path / "two" / FIRST, FIRST, seed=1, dimension=32)
    build_tiny_clip(tmp_path / "two" / SECOND, SECOND, seed=2, dimension=48)
    return tmp_path / "two"


@pytest.fixture
def vectors_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where vectors are searched: in the process, unless a test asks for an engine that processes share."""
    kind = getattr(request, "param", "faiss")
    if kind == "pgvector":
        return request.getfixturevalue("postgresql").url()
    return f"milvus://{tmp_path}/lite.db" if kind == "milvus" else "faiss://"


@pytest.fixture
def opened(settings: Settings, two_models: Path, vectors_url: str, open_grid_backend) -> Iterator[OpenFor]:
    """Open the same database as another process would, with the encoder that is active; the first time with FIRST."""
    grid = open_grid_backend(settings.model_copy(update={"models": two_models, "vectors_url": vectors_url}))
    with grid.database.write() as connection:
        connection.execute(encoders.delete())
    every: list[CurrentBackend] = []

    def open_again() -> CurrentBackend:
        with grid.database.read() as connection:
            active = records_embeddings.active_encoder(connection)
        if active is None:
            card = _card_row(two_models, FIRST)
            with grid.database.write() as connection:
                records_embeddings.activate_encoder(connection, card)
            active = card
        extractor, vectors = open_space(grid.settings, grid.database, active)
        own = _Kept(**{field: getattr(grid, field) for field in FIELDS}, extractor=extractor, vectors=vectors)
        every.append(CurrentBackend(own, look_seconds=0.05))
        return every[-1]

    yield open_again
    for current in every:
        current.close()


FIELDS = ("settings", "database", "objects", "swatches", "decoders")


class _Kept(Backend):
    """One of several over the same stores, which outlive it."""

    def close(self) -> None:
        self.extractor.close()
        self.vectors.close()


def _card_row(models: Path, name: str) -> records_embeddings.EncoderRow:
    return row_of(registry.open_encoder(name, models))


@pytest.fixture
def current(opened: OpenFor) -> CurrentBackend:
    return opened()


@pytest.fixture
def filled(current: CurrentBackend) -> CurrentBackend:
    """With a picture of each color, analyzed."""
    fill(current)
    return current


def fill(current: CurrentBackend) -> list[str]:
    put = putting(current.now)
    ids = [put(color=color, filename=f"{color}.png", seed=number).id for number, color in enumerate(COLORS)]
    Worker(current).drain()
    return ids


def words(current: CurrentBackend, text: str) -> list[str]:
    """Return the names of what is found, the nearest first."""
    found = search(current.now, SearchQuery((Term(text=text),)), OWNER)
    return [hit.image.filename for hit in found.hits]


def first_image(current: CurrentBackend) -> ImageRecord:
    with current.now.database.read() as connection:
        rows = connection.scalars(images.select().with_only_columns(images.c.row).order_by(images.c.row).limit(1)).all()
        return records_images.get_by_rows(connection, rows)[0]


def change_to(current: CurrentBackend, name: str) -> None:
    encoder_switch.begin(current.now, OWNER, name)
    Worker(current).fill_encoder()


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


# ---- What goes wrong


def test_pictures_of_a_worker_that_died_are_taken_again(filled):
    encoder_switch.begin(filled.now, OWNER, SECOND)
    with filled.now.database.write() as connection:  # a worker took all of them, and died
        wanted = records_encoders.building(connection).encoder.fingerprint
        found = records_encoders.look_for(connection, wanted, 100, timedelta(seconds=30))
        assert len(found.rows) == len(COLORS)
        assert records_encoders.take(connection, wanted, found)
        assert not records_encoders.take(connection, wanted, found)

    Worker(filled).fill_encoder()
    assert filled.now.encoder.name == FIRST
    with filled.now.database.write() as connection:
        connection.execute(encoders.update().values(claimed_at=datetime.now(UTC) - timedelta(minutes=5)))
    Worker(filled).fill_encoder()

    assert filled.now.encoder.name == SECOND


def test_a_picture_whose_original_is_gone_is_embedded_from_its_thumbnail(filled):
    filled.now.objects.delete(first_image(filled).object_key)

    change_to(filled, SECOND)

    assert filled.now.encoder.name == SECOND
    assert words(filled, "red")[0] == f"{COLORS[0]}.png"


def test_a_picture_of_which_nothing_is_left_holds_nobody_up(filled):
    image = first_image(filled)
    filled.now.objects.delete(image.object_key)
    filled.now.objects.delete(thumbnail_key(image.library, image.sha256, THUMBNAIL_SIZES[-1]))

    change_to(filled, SECOND)

    assert filled.now.encoder.name == SECOND
    assert len(words(filled, "red")) == len(COLORS) - 1


def test_an_analysis_that_ends_after_the_change_is_not_written_with_the_old_encoder(filled, opened):
    late = opened()
    before = late.now
    image = putting(before)(color="#ff8000", filename="late.png", seed=99)
    with before.database.write() as connection:
        claim = records_queue.claim(connection, limit=1, lease=timedelta(minutes=5), max_attempts=5)
    change_to(filled, SECOND)

    with pytest.raises(StoreUnavailable, match="works with the encoder tiny-b by now"):
        analyze(before, image, claim.token)

    let_leases_run_out(filled.now.database)
    Worker(filled).drain()
    assert words(filled, "orange")[0] == "late.png"


def test_an_import_that_began_before_the_change_goes_on_with_the_next_encoder(filled, opened):
    before = opened().now
    change_to(filled, SECOND)
    putting(before)(color="#ff8000", filename="late.png", seed=99)

    with working(before):
        wait_until(lambda: not count_all_states(filled.now)[ImageState.WAITING])

    assert words(filled, "orange")[0] == "late.png"
    assert search(before, SearchQuery((Term(text="red"),)), OWNER).encoder == FIRST


def test_a_process_without_the_model_goes_on_with_the_old_encoder(filled, opened, two_models, caplog):
    other = opened()
    poor = replace(other.now, settings=other.now.settings.model_copy(update={"models": two_models / "empty"}))
    with CurrentBackend(_Kept(**{name: getattr(poor, name) for name in (*FIELDS, "extractor", "vectors")})) as behind:
        change_to(filled, SECOND)
        behind.look()
        behind.look()

        assert behind.now.encoder.name == FIRST
        assert words(behind, "red")[0] == f"{COLORS[0]}.png"
        assert reconcile(behind.now).analyzed_again == 0
    assert caplog.text.count("cannot be opened here") == 1


def test_pictures_deleted_or_purged_meanwhile_come_back_only_when_restored(filled):
    with filled.now.database.read() as connection:
        ids = list(connection.scalars(images.select().with_only_columns(images.c.id).order_by(images.c.row)))
    curation.delete(filled.now, ids[:1], OWNER)
    change_to(filled, SECOND)
    assert f"{COLORS[0]}.png" not in words(filled, "red")

    curation.restore(filled.now, ids[:1], OWNER)

    assert words(filled, "red")[0] == f"{COLORS[0]}.png"


def test_a_picture_that_the_encoder_stumbles_over_holds_no_other_up(filled):
    """A network that fails for one picture, such as by an overflow, is not a model that fails for all."""
    encoder_switch.begin(filled.now, OWNER, SECOND)
    wanted = encoder_switch.known(filled.now)[1].encoder
    opened = filled.opened(wanted)
    stumbling = Stumbling(opened.encoder)
    opened.extractor.encoder = stumbling

    Worker(filled).fill_encoder()

    assert stumbling.stumbled
    assert filled.now.encoder.name == SECOND
    assert len(words(filled, "green")) == len(COLORS) - 1
    assert count_all_states(filled.now)[ImageState.READY] == len(COLORS)
    assert reconcile(filled.now).analyzed_again == 0


class Stumbling:
    """An encoder that cannot bear pictures that are red."""

    def __init__(self, encoder) -> None:
        self._encoder = encoder
        self.stumbled = 0

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def embed_pictures(self, pictures):
        red, green, _ = pictures[0].pixels.mean(axis=(0, 1))
        if red > 150 > green:
            self.stumbled += 1
            raise ModelUnusable("It stumbled.")
        return self._encoder.embed_pictures(pictures)


def test_an_encoder_that_fails_for_every_picture_never_takes_over(filled):
    encoder_switch.begin(filled.now, OWNER, SECOND)
    opened = filled.opened(encoder_switch.known(filled.now)[1].encoder)
    opened.extractor.encoder = Failing(opened.encoder)

    with pytest.raises(ModelUnusable):
        Worker(filled).fill_encoder()

    assert encoder_switch.filling(filled.now).done == 0
    assert filled.now.encoder.name == FIRST


class Failing(Stumbling):
    def embed_pictures(self, pictures):
        raise ModelUnusable(f"It failed for {len(pictures)}.")


def test_what_was_computed_when_the_change_was_ended_is_not_written(filled):
    encoder_switch.begin(filled.now, OWNER, SECOND)
    wanted = encoder_switch.known(filled.now)[1].encoder
    image = first_image(filled)
    encoder_switch.cancel(filled.now, OWNER)

    with filled.now.database.write() as connection:
        records_encoders.put(connection, wanted, {image.row: None})
        assert records_encoders.count_vectors(connection, wanted.fingerprint) == 0


# ---- What people see


def test_categories_are_those_of_the_encoder_in_use_again_after_going_back(filled):
    def categories() -> dict[str, tuple[str, str]]:
        with filled.now.database.read() as connection:
            wanted = (images.c.id, images.c.category, images.c.encoder)
            return {row.id: tuple(row)[1:] for row in connection.execute(images.select().with_only_columns(*wanted))}

    before = categories()
    change_to(filled, SECOND)
    assert {encoder for _, encoder in categories().values()} == {SECOND}
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
