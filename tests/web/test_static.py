"""Static files come with our own and htmx's, and are cached as long as their address says what they hold."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.web import samples
from webapp.paths import STATIC
from webapp.rendering import mount_static, static_url
from webapp.wording import as_percent, as_size, tile_ratio


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    mount_static(app)
    with TestClient(app) as opened:
        yield opened


@pytest.mark.parametrize("name", ["app.css", "app.js", "favicon.svg", "htmx/htmx.min.js"])
def test_an_address_with_its_version_is_kept_for_a_year(client: TestClient, name: str) -> None:
    answer = client.get(static_url(name))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]


def test_an_address_without_version_is_asked_for_again(client: TestClient) -> None:
    answer = client.get("/static/grid.js")
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get("/static/grid.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_the_scripts_bring_nothing_from_elsewhere() -> None:
    for path in STATIC.glob("*.*s"):
        assert "http://" not in path.read_text()
        assert "https://" not in path.read_text()


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (2_400_000, "2.4 MB"), (31 * 10**9, "31 GB")],
)
def test_sizes_have_a_unit_that_people_know(count: int, words: str) -> None:
    assert as_size(count) == words


def test_a_share_too_small_to_see_is_not_called_nothing() -> None:
    assert [as_percent(share) for share in (0, 0.001, 0.424, 1)] == ["0 %", "<1 %", "42 %", "100 %"]


def test_a_picture_of_any_shape_has_a_tile_that_a_row_can_bear() -> None:
    shapes = [(9000, 900), (400, 4000), (3000, 2000), (0, 0)]
    ratios = [tile_ratio(samples.image(width=w, height=h)) for w, h in shapes]
    assert ratios == [2.6, 0.6, 1.5, 1.0]
