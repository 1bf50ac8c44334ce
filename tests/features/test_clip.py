"""The CLIP encoder, on a tiny model that is made here. Its space is turned by a seed, so cosines are known by hand."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import numpy as np
import onnx
import pytest
from lite_samples import picture
from tiny_clip import build_tiny_clip, write_card

from pipeline.errors import InvalidQuery, ModelUnusable
from pipeline.features.encoders.cards import OTHER, ModelFile
from pipeline.features.encoders.clip import open_clip
from pipeline.features.extractor import FeatureExtractor
from pipeline.features.picture import CATEGORIES

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def plain(color, width=60, height=80):
    return picture(np.full((height, width, 3), color, np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models") / "tiny-a"


@pytest.fixture(scope="module")
def card(folder):
    return build_tiny_clip(folder)


@pytest.fixture(scope="module")
def clip(folder, card):
    return open_clip(folder, card)


def test_pictures_lie_as_far_apart_as_their_colors(clip):
    vectors = clip.embed_pictures([plain(RED), plain(GREEN)])

    # Four quarters of (1, -1, -1) and of (-1, 1, -1), and 0.5 beside each.
    expected = (4 * -1 + 0.25) / (4 * 3 + 0.25)
    assert vectors.shape == (2, 32)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors @ vectors.T, [[1, expected], [expected, 1]], atol=1e-5)


@pytest.mark.parametrize(("word", "color"), [("red", RED), ("A GREEN thing", GREEN), ("blue", BLUE)])
def test_a_word_lies_nearest_to_what_it_names(clip, word, color):
    colors = [RED, GREEN, BLUE]
    near = clip.embed_pictures([plain(one) for one in colors]) @ clip.embed_text(word).vector

    assert colors[int(near.argmax())] == color
    assert near.max() > 0.95


def test_a_picture_is_analyzed_with_a_clip_model_as_with_any_other(clip):
    extractor = FeatureExtractor(clip, threads=2)
    red, green = extractor.extract([plain(RED), plain(GREEN)])
    extractor.close()

    assert red.embedding @ clip.embed_text("red").vector > green.embedding @ clip.embed_text("red").vector
    assert set(red.meaning.category.scores) == set(CATEGORIES)
    assert sum(red.meaning.category.scores.values()) == pytest.approx(1)


def test_no_pictures_have_no_embeddings(clip):
    assert clip.embed_pictures([]).shape == (0, 32)
    assert clip.classify(np.empty((0, 32), np.float32)) == []
    assert clip.keywords(np.empty((0, 32), np.float32)) == []


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "&nbsp;"])
def test_a_text_without_words_is_refused_with_a_sentence(clip, text):
    with pytest.raises(InvalidQuery, match="no word to search for"):
        clip.embed_text(text)


def test_the_words_behind_the_end_of_a_long_text_are_told_as_ignored(clip):
    embedding = clip.embed_text("red " * 12 + "green blue")

    assert embedding.understood == ("red",) * 10  # twelve ids, of which two are marks
    assert embedding.ignored == ("red", "red", "green", "blue")


def test_a_text_is_embedded_once_and_what_is_handed_out_may_be_changed(folder, card):
    clip = open_clip(folder, card)
    first = clip.embed_text("Red  &amp; blue")
    first.vector[:] = 0

    clip.embed_text("red & BLUE")
    assert (clip._text._embed_cleaned.cache_info().misses, clip._text._embed_cleaned.cache_info().hits) == (1, 1)
    assert np.linalg.norm(clip.embed_text("red & BLUE").vector) == pytest.approx(1, abs=1e-6)


def test_a_picture_has_the_same_embedding_alone_in_a_batch_and_in_threads(clip):
    generator = np.random.default_rng(5)
    pictures = [picture(generator.integers(0, 256, (50, 70, 3), dtype=np.uint8)) for _ in range(4)]
    together = clip.embed_pictures(pictures)
    with ThreadPoolExecutor(4) as pool:
        apart = list(pool.map(lambda one: clip.embed_pictures([one])[0], pictures * 4))

    np.testing.assert_array_equal(apart, np.tile(together, (4, 1)))


def test_pictures_of_concurrent_calls_are_run_together_where_that_is_asked_for(folder, card, clip):
    gathering = open_clip(folder, card, gather=True)
    generator = np.random.default_rng(6)
    pictures = [picture(generator.integers(0, 256, (50, 70, 3), dtype=np.uint8)) for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: gathering.embed_pictures([one])[0], pictures))

    np.testing.assert_allclose(found, clip.embed_pictures(pictures), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 16_000), (16_000, 1), (31, 33), (512, 2048)])
def test_pictures_of_any_shape_are_embedded(clip, shape):
    (vector,) = clip.embed_pictures([picture(np.full((*shape, 3), 200, np.uint8))])

    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "declared",
    [
        {"half": True},
        {"narrow_ids": True},
        {"masked": True},
        {"one_at_a_time": True},
        {"pixel_input": "image", "id_input": "text", "image_output": "embedding", "text_output": "embedding"},
        {"pixel_input": "pixels", "image_output": "a", "text_output": "b"},
    ],
    ids=lambda declared: next(iter(declared)),
)
def test_what_networks_declare_differently_makes_no_other_vectors(tmp_path, clip, declared):
    card = build_tiny_clip(tmp_path, **declared)
    other = open_clip(tmp_path, card)
    pictures = [plain((200, 30, 90)), plain(GREEN)]

    np.testing.assert_allclose(other.embed_pictures(pictures), clip.embed_pictures(pictures), atol=1e-3)
    np.testing.assert_allclose(other.embed_text("red dog").vector, clip.embed_text("red dog").vector, atol=1e-6)


def test_another_seed_is_another_space_in_which_the_same_pictures_are_alike(tmp_path, clip):
    other = open_clip(tmp_path, build_tiny_clip(tmp_path, "tiny-b", seed=1))
    pictures = [plain((200, 30, 90)), plain(GREEN), plain((40, 40, 40))]
    ours, theirs = clip.embed_pictures(pictures), other.embed_pictures(pictures)

    assert clip.fingerprint != other.fingerprint
    assert abs(ours[0] @ theirs[0]) < 0.5
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-5)


@pytest.mark.parametrize("damage", ["missing", "another byte", "longer"])
@pytest.mark.parametrize("name", ["image.onnx", "text.onnx", "tokenizer.json"])
def test_a_damaged_file_is_noticed_before_it_is_used(tmp_path, name, damage):
    card = build_tiny_clip(tmp_path)
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "longer":
        path.write_bytes(content + b"\n")
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    with pytest.raises(ModelUnusable, match=f"{name} of the model tiny-a (is damaged|cannot be read)"):
        open_clip(tmp_path, card).embed_text("red")


def test_numbers_beside_a_network_are_checked_too(tmp_path, clip):
    card = build_tiny_clip(tmp_path)
    network = onnx.load(str(tmp_path / "image.onnx"))
    onnx.save(
        network, str(tmp_path / "image.onnx"), save_as_external_data=True, location="image.data", size_threshold=200
    )
    card = write_card(tmp_path, replace(card, files=(*card.files, ModelFile(OTHER, "image.data"))))
    (vector,) = open_clip(tmp_path, card).embed_pictures([plain(RED)])
    np.testing.assert_array_equal(vector, clip.embed_pictures([plain(RED)])[0])

    (tmp_path / "image.data").write_bytes(b"\0" * (tmp_path / "image.data").stat().st_size)
    with pytest.raises(ModelUnusable, match=r"image.data of the model tiny-a is damaged"):
        open_clip(tmp_path, card)


def test_a_network_with_both_towers_in_it_is_refused(tmp_path):
    card = build_tiny_clip(tmp_path, masked=True)
    (tmp_path / "image.onnx").write_bytes((tmp_path / "text.onnx").read_bytes())

    with pytest.raises(ModelUnusable, match="it takes input_ids, attention_mask at once"):
        open_clip(tmp_path, write_card(tmp_path, card))


def test_a_damaged_text_tower_does_not_keep_pictures_from_being_embedded(tmp_path):
    card = build_tiny_clip(tmp_path)
    (tmp_path / "text.onnx").write_bytes(b"")

    assert open_clip(tmp_path, card).embed_pictures([plain(RED)]).shape == (1, 32)


def test_a_text_tower_is_opened_once_however_many_ask(folder, card, monkeypatch):
    from pipeline.features.encoders import clip_text

    opened = []
    original = clip_text.open_text_tower
    monkeypatch.setattr(clip_text, "open_text_tower", lambda *given: opened.append(1) or original(*given))
    encoder, start = open_clip(folder, card), Barrier(6)

    def ask(number):
        start.wait()
        return encoder.embed_text(f"red {number}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(6)))
    assert opened == [1]


def test_a_network_that_does_not_fit_its_card_is_refused(tmp_path):
    card = build_tiny_clip(tmp_path)

    with pytest.raises(ModelUnusable, match=r"does not fit its card.*no output is \(1, 33\)"):
        open_clip(tmp_path, replace(card, dimension=33))
    with pytest.raises(ModelUnusable, match=r"does not fit its card.*tensor\(float\)"):
        open_clip(tmp_path, replace(card, preprocessing=replace(card.preprocessing, size=64)))
    with pytest.raises(ModelUnusable, match=r"does not fit its card.*tensor\(int64\)"):
        open_clip(tmp_path, replace(card, tokenizing=replace(card.tokenizing, context_length=77))).embed_text("red")


def test_what_is_no_network_or_no_tokenizer_is_refused(tmp_path):
    card = build_tiny_clip(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelUnusable, match=r"tokenizer.json .* cannot be used. Please pull or export it again"):
        open_clip(tmp_path, write_card(tmp_path, card)).embed_text("red")
    (tmp_path / "image.onnx").write_text("no network")
    with pytest.raises(ModelUnusable, match=r"tiny-a cannot be opened. Please pull or export it again"):
        open_clip(tmp_path, write_card(tmp_path, card))


def test_numbers_that_are_no_vector_are_refused(tmp_path):
    card = build_tiny_clip(tmp_path)
    path = tmp_path / "image.onnx"
    network = onnx.load(str(path))
    for tensor in network.graph.initializer:
        if tensor.name == "turn":
            numbers = onnx.numpy_helper.to_array(tensor) * np.float32(np.nan)
            tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, "turn"))
    onnx.save(network, str(path))

    with pytest.raises(ModelUnusable, match="tiny-a returned no usable numbers"):
        open_clip(tmp_path, write_card(tmp_path, card)).embed_pictures([plain(RED)])


def test_the_fingerprint_changes_with_the_model_and_how_it_is_used(tmp_path, card, clip):
    again = build_tiny_clip(tmp_path, "another-name")
    assert open_clip(tmp_path, again).fingerprint == clip.fingerprint

    squashed = replace(card, preprocessing=replace(card.preprocessing, resize="squash"))
    assert open_clip(tmp_path, squashed).fingerprint != clip.fingerprint


def test_bands_are_provisional_until_a_card_brings_measured_ones(tmp_path, clip):
    assert 0 < clip.bands.text_possible < clip.bands.text_strong < clip.bands.picture_possible
    card = build_tiny_clip(tmp_path)
    measured = {"picture_strong": 0.9, "picture_possible": 0.8, "text_strong": 0.3, "text_possible": 0.2}
    assert open_clip(tmp_path, replace(card, extra={"bands": measured})).bands.picture_strong == 0.9

    for wrong in (measured | {"text_possible": 0.4}, {"text_strong": 0.3}, 7, measured | {"text_strong": "high"}):
        with pytest.raises(ModelUnusable, match="bands that cannot be used"):
            open_clip(tmp_path, replace(card, extra={"bands": wrong}))


def test_a_device_that_cannot_be_had_is_told_and_the_processor_taken(folder, card, clip, caplog):
    with caplog.at_level(logging.WARNING):
        encoder = open_clip(folder, card, device="cuda")

    assert "runs on the processor" in caplog.text
    np.testing.assert_array_equal(encoder.embed_pictures([plain(RED)]), clip.embed_pictures([plain(RED)]))
