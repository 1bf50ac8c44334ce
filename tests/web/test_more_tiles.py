"""Loading more tiles: each load makes the address say how much is shown, and the address shows that much at once."""

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from pipeline.ingest import accept
from pipeline.principals import OWNER
from pipeline.uploads import existing_file
from tests.web.conftest import OpenClient, settle
from tests.web.photos import encoded, photo

PICTURES = 130
MORE = {"HX-Request": "true", "HX-Target": "more"}


@pytest.fixture(scope="module")
def many(open_client: OpenClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An application with 130 small pictures, which tests only read."""
    folder = tmp_path_factory.mktemp("many")
    cat = photo("chelsea.png").resize((24, 16))
    with open_client(tmp_path_factory.mktemp("library")) as client:
        backend = client.app.state.running.backend
        for number in range(PICTURES):
            cat.putpixel((number % 24, number // 24), (number, 0, 0))
            path = folder / f"{number:03}.png"
            path.write_bytes(encoded(cat, "PNG"))
            accept(backend, existing_file(path, max_bytes=100_000), OWNER)
        client.app.state.running.ring()
        settle(client)
        yield client


def shown(html: str) -> list[str]:
    return re.findall(r'class="tile-link" href="([^"]+)"', html)


def more_url(html: str) -> str:
    found = re.search(r'id="more-link" [^>]*href="([^"]+)"', html)
    return found[1].replace("&amp;", "&") if found else ""


@pytest.mark.parametrize("asked", ["/", "/?text=cat"])
def test_what_was_loaded_bit_by_bit_is_there_at_once_under_the_address_it_has_then(
    many: TestClient, asked: str
) -> None:
    html = many.get(asked).text
    tiles, loads = shown(html), 0
    while url := more_url(html):
        answer = many.get(url, headers=MORE)
        html, loads = answer.text, loads + 1
        tiles += shown(html)
        at_once = many.get(answer.headers["HX-Replace-Url"]).text
        assert shown(at_once) == tiles
        assert more_url(at_once) == more_url(html)
        assert f"{len(tiles)} pictures are shown" in html

    assert loads == 2
    assert len(tiles) == len(set(tiles)) == PICTURES


def test_the_address_of_what_is_shown_keeps_the_search_and_nothing_of_the_loading(many: TestClient) -> None:
    answer = many.get("/?text=cat&min_width=3&offset=60&weak=1", headers=MORE)

    assert answer.headers["HX-Replace-Url"] == "/?text=cat&min_width=3&shown=120&weak=1"
    assert "HX-Replace-Url" not in many.get("/?text=cat&offset=60").headers
    assert "HX-Replace-Url" not in many.get("/?color=teal&offset=60", headers=MORE).headers


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("shown=1", 60),
        ("shown=61", 120),
        ("shown=0", 60),
        ("shown=-5", 60),
        ("shown=many", 60),
        ("shown=99999", 60),
        ("shown=10000", PICTURES),
        ("shown=180&offset=60", 60),
    ],
)
def test_odd_numbers_of_tiles_are_made_even(many: TestClient, asked: str, number: int) -> None:
    assert len(shown(many.get(f"/?{asked}").text)) == number


def test_a_filter_or_a_new_search_begins_with_the_first_tiles_again(many: TestClient) -> None:
    html = many.get("/?text=cat&min_width=3&shown=120").text

    for link in re.findall(r'href="(/\?[^"]*)"', html):
        assert "shown" not in link
    assert 'name="shown"' not in html
