"""The filters, orders and states of the API beyond those of the first contract: they compare what the API reports."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import LIBRARY, error_of, upload
from tests.web.photos import encoded, photo

SEARCH = "/api/v1/search"
ORDERS = {
    "newest": lambda image: image["created_at"],
    "largest": lambda image: image["width"] * image["height"],
}

FLOWER = LIBRARY["flower.png"]
DAMAGED = FLOWER[: len(FLOWER) // 2] + bytes(400) + FLOWER[len(FLOWER) // 2 + 400 :]

Image = dict[str, Any]


def images_of(client: TestClient) -> list[Image]:
    return client.get("/api/v1/images", params={"limit": 200}).json()["images"]


def found(client: TestClient, **asked: Any) -> list[dict[str, Any]]:
    answer = client.post(SEARCH, json={"limit": 100} | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def names(hits: list[dict[str, Any]]) -> list[str]:
    return [hit["image"]["filename"] for hit in hits]


def shape(image: Image) -> str:
    width, height = image["width"], image["height"]
    if max(width, height) / min(width, height) <= 1.05:
        return "square"
    return "landscape" if width > height else "portrait"


def size(image: Image) -> str:
    megapixels = image["width"] * image["height"] / 1e6
    return "small" if megapixels < 0.5 else "medium" if megapixels < 2 else "large" if megapixels < 8 else "huge"


CHOICES: dict[str, tuple[list[str], Callable[[Image], str]]] = {
    "orientation": (["landscape", "portrait", "square"], shape),
    "size": (["small", "medium", "large", "huge"], size),
    "format": (["jpeg", "png", "webp", "tiff", "gif"], lambda image: image["media_type"].removeprefix("image/")),
}
BOUNDS = {
    "max_width": "width",
    "max_height": "height",
    "max_bytes": "bytes",
}


@pytest.mark.parametrize("asked", [{}, {"text": "cat"}], ids=["list", "search"])
@pytest.mark.parametrize("name", CHOICES)
def test_choices_compare_what_is_reported(library: TestClient, name: str, asked: dict[str, str]) -> None:
    values, reported = CHOICES[name]
    kept = {value: set(names(found(library, **asked, **{name: value}))) for value in values}
    assert kept == {
        value: {image["filename"] for image in images_of(library) if reported(image) == value} for value in values
    }
    assert set(names(found(library, **asked, **{name: values}))) == set(LIBRARY)


@pytest.mark.parametrize("name", BOUNDS)
def test_upper_bounds_compare_what_is_reported(library: TestClient, name: str) -> None:
    for image in images_of(library):
        bound = image[BOUNDS[name]]
        expected = {other["filename"] for other in images_of(library) if other[BOUNDS[name]] <= bound}
        assert set(names(found(library, **{name: bound}))) == expected
        listed = library.get("/api/v1/images", params={name: bound, "limit": 200}).json()["images"]
        assert {other["filename"] for other in listed} == expected


def test_sizes_of_files_may_have_a_unit(library: TestClient) -> None:
    whole = {image["filename"] for image in images_of(library) if image["bytes"] >= 60_000}
    assert 0 < len(whole) < len(LIBRARY)
    for text in ("60000", "60 kB", "60kb", "0.06 MB"):
        assert set(names(found(library, min_bytes=text))) == whole


def test_pictures_with_a_tag_can_be_left_out(library: TestClient) -> None:
    assert set(names(found(library, without_tag=["jpg", "tif"]))) == {"flower.png", "rocket.webp"}
    assert set(names(found(library, without_tag="jpg", tag="png"))) == {"flower.png"}


def test_pictures_are_in_black_and_white_also_as_jpeg(client: TestClient) -> None:
    upload(client, encoded(photo("coffee.png")), "color.jpg")
    upload(client, encoded(photo("coffee.png").convert("L").convert("RGB"), quality=60), "gray.jpg")
    assert names(found(client, monochrome=True)) == ["gray.jpg"]
    assert names(found(client, monochrome=True, min_saturation=0.5)) == []
    assert len(found(client, monochrome=False)) == 2


def test_the_clock_of_a_camera_bounds_what_was_taken(client: TestClient) -> None:
    for name, taken in (("old.jpg", "2019:07:01 23:30:00"), ("new.jpg", "2021:01:02 03:04:05")):
        picture = photo("coffee.png")
        exif = picture.getexif()
        exif.get_ifd(0x8769)[0x9003] = taken
        picture.info["color"] = name  # two files that differ
        upload(client, encoded(picture.resize((300 + len(taken), 200 + ord(name[0]))), exif=exif), name)
    upload(client, encoded(photo("coffee.png")), "undated.jpg")

    assert names(found(client, taken_after="2019-07-01", taken_before="2019-07-01")) == ["old.jpg"]
    assert names(found(client, taken_after="2019-07-02")) == ["new.jpg"]
    assert names(found(client, taken_after="2021-01-02T03:04:05")) == ["new.jpg"]
    assert names(found(client, taken_after="2021-01-02T03:04:06")) == []
    assert names(found(client, taken_year=[2019, 2020])) == ["old.jpg"]
    assert names(found(client, sort="taken_oldest")) == ["old.jpg", "new.jpg", "undated.jpg"]
    assert names(found(client, sort="taken_newest")) == ["new.jpg", "old.jpg", "undated.jpg"]


@pytest.mark.parametrize("sort", ORDERS)
def test_lists_are_sorted_by_what_is_reported_and_paged_without_gap(library: TestClient, sort: str) -> None:
    newest_first = sorted(images_of(library), key=lambda image: image["created_at"], reverse=True)
    expected = [image["filename"] for image in sorted(newest_first, key=ORDERS[sort], reverse=True)]
    assert names(found(library, sort=sort)) == expected
    pages = [found(library, sort=sort, limit=4, offset=offset) for offset in (0, 4, 8)]
    assert [name for page in pages for name in names(page)] == expected
    assert names(found(library, sort="oldest")) == names(found(library, sort="newest"))[::-1]


def test_matches_in_another_order_are_without_the_weak_ones(library: TestClient) -> None:
    best = found(library, text="cat")
    matches = [hit for hit in best if hit["strength"] != "weak"]
    assert 0 < len(matches) < len(best)
    for sort in ("newest", "oldest", "largest"):
        hits = found(library, text="cat", sort=sort)
        assert sorted(names(hits)) == sorted(names(matches))
        assert {hit["image"]["id"]: hit["similarity"] for hit in hits} == {
            hit["image"]["id"]: hit["similarity"] for hit in matches
        }
    assert found(library, text="cat", sort="best") == best


def test_what_is_not_ready_can_be_listed_and_not_searched(client: TestClient) -> None:
    upload(client, LIBRARY["cat.jpg"], "cat.jpg")
    upload(client, DAMAGED, "half.png")
    assert names(found(client, state="failed")) == ["half.png"]
    assert names(found(client, state=["failed", "ready"])) == ["half.png", "cat.jpg"]
    assert names(found(client, state=["failed", "ready"], sort="largest")) == ["half.png", "cat.jpg"]
    assert names(found(client)) == ["cat.jpg"]
    refused = client.post(SEARCH, json={"text": "cat", "state": "failed"})
    assert (refused.status_code, error_of(refused)["code"]) == (422, "invalid_query")


@pytest.mark.parametrize(
    "asked",
    [
        {"sort": "upwards"},
        {"state": "gone"},
        {"orientation": "round"},
        {"size": "tiny"},
        {"format": "svg"},
        {"taken_year": "soon"},
        {"taken_year": 0},
        {"taken_after": "yesterday"},
        {"monochrome": "perhaps"},
        {"min_bytes": "much"},
        {"max_bytes": "-1"},
        {"max_width": -1},
    ],
    ids=str,
)
def test_a_filter_that_says_nothing_is_refused_with_its_name(library: TestClient, asked: dict[str, object]) -> None:
    answer = library.post(SEARCH, json=asked)
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query")
    assert next(iter(asked)) in error_of(answer)["message"]


@pytest.mark.parametrize("sort", ["newest", "largest"])
def test_the_page_lists_in_the_order_of_its_address_and_keeps_it(library: TestClient, sort: str) -> None:
    page = library.get("/", params={"sort": sort, "orientation": "landscape"}).text
    expected = [hit["image"]["id"] for hit in found(library, sort=sort, orientation="landscape")]
    places = [page.index(f'href="/images/{image_id}"') for image_id in expected]
    assert places == sorted(places)
    assert f'<option value="{sort}" selected>' in page or sort == "newest"
    assert f'href="/?sort={sort}"' in page  # what takes the filter away leaves the order


def test_the_page_says_what_its_facets_count(library: TestClient) -> None:
    matches = [hit for hit in found(library, text="cat") if hit["strength"] != "weak"]
    page = library.get("/", params={"text": "cat"}).text
    assert "How many of the matches" in page
    assert "How many of" not in library.get("/").text
    for category in {hit["image"]["category"]["name"] for hit in matches}:
        number = sum(hit["image"]["category"]["name"] == category for hit in matches)
        label = page[page.index(f'id="facet-category-{category}"') :]
        assert f'<span class="count">{number}</span>' in label[: label.index("</label>")]


def test_the_page_lists_what_could_not_be_analyzed_and_forgets_it_for_a_question(client: TestClient) -> None:
    upload(client, LIBRARY["cat.jpg"], "cat.jpg")
    upload(client, DAMAGED, "half.png")
    [failed] = client.get("/api/v1/images", params={"state": "failed"}).json()["images"]
    assert 'id="facet-state-failed"' in client.get("/").text
    page = client.get("/", params={"state": "failed"}).text
    assert f'href="/images/{failed["id"]}"' in page
    assert "1 picture in" in page
    asked = client.get("/", params={"state": "failed", "text": "cat"})
    assert asked.status_code == 200
    assert failed["id"] not in asked.text
    assert "could not be analyzed" not in asked.text
