"""The catalog of CLIP models is consistent, and the registry knows its models and those that lie in a folder."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ModelUnusable
from pipeline.features.encoders import registry
from pipeline.features.encoders.cards import IMAGE, TEXT, TOKENIZER, as_json
from pipeline.features.encoders.catalog import CATALOG, CATALOG_FILE, DEFAULT

CARDS = pytest.mark.parametrize("card", CATALOG.values(), ids=CATALOG.keys())

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
ROW = re.compile(r"^\| `([\w-]+)`[^|]* \| (\d+) \| (.*?) \| (.*?) \|", re.MULTILINE)

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""From OPENAI_DATASET_MEAN and OPENAI_DATASET_STD of open_clip."""


@CARDS
def test_a_model_has_two_towers_a_tokenizer_and_a_place_on_the_hub(card):
    assert sorted(file.role for file in card.files) == sorted([IMAGE, TEXT, TOKENIZER])
    assert len({file.path for file in card.files}) == 3
    assert card.repository.count("/") == 1
    assert all(file.source for file in card.files)


@CARDS
def test_what_is_pinned_looks_like_what_it_is(card):
    for file in card.files:
        assert file.sha256 is None or (len(file.sha256) == 64 and int(file.sha256, 16))
        assert file.bytes is None or file.bytes > 100_000
    assert card.revision is None or (len(card.revision) == 40 and int(card.revision, 16))


@CARDS
def test_people_are_told_what_a_model_is_good_for_and_on_what_terms(card):
    assert card.description
    assert card.licence
    assert card.languages
    assert card.quality
    assert card.hardware


@CARDS
def test_pictures_are_prepared_as_the_kind_of_model_wants_it(card):
    prepared = card.preprocessing
    if "siglip2" in card.name:
        assert (prepared.mean, prepared.std, prepared.resize) == ((0.5,) * 3, (0.5,) * 3, "squash")
        assert (card.tokenizing.context_length, card.tokenizing.cleaning, card.tokenizing.lower) == (
            64,
            "canonical",
            True,
        )
    else:
        assert prepared.resize == "shortest"
        assert card.tokenizing.context_length == 77
    if card.pretrained == "openai":
        assert (prepared.size, prepared.mean, prepared.std) == (224, CLIP_MEAN, CLIP_STD)
        assert (card.tokenizing.pad_id, card.tokenizing.end_id) == (0, 49407)


def test_the_names_in_the_catalog_are_different():
    listed = [values["name"] for values in tomllib.loads(CATALOG_FILE.read_text(encoding="utf-8"))["models"]]

    assert listed == list(CATALOG)


def test_the_default_is_small_pinned_and_free_to_use():
    card = CATALOG[DEFAULT]

    assert card.name == "clip-vit-b-32"
    assert card.is_pinned
    assert card.commercial_use
    assert card.bytes == 89_117_001 + 64_504_507 + 2_224_119


def test_models_that_forbid_commercial_use_say_so_in_their_description():
    forbidden = [card for card in CATALOG.values() if not card.commercial_use]

    assert [card.licence for card in forbidden] == ["apple-amlr"]
    assert all("research only" in card.description for card in forbidden)


def test_the_page_of_models_lists_every_one_with_its_licence_and_marks_what_nobody_verified():
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    listed = {name: (int(dimension), licence.strip("* "), "*" in size) for name, dimension, size, licence in rows}

    lite = {"lite": (512, "Apache-2.0", False)}
    assert listed == lite | {
        card.name: (card.dimension, card.licence + ": research only" * (not card.commercial_use), not card.is_pinned)
        for card in CATALOG.values()
    }


def test_the_registry_knows_lite_the_catalog_and_what_lies_in_the_folder(tmp_path):
    card = replace(CATALOG[DEFAULT], name="my-export")
    (tmp_path / "my-export").mkdir()
    (tmp_path / "my-export" / "card.json").write_text(as_json(card), encoding="utf-8")
    (tmp_path / "something-else").mkdir()

    assert registry.names() == ("lite", *CATALOG)
    assert registry.names(tmp_path) == ("lite", *CATALOG, "my-export")
    assert registry.find("my-export", tmp_path).card == card
    with pytest.raises(ModelUnusable, match="no encoder named my-export"):
        registry.find("my-export")


def test_a_model_that_is_not_here_is_opened_with_a_sentence_that_says_what_to_do(tmp_path):
    with pytest.raises(ModelUnusable, match="`likeness models pull clip-vit-b-32`"):
        registry.open_encoder("clip-vit-b-32", tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not a card", "damaged"),
        (b"[1, 2]", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"name": "clip-vit-b-32"}', "cannot be used"),
        (as_json(replace(CATALOG[DEFAULT], name="another")).encode(), "holds the model another"),
        (as_json(CATALOG[DEFAULT]).encode(), "file vision_model_quantized.onnx of the model clip-vit-b-32 is missing"),
    ],
)
def test_what_is_no_whole_model_is_not_opened(tmp_path, content, sentence):
    (tmp_path / DEFAULT).mkdir()
    (tmp_path / DEFAULT / "card.json").write_bytes(content)

    with pytest.raises(ModelUnusable, match=sentence):
        registry.open_encoder(DEFAULT, tmp_path)


def test_a_file_of_another_size_is_noticed_when_a_model_is_opened(tmp_path):
    (tmp_path / DEFAULT).mkdir()
    (tmp_path / DEFAULT / "card.json").write_text(as_json(CATALOG[DEFAULT]), encoding="utf-8")
    for file in CATALOG[DEFAULT].files:
        with (tmp_path / DEFAULT / file.path).open("wb") as written:
            written.truncate(file.bytes - (file.role == TEXT))

    with pytest.raises(ModelUnusable, match=r"text_model_quantized\.onnx of the model clip-vit-b-32 is damaged"):
        registry.open_encoder(DEFAULT, tmp_path)
