"""Results as a file: the same pictures in the same order as on the page, as JSON and as CSV."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline.description import FLAT_COLUMNS
from tests.web.conftest import LIBRARY, OpenClient, upload
from tests.web.test_api_search import CAT, SEARCH


def as_json(client: TestClient, **asked: Any) -> dict[str, Any]:
    answer = client.get("/results.json", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def as_csv(client: TestClient, **asked: Any) -> list[dict[str, str]]:
    answer = client.get("/results.csv", params=asked)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def on_page(client: TestClient, **asked: Any) -> list[str]:
    return re.findall(r'class="tile-link" href="/images/([\w-]+)"', client.get("/", params=asked).text)


@pytest.fixture(params=[{}, {"text": "cat"}, {"tag": "jpg"}, {"text": "rocket", "tag": ["sample", "webp"]}, "picture"])
def asked(request: pytest.FixtureRequest, library: TestClient) -> dict[str, Any]:
    if request.param != "picture":
        return request.param
    answer = library.post("/search", files={"file": ("cat.jpg", CAT)})
    return {"picture": answer.headers["location"].partition("picture=")[2]}


def test_files_have_what_the_page_shows_in_its_order(library: TestClient, asked: dict[str, Any]) -> None:
    shown = on_page(library, **asked)

    assert shown
    assert [hit["image"]["id"] for hit in as_json(library, **asked)["results"]] == shown
    assert [row["id"] for row in as_csv(library, **asked)] == shown


def test_json_is_what_the_api_answers_and_the_addresses(library: TestClient) -> None:
    by_api = library.post(SEARCH, json={"text": "cat", "limit": 100}).json()
    saved = as_json(library, text="cat")

    for hit in saved["results"]:
        assert hit.pop("address").endswith(f"/images/{hit['image']['id']}")
    assert saved.pop("took_ms") > 0
    del by_api["took_ms"]
    assert saved == by_api


def test_an_address_in_a_file_leads_to_the_picture(library: TestClient) -> None:
    row = as_csv(library, text="cat")[0]

    assert library.get(row["address"]).status_code == 200
    assert row["address"].startswith(str(library.base_url))


def test_csv_tells_similarity_band_and_facts(library: TestClient) -> None:
    hits = library.post(SEARCH, json={"text": "cat", "limit": 100}).json()["results"]
    rows = as_csv(library, text="cat")

    assert list(rows[0]) == ["rank", "address", "similarity", "strength", "why", *FLAT_COLUMNS]
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, len(LIBRARY) + 1)]
    for row, hit in zip(rows, hits, strict=True):
        assert (float(row["similarity"]), row["strength"]) == (hit["similarity"], hit["strength"])
        assert (row["filename"], int(row["width"])) == (hit["image"]["filename"], hit["image"]["width"])
        assert row["category"] == hit["image"]["category"]["name"]
    assert {row["similarity"] for row in as_csv(library)} == {""}


def test_files_are_downloads_with_a_name_and_are_kept_by_nobody(library: TestClient) -> None:
    for ending, kind in (("json", "application/json"), ("csv", "text/csv; charset=utf-8")):
        headers = library.get(f"/results.{ending}").headers
        assert re.fullmatch(
            rf'attachment; filename="likeness-results-\d{{4}}-\d\d-\d\d\.{ending}"', headers["content-disposition"]
        )
        assert (headers["content-type"], headers["cache-control"]) == (kind, "no-store")


@pytest.fixture
def hostile(open_client: OpenClient, tmp_path: Path) -> Iterator[TestClient]:
    with open_client(tmp_path / "data") as client:
        yield client


def test_a_name_that_a_spreadsheet_would_run_is_text(hostile: TestClient) -> None:
    name, caption = '=HYPERLINK("http:evil","x").jpg', '@SUM(1)\n"two lines", and more'
    upload(hostile, CAT, name, caption=caption)

    row = as_csv(hostile)[0]

    assert row["filename"].startswith("'=")
    assert row["caption"].startswith("'@")
    assert (
        as_json(hostile)["results"][0]["image"]["caption"]
        == hostile.get("/api/v1/images").json()["images"][0]["caption"]
    )


@pytest.mark.parametrize("path", ["/results.json", "/results.csv"])
def test_a_search_that_cannot_be_run_is_a_sentence_and_no_file(library: TestClient, path: str) -> None:
    for asked, status in (
        ({"color": "teal"}, 422),
        ({"text": "x" * 501}, 422),
        ({"library": "elsewhere"}, 404),
        ({"like": "018f0000-0000-7000-8000-000000000000"}, 404),
        ({"picture": "nothing"}, 404),
    ):
        answer = library.get(path, params=asked)
        assert answer.status_code == status
        assert "content-disposition" not in answer.headers


def test_the_page_offers_both_with_the_same_search(library: TestClient) -> None:
    html = library.get("/", params={"text": "cat & dog", "tag": "jpg", "shown": 120}).text

    for ending in ("csv", "json"):
        assert f'href="/results.{ending}?text=cat+%26+dog&amp;tag=jpg"' in html
    assert 'href="/results.csv"' in library.get("/").text
    assert "/results.csv" not in library.get("/", params={"tag": "nothing-has-this"}).text
