"""How texts are cleaned and cut, beside open_clip.

Cleaned texts were printed by the functions of open_clip_torch 3.3.0. Ids are those of a tokenizer made here; that the
ids of CLIP's own vocabulary are open_clip's is shown by tests/test_model_export.py, where open_clip is installed.
"""

from threading import Barrier, Thread

import numpy as np
import pytest
from tiny_clip import CONTEXT, build_tiny_clip
from tokenizers import Tokenizer

from pipeline.features.encoders.cards import Tokenizing
from pipeline.features.encoders.clip_tokens import ClipTokenizer, load_tokenizer

START, END, UNKNOWN, RED, GREEN = 2, 3, 1, 4, 5


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    build_tiny_clip(folder)
    return folder / "tokenizer.json"


def cleaned(path, text, cleaning, *, lower=False):
    return load_tokenizer(path, Tokenizing(CONTEXT, cleaning, lower)).clean(text)


@pytest.mark.parametrize(
    ("text", "canonical", "whitespace", "clip"),
    [
        ("A_dog's  &lt;b&gt; ﬁsh!", "a dogs b fish", "A_dog's <b> fish!", "a_dog's <b> fish!"),
        ("café — “quoted”", "café — quoted", 'café — "quoted"', 'café — "quoted"'),
        ("Hello, World: it's 5.5%", "hello world its 55", "Hello, World: it's 5.5%", "hello, world: it's 5.5%"),
        ("Ã©té #tag @user", "été tag user", "été #tag @user", "été #tag @user"),
        ("\n a\tb ", "a b", "a b", "a b"),
        ("Tom &amp;amp; Jerry", "tom jerry", "Tom & Jerry", "tom & jerry"),
        ("bell\x07", "bell", "bell", "bell"),
    ],
)
def test_texts_are_cleaned_as_open_clip_cleans_them(path, text, canonical, whitespace, clip):
    assert cleaned(path, text, "canonical") == canonical
    assert cleaned(path, text, "whitespace") == whitespace
    assert cleaned(path, text, "clip") == clip
    assert cleaned(path, text, "none") == text


def test_a_card_may_ask_for_small_letters_beside_the_cleaning(path):
    assert cleaned(path, "A  Dog", "whitespace", lower=True) == "a dog"


def test_half_a_surrogate_pair_is_a_text_too(path):
    assert cleaned(path, "red \ud800", "clip") == "red ?"


def test_a_text_is_marked_and_padded(path):
    tokens = load_tokenizer(path, Tokenizing(CONTEXT, end_id=END)).tokens("red or green")

    assert tokens.ids.tolist() == [START, RED, UNKNOWN, GREEN, END, *[0] * 7]
    assert tokens.ids.dtype == np.int64
    assert (tokens.count, tokens.understood, tokens.ignored) == (5, ("red", "or", "green"), ())


@pytest.mark.parametrize("end_id", [END, None])
def test_a_long_text_is_cut_with_its_end_in_the_last_place(path, end_id):
    tokens = load_tokenizer(path, Tokenizing(CONTEXT, end_id=end_id)).tokens("red " * 10 + "green red")

    assert tokens.ids.tolist() == [START, *[RED] * 10, END]
    assert (tokens.count, tokens.ignored) == (CONTEXT, ("green", "red"))
    assert tokens.understood == ("red",) * 10


def test_a_text_that_just_fits_is_not_cut(path):
    tokens = load_tokenizer(path, Tokenizing(CONTEXT, end_id=END)).tokens("red " * 10)

    assert tokens.ids.tolist() == [START, *[RED] * 10, END]
    assert tokens.ignored == ()


def test_padding_is_what_the_card_says_and_not_what_the_file_says(path, tmp_path):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_padding(length=40, pad_id=7, pad_token="red")  # noqa: S106 - a word
    tokenizer.enable_truncation(3)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    tokens = load_tokenizer(tmp_path / "tokenizer.json", Tokenizing(CONTEXT, pad_id=9, end_id=END)).tokens("red green")

    assert tokens.ids.tolist() == [START, RED, GREEN, END, *[9] * 8]


def test_a_book_is_cut_before_it_is_cleaned(path):
    assert len(cleaned(path, "red &amp; " * 1_000_000, "clip")) < 10_000


def test_threads_may_share_a_tokenizer(path):
    tokenizer: ClipTokenizer = load_tokenizer(path, Tokenizing(CONTEXT, end_id=END))
    start, found = Barrier(4), []

    def cut():
        start.wait()
        found.extend(tokenizer.tokens("red or green").ids.tolist() for _ in range(50))

    threads = [Thread(target=cut) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[START, RED, UNKNOWN, GREEN, END, *[0] * 7]] * 200
