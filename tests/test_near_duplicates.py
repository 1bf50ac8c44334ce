"""What of a search is nearly the same as its picture, and how near each hit is to each of several terms."""

import pytest
from PIL import Image, ImageOps
from putting import putting
from test_search import drop, find

from pipeline.near_duplicates import near_duplicates
from pipeline.query_pictures import Region
from pipeline.questions import Term
from pipeline.worker import Worker
from tests.web.photos import encoded, photo

RED = Term(text="red")


@pytest.fixture
def cats(backend):
    """A cat, the same mirrored and smaller, and a cup."""
    put = putting(backend)
    cat = photo("chelsea.png")
    smaller = ImageOps.mirror(cat).resize((300, 200), Image.Resampling.LANCZOS)
    pictures = {"cat": cat, "mirrored": smaller, "cup": photo("coffee.png")}
    made = {name: put(encoded(picture, "PNG"), filename=f"{name}.png") for name, picture in pictures.items()}
    Worker(backend).drain()
    return made


def bits(result) -> dict[str, object]:
    return {hit.image.filename: hit.why.get("near_duplicate") for hit in result.hits}


def test_what_is_nearly_the_same_as_the_picture_says_so(backend, cats):
    cat = photo("chelsea.png")
    picture = drop(backend, encoded(cat.resize((225, 150), Image.Resampling.LANCZOS), "JPEG"))

    for terms in ((picture,), (picture, RED)):
        found = bits(find(backend, *terms))
        assert found["cup.png"] is None
        assert 0 <= found["cat.png"] <= 31
        assert 0 <= found["mirrored.png"] <= 31
    of_image = bits(find(backend, Term(image_id=cats["cat"].id)))
    assert of_image == {
        "mirrored.png": near_duplicates(backend, cats["cat"].row, [cats["mirrored"].row])[cats["mirrored"].row],
        "cup.png": None,
    }


def test_the_very_picture_is_told_as_that_and_parts_and_what_leads_away_as_nothing(backend, cats):
    cat, other = Term(image_id=cats["cat"].id), Term(image_id=cats["cup"].id)
    same = find(backend, drop(backend, encoded(photo("chelsea.png"), "PNG"))).hits[0].why
    assert (same["identical"], "near_duplicate" in same) == (True, False)
    part = Term(image_id=cats["cat"].id, region=Region(0, 0, 1, 0.99))
    for terms in ((part,), (cat, other), (Term(image_id=cats["cat"].id, weight=-1.0), RED), (RED,)):
        assert set(bits(find(backend, *terms)).values()) == {None}


def test_each_hit_says_how_near_it_is_to_each_of_several_terms(backend, cats):
    cup = Term(image_id=cats["cup"].id)
    [hit] = [hit for hit in find(backend, cup, RED, Term(text="unheard")).hits if hit.image.id == cats["cat"].id]
    [alone] = [one for one in find(backend, cup).hits if one.image.id == cats["cat"].id]
    [red] = [one for one in find(backend, RED).hits if one.image.id == cats["cat"].id]

    assert hit.why["terms"] == [
        pytest.approx(alone.similarity, abs=2e-3),
        pytest.approx(red.similarity, abs=2e-3),
        None,
    ]
    assert "terms" not in alone.why
