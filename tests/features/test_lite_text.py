import json

import numpy as np
import pytest
from lite_samples import sample

from pipeline.errors import InvalidQuery
from pipeline.features.encoders.lexicon import MAX_TEXT_WORDS, load_lexicon, split_words
from pipeline.features.encoders.lite_space import KINDS_FILE

PHOTOS = ("chelsea", "coffee", "rocket", "flower.jpg", "china.jpg")


@pytest.mark.parametrize(
    ("text", "photo"),
    [
        ("cat", "chelsea"),
        ("a photo of two kittens", "chelsea"),
        ("animal", "chelsea"),
        ("a cup of coffee", "coffee"),
        ("drinks", "coffee"),
        ("rockets", "rocket"),
        ("flower", "flower.jpg"),
        ("palace", "china.jpg"),
        ("a building", "china.jpg"),
    ],
)
def test_a_word_finds_the_photo_that_shows_it(lite, text, photo):
    vectors = lite.embed_pictures([sample(name) for name in PHOTOS])
    assert PHOTOS[int((vectors @ lite.embed_text(text).vector).argmax())] == photo


def test_a_text_embedding_has_unit_length(lite):
    vector = lite.embed_text("a dog and an ice cream on the beach").vector
    assert vector.shape == (512,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_the_words_that_were_understood_and_ignored_are_told_in_order(lite):
    heard = lite.embed_text("A happy dog jumps over the polar bear's ice cream")
    assert heard.understood == ("dog", "polar bear", "ice cream")
    assert heard.ignored == ("happy", "jumps")


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("dog", "Dogs"),
        ("wolf", "WOLVES"),
        ("mouse", "mice"),
        ("fox", "foxes"),
        ("butterfly", "butterflies"),
        ("elephant", "éléphant"),
        ("Granny Smith", "granny-smith"),
        ("man", "men"),
        ("child", "children"),
        ("bus", "buses"),
    ],
)
def test_plurals_case_hyphens_and_accents_make_no_difference(lite, one, same):
    np.testing.assert_array_equal(lite.embed_text(one).vector, lite.embed_text(same).vector)


def test_the_longest_name_wins(lite):
    assert lite.embed_text("teddy bear").understood == ("teddy bear",)
    assert lite.embed_text("hot dog").vector @ lite.embed_text("dog").vector < 0.5


def test_a_broad_word_points_at_its_kind_and_a_single_thing_does_not(lite):
    kinds = list(json.loads(KINDS_FILE.read_text()))
    said = {word: lite.embed_text(word).vector[-len(kinds) :] for word in ("animal", "dog", "toy poodle", "vehicle")}
    for word in ("animal", "dog", "vehicle"):
        assert [kinds[place] for place in np.flatnonzero(said[word])] == [word]
    assert not said["toy poodle"].any()


@pytest.mark.parametrize("text", ["justice and freedom", "", "   ", "of the and", "🐈🐈🐈", "\x00\x1b[31m\u202e", "犬"])
def test_a_text_without_a_known_word_is_refused_with_a_sentence(lite, text):
    with pytest.raises(InvalidQuery) as refused:
        lite.embed_text(text)
    assert "names of things" in refused.value.user_message
    assert "drop a similar picture" in refused.value.user_message


def test_control_characters_and_emoji_do_not_hide_the_words_between_them(lite):
    heard = lite.embed_text("\x00cat\x07 🐈‍⬛ \u202edog\r\n")
    assert heard.understood == ("cat", "dog")
    assert heard.ignored == ()


def test_only_the_beginning_of_an_endless_text_is_read(lite):
    assert len(split_words("cat " * 1_000_000)) == MAX_TEXT_WORDS
    assert split_words("x" * 1_000_000) == ["x" * 2_000]
    assert len(lite.embed_text("dog " * 10_000).understood) == MAX_TEXT_WORDS


def test_the_lexicon_knows_all_classes_by_their_own_name():
    lexicon = load_lexicon()
    assert len(lexicon.class_names) == 1000
    for index, name in enumerate(lexicon.class_names):
        reading = lexicon.read(name)
        assert reading.ignored == (), name
        if name not in BRIDGED:
            assert any(index in meant for meant in reading.classes), name


BRIDGED = {"plane", "Cardigan"}
"""The carpenter's tool and the corgi: to most people these words mean an aircraft and a garment."""


def test_the_order_of_the_classes_is_that_of_the_classifier():
    names = load_lexicon().class_names
    assert (names[0], names[281], names[724], names[999]) == ("tench", "tabby", "pirate", "toilet tissue")
