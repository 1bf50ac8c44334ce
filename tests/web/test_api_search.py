"""`POST /api/v1/search`: what can be asked, what the filters compare, and what is refused."""

import operator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import LIBRARY, error_of, settle, upload
from tests.web.photos import encoded, jpeg, photo
from webapp import schemas

SEARCH = "/api/v1/search"
CAT = LIBRARY["cat.jpg"]

Image = dict[str, Any]


def found(client: TestClient, **asked: Any) -> dict[str, Any]:
    answer = client.post(SEARCH, json={"limit": 100} | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def found_by_file(client: TestClient, data: bytes, **fields: Any) -> dict[str, Any]:
    answer = client.post(SEARCH, files={"file": ("query.jpg", data)}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(answer: dict[str, Any]) -> list[str]:
    return [hit["image"]["filename"] for hit in answer["results"]]


def every_image(client: TestClient) -> list[Image]:
    return client.get("/api/v1/images", params={"limit": 200}).json()["images"]


# ---- What can be asked


def test_an_identical_picture_comes_first(library: TestClient) -> None:
    for name, data in LIBRARY.items():
        answer = found_by_file(library, data)
        schemas.SearchAnswer.model_validate(answer, strict=True)
        first = answer["results"][0]
        assert first["image"]["filename"] == name
        assert (first["similarity"], first["strength"]) == (1.0, "strong")
        assert first["why"]["identical"] is True
        assert answer["verdict"] == "match"


def test_kin_come_before_strangers(library: TestClient) -> None:
    answer = found_by_file(library, encoded(photo("chelsea.png").rotate(4, expand=False), quality=60))
    assert set(names(answer)[:2]) == {"cat.jpg", "cat-closer.jpg"}


def test_similarities_fall_and_are_cosines(library: TestClient) -> None:
    similarities = [hit["similarity"] for hit in found_by_file(library, jpeg("astronaut.png"), limit=100)["results"]]
    assert similarities == sorted(similarities, reverse=True)
    assert all(-1 <= similarity <= 1 for similarity in similarities)
    assert len(similarities) == len(LIBRARY)


def test_weak_hits_are_in_the_results_and_marked(library: TestClient) -> None:
    strengths = [hit["strength"] for hit in found_by_file(library, CAT, limit=100)["results"]]
    assert strengths == sorted(strengths, key=["strong", "possible", "weak"].index)
    assert len(strengths) == len(LIBRARY)
    assert "weak" in strengths


def test_an_image_that_is_there_leaves_itself_out(library: TestClient) -> None:
    cat = next(image for image in every_image(library) if image["filename"] == "cat.jpg")
    answer = found(library, image_id=cat["id"])
    assert names(answer)[0] == "cat-closer.jpg"
    assert "cat.jpg" not in names(answer)
    assert len(answer["results"]) == len(LIBRARY) - 1


def test_words_find_what_they_name(library: TestClient) -> None:
    assert names(found(library, text="cat"))[0] in {"cat.jpg", "cat-closer.jpg"}
    assert names(found(library, text="coffee"))[0] == "coffee.jpg"


def test_words_that_are_not_known_are_told(library: TestClient) -> None:
    assert found(library, text="cat zzyzxqj")["ignored"] == ["zzyzxqj"]


def test_terms_are_weighed(library: TestClient) -> None:
    cat = next(image for image in every_image(library) if image["filename"] == "cat.jpg")
    terms = [{"image_id": cat["id"], "weight": 0.1}, {"text": "coffee", "weight": 2}]
    assert names(found(library, terms=terms))[0] == "coffee.jpg"
    away = names(found(library, terms=[{"text": "coffee"}, {"text": "cat", "weight": -1}]))
    assert {"cat.jpg", "cat-closer.jpg"} & set(away[:3]) == set()


def test_a_region_is_searched_instead_of_the_whole(library: TestClient) -> None:
    both = photo("coffee.png").resize((400, 300))
    canvas = photo("chelsea.png").resize((800, 300))
    canvas.paste(both, (400, 0))
    data = encoded(canvas)
    assert names(found_by_file(library, data, region="0.5,0,0.5,1"))[0] == "coffee.jpg"


def test_a_form_may_ask_without_a_file(library: TestClient) -> None:
    answer = library.post(SEARCH, data={"text": "coffee", "limit": "1"})
    assert names(answer.json()) == ["coffee.jpg"]


@pytest.mark.parametrize("name", ["tag", "library", "category", "scheme", "color_name", "color"])
@pytest.mark.parametrize("number", [21, 1200, 20_000])
def test_more_values_of_a_filter_than_anybody_chooses_are_refused_with_a_sentence(
    library: TestClient, name: str, number: int
) -> None:
    values = [f"value {place}" for place in range(number)]
    answer = library.post(SEARCH, json={name: values})
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query")
    assert "At most" in error_of(answer)["message"]


def test_as_many_tags_as_may_be_asked_for_are_asked_for(library: TestClient) -> None:
    assert names(found(library, tag=["sample"] * 30)) == list(reversed(LIBRARY))
    assert names(found(library, tag=[f"tag {number}" for number in range(20)])) == []
    assert names(found(library, library=[f"lib{number}" for number in range(20)])) == []
    assert names(found(library, tag="sample,")) == list(reversed(LIBRARY))


def test_filters_alone_list_the_newest_first_without_similarity(library: TestClient) -> None:
    answer = found(library, tag="sample")
    assert names(answer) == list(reversed(LIBRARY))
    assert {hit["similarity"] for hit in answer["results"]} == {None}
    assert {hit["strength"] for hit in answer["results"]} == {None}
    assert names(found(library)) == names(answer)


def test_pages_follow_each_other_without_gap_or_overlap(library: TestClient) -> None:
    for asked in ({"text": "cat"}, {"tag": "sample"}):
        whole = names(found(library, **asked))
        pages = [found(library, **asked, limit=4, offset=offset) for offset in (0, 4, 8)]
        assert [name for page in pages for name in names(page)] == whole
        assert [page["has_more"] for page in pages] == [True, True, False]


def test_twenty_results_are_given_unless_more_are_asked_for(client: TestClient) -> None:
    for number in range(21):
        data = encoded(photo("coffee.png", side_px=64 + number))
        assert upload(client, data, wait="false").status_code == 201
    settle(client)
    assert len(client.post(SEARCH, json={"text": "coffee"}).json()["results"]) == 20


# ---- What filters compare: the values that the API reports


def brightness(image: Image) -> float:
    return image["color"]["brightness"]


def saturation(image: Image) -> float:
    return image["color"]["saturation"]


BOUNDS = {
    "min_brightness": (brightness, operator.ge),
    "max_brightness": (brightness, operator.le),
    "min_saturation": (saturation, operator.ge),
    "max_saturation": (saturation, operator.le),
    "created_after": (operator.itemgetter("created_at"), operator.ge),
    "created_before": (operator.itemgetter("created_at"), operator.le),
    "min_width": (operator.itemgetter("width"), operator.ge),
    "min_height": (operator.itemgetter("height"), operator.ge),
}


@pytest.mark.parametrize("how", ["list", "search", "text"])
@pytest.mark.parametrize("field", BOUNDS)
def test_bounds_compare_the_reported_value_to_the_last_digit(library: TestClient, how: str, field: str) -> None:
    value_of, passes = BOUNDS[field]
    images = every_image(library)
    for bound in {value_of(image) for image in images}:
        wanted = {image["filename"] for image in images if passes(value_of(image), bound)}
        assert set(listing(library, how, {field: bound})) == wanted, bound


@pytest.mark.parametrize("how", ["list", "search", "text"])
def test_choices_compare_the_reported_value(library: TestClient, how: str) -> None:
    images = every_image(library)
    for image in images:
        category, scheme = image["category"]["name"], image["color"]["scheme"]
        same = {other["filename"] for other in images if other["category"]["name"] == category}
        assert set(listing(library, how, {"category": category})) == same
        same = {other["filename"] for other in images if other["color"]["scheme"] == scheme}
        assert set(listing(library, how, {"scheme": scheme})) == same
    some = {images[0]["category"]["name"], images[3]["category"]["name"]}
    both = {other["filename"] for other in images if other["category"]["name"] in some}
    assert set(listing(library, how, {"category": sorted(some)})) == both


@pytest.mark.parametrize("how", ["list", "search", "text"])
def test_color_names_compare_the_reported_share_with_ten_percent(library: TestClient, how: str) -> None:
    images = every_image(library)
    for name in images[0]["color"]["names"]:
        passes = {image["filename"] for image in images if image["color"]["names"][name] >= 0.10}
        assert set(listing(library, how, {"color_name": name})) == passes


@pytest.mark.parametrize("how", ["list", "search", "text"])
def test_a_reported_swatch_finds_its_picture(library: TestClient, how: str) -> None:
    for image in every_image(library):
        swatch = image["color"]["palette"][0]
        asked = {"color": swatch["hex"], "color_tolerance": 0.5, "color_share": swatch["share"] - 1e-9}
        assert image["filename"] in listing(library, how, asked)
        asked["color_share"] = min(1, swatch["share"] + 0.3)
        assert image["filename"] not in listing(library, how, asked)


@pytest.mark.parametrize("how", ["list", "search", "text"])
def test_every_tag_and_the_library_must_be_there(library: TestClient, how: str) -> None:
    assert set(listing(library, how, {"tag": ["sample", "webp"]})) == {"rocket.webp"}
    assert listing(library, how, {"tag": ["webp", "tif"]}) == []
    assert set(listing(library, how, {"library": "main"})) == set(LIBRARY)
    assert listing(library, how, {"library": "elsewhere"}) == []


def listing(client: TestClient, how: str, filters: dict[str, Any]) -> list[str]:
    """Return the names that pass the filters: in the list of images, in a search with filters only, or by text."""
    if how == "list":
        answer = client.get("/api/v1/images", params=filters | {"limit": 200})
        assert answer.status_code == 200, answer.text
        return [image["filename"] for image in answer.json()["images"]]
    return names(found(client, **filters, **({"text": "photo of a thing, cat"} if how == "text" else {})))


def test_an_identical_picture_must_pass_the_filters_too(library: TestClient) -> None:
    assert "cat.jpg" not in names(found_by_file(library, CAT, tag="webp"))


# ---- What is refused


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="half an object"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="very deep"),
        pytest.param(b'{"text": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"image_id": "\\udfff"}', id="the other half"),
        pytest.param(b'{"limit": NaN}', id="NaN"),
        pytest.param(b'{"limit": 1e400}', id="infinity"),
        pytest.param(b'{"limit": 1' + b"0" * 5000 + b"}", id="a huge number"),
        pytest.param(b'{"limit": 0}', id="no results"),
        pytest.param(b'{"limit": 101}', id="too many results"),
        pytest.param(b'{"limit": true}', id="a truth as number"),
        pytest.param(b'{"limit": {"a": 1}}', id="an object as number"),
        pytest.param(b'{"offset": -1}', id="a negative offset"),
        pytest.param(b'{"offset": 10001}', id="too deep"),
        pytest.param(b'{"text": ["a", ["b"]]}', id="a list in a list"),
        pytest.param(b'{"text": "' + b"x" * 501 + b'"}', id="long text"),
        pytest.param(b'{"category": "dog"}', id="no category"),
        pytest.param(b'{"scheme": "hot"}', id="no scheme"),
        pytest.param(b'{"color_name": "teal"}', id="no color name"),
        pytest.param(b'{"color": "red"}', id="no hex"),
        pytest.param(b'{"color": ["#000000","#000001","#000002","#000003","#000004","#000005"]}', id="many colors"),
        pytest.param(b'{"color": "#000000", "color_tolerance": -1}', id="negative tolerance"),
        pytest.param(b'{"color": "#000000", "color_share": 2}', id="a share above all"),
        pytest.param(b'{"min_brightness": "NaN"}', id="NaN as text"),
        pytest.param(b'{"max_saturation": "bright"}', id="a word as number"),
        pytest.param(b'{"created_after": "yesterday"}', id="no date"),
        pytest.param(b'{"created_before": "0001-01-01T00:00:00+14:00"}', id="before all time"),
        pytest.param(b'{"min_width": 1.5}', id="half a pixel"),
        pytest.param(b'{"min_height": 99999999999999999999}', id="too high"),
        pytest.param(b'{"terms": "cat"}', id="terms are no list"),
        pytest.param(b'{"terms": [1]}', id="a term is no object"),
        pytest.param(b'{"terms": [{}]}', id="an empty term"),
        pytest.param(b'{"terms": [{"text": "cat", "weight": 3}]}', id="too heavy"),
        pytest.param(b'{"terms": [{"text": "cat", "weight": NaN}]}', id="NaN weight"),
        pytest.param(b'{"terms": [{"text": "cat", "weight": true}]}', id="a truth as weight"),
        pytest.param(b'{"terms": [{"text": "cat"}, {"text": "cat", "weight": -1}]}', id="terms cancel each other"),
        pytest.param(b'{"terms": [' + b",".join([b'{"text": "cat"}'] * 11) + b"]}", id="many terms"),
        pytest.param(b'{"region": "0,0,1,1", "text": "cat"}', id="region without picture"),
        pytest.param(b'{"url": "ftp://example.org/a.jpg"}', id="url that is not of the web"),
        pytest.param(b'{"url": ["http://a.example/a.jpg", "http://a.example/b.jpg"]}', id="two urls"),
    ],
)
def test_a_search_that_cannot_be_run_is_422_and_says_why(library: TestClient, body: bytes) -> None:
    answer = library.post(SEARCH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert error_of(answer)["code"] == "invalid_query"


@pytest.mark.parametrize("region", ["0,0,1", "a,b,c,d", "0,0,0,1", "0.5,0,0.6,1", "-1,0,1,1", "nan,0,1,1", "0,0,1,inf"])
def test_a_region_outside_of_the_picture_is_422(library: TestClient, region: str) -> None:
    answer = library.post(SEARCH, files={"file": ("cat.jpg", CAT)}, data={"region": region})
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query")


def test_an_image_that_is_not_there_is_404(library: TestClient) -> None:
    for image_id in ("nothing", "018f0000-0000-7000-8000-000000000000", "x" * 10_000, "\0"):
        answer = library.post(SEARCH, json={"image_id": image_id})
        assert (answer.status_code, error_of(answer)["code"]) == (404, "image_not_found")


def test_a_query_picture_is_refused_like_an_upload(library: TestClient) -> None:
    for data, status in ((b"", 415), (b"<svg/>", 415), (CAT[: len(CAT) // 2], 422)):
        answer = library.post(SEARCH, files={"file": ("query.jpg", data)})
        assert answer.status_code == status
        error_of(answer)


def test_two_files_are_one_too_many(library: TestClient) -> None:
    files = [("file", ("a.jpg", CAT)), ("file", ("b.jpg", CAT))]
    assert library.post(SEARCH, files=files).status_code == 422


def test_an_image_that_waits_cannot_be_searched_with_yet(idle_client: TestClient) -> None:
    image = idle_client.post("/api/v1/images", files={"file": ("cat.jpg", CAT)}).json()
    answer = idle_client.post(SEARCH, json={"image_id": image["id"]})
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query")
