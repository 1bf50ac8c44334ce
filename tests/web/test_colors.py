"""Asking for colors: over the API, on the page without a script, and from the page of an image."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import error_of
from tests.web.markup import Markup
from tests.web.test_api_search import SEARCH, every_image, found, names


def palette(client: TestClient, name: str) -> list[dict[str, Any]]:
    return next(image for image in every_image(client) if image["filename"] == name)["color"]["palette"]


def asked_as(swatches: list[dict[str, Any]]) -> list[str]:
    return [f"{swatch['hex']}:{swatch['share']:.2f}" for swatch in swatches[:5]]


def form_of(html: str) -> dict[str, list[str]]:
    """Return what a browser would send of the filters, without a script."""
    markup = Markup(html)
    sent: dict[str, list[str]] = {}
    for field in markup.all("input"):
        names_of_forms = [outer.attributes.get("id") for outer in field.inside]
        name, kind = field.attributes.get("name"), field.attributes.get("type")
        if "search" not in names_of_forms or not name or (kind == "checkbox" and "checked" not in field.attributes):
            continue
        sent.setdefault(name, []).append(field.attributes.get("value", ""))
    for option in markup.all("option"):
        select = next(outer for outer in option.inside if outer.tag == "select")
        name = select.attributes.get("name", "")
        if "selected" in option.attributes and name in {"color", "color_tolerance"}:
            sent.setdefault(name, []).append(option.attributes["value"])
    return {name: [value for value in values if value] for name, values in sent.items()}


def chips_of(html: str) -> set[str]:
    return {span.text for span in Markup(html).all("span") if span.attributes.get("class") == "chip-label"}


def test_a_palette_with_shares_finds_its_picture_first(library: TestClient) -> None:
    for image in every_image(library):
        answer = found(library, color=asked_as(image["color"]["palette"]), limit=3)
        assert names(answer)[0] == image["filename"]
        first = answer["results"][0]
        assert (first["similarity"], first["strength"]) == (None, None)
        assert first["why"]["distance"] < 3
        assert len(first["why"]["colors"]) == len(asked_as(image["color"]["palette"]))


def test_the_colors_of_an_image_can_be_asked_for_by_its_id(library: TestClient) -> None:
    image = every_image(library)[0]
    assert names(found(library, palette_of=image["id"]))[0] == image["filename"]
    listed = library.get("/api/v1/images", params={"palette_of": image["id"], "color_tolerance": 5}).json()["images"]
    assert image["filename"] in [other["filename"] for other in listed]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"color": "#2f6fd0:2"}, 422),
        ({"color": "#2f6fd0:half"}, 422),
        ({"color": "#2f6fd0:0.4:0.4"}, 422),
        ({"color": ":0.4"}, 422),
        ({"color": "#2f6fd0:nan"}, 422),
        ({"ignore_background": "perhaps"}, 422),
        ({"palette_of": "nothing"}, 404),
    ],
)
def test_what_is_no_color_is_refused_with_a_sentence(library: TestClient, asked: dict[str, str], status: int) -> None:
    answer = library.post(SEARCH, json=asked)
    assert answer.status_code == status
    assert error_of(answer)["message"]
    assert library.get("/", params=asked).status_code == status


def test_colors_of_ones_own_and_of_a_picture_do_not_go_together(library: TestClient) -> None:
    asked = {"palette_of": every_image(library)[0]["id"], "color": "#2f6fd0"}
    assert library.post(SEARCH, json=asked).status_code == 422


@pytest.mark.parametrize("value", [True, "true", 1, "1"])
def test_the_background_is_ignored_in_whatever_words(library: TestClient, value: object) -> None:
    assert found(library, color="#2f6fd0:0.1", ignore_background=value)["verdict"] in {"match", "none"}


def test_the_page_has_a_row_for_each_color_and_one_for_the_next(library: TestClient) -> None:
    asked = {"color": ["#2f6fd0:0.25", "#ffffff"], "color_tolerance": "20", "ignore_background": "1"}
    html = library.get("/", params=asked).text
    sent = form_of(html)

    assert sent["color"] == asked["color"]
    assert sent["color_tolerance"] == ["20"]
    assert sent["ignore_background"] == ["1"]
    fields = [field for field in Markup(html).all("input") if field.attributes.get("name") == "color"]
    assert "" in [field.attributes["value"] for field in fields]  # the empty one, for the next
    assert {"25 % #2f6fd0", "#ffffff ± 20"} <= chips_of(html)


def test_five_colors_leave_no_row_for_another(library: TestClient) -> None:
    asked = [f"#00000{number}" for number in range(5)]
    html = library.get("/", params={"color": asked}).text
    assert form_of(html)["color"] == asked
    assert not [field for field in Markup(html).all("input") if field.attributes.get("id") == "color"]


def test_each_color_can_be_taken_away_and_the_last_takes_all_with_it(library: TestClient) -> None:
    html = library.get("/", params={"color": ["#2f6fd0:0.25", "#ffffff"], "color_tolerance": "20"}).text
    links = {link.attributes.get("id"): link.attributes["href"] for link in Markup(html).all("a")}
    first = parse_qs(urlsplit(links["color-1-remove"]).query)
    assert first == {"color": ["#ffffff"], "color_tolerance": ["20"]}
    html = library.get("/", params=first).text
    links = {link.attributes.get("id"): link.attributes["href"] for link in Markup(html).all("a")}
    assert links["color-1-remove"] == "/"


def test_the_page_of_an_image_leads_to_pictures_with_its_colors(library: TestClient) -> None:
    image = every_image(library)[2]
    links = [link.attributes["href"] for link in Markup(library.get(f"/images/{image['id']}").text).all("a")]
    assert f"/?palette_of={image['id']}" in links

    html = library.get(f"/?palette_of={image['id']}").text
    assert f"colors of {image['filename']}" in chips_of(html)
    assert form_of(html)["palette_of"] == [image["id"]]
    adjust = next(link for link in Markup(html).all("a") if link.attributes.get("id") == "adjust-colors")
    asked = parse_qs(urlsplit(adjust.attributes["href"]).query)
    assert asked["color"] == [
        f"{swatch['hex']}:{round(swatch['share'], 2)}" for swatch in image["color"]["palette"][:5]
    ]


def test_a_color_that_is_misspelt_can_be_mended_where_it_was_typed(library: TestClient) -> None:
    answer = library.get("/", params={"color": ["#2f6fd0", "teal"]})
    assert answer.status_code == 422
    assert form_of(answer.text)["color"] == ["teal", "#2f6fd0"]
