"""Every page is sound HTML whatever its values are, for eyes, keyboards and screen readers alike."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request

from tests.web import samples
from tests.web.every_page import every_page
from tests.web.markup import UNNAMED_INPUTS, Markup
from webapp.pages import FacetOption, SearchPage
from webapp.rendering import page

PAGES = every_page()
FROM_HTMX = {"HX-Request": "true"}
HOSTILE_TOKEN = '"><b>'  # noqa: S105 - no secret


def request(headers: Mapping[str, str] | None = None, query: str = "") -> Request:
    sent = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "server": ("127.0.0.1", 8000),
            "path": "/",
            "query_string": query.encode(),
            "headers": sent,
        }
    )


def html_of(name: str) -> str:
    template, value = PAGES[name]
    return bytes(page(request(), template, value).body).decode()


def html_of_value(template: str, value: object) -> str:
    return bytes(page(request(), template, value).body).decode()


def with_token(value: Any, token: str) -> Any:
    """Return the page as somebody with this token sees it, with a message that can be undone."""
    return replace(value, shell=replace(value.shell, csrf_token=token, notice="Deleted", undo_ids=("a",)))


def fragment_of(value: object, template: str, block: str, query: str = "") -> str:
    return bytes(page(request(FROM_HTMX, query), template, value, block=block).body).decode()


@pytest.fixture(params=PAGES)
def markup(request: pytest.FixtureRequest) -> Markup:
    return Markup(html_of(request.param))


def test_elements_are_nested_and_closed(markup: Markup) -> None:
    assert markup.problems == []


def test_no_id_is_given_twice(markup: Markup) -> None:
    ids = Counter(e.attributes["id"] for e in markup.elements if "id" in e.attributes)
    assert [name for name, count in ids.items() if count > 1] == []


def test_ids_that_are_referred_to_are_there(markup: Markup) -> None:
    ids = {e.attributes.get("id") for e in markup.elements}
    for element in markup.elements:
        for name in ("for", "form", "aria-labelledby", "aria-describedby", "popovertarget"):
            if name in element.attributes:
                assert set(element.attributes[name].split()) <= ids, f"{name} of {element.tag}"


def test_every_field_has_a_name_for_screen_readers(markup: Markup) -> None:
    fields = [
        e
        for e in markup.all("input", "select", "textarea")
        if e.attributes.get("type") not in UNNAMED_INPUTS and "webkitdirectory" not in e.attributes
    ]
    assert [e.attributes for e in fields if not markup.has_name(e)] == []


def test_every_button_and_link_has_words(markup: Markup) -> None:
    silent = [
        e.attributes
        for e in markup.all("button", "a")
        if not (e.text or e.attributes.get("aria-label") or e.attributes.get("aria-hidden"))
        and not any(i.attributes.get("alt") for i in markup.all("img") if e in i.inside)
    ]
    assert silent == []


def test_every_picture_has_a_text_alternative_and_its_size(markup: Markup) -> None:
    for element in markup.all("img"):
        assert "alt" in element.attributes
        if element.attributes.get("id") != "looking-picture":
            assert {"width", "height"} <= element.attributes.keys()


def test_nothing_runs_that_is_not_a_file_of_ours(markup: Markup) -> None:
    assert all(e.attributes.get("src", "").startswith("/static/") for e in markup.all("script"))
    assert markup.all("style", "iframe", "object", "embed") == []
    handlers = [n for e in markup.elements for n in e.attributes if n.startswith(("on", "hx-on", "data-hx-on"))]
    assert handlers == []


def test_a_page_has_one_main_heading_and_a_title(markup: Markup) -> None:
    assert len([h for h in markup.all("h1") if h.text]) == 1
    assert markup.all("title")[0].text


def test_forms_that_change_something_are_posted(markup: Markup) -> None:
    for form in markup.all("form"):
        if form.attributes.get("action", "/") not in {
            "/",
            "/duplicates",
            "/moderation",
        }:  # these ask, and change nothing
            assert form.attributes.get("method") == "post"


@pytest.mark.parametrize("name", PAGES)
def test_every_form_that_is_posted_carries_the_token_of_the_session(name: str) -> None:
    template, value = PAGES[name]
    markup = Markup(html_of_value(template, with_token(value, HOSTILE_TOKEN)))
    for form in markup.all("form"):
        if form.attributes.get("method") == "post":
            within = [e for e in markup.all("input") if any(each is form for each in e.inside)]
            fields = [e for e in within if e.attributes.get("name") == "csrf_token"]
            assert [e.attributes["value"] for e in fields] == [HOSTILE_TOKEN], form.attributes
    assert [e.attributes["content"] for e in markup.all("meta") if e.attributes.get("name") == "csrf-token"] == [
        HOSTILE_TOKEN
    ]


@pytest.mark.parametrize("name", PAGES)
def test_without_a_session_no_form_has_a_token(name: str) -> None:
    template, value = PAGES[name]
    assert "csrf" not in html_of_value(template, with_token(value, ""))


def test_a_form_that_htmx_puts_into_a_page_carries_the_token_too() -> None:
    value = with_token(samples.image_page(0), HOSTILE_TOKEN)
    markup = Markup(fragment_of(value, "image.html", "details"))
    forms = [e for e in markup.all("form") if e.attributes.get("method") == "post"]
    tokens = [e for e in markup.all("input") if e.attributes.get("name") == "csrf_token"]
    assert len(tokens) == len(forms) > 0


@pytest.mark.parametrize("name", PAGES)
def test_hostile_names_stay_words(name: str) -> None:
    html = html_of(name)
    assert "<script>alert" not in html
    assert "<img src=x" not in html


def test_all_that_was_asked_is_shown_and_can_be_taken_away() -> None:
    value = samples.search_page(3, asked=True, chips=samples.chips())
    markup = Markup(fragment_of(value, "search.html", "results"))
    assert {chip.remove_url for chip in value.chips} <= {e.attributes.get("href") for e in markup.all("a")}


def test_htmx_is_given_the_results_and_the_filters_beside_them() -> None:
    html = fragment_of(samples.search_page(3, asked=True), "search.html", "results")
    assert "<html" not in html
    out_of_band = {e.attributes["id"] for e in Markup(html).elements if "hx-swap-oob" in e.attributes}
    assert out_of_band == {"facets", "kept-filters", "live", "place-upload"}


def test_htmx_is_given_only_the_next_tiles() -> None:
    value = samples.search_page(60, more_url="/?offset=120")
    markup = Markup(fragment_of(value, "search.html", "tiles"))
    outer = [e for e in markup.elements if not e.inside]
    assert {e.tag for e in outer} == {"li"}
    assert outer[-1].attributes["id"] == "more"
    assert len(outer) == 61


def test_a_history_request_of_htmx_is_given_the_whole_page() -> None:
    headers = FROM_HTMX | {"HX-History-Restore-Request": "true"}
    answer = page(request(headers), "search.html", samples.search_page(1), block="results")
    assert bytes(answer.body).startswith(b"<!doctype html>")


def test_answers_differ_by_the_headers_of_htmx() -> None:
    vary = page(request(), "search.html", samples.search_page(1), block="results").headers["Vary"]
    assert {"HX-Request", "HX-Target"} <= set(vary.split(", "))


def test_an_error_for_htmx_goes_to_the_notice_and_leaves_the_address() -> None:
    answer = page(request(FROM_HTMX), "error.html", samples.error_page(503), status_code=503)
    assert answer.status_code == 503
    assert answer.headers["HX-Retarget"] == "#notice"
    assert answer.headers["HX-Push-Url"] == "false"
    markup = Markup(bytes(answer.body).decode())
    assert markup.elements[0].attributes["id"] == "problem"
    assert markup.elements[0].attributes["role"] == "alert"


def test_weak_matches_are_folded_below_the_strong_ones() -> None:
    markup = Markup(fragment_of(samples.search_page(2, asked=True, weak=23), "search.html", "results"))
    folded = [e for e in markup.all("li") if "tile" in e.attributes["class"].split() and _is_folded(e.inside)]
    assert len(folded) == 23
    assert "Show 23 weaker matches" in [e.text for e in markup.all("summary")]


def test_weak_matches_stand_open_when_they_are_asked_for() -> None:
    value = samples.search_page(2, asked=True, weak=23)
    markup = Markup(fragment_of(value, "search.html", "results", query="weak=1"))
    assert not any(e.text.startswith("Show ") for e in markup.all("summary"))


def test_more_weak_matches_are_loaded_open_into_the_fold() -> None:
    value = samples.search_page(2, asked=True, weak=23, more_url="/?text=a&offset=60")
    more = next(
        e
        for e in Markup(fragment_of(value, "search.html", "results")).all("a")
        if e.attributes.get("id") == "more-link"
    )
    assert more.attributes["href"] == "/?text=a&offset=60&weak=1"
    assert _is_folded(more.inside)


def test_a_new_picture_keeps_the_filters_that_are_chosen() -> None:
    value = PAGES["search-hint"][1]
    markup = Markup(html_of("search-hint"))
    kept = {
        (e.attributes["name"], e.attributes["value"])
        for e in markup.all("input")
        if any(o.attributes.get("id") == "kept-filters" for o in e.inside)
    }
    assert isinstance(value, SearchPage)
    assert {
        ("category", "animal"),
        ("color_name", "blue"),
        ("color", "#3a6ea5:0.37"),
        ("color_tolerance", "17"),
        ("min_width", "800"),
    } <= kept


def test_a_facet_without_options_is_not_shown() -> None:
    assert "Tags" not in [e.text for e in Markup(html_of("search-all")).all("legend")]


def test_a_control_keeps_its_id_when_the_counts_change_their_order() -> None:
    first = samples.search_page(1)
    facet = first.facets[0]
    turned = replace(facet, options=(*reversed(facet.options), FacetOption("new", "new", 1, chosen=False)))
    ids = [_option_ids(value) for value in (first, replace(first, facets=(turned,)))]
    assert all(ids[1][value] == name for value, name in ids[0].items() if value in ids[1])


def test_a_typed_limit_that_no_choice_offers_stays_chosen() -> None:
    markup = Markup(html_of("search-hint"))
    chosen = [e.text for e in markup.all("option") if "selected" in e.attributes]
    assert {"0.37", "17"} <= set(chosen)


def test_a_page_asks_again_only_while_something_waits() -> None:
    for busy, calm in (
        ("upload-seven", "upload-empty"),
        ("status-busy", "status-calm"),
        ("image-waiting", "image-ready"),
    ):
        assert re.search(r'hx-trigger="every \ds"', html_of(busy))
        assert 'hx-trigger="every' not in html_of(calm)


def test_changed_cards_find_their_place_by_their_id() -> None:
    answer = page(request(FROM_HTMX), "upload_changes.html", samples.upload_page(3))
    markup = Markup(bytes(answer.body).decode())
    assert markup.problems == []
    cards = [e for e in markup.elements if not e.inside and e.tag == "li"]
    assert [e.attributes["id"] for e in cards] == ["card-card0", "card-card1", "card-card2"]
    assert {e.attributes["hx-swap-oob"] for e in cards} == {"true"}


def test_deleted_pictures_can_be_brought_back_from_the_notice() -> None:
    markup = Markup(html_of("search-deleted"))
    sent = [
        e.attributes["value"]
        for e in markup.all("input")
        if e.attributes.get("name") == "image" and e.attributes["type"] == "hidden"
    ]
    assert sent == ["a", "b", "c"]


def test_a_deleted_image_offers_only_to_restore_it() -> None:
    actions = [e.attributes.get("action", "") for e in Markup(html_of("image-deleted")).all("form")]
    assert [a.rsplit("/", 1)[1] for a in actions if a.startswith("/images/")] == ["restore", "edit"]


def _is_folded(inside: tuple[samples.Any, ...]) -> bool:
    return any(e.tag == "details" for e in inside)


def _option_ids(value: SearchPage) -> dict[str, str]:
    markup = Markup(fragment_of(value, "search.html", "results"))
    boxes = [e.attributes for e in markup.all("input") if e.attributes.get("name") == "category"]
    return {box["value"]: box["id"] for box in boxes if "id" in box}


def test_a_notice_is_shown_once() -> None:
    value = PAGES["search-deleted"][1]
    shown = page(request({"Cookie": "notice=e30="}), "search.html", value)
    assert shown.headers["set-cookie"].startswith('notice=""; ')
    assert (
        "set-cookie"
        not in page(request({"Cookie": "notice=e30="} | FROM_HTMX), "search.html", value, block="tiles").headers
    )


def test_a_color_from_an_address_cannot_bring_other_styles() -> None:
    hostile = "#fff;position:fixed;inset:0"
    chip = replace(samples.chips()[3], color=hostile)
    value = samples.search_page(1, chips=(chip,), colors=samples.color_fields(hostile))
    markup = Markup(fragment_of(value, "search.html", "results"))
    assert not [e for e in markup.elements if "position" in e.attributes.get("style", "")]
