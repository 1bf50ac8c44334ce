"""Filling the next encoder when something goes wrong: nothing is lost, and nothing holds it up that need not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from command import wait_until
from putting import putting
from queue_clock import let_leases_run_out
from switching import COLORS, FIELDS, FIRST, SECOND, Kept, change_to, first_image, words

from pipeline import curation, encoder_switch
from pipeline.bulk_import import working
from pipeline.current_backend import CurrentBackend
from pipeline.errors import ModelUnusable, StoreUnavailable
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.images import ImageState, thumbnail_key
from pipeline.ingest import analyze
from pipeline.listing import count_all_states
from pipeline.principals import OWNER
from pipeline.questions import Term
from pipeline.reconcile import reconcile
from pipeline.search import SearchQuery, search
from pipeline.stores import records_encoders, records_queue
from pipeline.stores.tables import encoders, images
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases


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
    with CurrentBackend(Kept(**{name: getattr(poor, name) for name in (*FIELDS, "extractor", "vectors")})) as behind:
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

    Worker(filled).fill_encoder()

    told = encoder_switch.filling(filled.now)
    assert (told.done, told.resting, told.trouble) == (0, True, "It failed for 1.")
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
