"""Exporting a model of open_clip. Skipped where the extra `export` is not installed; CI does not need it."""

import json

import numpy as np
import onnx
import pytest
from PIL import Image
from tiny_clip import CONTEXT, build_tiny_clip

from pipeline.errors import Conflict, ModelUnusable
from pipeline.features.encoders.cards import CARD_FILE, read_card
from pipeline.features.encoders.clip import open_clip
from pipeline.features.encoders.clip_tokens import load_tokenizer

torch = pytest.importorskip("torch", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
model_export = pytest.importorskip("pipeline.model_export", reason="the extra `export` is not installed")

from pipeline import model_export_source  # noqa: E402 - only where PyTorch is
from pipeline.model_export_tokens import write_tokenizer  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # PyTorch warns of its own parts

SMALL = "ViT-tiny-for-tests"

NASTY = [
    "",
    "a photo of a dog",
    "Tom &amp;amp; Jerry&#39;s  &lt;b&gt; &eacute;t&eacute;",
    "café cafe\u0301 naïve Ångström ÜBER STRASSE",
    "猫在桌子上 東京タワー 한국어 русский العربية",
    "😀🐶 dog 👨\u200d👩\u200d👧",
    "\ufb01sh o\ufb03ce \ufb02ower",
    "tab\there\nnew\r\nline\x00\x01\x07bell\x1f \x1b[31mred",
    "it's we're I've I'm they'll he'd DON'T ''s",
    "word " * 200,
    "supercalifragilistic" * 20,
    "3.14159 1,000,000 $5 50% #tag @user ½ ² Ⅷ",
    "“quotes” \u2018single\u2019 … — mojibake Ã© â€\u2122",
    "a\u00a0b\u2003c\u200bd\ufeffe a_b_c",
    "!!!???...",
    "<start_of_text> hi <end_of_text> there",
]


@pytest.fixture(scope="module")
def architecture(tmp_path_factory):
    """Register a model with two layers of 64 numbers in each tower, and return its name."""
    config = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
    }
    path = tmp_path_factory.mktemp("configs") / f"{SMALL}.json"
    path.write_text(json.dumps(config))
    model_export_source.open_clip.add_model_config(path)
    return SMALL


@pytest.fixture(scope="module")
def exported(architecture, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    wish = model_export.Wish(architecture, "", "small", "Apache-2.0", True)
    return folder, model_export.export(wish, folder, precisions=("fp32", "int8"))


def test_an_export_says_what_the_model_says_in_both_precisions(exported):
    _, (exact, small) = exported

    assert (exact.name, small.name) == ("small", "small-int8")
    for card, least in ((exact, 0.99999), (small, 0.99)):
        assert card.extra["parity"]["pictures"] == model_export.DRAWN_PICTURES
        assert card.extra["parity"]["picture_min"] > least
        assert card.extra["parity"]["text_min"] > least
    assert small.bytes < exact.bytes


def test_the_table_of_tokens_is_kept_in_half_the_bytes(exported):
    folder, _ = exported
    network = onnx.load(str(folder / "small-int8" / "text.onnx"))

    (table,) = [
        list(tensor.dims) for tensor in network.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16
    ]
    assert table == [49408, 64]


def test_an_export_is_a_folder_with_a_card_that_opens(exported):
    folder, (exact, _) = exported
    card = read_card(json.loads((folder / "small" / CARD_FILE).read_text(encoding="utf-8")))

    assert card == exact
    assert sorted(path.name for path in folder.iterdir()) == ["small", "small-int8"]
    assert card.is_pinned
    encoder = open_clip(folder / "small", card)
    vectors = encoder.embed_pictures(model_export.draw_pictures(3, seed=7))
    assert vectors.shape == (3, 32)
    assert [category.confidence > 0 for category in encoder.classify(vectors)] == [True] * 3


def test_what_is_written_takes_batches_of_any_size(exported):
    folder, (exact, _) = exported
    encoder = open_clip(folder / "small", exact, gather=True)
    pictures = model_export.draw_pictures(5)

    together = encoder.embed_pictures(pictures)
    np.testing.assert_allclose(together, np.concatenate([encoder.embed_pictures([one]) for one in pictures]), atol=1e-5)


def test_a_folder_that_is_there_is_not_written_over(exported, architecture):
    folder, _ = exported

    with pytest.raises(Conflict, match=r"model small in .* already"):
        model_export.export(model_export.Wish(architecture, "", "small"), folder)


def test_a_checkpoint_file_is_exported_too(architecture, tmp_path):
    source = model_export_source.open_source(architecture, "", seed=5)
    torch.save(source.network.state_dict(), tmp_path / "weights.pt")
    pictures = model_export.draw_pictures(2)
    wish = model_export.Wish(architecture, str(tmp_path / "weights.pt"), "own")
    (card,) = model_export.export(wish, tmp_path / "models", pictures=pictures)

    with torch.no_grad():
        shown = torch.stack([source.transform(Image.fromarray(picture.pixels)) for picture in pictures])
        expected = source.network.encode_image(shown, normalize=True).numpy()
    found = open_clip(tmp_path / "models" / "own", card).embed_pictures(pictures)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert card.extra["parity"]["pictures"] == 2


def test_weights_that_cannot_be_had_are_told_in_a_sentence(architecture, tmp_path):
    with pytest.raises(ModelUnusable, match="open_clip cannot open"):
        model_export.export(model_export.Wish(architecture, "no-such-tag", "x"), tmp_path)
    with pytest.raises(ModelUnusable, match="open_clip cannot open"):
        model_export.export(model_export.Wish("no-such-model", "", "x"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_token_ids_are_those_of_open_clip(tmp_path):
    source = model_export_source.open_clip.get_tokenizer("ViT-B-32")
    how = write_tokenizer(source, tmp_path / "tokenizer.json")
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json", how)

    assert (how.context_length, how.cleaning, how.pad_id, how.end_id) == (77, "clip", 0, 49407)
    for text in NASTY:
        assert tokenizer.tokens(tokenizer.clean(text)).ids.tolist() == source([text])[0].tolist(), text


def test_golden_ids_of_the_vocabulary_of_clip(tmp_path):
    how = write_tokenizer(model_export_source.open_clip.get_tokenizer("ViT-B-32"), tmp_path / "tokenizer.json")
    tokens = load_tokenizer(tmp_path / "tokenizer.json", how).tokens("a photo of a dog")

    assert tokens.ids[: tokens.count].tolist() == [49406, 320, 1125, 539, 320, 1929, 49407]  # from OpenAI's CLIP


@pytest.mark.parametrize("clean", ["canonicalize", "whitespace", "lower"])
def test_tokenizers_of_the_hub_are_written_too(tmp_path, clean):
    transformers = pytest.importorskip("transformers", reason="open_clip reads such tokenizers through it")
    build_tiny_clip(tmp_path)
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[START]", "eos_token": "[END]"}
    file = str(tmp_path / "tokenizer.json")
    transformers.PreTrainedTokenizerFast(tokenizer_file=file, **marks).save_pretrained(tmp_path / "hub")
    source = model_export_source.open_clip.tokenizer.HFTokenizer(str(tmp_path / "hub"), CONTEXT, clean)
    how = write_tokenizer(source, tmp_path / "written.json")
    tokenizer = load_tokenizer(tmp_path / "written.json", how)

    for text in (*NASTY, "Red! Green?", "red " * 40, "blue&amp;RED"):
        assert tokenizer.tokens(tokenizer.clean(text)).ids.tolist() == source([text])[0].tolist(), text
