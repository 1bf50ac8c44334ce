"""Categories and keywords by words alone, with a tiny model that knows the words for colors."""

import numpy as np
import pytest
from lite_samples import picture
from tiny_clip import COLORS, build_tiny_clip

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.clip import open_clip
from pipeline.features.encoders.keywords import MOST_KEYWORDS
from pipeline.features.encoders.zero_shot import Prompts, ZeroShot, load_prompts
from pipeline.features.picture import CATEGORIES, Keyword

RED, GREEN = np.eye(10, dtype=np.float32)[:2]


def vectors(texts):
    """Embed "… 3 …" as the third axis: the space of a model whose only words are numbers."""
    return np.stack([np.eye(10, dtype=np.float32)[int(text.strip(".").split()[-1])] for text in texts])


def prompts(words=tuple(str(number) for number in range(10))):
    phrases = {name: (str(number),) for number, name in enumerate(CATEGORIES)}
    return Prompts(("a photo of {}.", "{}."), phrases, ("a photo of {}.",), words)


def unread(_texts):
    pytest.fail("words were embedded although their vectors were kept")


def test_a_picture_has_the_category_whose_words_are_nearest(tmp_path):
    zero_shot = ZeroShot(vectors, 10, tmp_path, "a", prompts())
    (category,) = zero_shot.classify(np.eye(10, dtype=np.float32)[[4]])

    assert category.name == "vehicle"
    assert list(category.scores) == list(CATEGORIES)
    assert sum(category.scores.values()) == pytest.approx(1)
    assert category.confidence == category.scores["vehicle"]


def test_scores_are_the_softmax_of_fifty_times_the_cosines(tmp_path):
    near = np.zeros((1, 10), np.float32)
    near[0, 0], near[0, 1] = np.sqrt(0.5) + 0.01, np.sqrt(0.5) - 0.01
    (category,) = ZeroShot(vectors, 10, tmp_path, "a", prompts()).classify(near)

    assert category.scores["portrait"] / category.scores["landscape"] == pytest.approx(np.exp(50 * 0.02), rel=1e-3)


def test_words_are_embedded_once_for_a_model_and_its_prompts(tmp_path):
    first = ZeroShot(vectors, 10, tmp_path, "a", prompts()).classify(RED[None])

    assert ZeroShot(unread, 10, tmp_path, "a", prompts()).classify(RED[None]) == first
    with pytest.raises(pytest.fail.Exception):
        ZeroShot(unread, 10, tmp_path, "b", prompts()).classify(RED[None])
    with pytest.raises(pytest.fail.Exception):
        ZeroShot(unread, 10, tmp_path, "a", prompts(("0",))).keywords(RED[None])


def test_a_folder_that_cannot_be_written_only_costs_the_embedding(tmp_path):
    blocked = tmp_path / "a file where the folder should be"
    blocked.touch()

    assert ZeroShot(vectors, 10, blocked, "a", prompts()).classify(RED[None])[0].name == "portrait"


def test_what_is_kept_and_damaged_is_made_again(tmp_path):
    ZeroShot(vectors, 10, tmp_path, "a", prompts()).classify(RED[None])
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")

    assert ZeroShot(vectors, 10, tmp_path, "a", prompts()).classify(GREEN[None])[0].name == "landscape"


def test_what_is_kept_of_another_width_is_refused(tmp_path):
    ZeroShot(vectors, 10, tmp_path, "a", prompts()).classify(RED[None])

    with pytest.raises(ModelUnusable, match="belongs to another model"):
        ZeroShot(vectors, 11, tmp_path, "a", prompts()).classify(np.zeros((1, 11), np.float32))


def test_keywords_stand_out_among_all_words_and_come_best_first(tmp_path):
    words = tuple(str(number % 10) for number in range(40))
    zero_shot = ZeroShot(vectors, 10, tmp_path, "a", prompts(words[:10]))
    both = (RED * 0.6 + GREEN * 0.8)[None]

    assert zero_shot.keywords(RED[None]) == [(Keyword("0", 1.0),)]
    assert [[keyword.word for keyword in found] for found in zero_shot.keywords(both)] == [[]]
    assert len(ZeroShot(vectors, 10, tmp_path, "a", prompts(words)).keywords(RED[None])[0]) <= MOST_KEYWORDS


def test_a_model_finds_its_color_words_among_keywords(tmp_path):
    clip = open_clip(tmp_path, build_tiny_clip(tmp_path))
    embeddings = clip.embed_pictures([picture(np.full((40, 50, 3), color, np.uint8)) for color in COLORS.values()])

    assert [category.name in CATEGORIES for category in clip.classify(embeddings)] == [True] * len(COLORS)
    assert len(clip.keywords(embeddings)) == len(COLORS)


def test_the_prompts_have_words_for_every_category_and_no_word_twice():
    found = load_prompts()

    assert tuple(found.category_phrases) == CATEGORIES
    assert min(len(phrases) for phrases in found.category_phrases.values()) >= 5
    assert len(found.words) == len(set(found.words)) > 300
    assert all("{}" in template for template in (*found.category_templates, *found.keyword_templates))
