from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from lite_samples import picture, sample

from pipeline.features.encoders.lexicon import load_lexicon
from pipeline.features.encoders.lite import LiteEncoder, open_lite
from pipeline.features.encoders.lite_views import view, view_size


def nearest_class(lite: LiteEncoder, name: str) -> str:
    (vector,) = lite.embed_pictures([sample(name)])
    return load_lexicon().class_names[int((lite.class_vectors @ vector).argmax())]


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("chelsea", {"tabby", "tiger cat", "Egyptian cat"}),
        ("coffee", {"espresso", "cup", "coffee mug"}),
        ("rocket", {"missile", "projectile", "space shuttle"}),
        ("flower.jpg", {"daisy"}),
        ("china.jpg", {"palace", "monastery", "bell cote", "stupa"}),
    ],
)
def test_sample_photos_lie_nearest_to_what_they_show(lite, name, classes):
    assert nearest_class(lite, name) in classes


def test_embeddings_have_unit_length_and_the_promised_shape(lite):
    vectors = lite.embed_pictures([sample("chelsea"), sample("coffee"), sample("rocket")])
    assert vectors.shape == (3, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_pictures_have_no_embeddings(lite):
    assert lite.embed_pictures([]).shape == (0, 512)
    assert lite.classify(np.empty((0, 512), np.float32)) == []
    assert lite.keywords(np.empty((0, 512), np.float32)) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [("chelsea", ["tabby", "Egyptian cat"]), ("coffee", ["espresso"]), ("camera", ["tripod"]), ("gravel", [])],
)
def test_keywords_name_what_stands_out_and_nothing_else(lite, name, words):
    (found,) = lite.keywords(lite.embed_pictures([sample(name)]))
    assert [keyword.word for keyword in found] == words
    assert sorted(found, key=lambda keyword: -keyword.similarity) == list(found)


def test_a_picture_has_the_same_embedding_alone_in_a_batch_and_in_threads(lite):
    pictures = [sample(name) for name in ("chelsea", "coffee", "rocket", "china.jpg")]
    together = lite.embed_pictures(pictures)
    with ThreadPoolExecutor(4) as pool:
        apart = list(pool.map(lambda one: lite.embed_pictures([one])[0], pictures * 4))
    np.testing.assert_allclose(apart, np.tile(together, (4, 1)), atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: pixels[:, ::-1],
        lambda pixels: pixels[::2, ::2],
        lambda pixels: pixels[15:-15, 20:-20],
        lambda pixels: np.clip(pixels * 1.2, 0, 255).astype(np.uint8),
    ],
    ids=["mirrored", "half the size", "trimmed", "brighter"],
)
def test_a_changed_copy_stays_near_and_another_picture_far(lite, change):
    original = sample("chelsea")
    vectors = lite.embed_pictures([original, picture(change(original.pixels)), sample("coffee")])
    assert vectors[0] @ vectors[1] > lite.bands.picture_strong
    assert vectors[0] @ vectors[2] < lite.bands.picture_possible


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (512, 2048), (2048, 512), (31, 33)])
def test_pictures_of_any_shape_are_embedded(lite, shape):
    (vector,) = lite.embed_pictures([picture(np.full((*shape, 3), 200, np.uint8))])
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (100, 100, (288, 288)),
        (640, 480, (320, 256)),
        (480, 640, (256, 320)),
        (1920, 1080, (384, 224)),
        (9000, 10, (512, 160)),
    ],
)
def test_a_view_keeps_the_proportions_and_about_the_area(width, height, size):
    assert view_size(width, height) == size


def test_a_view_shows_the_whole_picture():
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[:20, :20] = pixels[-20:, -20:] = 255
    seen = view(picture(pixels))
    assert seen.shape == (288, 288, 3)
    assert seen[3, 3].min() > 250
    assert seen[-4, -4].min() > 250


def test_the_fingerprint_stays_the_same_until_vectors_change_on_purpose(lite, models):
    """Every stored embedding is worthless under another fingerprint: change this line only together with them."""
    assert lite.fingerprint == "6aabfb77b227a312aad8966f19540af2"
    assert open_lite(models).fingerprint == lite.fingerprint


def test_bands_are_in_order(lite):
    assert 0 < lite.bands.picture_possible < lite.bands.picture_strong < 1
    assert 0 < lite.bands.text_possible < lite.bands.text_strong < 1


def test_a_word_for_very_many_kinds_is_broad_and_the_name_of_one_is_not(lite):
    assert [lite.embed_text(word).is_broad for word in ("animal", "dog", "guitar", "zebra")] == [
        True,
        True,
        False,
        False,
    ]
