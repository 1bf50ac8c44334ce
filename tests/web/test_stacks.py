"""Stacks on pages: what a tile says of those under it, where it leads, and how nothing is stacked."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from duplicates import Findings
from house import ensure_library
from random_records import random_features, write_image
from starlette.testclient import TestClient

from pipeline.images import ImageRecord
from pipeline.stores import records_images
from tests.web.conftest import OpenClient
from tests.web.markup import Markup
from tests.web.members import backend_of
from tests.web.test_more_tiles import MORE, more_url, shown

PICTURES = 90
COPIES = 7  # of each of the first two
CHINESE = {"Accept-Language": "zh-CN"}
ASKED = "/?color=%23808080&color_tolerance=100&color_share=0"  # in the order of chance, as palettes are here
HTML_ASKED = ASKED.replace("&", "&amp;")


@pytest.fixture(scope="module")
def stocked(open_client: OpenClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An application with PICTURES and palettes of chance, of which the first two have COPIES each."""
    with open_client(tmp_path_factory.mktemp("stacks"), with_worker=False) as client:
        backend = backend_of(client)
        rng = np.random.default_rng(3)
        with backend.database.write() as connection:
            ensure_library(connection, "main")
            rows = [
                write_image(
                    connection,
                    f"picture {number}",
                    random_features(rng, backend.encoder.dimension),
                    encoder=backend.encoder.fingerprint,
                    library="main",
                    size=(640 + number, 480),
                )
                for number in range(PICTURES)
            ]
            pictures = records_images.get_by_rows(connection, rows)
        findings = Findings(backend)
        for number in (0, 1):
            copies = pictures[2 + number :: 11][:COPIES]
            findings.found_all([(pictures[number], copy, "identical", {}) for copy in copies])
            findings.found_all([(a, b, "identical", {}) for n, a in enumerate(copies) for b in copies[n + 1 :]])
        yield client


def all_of(client: TestClient) -> list[ImageRecord]:
    with backend_of(client).database.read() as connection:
        return records_images.get_by_rows(connection, range(1, PICTURES + 1))


def stack_urls(html: str) -> list[str]:
    return [address.replace("&amp;", "&") for address in re.findall(r'class="tile-stack" href="([^"]+)"', html)]


@pytest.mark.parametrize("headers", [{}, MORE], ids=["without a script", "with htmx"])
def test_every_picture_is_reached_once_by_tiles_and_stacks(stocked: TestClient, headers) -> None:
    html = stocked.get(ASKED).text
    tiles, stacks, loads = shown(html), stack_urls(html), 0
    while url := more_url(html):
        html, loads = stocked.get(url, headers=headers).text, loads + 1
        tiles += shown(html)
        stacks += stack_urls(html)
    under = [shown(stocked.get(address).text)[1:] for address in stacks]

    assert loads == 1
    assert [len(those) for those in under] == [COPIES, COPIES]
    reached = tiles + [address for those in under for address in those]
    assert sorted(reached) == sorted(f"/images/{image.id}" for image in all_of(stocked))


def test_what_was_loaded_is_there_at_once_on_the_way_back(stocked: TestClient) -> None:
    first = stocked.get(ASKED).text
    more = stocked.get(more_url(first), headers=MORE)
    back = more.headers["HX-Replace-Url"]

    assert back.endswith("&shown=120")
    assert shown(stocked.get(back).text) == shown(first) + shown(more.text)
    assert f"{PICTURES - 2 * COPIES} pictures are shown" in more.text


def test_copies_can_be_tiles_of_their_own_under_an_address_that_keeps_it(stocked: TestClient) -> None:
    stacked = stocked.get(ASKED).text
    apart = stocked.get(f"{ASKED}&copies=apart&shown=120").text

    assert f'href="{HTML_ASKED}&amp;copies=apart">Show copies as tiles of their own' in stacked
    assert f'href="{HTML_ASKED}">Stack copies' in apart
    assert '<input type="hidden" name="copies" value="apart">' in apart
    assert stack_urls(apart) == []
    assert len(shown(apart)) == PICTURES
    assert stocked.get(f"{ASKED}&copies=perhaps").status_code == 422


def test_files_lists_and_the_api_have_every_picture(stocked: TestClient) -> None:
    query = {"color": "#808080", "color_tolerance": "100", "color_share": "0", "limit": "100"}
    found = stocked.post("/api/v1/search", data=query).json()["results"]

    assert len(found) == PICTURES
    assert len(stocked.get(ASKED.replace("/?", "/results.json?")).json()["results"]) == PICTURES
    assert len(shown(stocked.get("/?shown=120").text)) == PICTURES


def test_a_stack_keeps_the_filters_and_leads_back(stocked: TestClient) -> None:
    narrow = f"{ASKED}&max_width=670"
    (address, *_) = stack_urls(stocked.get(narrow).text)
    page = stocked.get(address).text

    assert address.endswith(narrow.removeprefix("/"))
    assert "Only what passes the filters of the search is shown." in page
    assert f'href="{narrow.replace("&", "&amp;")}">Back to the search' in page
    assert f'name="back" value="{narrow.replace("&", "&amp;")}"' in page, "the one on top may be among the deleted"
    assert 1 < len(shown(page)) < 1 + COPIES
    assert len(shown(stocked.get(address.partition("?")[0]).text)) == 1 + COPIES


@pytest.mark.parametrize(
    ("headers", "summary", "link", "box", "title"),
    [
        (
            {},
            r"90 pictures in \d+ ms, 14 of them lie under others",
            "8 pictures are nearly the same: show them all",
            "not those that lie under it",
            "Nearly the same as picture 0.png",
        ),
        (
            CHINESE,
            r"90 张图片.*，其中 14 张叠在其他图片下面",
            "8 张图片几乎相同",
            "不含叠在下面的图片",
            "与 picture 0.png 几乎相同",
        ),
    ],
    ids=["English", "Chinese"],
)
def test_a_stack_is_told_in_words(stocked: TestClient, headers, summary, link, box, title) -> None:
    html = stocked.get(f"{ASKED}&shown=120", headers=headers).text
    page = Markup(html)
    links = [one for one in page.all("a") if one.attributes.get("class") == "tile-stack"]
    first = stocked.get(f"/images/{all_of(stocked)[0].id}/stack", headers=headers).text

    assert re.search(summary, next(one.text for one in page.all("p") if one.attributes.get("class") == "summary"))
    assert {link in one.attributes["aria-label"] for one in links} == {True}
    assert sum(box in label.text for label in page.all("label")) == 2
    assert title in next(one.text for one in Markup(first).all("h1"))
