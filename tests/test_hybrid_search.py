"""Searching by a text: in what pictures show and in the words of captions, tags and file names, joined."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import GridEncoder
from shelf import Shelf
from test_search import GUEST, ask_vector, find, ids, pages

from pipeline import curation, fusion
from pipeline.errors import InvalidQuery
from pipeline.filters import Filter
from pipeline.fusion import Weights
from pipeline.images import ImageRecord
from pipeline.principals import OWNER
from pipeline.questions import Term
from pipeline.stores import records_images, word_search

pytestmark = pytest.mark.on_both_databases

RED = Term(text="red ")
UNKNOWN = Term(text="Geburtstag ")
"""A word that the encoder of the tests does not know."""


@pytest.fixture
def shelf(backend) -> Shelf:
    return Shelf(backend)


def looks(word: str) -> np.ndarray:
    """Return the vector of a picture that looks just like a word."""
    return GridEncoder().embed_text(word).vector


def add(
    shelf: Shelf, name: str, vector: np.ndarray | None = None, *, caption: str = "", tags=(), **options
) -> ImageRecord:
    image = shelf.add(name, vector, **options)
    with shelf.backend.database.write() as connection:
        records_images.edit(connection, image.row, caption=caption, new_tags=tags)
    return image


@pytest.fixture
def mixed(shelf) -> dict[str, ImageRecord]:
    """Pictures that look red, or are called so, or both, or neither, the last added first."""
    return {
        "neither": add(shelf, "0", looks("blue")),
        "called": add(shelf, "1", looks("green"), caption="Something red"),
        "both": add(shelf, "2", looks("red"), caption="Red it is"),
        "looks": add(shelf, "3", looks("red")),
    }


def test_what_looks_and_is_called_so_comes_first_and_what_is_one_of_both_comes_next(backend, mixed):
    result = find(backend, RED)

    assert ids(result)[0] == mixed["both"].id
    assert set(ids(result)[1:3]) == {mixed["looks"].id, mixed["called"].id}
    assert ids(result)[3] == mixed["neither"].id
    assert not result.by_words_alone


def test_each_hit_says_what_of_the_question_it_answers(backend, mixed):
    hits = {hit.image.id: hit for hit in find(backend, RED).hits}

    both, called, seen = (hits[mixed[name].id] for name in ("both", "called", "looks"))
    assert both.why == {"content": pytest.approx(1.0, abs=1e-3), "words": {"caption": ["red"]}, "matched": ["red"]}
    assert seen.why == {"content": pytest.approx(1.0, abs=1e-3)}
    cosine = float(looks("red") @ looks("green"))
    assert called.similarity == pytest.approx(cosine, abs=1e-3)
    assert called.why["content"] == pytest.approx(cosine, abs=1e-3)


def test_strength_rises_with_the_words(backend, mixed):
    strengths = {hit.image.id: hit.strength for hit in find(backend, RED).hits}

    assert float(looks("red") @ looks("green")) < GridEncoder.bands.text_possible
    expected = {"both": "strong", "looks": "strong", "called": "possible", "neither": "weak"}
    assert strengths == {mixed[name].id: strength for name, strength in expected.items()}


def test_words_make_a_match_of_a_search_whose_pictures_look_like_nothing(backend, shelf):
    add(shelf, "0", looks("green"))
    assert find(backend, RED).verdict != "match"

    wanted = add(shelf, "1", looks("blue"), tags=["red"])

    for offset in (0, 1, 2, 5):
        assert find(backend, RED, limit=1, offset=offset).verdict == "match"
    assert wanted.id in ids(find(backend, RED))


def test_a_text_that_the_encoder_does_not_know_is_answered_by_words_alone(backend, shelf):
    add(shelf, "other")
    tagged = add(shelf, "1", tags=["geburtstag"])
    named = add(shelf, "Geburtstag 2019")

    result = find(backend, UNKNOWN)

    assert ids(result) == [tagged.id, named.id]
    assert [(hit.similarity, hit.strength) for hit in result.hits] == [(None, "strong"), (None, "possible")]
    assert [hit.why["words"] for hit in result.hits] == [{"tags": ["geburtstag"]}, {"name": ["geburtstag"]}]
    assert (result.verdict, result.has_more, result.by_words_alone) == ("match", False, True)
    assert result.ignored == ("Geburtstag",)


def test_a_text_that_neither_encoder_nor_anybody_knows_is_told(backend, shelf):
    add(shelf, "other", caption="a party")

    filtered_out = find(backend, Term(text="party "), where=Filter(min_width=10_000))
    for result in (find(backend, UNKNOWN), find(backend, Term(text="!?")), filtered_out):
        assert (result.hits, result.verdict, result.has_more, result.by_words_alone) == ((), "none", False, True)
        assert result.reason.startswith("No word of")
    for weights in (Weights(words=0.0), Weights(content=0.0)):
        assert find(backend, UNKNOWN, weights=weights).reason
    assert find(backend, Term(text="party ")).reason == ""


def test_some_of_the_words_alone_are_a_weak_answer(backend, shelf):
    image = add(shelf, "0", caption="Geburtstag von Oma")

    result = find(backend, Term(text="Geburtstag mit Opa "))

    assert ids(result) == [image.id]
    assert (result.hits[0].strength, result.verdict) == ("weak", "weak")


def test_a_picture_and_words_together_find_what_is_like_one_and_called_the_other(backend, shelf):
    likes = [add(shelf, f"{number}", shelf.axis(0, tilt=0.02 * number)) for number in range(8)]
    called = add(shelf, "8", shelf.axis(0, tilt=0.5), tags=["Geburtstag"])
    picture = ask_vector(backend, shelf.axis(0))

    result = find(backend, picture, UNKNOWN)

    assert ids(result)[0] == called.id
    assert ids(result)[1:] == [image.id for image in likes]
    assert (result.by_words_alone, result.ignored) == (False, ("Geburtstag",))
    assert result.hits[0].similarity == pytest.approx(np.cos(0.5), abs=1e-3)


def test_words_of_a_negative_text_are_not_looked_for(backend, mixed):
    result = find(backend, Term(text="blue "), Term(text="red ", weight=-0.5))
    assert all("words" not in hit.why for hit in result.hits)
    with pytest.raises(InvalidQuery, match="does not know “Geburtstag”"):
        find(backend, Term(text="blue"), Term(text="Geburtstag", weight=-1.0))
    del mixed


def test_weights_leave_out_content_or_words(backend, mixed):
    content = find(backend, RED, weights=Weights(words=0.0))
    words = find(backend, RED, weights=Weights(content=0.0))

    assert set(ids(content)[:2]) == {mixed["both"].id, mixed["looks"].id}
    assert all("words" not in hit.why for hit in content.hits)
    assert ids(words) == [mixed["both"].id, mixed["called"].id]
    assert [hit.similarity for hit in words.hits] == pytest.approx([1.0, looks("red") @ looks("green")], abs=1e-3)
    with pytest.raises(InvalidQuery):
        find(backend, UNKNOWN, weights=Weights(0.0, 0.0))


def test_the_picture_itself_is_left_out_also_when_it_has_the_words(backend, mixed):
    found = ids(find(backend, Term(image_id=mixed["both"].id), RED))

    assert mixed["both"].id not in found
    assert len(found) == 3


def test_pages_hold_everything_once_and_in_one_order(backend, shelf, monkeypatch):
    monkeypatch.setattr("pipeline.ranking.FUSED_NEIGHBORS", 20)
    monkeypatch.setattr(fusion, "FUSED_NEIGHBORS", 20)
    rng = np.random.default_rng(3)
    for number in range(70):
        words = " ".join(rng.choice(["red", "big", "car", "Geburtstag"], size=rng.integers(0, 3)))
        add(shelf, f"{number}", caption=words)

    picture_and_words = (ask_vector(backend, shelf.axis(0)), UNKNOWN)
    for terms, limits in (((Term(text="big red car "),), [7]), ((RED,), [7]), (picture_and_words, [1, 7, 20])):
        whole = ids(find(backend, *terms, limit=100))
        assert len(set(whole)) == len(whole) == 70
        for limit in limits:
            assert [hit.image.id for hit in pages(backend, *terms, limit=limit)] == whole


def test_words_alone_are_paged_to_the_last_however_few_are_looked_through_at_first(backend, shelf, monkeypatch):
    made = [add(shelf, f"{number}", caption="Geburtstag") for number in range(45)]
    add(shelf, "other")
    looked = {"LOOKED_THROUGH": 10, "LOOKED_THROUGH_DEEP": 1000}
    for name, most in looked.items():
        monkeypatch.setattr(word_search, name, most)

    for limit in (1, 7, 20):
        paged = pages(backend, UNKNOWN, limit=limit)
        assert [hit.image.id for hit in paged] == [image.id for image in reversed(made)]


def test_a_filter_finds_all_that_there_is_also_with_words(backend, shelf):
    for number in range(30):
        add(shelf, f"{number}", caption="red" if number % 2 else "", size=(1000 if number % 3 else 10, 10))

    assert len(pages(backend, RED, limit=7, where=Filter(min_width=1000))) == 20
    assert len(pages(backend, RED, limit=7, where=Filter(min_width=1000), weights=Weights(content=0.0))) == 10


def test_words_of_another_library_are_never_found_by_who_may_not_see_it(backend, shelf):
    add(shelf, "secret", looks("red"), caption="red Geburtstag", library="private")
    public = add(shelf, "public")

    for where in (Filter(), Filter(libraries=("private",)), Filter(libraries=("private", "main"))):
        assert set(ids(find(backend, RED, principal=GUEST, where=where))) <= {public.id}
        assert find(backend, UNKNOWN, principal=GUEST, where=where).reason
    assert len(find(backend, UNKNOWN, principal=OWNER).hits) == 1


def test_a_deleted_image_is_not_found_by_its_words_until_it_is_restored(backend, shelf):
    image = add(shelf, "0", caption="Geburtstag")
    curation.delete(backend, [image.id], OWNER)
    assert find(backend, UNKNOWN).hits == ()

    curation.restore(backend, [image.id], OWNER)
    assert ids(find(backend, UNKNOWN)) == [image.id]


def test_colors_that_were_asked_for_are_told(backend, shelf):
    image = shelf.add("0")
    name, share = max(image.color.names.items(), key=lambda one: one[1])
    swatch = image.color.swatches[0].hex
    assert share >= 0.1
    missing = min(image.color.names, key=image.color.names.get)

    for terms in ((), (RED,)):
        [hit] = find(backend, *terms, where=Filter(color_names=(missing, name), colors=(swatch,))).hits
        told = [color["color"] for color in hit.why["colors"]]
        assert told == ([swatch, name] if terms else [swatch])  # a ranking by colors tells what each has found
    assert "colors" not in find(backend, RED).hits[0].why


def test_words_count_as_much_as_their_text_weighs(backend, shelf):
    likes = [add(shelf, f"{number}", shelf.axis(0, tilt=0.02 * number)) for number in range(8)]
    called = add(shelf, "8", shelf.axis(3), tags=["Geburtstag"])
    picture = ask_vector(backend, shelf.axis(0))

    light = find(backend, picture, replace(UNKNOWN, weight=0.1))
    heavy = find(backend, picture, replace(UNKNOWN, weight=2.0))

    assert ids(light)[0] == likes[0].id
    assert light.hits[ids(light).index(called.id)].strength == "weak"
    assert ids(heavy)[0] == called.id
    assert heavy.hits[0].strength == "possible"


def test_of_two_texts_the_words_of_the_heavier_count_more(backend, shelf):
    cake = add(shelf, "0", shelf.axis(0), caption="Torte")
    party = add(shelf, "1", shelf.axis(0), caption="Geburtstag")

    for weight, first in ((0.5, party), (1.5, cake)):
        assert ids(find(backend, UNKNOWN, Term(text="Torte ", weight=weight)))[0] == first.id


def test_the_very_picture_comes_first_also_beside_words_that_weigh_no_more(backend, shelf):
    same = add(shelf, "0", shelf.axis(0))
    called = [add(shelf, f"{number}", shelf.axis(0, tilt=0.3), tags=["red"]) for number in range(1, 4)]
    picture = ask_vector(backend, shelf.axis(0), sha256=same.sha256)

    for weight in (-0.5, 0.1, 1.0):
        hit = find(backend, picture, replace(RED, weight=weight)).hits[0]
        assert (hit.image.id, hit.strength, hit.why["identical"]) == (same.id, "strong", True)
        assert hit.similarity == pytest.approx(hit.why["content"], abs=1e-3)
        assert hit.similarity < 1.0
    heavier = find(backend, picture, replace(RED, weight=2.0))
    assert ids(heavier)[0] in {image.id for image in called}
    assert all("identical" not in hit.why for hit in heavier.hits)
