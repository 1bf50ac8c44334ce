"""Cards that come from anywhere: what is none, or says what cannot be, is refused before anything rests on it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from tiny_model import tiny_card

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import as_json, check_name, read_card
from pipeline.features.encoders.catalog import CATALOG

Card = dict[str, Any]
Change = Callable[[Card], object]


def changed(**values: object) -> Change:
    return lambda card: card.update(values)


def within(part: str, **values: object) -> Change:
    return lambda card: card[part].update(values)


def first_file(**values: object) -> Change:
    return lambda card: card["files"][0].update(values)


WRONG: list[Change] = [
    *(changed(name=name) for name in (["a"], 5, None, "", "My Model", ".hidden", "../evil", "a" * 65)),
    *(changed(dimension=dimension) for dimension in (32.5, "32", True, 0, -1, 10**12, None)),
    *(changed(**{text: value}) for text in ("licence", "description", "architecture") for value in (None, 5, ["a"])),
    *(changed(languages=languages) for languages in ({"a": 1}, "control \x1b[2J", "half \ud800", "none\0")),
    *(changed(commercial_use=said) for said in ("no", 1, None)),
    *(changed(repository=repository) for repository in (5, ["a"])),
    *(changed(extra=extra) for extra in (None, 5, ["a"], {"half": "\ud800"})),
    *(changed(files=files) for files in ([], None, 5, ["image.onnx"], [{}])),
    lambda card: card["files"].pop(),
    lambda card: card["files"].append(card["files"][0] | {"path": "another.onnx"}),
    lambda card: card["files"].append(card["files"][0] | {"role": "other"}),
    *(
        first_file(path=path)
        for path in (5, "", "a\0b", "../a", "/a", "a//b", ".parts/a", "a/.card-b", "C:a", "card.json", None)
    ),
    *(first_file(bytes=size) for size in ("x", 1.5, -1, 0, True)),
    *(first_file(sha256=digest) for digest in (7, "", "ABC", "z" * 64)),
    *(first_file(role=role) for role in (5, "sound", None)),
    *(within("preprocessing", size=size) for size in (32.5, 0, 10**9, "32", None)),
    *(
        within("preprocessing", mean=mean)
        for mean in ([0, 0, float("nan")], [0, 0], "123", [0, 0, "0"], [0, 0, 10**400], None, 5)
    ),
    *(within("preprocessing", std=std) for std in ([1, 1, 0], [1, 1, float("inf")], [1, 1, -1], [True, True, True])),
    *(within("preprocessing", resize=resize) for resize in ("stretch", 5, None, ["squash"])),
    *(within("tokenizing", pad_id=pad_id) for pad_id in ("x", -1, 2**31, None, 0.5)),
    *(within("tokenizing", end_id=end_id) for end_id in ("x", -1, 2**31)),
    *(within("tokenizing", context_length=length) for length in (10**12, 0, "77", 7.5)),
    *(within("tokenizing", lower=lower) for lower in ("yes", 1, None)),
    changed(unheard_of=1),
    lambda card: card.pop("dimension"),
]


@pytest.mark.parametrize("change", WRONG, ids=range(len(WRONG)))
def test_a_card_that_says_what_cannot_be_is_refused_with_a_sentence(change):
    card = asdict(tiny_card()) | {"files": [asdict(file) for file in tiny_card().files]}
    change(card)

    with pytest.raises(ModelUnusable) as told:
        read_card(card)

    assert told.value.user_message.startswith(("The card of the model ", "A model cannot be called "))
    assert len(told.value.user_message) < 500


@pytest.mark.parametrize("values", [None, 5, [], "card", [["name", "tiny"]]])
def test_what_is_no_table_is_no_card(values):
    with pytest.raises(ModelUnusable, match="The card of the model in this folder cannot be used"):
        read_card(values)


def test_what_cannot_be_said_deeply_enough_is_refused():
    nested: Any = []
    for _ in range(900):
        nested = [nested]

    with pytest.raises(ModelUnusable, match="cannot be used"):
        read_card(asdict(tiny_card()) | {"extra": {"nested": nested}})


@pytest.mark.parametrize("card", [*CATALOG.values(), tiny_card(), tiny_card(pinned=False)], ids=lambda card: card.name)
def test_a_card_that_was_written_is_read_again(card):
    assert read_card(json.loads(as_json(card))) == card


def test_the_sentence_names_what_is_wrong():
    with pytest.raises(ModelUnusable, match=r"tiny cannot be used: dimension is 32\.5\. Please pull"):
        read_card(asdict(tiny_card()) | {"dimension": 32.5})
    with pytest.raises(ModelUnusable, match=r"must be one each of image, text and tokenizer"):
        read_card(asdict(tiny_card()) | {"files": []})


@pytest.mark.parametrize("name", ["a", "vit-b-32.v2_x", "a" * 64])
def test_names_of_small_letters_digits_and_marks_are_names(name):
    check_name(name)
