"""The parts of a question as addresses have them."""

import pytest

from pipeline.errors import InvalidQuery
from pipeline.query_pictures import Region
from webapp.query_parts import Part, fields_of_parts, read_parts, read_words, url_of, write_words


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("red wine", [(1, "red wine")]),
        ("2*dog -leash", [(2, "dog"), (-1, "leash")]),
        ("2*golden retriever -fruit +beach", [(2, "golden retriever"), (-1, "fruit"), (1, "beach")]),
        ("dog -0.5*leash", [(1, "dog"), (-0.5, "leash")]),
        ("dog .5* cat", [(1, "dog"), (0.5, "cat")]),
        ("-leash dog", [(-1, "leash dog")]),
        ("t-shirt", [(1, "t-shirt")]),
        ("dog - a photo", [(1, "dog - a photo")]),
        ("2026-11-28 party", [(1, "2026-11-28 party")]),
        ("3+4=7", [(1, "3+4=7")]),
        ("5 * 3", [(1, "5 * 3")]),
        ('"well -known" -red', [(1, "well -known"), (-1, "red")]),
        ('-"2*x"', [(-1, "2*x")]),
        ('"', []),
        ("--verbose", [(1, "--verbose")]),
        ("-", [(1, "-")]),
        ("2*", []),
        ("狗 -猫", [(1, "狗"), (-1, "猫")]),
        ("-5 degrees", [(1, "-5 degrees")]),
        ("winter -5 degrees", [(1, "winter -5 degrees")]),
        ('winter -"5 degrees"', [(1, "winter"), (-1, "5 degrees")]),
    ],
)
def test_words_are_split_where_a_sign_or_a_weight_begins_one(text, parts):
    assert read_words(text) == parts


@pytest.mark.parametrize("text", ["3*dog", "-2.1*dog", "cat 99*dog"])
def test_a_weight_beyond_two_is_refused_with_a_sentence(text):
    with pytest.raises(InvalidQuery, match="between -2 and 2"):
        read_words(text)


@pytest.mark.parametrize("text", ["0*cat", "dog 0*cat", "-0.0*cat"])
def test_a_weight_of_nothing_is_refused_with_a_sentence(text):
    with pytest.raises(InvalidQuery, match="weight 0 counts nothing"):
        read_words(text)


@pytest.mark.parametrize(
    "parts",
    [
        [(1.0, "dog")],
        [(2.0, "dog"), (-1.0, "leash"), (1.0, "beach at night")],
        [(-1.0, "dog"), (-0.5, "-x"), (1.5, "2*y z")],
        [(1.0, "well -known"), (1.0, "a")],
        [(1.0, "-5 degrees"), (-1.0, "5 degrees"), (1.0, "7"), (0.5, "2024")],
    ],
)
def test_what_is_written_is_read_again(parts):
    assert read_words(write_words(parts)) == parts


def test_pictures_and_images_have_weights_and_regions():
    fields = {
        "text": ["dog"],
        "picture": ["key_-1", "0.5*key2@0.25,0.25,0.5,0.5"],
        "like": ["-1*01a2-7b", "01a3@0,0,1,0.5"],
        "category": ["food"],
    }
    parts = read_parts(fields)
    assert parts == (
        Part("text", "dog"),
        Part("picture", "key_-1"),
        Part("picture", "key2", 0.5, Region(0.25, 0.25, 0.5, 0.5)),
        Part("like", "01a2-7b", -1.0),
        Part("like", "01a3", 1.0, Region(0, 0, 1, 0.5)),
    )
    assert read_parts(fields_of_parts(parts)) == parts
    assert url_of(fields, parts[3:4]) == "/?like=-1%2A01a2-7b&category=food"


@pytest.mark.parametrize(
    "value",
    ["a@0,0,2,1", "a@x", "a@", "a@0,0,1", "9*a", "*a", "a*b*c", "@0,0,1,1", "nan*a", "0*a", "a@0.5,0.5,0.000001,0.3"],
)
def test_what_is_no_picture_is_refused(value):
    with pytest.raises(InvalidQuery):
        read_parts({"like": [value]})


def test_a_search_has_ten_parts_at_most():
    with pytest.raises(InvalidQuery, match="10 parts; this one has 11"):
        read_parts({"text": ["dog"], "like": [f"id{number}" for number in range(10)]})
