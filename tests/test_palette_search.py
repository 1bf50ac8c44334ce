"""Searching by colors: what comes first, for whom, page by page, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import GridEncoder
from random_records import add_image, random_features

from pipeline import access, curation, listing
from pipeline.errors import ImageNotFound, InvalidQuery
from pipeline.features.color import hex_to_lab
from pipeline.features.palette_fit import AskedColor
from pipeline.features.picture import Swatch
from pipeline.filters import Filter
from pipeline.images import ImageRecord
from pipeline.principals import OWNER, Principal, Role
from pipeline.questions import Term
from pipeline.search import SearchQuery, SearchResult, search

pytestmark = pytest.mark.on_both_databases

GUEST = Principal("guest", {"main": Role.OWNER})
WHITE, RED, BLUE, GREEN, GRAY = "#ffffff", "#d02020", "#2040d0", "#20a030", "#909090"
PICTURES = {
    "red on white": {WHITE: 0.8, RED: 0.2},
    "more red on white": {WHITE: 0.5, RED: 0.5},
    "blue on white": {WHITE: 0.8, BLUE: 0.2},
    "red and blue": {RED: 0.5, BLUE: 0.5},
    "green": {GREEN: 0.9, RED: 0.1},
    "gray": {GRAY: 1.0},
}


@pytest.fixture
def put_colors(backend):
    """Return what puts an analyzed image with these colors; the first may be its background."""
    rng = np.random.default_rng(1)

    def put(name: str, colors: dict[str, float], *, library: str = "main", on_background: bool = False) -> ImageRecord:
        swatches = tuple(
            Swatch(tuple(hex_to_lab(code).tolist()), code, share, on_background and place == 0)
            for place, (code, share) in enumerate(colors.items())
        )
        features = random_features(rng, GridEncoder.dimension)
        features = replace(features, palette=replace(features.palette, swatches=swatches))
        with backend.database.write() as connection:
            return add_image(connection, name, features, encoder=GridEncoder.fingerprint, library=library)

    return put


@pytest.fixture
def shelf(put_colors) -> dict[str, ImageRecord]:
    return {name: put_colors(name, colors) for name, colors in PICTURES.items()}


def find(backend, principal: Principal = OWNER, limit: int = 20, offset: int = 0, **where) -> SearchResult:
    return search(backend, SearchQuery(where=Filter(**where), limit=limit, offset=offset), principal)


def names(result: SearchResult) -> list[str]:
    return [hit.image.filename.removesuffix(".png") for hit in result.hits]


def palette(**shares: float | None) -> tuple[AskedColor, ...]:
    codes = {"white": WHITE, "red": RED, "blue": BLUE, "green": GREEN, "gray": GRAY}
    return tuple(AskedColor(codes[name], share) for name, share in shares.items())


@pytest.mark.usefixtures("shelf")
def test_what_fits_colors_and_shares_comes_first(backend):
    assert names(find(backend, palette=palette(white=0.8, red=0.2)))[0] == "red on white"
    assert names(find(backend, palette=palette(white=0.5, red=0.5)))[0] == "more red on white"
    assert names(find(backend, palette=palette(green=0.9, red=0.1)))[0] == "green"


@pytest.mark.usefixtures("shelf")
def test_what_does_not_fit_within_the_tolerance_is_not_listed(backend):
    result = find(backend, palette=palette(gray=0.9))
    assert names(result) == ["gray"]
    assert result.verdict == "match"
    nothing = find(backend, palette=(AskedColor("#ffff00", 0.9),))
    assert (nothing.hits, nothing.verdict, nothing.has_more) == ((), "none", False)


@pytest.mark.usefixtures("shelf")
def test_plain_colors_still_filter_and_what_has_more_of_them_comes_first(backend):
    result = find(backend, colors=(RED,))
    assert names(result)[:2] in (["more red on white", "red and blue"], ["red and blue", "more red on white"])
    assert names(result)[2:] == ["red on white", "green"]
    assert set(names(find(backend, colors=(RED, BLUE)))) == {"red and blue"}


def test_the_colors_of_a_picture_find_it_first_and_its_likes(backend, shelf):
    result = find(backend, palette_of=shelf["blue on white"].id, color_tolerance=30.0)
    assert names(result)[0] == "blue on white"
    assert result.hits[0].why["distance"] == 0.0


def test_why_says_what_each_color_found(backend, shelf):
    hit = find(backend, palette=palette(white=0.8, red=0.25)).hits[0]
    assert hit.image.id == shelf["red on white"].id
    assert (hit.similarity, hit.strength) == (None, None)
    white, red = hit.why["colors"]
    assert white == {"color": WHITE, "share": 0.8, "found": [{"hex": WHITE, "difference": 0.0, "share": 0.762}]}
    assert red["found"][0] == {"hex": RED, "difference": 0.0, "share": 0.2}


def test_pages_together_are_the_whole(backend, put_colors):
    rng = np.random.default_rng(3)
    for number in range(40):
        shade = 200 - 4 * int(rng.integers(0, 8))
        put_colors(f"shade {number}", {f"#{shade:02x}2020": 1.0})
    where = {"palette": (AskedColor("#c82020", 0.8),), "color_tolerance": 30.0}
    whole = names(find(backend, limit=100, **where))
    pages = [find(backend, limit=7, offset=offset, **where) for offset in range(0, 42, 7)]

    assert len(whole) == 40
    assert [name for page in pages for name in names(page)] == whole
    assert [page.has_more for page in pages] == [True] * 5 + [False]
    assert find(backend, limit=7, offset=100, **where).verdict == "match"


def test_of_equals_the_newest_comes_first(backend, put_colors):
    made = [put_colors(f"same {number}", {RED: 1.0}).id for number in range(4)]
    assert [hit.image.id for hit in find(backend, palette=palette(red=0.9)).hits] == made[::-1]


@pytest.mark.usefixtures("shelf")
def test_other_filters_narrow_and_facets_count_the_same(backend, put_colors):
    put_colors("elsewhere", {WHITE: 0.8, RED: 0.2}, library="private")
    where = Filter(palette=palette(white=0.8, red=0.2), color_tolerance=20.0)
    for libraries in (None, ("main",), ("private",)):
        narrowed = replace(where, libraries=libraries)
        result = search(backend, SearchQuery(where=narrowed, limit=100), OWNER)
        assert listing.count_facets(backend, narrowed, OWNER).passing == len(result.hits) > 0


@pytest.mark.usefixtures("shelf")
def test_nobody_learns_of_colors_in_a_library_they_do_not_see(backend, put_colors):
    hidden = put_colors("hidden", {WHITE: 0.8, RED: 0.2}, library="private")
    asked = {"palette": palette(white=0.8, red=0.2)}

    assert hidden.id in {hit.image.id for hit in find(backend, **asked).hits}
    seen = find(backend, GUEST, **asked)
    assert hidden.id not in {hit.image.id for hit in seen.hits}
    assert listing.count_facets(backend, Filter(**asked), GUEST).passing == len(seen.hits)
    with pytest.raises(ImageNotFound) as foreign:
        find(backend, GUEST, palette_of=hidden.id)
    with pytest.raises(ImageNotFound) as missing:
        find(backend, GUEST, palette_of="no such image")
    assert foreign.value.user_message == missing.value.user_message


def test_many_hidden_ones_before_it_do_not_hide_what_may_be_seen(backend, put_colors):
    for number in range(150):
        put_colors(f"theirs {number}", {RED: 1.0}, library="private")
    mine = put_colors("mine", {"#c02828": 1.0})
    for number in range(10):
        put_colors(f"theirs too {number}", {RED: 1.0}, library="private")

    assert [hit.image.id for hit in find(backend, GUEST, limit=5, palette=palette(red=0.9)).hits] == [mine.id]


def test_deleted_pictures_are_not_found_by_their_colors(backend, shelf):
    curation.delete(backend, [shelf["gray"].id], OWNER)
    assert find(backend, palette=palette(gray=0.9)).hits == ()


def test_with_a_question_colors_are_a_filter(backend, shelf):
    where = Filter(palette=palette(green=0.8))
    result = search(backend, SearchQuery((Term(text="red"),), where), OWNER)
    assert [hit.image.id for hit in result.hits] == [shelf["green"].id]
    assert result.hits[0].similarity is not None


def test_the_background_can_be_ignored(backend, put_colors):
    cup = put_colors("cup", {WHITE: 0.9, RED: 0.06, BLUE: 0.04}, on_background=True)
    asked = {"palette": palette(red=0.6, blue=0.4), "color_tolerance": 12.0}
    assert find(backend, **asked).hits == ()
    found = find(backend, ignore_background=True, **asked)
    assert [hit.image.id for hit in found.hits] == [cup.id]
    assert found.hits[0].why["colors"][0]["found"] == [{"hex": RED, "difference": 0.0, "share": 0.6}]


def test_the_colors_of_a_picture_without_its_background(backend, put_colors):
    cup = put_colors("cup", {WHITE: 0.9, RED: 0.06, BLUE: 0.04}, on_background=True)
    where = access.visible(backend, Filter(palette_of=cup.id, ignore_background=True), OWNER)
    assert [(color.hex, round(color.share or 0, 6)) for color in where.palette] == [(RED, 0.6), (BLUE, 0.4)]
    assert where.palette_of is None


def test_a_picture_that_has_not_been_analyzed_has_no_colors_to_ask_for(backend, put):
    with pytest.raises(InvalidQuery, match="not known yet"):
        find(backend, palette_of=put().id)


def test_a_picture_without_an_accent_that_is_asked_for_is_not_found(backend, put_colors):
    accent = put_colors("a green accent", {WHITE: 0.95, GREEN: 0.05})
    put_colors("white", {WHITE: 1.0})
    found = find(backend, palette=(AskedColor(WHITE, 0.9), AskedColor(GREEN, 0.05)))

    assert [hit.image.id for hit in found.hits] == [accent.id]
    assert all(color["found"] for color in found.hits[0].why["colors"])
    assert find(backend, palette=(AskedColor(WHITE, 0.9), AskedColor(BLUE, 0.08), AskedColor(GREEN))).verdict == "none"
