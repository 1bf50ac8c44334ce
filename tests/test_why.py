"""What the words of a question make of a hit: what is told, and how strong it is."""

import pytest

from pipeline.why import match_words, strength_with_words
from pipeline.words import asked_words, words_of

DOG_ON_BEACH = {
    "caption": words_of("A dog"),
    "tags": words_of("beach"),
    "names": ["img", "7"],
    "keywords": ["retriever"],
}


def match(text: str, words: dict[str, list[str]] = DOG_ON_BEACH):
    return match_words(asked_words(text), words)


def test_words_are_told_by_where_they_stand_and_as_they_were_typed():
    found = match("Dogs at the beach 7")

    assert found.fields == {"caption": ("dogs",), "tags": ("beach",), "name": ("7",)}
    assert found.matched == ("dogs", "beach", "7")
    assert (found.is_written, found.is_named) == (False, True)


def test_nothing_is_told_where_nothing_was_found():
    assert match("cat ") is None
    assert match("") is None
    assert match_words(asked_words("cat"), {}) is None


@pytest.mark.parametrize(
    ("text", "band", "strength"),
    [
        ("dog beach ", "weak", "possible"),  # the picture speaks against its caption
        ("dog beach ", "possible", "strong"),
        ("dog beach ", "strong", "strong"),
        ("dog beach ", None, "strong"),  # nothing but words was looked for
        ("dog img ", "weak", "possible"),
        ("dog img ", "possible", "possible"),
        ("dog img ", None, "possible"),
        ("dog cat ", "weak", "weak"),
        ("dog cat ", "possible", "possible"),
        ("dog cat ", None, "weak"),
        ("retriever ", "weak", "weak"),  # read off the picture, as the cosine is
        ("bea", "weak", "weak"),  # beach may be meant, or bear
        ("bea", None, "possible"),
        ("cat ", "strong", "strong"),
        ("cat ", None, "weak"),
    ],
)
def test_all_words_make_a_hit_at_least_possible(text, band, strength):
    assert strength_with_words(band, match(text)) == strength


def test_chinese_is_told_as_it_was_typed():
    found = match("红色汽车", {"caption": words_of("一辆红色汽车停在路边")})

    assert found.fields == {"caption": ("红色汽车",)}
    assert found.is_written
