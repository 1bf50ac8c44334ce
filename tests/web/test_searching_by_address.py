"""Searching with the address of a picture: over the API, with a form, and from a link, which fetches nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from picture_server import PictureServer, serving
from starlette.testclient import TestClient

from pipeline.fetching import MOST_OF_ONE_A_MINUTE, NOT_FETCHED, OFF, Fetcher
from pipeline.settings import read_settings
from tests.web.conftest import LIBRARY, OpenClient, error_of
from tests.web.photos import encoded, photo
from tests.web.test_api_search import CAT, SEARCH, names

CAT_SEEN_OTHERWISE = encoded(photo("chelsea.png").rotate(4), quality=60)
CATS = {"cat.jpg", "cat-closer.jpg"}


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with serving(PictureServer()) as opened:
        yield opened


@pytest.fixture
def web(library: TestClient, server: PictureServer, tmp_path: Path) -> Iterator[TestClient]:
    """The application with the pictures of LIBRARY, which may fetch from `server`."""
    running = library.app.state.running
    before = running.fetcher
    running.fetcher = Fetcher(read_settings(data=tmp_path, fetch_allow=server.place))
    yield library
    running.fetcher = before


def kept_filters(html: str) -> dict[str, str]:
    form = html.partition('id="picture-search"')[2].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


# ---- Over the API


def test_the_picture_at_an_address_is_searched_with_as_if_it_had_been_sent(
    web: TestClient, server: PictureServer
) -> None:
    url = server.put("/cat", CAT)

    by_url = web.post(SEARCH, json={"url": url}).json()
    by_file = web.post(SEARCH, files={"file": ("cat.jpg", CAT)}).json()

    assert by_url["results"] == by_file["results"]
    assert by_url["results"][0]["why"] == {"identical": True}
    assert by_url["verdict"] == "match"


def test_an_address_is_one_part_of_a_search_beside_others(web: TestClient, server: PictureServer) -> None:
    url = server.put("/cat", CAT_SEEN_OTHERWISE)

    for body in ({"text": "cat"}, {"terms": [{"text": "rocket", "weight": -0.5}]}, {"tag": "jpg"}):
        answer = web.post(SEARCH, json={"url": url, **body})
        assert answer.status_code == 200, answer.text
        assert set(names(answer.json())[:2]) == CATS
    both = web.post(SEARCH, files={"file": ("coffee.jpg", LIBRARY["coffee.jpg"])}, data={"url": url}).json()
    assert set(names(both)[:3]) == CATS | {"coffee.jpg"}


def test_a_region_is_that_of_the_picture_at_the_address(web: TestClient, server: PictureServer) -> None:
    url, region = server.put("/cat", CAT), "0.25,0.25,0.5,0.5"

    by_url = web.post(SEARCH, json={"url": url, "region": region}).json()
    by_file = web.post(SEARCH, files={"file": ("cat.jpg", CAT)}, data={"region": region}).json()
    of_which = web.post(SEARCH, files={"file": ("cat.jpg", CAT)}, data={"region": region, "url": url})

    assert by_url["results"] == by_file["results"]
    assert (of_which.status_code, error_of(of_which)["code"]) == (422, "invalid_query")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"<html><body>A cat</body></html>", 415, "unsupported_format"),
        (b"", 415, "unsupported_format"),
        (CAT[: len(CAT) // 2], 422, "damaged_image"),
    ],
    ids=["a page", "nothing", "half a picture"],
)
def test_what_is_fetched_is_judged_by_its_bytes_as_an_upload_is(
    web: TestClient, server: PictureServer, body: bytes, status: int, code: str
) -> None:
    answer = web.post(SEARCH, json={"url": server.put("/a.jpg", body, "Content-Type: image/jpeg")})

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


def test_too_many_bytes_are_413(web: TestClient, server: PictureServer) -> None:
    url = server.put_raw("/a", b"HTTP/1.1 200 OK\r\nContent-Length: 64000001\r\n\r\n")

    assert web.post(SEARCH, json={"url": url}).status_code == 413


def test_what_cannot_be_fetched_is_422_in_one_sentence_whatever_the_reason(
    web: TestClient, server: PictureServer
) -> None:
    answers = [
        web.post(SEARCH, json={"url": url})
        for url in (
            server.url("/nothing"),
            server.redirect("/a", "http://169.254.169.254/latest/meta-data/"),
            "http://127.0.0.1:1/",
            "http://[::1]/",
            "http://10.1.2.3/cat.jpg",
        )
    ]

    assert [answer.status_code for answer in answers] == [422] * 5
    assert [error_of(answer) for answer in answers] == [{"code": "address_unusable", "message": NOT_FETCHED}] * 5


def test_a_search_that_cannot_be_run_fetches_nothing(web: TestClient, server: PictureServer) -> None:
    url = server.put("/cat", CAT)

    for wrong in ({"limit": 0}, {"scheme": "hot"}, {"region": "1,2"}, {"terms": "cat"}, {"text": "x" * 501}):
        assert web.post(SEARCH, json={"url": url, **wrong}).status_code == 422
    assert server.heads == []


def test_too_often_is_429_and_says_when_to_come_back(web: TestClient, server: PictureServer) -> None:
    url = server.url("/nothing")

    answers = [web.post(SEARCH, json={"url": url}) for _ in range(MOST_OF_ONE_A_MINUTE + 1)]

    assert [answer.status_code for answer in answers] == [422] * MOST_OF_ONE_A_MINUTE + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


# ---- On the page


def test_a_form_with_an_address_leads_to_a_search_that_is_a_link(web: TestClient, server: PictureServer) -> None:
    url = server.put("/cat", CAT_SEEN_OTHERWISE)

    answer = web.post("/search", data={"url": url, "tag": "jpg"})

    assert answer.status_code == 303
    assert re.fullmatch(r"/\?picture=[\w-]+&tag=jpg", answer.headers["location"])
    assert "cat-closer.jpg" in web.get(answer.headers["location"]).text


def test_a_link_with_an_address_in_it_fetches_nothing_and_offers_a_button(
    web: TestClient, server: PictureServer
) -> None:
    url = server.put("/cat?a=b&c=d", CAT)

    for headers in ({}, {"HX-Request": "true", "HX-Target": "results"}):
        answer = web.get("/", params={"text": url, "tag": "jpg"}, headers=headers)
        assert answer.status_code == 200
        assert f'name="url" value="{url.replace("&", "&amp;")}">Search with this picture</button>' in answer.text
        assert "Nothing found" not in answer.text
    assert server.heads == []
    form = kept_filters(web.get("/", params={"text": url, "tag": "jpg"}).text)
    assert form.pop("before").startswith("text=http")
    assert form == {"tag": "jpg", "url": ""}


def test_an_address_beside_a_wrong_filter_is_a_problem_of_the_filter(web: TestClient, server: PictureServer) -> None:
    answer = web.get("/", params={"text": server.put("/cat", CAT), "color": "teal"})

    assert answer.status_code == 422
    assert "This search could not be run" in answer.text


def test_a_picture_and_an_address_at_once_are_one_too_many(web: TestClient, server: PictureServer) -> None:
    answer = web.post("/search", files={"file": ("cat.jpg", CAT)}, data={"url": server.put("/cat", CAT)})

    assert answer.status_code == 422
    assert server.heads == []


def test_what_cannot_be_fetched_is_a_page_with_the_sentence(web: TestClient, server: PictureServer) -> None:
    url = server.url("/nothing")
    answer = web.post("/search", data={"url": url, "tag": "jpg", "before": "text=cat"})

    assert answer.status_code == 422
    assert NOT_FETCHED in answer.text
    assert f'name="text" form="search" type="search" value="{url}"' in answer.text
    assert kept_filters(answer.text)["tag"] == "jpg"


def test_other_websites_cannot_have_anything_fetched(web: TestClient, server: PictureServer) -> None:
    url = server.put("/cat", CAT)

    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert web.post("/search", data={"url": url}, headers=headers).status_code == 403
        assert web.post(SEARCH, json={"url": url}, headers=headers).status_code == 403
    assert server.heads == []


def test_where_it_is_off_addresses_are_refused_and_not_offered(
    library: TestClient, server: PictureServer, tmp_path: Path
) -> None:
    running = library.app.state.running
    before = running.fetcher
    url = server.put("/cat", CAT)
    running.fetcher = Fetcher(read_settings(data=tmp_path, fetch_urls=False, fetch_allow=server.place))
    try:
        refused = library.post(SEARCH, json={"url": url})
        page = library.get("/", params={"text": url})
        form = library.post("/search", data={"url": url})
    finally:
        running.fetcher = before

    assert (refused.status_code, error_of(refused)["message"]) == (422, OFF)
    assert (page.status_code, form.status_code) == (422, 422)
    assert OFF in page.text
    assert 'name="url"' not in page.text
    assert server.heads == []


def test_the_settings_of_the_application_decide(open_client: OpenClient, server: PictureServer, tmp_path: Path) -> None:
    url = server.put("/cat", CAT)

    with open_client(tmp_path / "one", with_worker=False, fetch_allow=server.place) as client:
        assert client.post(SEARCH, json={"url": url}).status_code == 200
    with open_client(tmp_path / "two", with_worker=False) as client:
        assert client.post(SEARCH, json={"url": url}).status_code == 422
