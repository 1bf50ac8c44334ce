"""A change of encoder to a model of which a part is damaged, and pictures that it could not embed at first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from putting import putting
from switching import COLORS, FIRST, SECOND, change_to, first_image, words

from pipeline import encoder_filling, encoder_switch
from pipeline.current_backend import CurrentBackend
from pipeline.errors import ModelUnusable
from pipeline.features.encoders.trial import GRAY
from pipeline.features.picture import Picture
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.images import thumbnail_key
from pipeline.originals import original_bytes
from pipeline.principals import OWNER
from pipeline.reconcile import reconcile
from pipeline.stores import records_embeddings, records_encoders
from pipeline.stores.database import Database
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases


def flip(path: Path) -> None:
    """Let one bit of a file be another; once more, and it is as before."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def text_tower(two_models: Path) -> Path:
    return two_models / SECOND / "text.onnx"


# ---- The model


@pytest.mark.parametrize("file", ["text.onnx", "tokenizer.json", "image.onnx"])
def test_a_model_of_which_a_part_is_damaged_is_not_begun_with(current, two_models, file):
    flip(two_models / SECOND / file)

    with pytest.raises(ModelUnusable, match=f"{file} of the model tiny-b is damaged"):
        encoder_switch.begin(current.now, OWNER, SECOND)

    assert encoder_switch.filling(current.now) is None


@pytest.mark.parametrize("pictures", [0, 1, 2, 5])
def test_a_model_that_is_damaged_later_never_takes_over_and_the_change_says_why_it_rests(current, text_tower, pictures):
    put = putting(current.now)
    for number in range(pictures):
        put(color=COLORS[number], filename=f"{number}.png", seed=number)
    Worker(current).drain()
    encoder_switch.begin(current.now, OWNER, SECOND)
    flip(text_tower)

    Worker(current).fill_encoder()

    told = encoder_switch.filling(current.now)
    assert (told.name, told.done, told.left_out, told.resting) == (SECOND, 0, 0, True)
    assert told.trouble.startswith("The file text.onnx of the model tiny-b is damaged. Please pull")
    assert current.now.encoder.name == FIRST
    flip(text_tower)
    encoder_switch.rest(current.now, OWNER, resting=False)
    assert encoder_switch.filling(current.now).trouble is None
    Worker(current).fill_encoder()
    assert current.now.encoder.name == SECOND
    assert len(words(current, "red")) == pictures
    assert encoder_switch.count_left_out(current.now) == 0


def test_an_encoder_that_fails_for_a_whole_batch_lets_the_change_rest(filled):
    begin_with(filled, lambda _picture: True)

    Worker(filled).fill_encoder()

    told = encoder_switch.filling(filled.now)
    assert (told.done, told.resting) == (0, True)
    assert told.trouble.startswith("The encoder tiny-b failed for one picture after the other.")


# ---- The pictures


class Stumbling:
    """An encoder that fails for some pictures, though not for the one with which encoders are tried out."""

    def __init__(self, encoder, fails_for) -> None:
        self._encoder = encoder
        self.fails_for = fails_for

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def embed_pictures(self, pictures):
        if pictures[0] is not GRAY and self.fails_for(pictures[0]):
            raise MemoryError("There is no room for this picture.")
        return self._encoder.embed_pictures(pictures)


def begin_with(filled: CurrentBackend, fails_for: Callable[[Picture], bool]) -> Stumbling:
    """Begin a change to the second encoder, which fails for these pictures."""
    encoder_switch.begin(filled.now, OWNER, SECOND)
    opened = filled.opened(encoder_switch.known(filled.now)[1].encoder)
    opened.extractor.encoder = Stumbling(opened.encoder, fails_for)
    return opened.extractor.encoder


def is_red(picture: Picture) -> bool:
    red, green, _ = picture.pixels.mean(axis=(0, 1))
    return red > 150 > green


def test_a_picture_that_the_encoder_stumbles_over_once_has_its_vector_nevertheless(filled):
    once = iter([True])
    begin_with(filled, lambda picture: is_red(picture) and next(once, False))

    Worker(filled).fill_encoder()

    assert next(once, None) is None, "it stumbled"
    assert words(filled, "red")[0] == f"{COLORS[0]}.png"
    assert encoder_switch.count_left_out(filled.now) == 0


@pytest.mark.parametrize("how", ["resume", "use"])
def test_what_could_not_be_embedded_is_tried_again_when_the_change_goes_on(filled, how):
    stumbling = begin_with(filled, is_red)
    with ThreadPoolExecutor(2) as pool:
        encoder_filling.step(filled, pool)
    assert encoder_switch.filling(filled.now).left_out == 1
    stumbling.fails_for = lambda _picture: False

    if how == "resume":
        encoder_switch.rest(filled.now, OWNER, resting=True)
        encoder_switch.rest(filled.now, OWNER, resting=False)
    else:
        encoder_switch.begin(filled.now, OWNER, SECOND)
    told = encoder_switch.filling(filled.now)
    assert (told.done, told.begun_with, told.left_out) == (len(COLORS) - 1, len(COLORS) - 1, 0)
    Worker(filled).fill_encoder()

    assert filled.now.encoder.name == SECOND
    assert words(filled, "red")[0] == f"{COLORS[0]}.png"


def test_what_could_not_be_embedded_is_told_and_tried_again_by_going_back(filled):
    stumbling = begin_with(filled, is_red)
    Worker(filled).fill_encoder()
    assert (filled.now.encoder.name, encoder_switch.count_left_out(filled.now)) == (SECOND, 1)
    change_to(filled, FIRST)
    assert encoder_switch.count_left_out(filled.now) == 0
    stumbling.fails_for = lambda _picture: False

    change_to(filled, SECOND)

    assert encoder_switch.count_left_out(filled.now) == 0
    assert words(filled, "red")[0] == f"{COLORS[0]}.png"


def test_pictures_without_a_vector_are_counted_without_looking_through_all_vectors(tmp_path):
    """`/status` asks every two seconds. Seen on SQLite, which says how it would answer whatever is in its tables."""
    database = Database(f"sqlite:///{tmp_path}/likeness.db")
    database.migrate()
    plans = []

    def explain(_connection, cursor, statement, parameters, *_others):
        if statement.startswith(("SELECT", "DELETE")):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.append(" ".join(str(step[3]) for step in cursor.fetchall()))

    sa.event.listen(database.engine, "before_cursor_execute", explain)
    with database.write() as connection:
        records_encoders.count_unreadable(connection, "any")
        records_embeddings.forget_unreadable(connection, encoder="any")
    database.close()

    assert ["ix_embeddings_unreadable" in plan for plan in plans if " embeddings " in plan] == [True, True]


def test_a_picture_of_which_nothing_was_left_is_found_when_it_is_uploaded_again(filled):
    image = first_image(filled)
    original = original_bytes(filled.now, image)
    filled.now.objects.delete(image.object_key)
    filled.now.objects.delete(thumbnail_key(image.library, image.sha256, THUMBNAIL_SIZES[-1]))
    change_to(filled, SECOND)
    assert (reconcile(filled.now).analyzed_again, encoder_switch.count_left_out(filled.now)) == (0, 1)

    putting(filled.now)(original, filename=image.filename)

    assert encoder_switch.count_left_out(filled.now) == 0
    assert reconcile(filled.now).analyzed_again == 1
    Worker(filled).drain()
    assert words(filled, "red")[0] == f"{COLORS[0]}.png"
