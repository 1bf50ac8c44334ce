from pathlib import Path

import numpy as np
import pytest
from lite_samples import sample

from pipeline.errors import ModelUnusable
from pipeline.features.category import CategoryHead, Voters, load_head
from pipeline.features.picture import CATEGORIES

ANIMAL, FOOD = CATEGORIES.index("animal"), CATEGORIES.index("food")


def head_of(weights: np.ndarray, categories: list[int]) -> CategoryHead:
    voters = Voters(np.eye(len(categories), 4, dtype=np.float32), np.array(categories, np.int8))
    return CategoryHead(voters, weights.astype(np.float32), np.zeros(10, np.float32))


@pytest.mark.parametrize(
    ("photo", "category"),
    [
        ("chelsea", "animal"),
        ("coffee", "food"),
        ("page", "text"),
        ("china.jpg", "building"),
        ("flower.jpg", "nature"),
        ("gravel", "abstract"),
        ("camera", "other"),
    ],
)
def test_sample_photos_get_the_category_a_person_would_give(lite, photo, category):
    (found,) = lite.classify(lite.embed_pictures([sample(photo)]))
    assert found.name == category


def test_scores_are_probabilities_and_the_best_names_the_category(lite):
    for found in lite.classify(lite.embed_pictures([sample("chelsea"), sample("rocket")])):
        assert tuple(found.scores) == CATEGORIES
        assert sum(found.scores.values()) == pytest.approx(1)
        assert found.confidence == max(found.scores.values()) == found.scores[found.name]


def test_without_weights_every_category_is_as_likely():
    probabilities = head_of(np.zeros((10, 14)), [ANIMAL, FOOD]).probabilities(np.eye(4, dtype=np.float32))
    np.testing.assert_allclose(probabilities, 0.1)


def test_things_vote_for_their_category():
    """With weights that copy the votes, the category of the nearest thing wins; one without category has no vote."""
    weights = np.hstack([np.zeros((10, 4)), np.eye(10)])
    head = head_of(weights, [ANIMAL, FOOD, -1])
    found = head.classify(np.eye(3, 4, dtype=np.float32))
    assert [category.name for category in found[:2]] == ["animal", "food"]
    assert found[2].scores["animal"] == pytest.approx(found[2].scores["food"])


def test_votes_are_the_logarithms_of_a_sharp_softmax():
    """By hand: cosines 1 and 0 times 15 give shares of 1 and e^-15, to which 0.001 is added before 0.3 log."""
    voters = Voters(np.eye(2, dtype=np.float32), np.array([ANIMAL, FOOD], np.int8))
    (described,) = voters.describe(np.array([[1, 0]], np.float32))
    assert described[:2].tolist() == [1, 0]
    assert described[2 + ANIMAL] == pytest.approx(0.3 * np.log(1.001), abs=1e-5)
    assert described[2 + FOOD] == pytest.approx(0.3 * np.log(0.001 + np.exp(-15)), abs=1e-4)
    assert described[2] == pytest.approx(0.3 * np.log(0.001), abs=1e-5)


def test_a_head_of_another_encoder_is_refused(tmp_path: Path):
    path = tmp_path / "head.npz"
    np.savez(path, weights=np.zeros((10, 20)), biases=np.zeros(10), voter_categories=np.zeros(3))
    with pytest.raises(ModelUnusable, match="belongs to another encoder"):
        load_head(path, np.eye(3, 4, dtype=np.float32))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"\x93NUMPY"])
def test_a_damaged_head_is_refused(tmp_path: Path, content):
    path = tmp_path / "head.npz"
    path.write_bytes(content)
    with pytest.raises(ModelUnusable, match=r"head\.npz"):
        load_head(path, np.eye(3, 4, dtype=np.float32))
