"""Saved searches in the browser and over the API: saved from the search page, listed, changed, and told once."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import wait_until
from hook_receiver import receiving
from starlette.testclient import TestClient

from pipeline.principals import Scope
from tests.web.conftest import OpenClient, error_of, upload
from tests.web.members import api, backend_of, log_in, make_person, make_token
from tests.web.photos import cropped, jpeg

FORM = re.compile(r'<form id="save-search".*?</form>', re.DOTALL)
QUERY = re.compile(r'name="query" value="([^"]*)"')
SECRET = re.compile(r'<p class="secret-line"><code>([^<]+)</code>')


@pytest.fixture
def client(open_client: OpenClient, tmp_path: Path) -> Iterator[TestClient]:
    with open_client(tmp_path / "data", webhook_allow="127.0.0.0/8") as opened:
        yield opened


def saved_id(client: TestClient) -> str:
    (one,) = client.get("/api/v1/searches").json()["searches"]
    return one["id"]


def test_a_search_is_saved_from_its_page_and_opened_again(client: TestClient) -> None:
    upload(client, jpeg("chelsea.png"))
    found = client.get("/?text=cat&category=animal&tag=a+%26+b")
    form = FORM.search(found.text)
    assert form
    assert 'value="cat"' in form[0]
    query = html.unescape(QUERY.search(form[0])[1])  # type: ignore[index]

    answer = client.post("/searches", data={"name": "cats", "query": query})

    assert (answer.status_code, answer.headers["location"]) == (303, "/searches")
    page = client.get("/searches").text
    assert "“cat” · animal · tag: a &amp; b" in page
    assert 'href="/?text=cat&amp;category=animal&amp;tag=a+%26+b"' in page
    assert client.get("/api/v1/searches").json()["searches"][0]["query"] == {
        "text": ["cat"],
        "category": ["animal"],
        "tag": ["a & b"],
    }


def test_the_list_of_all_pictures_is_not_offered_to_be_saved(client: TestClient) -> None:
    upload(client, jpeg("chelsea.png"))

    assert FORM.search(client.get("/").text) is None
    assert FORM.search(client.get("/?min_width=wide").text) is None
    assert FORM.search(client.get("/?category=animal").text)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("/", 422),
        ("/?unknown=1", 422),
        ("/?min_width=wide", 422),
        ("/?picture=gone", 404),
        ("/?like=gone", 404),
        ("/?library=nowhere", 404),
        ("/?text=" + "a" * 9000, 422),
        ("", 422),
    ],
)
def test_what_cannot_be_searched_is_not_saved(client: TestClient, query: str, status: int) -> None:
    answer = client.post("/searches", data={"name": "mine", "query": query})

    assert answer.status_code == status
    assert 'class="field-problem"' in answer.text
    assert client.get("/api/v1/searches").json() == {"searches": []}


def test_a_search_is_renamed_paused_and_deleted_on_its_page(client: TestClient) -> None:
    client.post("/searches", data={"name": "cats", "query": "/?category=animal"})
    address = f"/searches/{saved_id(client)}"

    assert client.post(f"{address}/rename", data={"name": "<b>pets"}).status_code == 303
    assert "&lt;b&gt;pets" in client.get("/searches").text
    refused = client.post(f"{address}/rename", data={"name": " "})
    assert (refused.status_code, "The name of a search is missing." in refused.text) == (422, True)
    client.post(f"{address}/pause", data={"paused": "1"})
    assert '<span class="badge">paused</span>' in client.get("/searches").text
    client.post(f"{address}/pause", data={"paused": "0"})
    assert '<span class="badge">paused</span>' not in client.get("/searches").text
    assert client.post(f"{address}/delete").status_code == 303
    assert "Nothing is saved yet" in client.get("/searches").text


def test_a_feed_address_is_shown_once(client: TestClient) -> None:
    client.post("/searches", data={"name": "cats", "query": "/?category=animal"})
    address = f"/searches/{saved_id(client)}"

    answer = client.post(f"{address}/feed", data={"do": "make"})

    atom, json_feed = SECRET.findall(answer.text)
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/feeds/[\w-]{43}\.atom", atom)
    assert json_feed == atom.replace(".atom", ".json")
    assert answer.headers["cache-control"] == "no-store"
    assert client.get(atom).status_code == client.get(json_feed).status_code == 200
    page = client.get("/searches").text
    assert atom.rsplit("/", 1)[1] not in page

    new = SECRET.findall(client.post(f"{address}/feed", data={"do": "make"}).text)[0]
    assert (client.get(atom).status_code, client.get(new).status_code) == (404, 200)
    client.post(f"{address}/feed", data={"do": "end"})
    assert client.get(new).status_code == 404


def test_a_running_server_tells_a_webhook_of_what_comes_in(client: TestClient) -> None:
    upload(client, jpeg("chelsea.png"), "old.jpg")
    client.post("/searches", data={"name": "cats", "query": "/?text=cat"})
    address = f"/searches/{saved_id(client)}"
    with receiving() as receiver:
        answer = client.post(f"{address}/webhook", data={"address": receiver.address})
        (secret,) = SECRET.findall(answer.text)
        assert secret.startswith("whsec_")
        assert secret not in client.get("/searches").text

        upload(client, cropped("chelsea.png"), "new.jpg")
        wait_until(lambda: receiver.received)
        wait_until(lambda: "Last taken on" in client.get("/searches").text)

    assert b'"new.jpg"' in receiver.received[0].body
    assert b'"old.jpg"' not in receiver.received[0].body
    assert "1 new picture found" in client.get("/searches").text
    client.post(f"{address}/webhook/remove")
    assert receiver.address not in client.get("/searches").text


def test_an_address_that_is_refused_is_told_at_its_form(client: TestClient) -> None:
    client.post("/searches", data={"name": "cats", "query": "/?category=animal"})

    answer = client.post(f"/searches/{saved_id(client)}/webhook", data={"address": "http://10.0.0.1/<hook>"})

    assert answer.status_code == 422
    assert "Nothing is sent to the host 10.0.0.1" in answer.text
    assert 'value="http://10.0.0.1/&lt;hook&gt;"' in answer.text
    assert '<details class="careful" open>' in answer.text


def test_webhooks_that_are_switched_off_are_not_offered(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path / "off", webhooks=False, with_worker=False) as client:
        client.post("/searches", data={"name": "cats", "query": "/?category=animal"})
        page = client.get("/searches").text
        answer = client.post(f"/searches/{saved_id(client)}/webhook", data={"address": "https://example.org/"})

    assert "Switched off on this server" in page
    assert 'name="address"' not in page
    assert answer.status_code == 403


# ---- The API


def test_a_search_is_kept_over_the_api(client: TestClient) -> None:
    upload(client, jpeg("chelsea.png"), "cat.jpg")
    with receiving() as receiver:
        sent = {
            "name": "large cats",
            "query": {"text": "cat", "category": ["animal"], "min_width": 100, "library": "main"},
            "feed": True,
            "webhook": receiver.address,
        }
        answer = client.post("/api/v1/searches", json=sent)
    made = answer.json()

    assert answer.status_code == 201
    assert made["query"] == {"text": ["cat"], "category": ["animal"], "min_width": ["100"], "library": ["main"]}
    assert made["url"] == "/?text=cat&library=main&category=animal&min_width=100"
    assert (made["paused"], made["problem"], made["found"]) == (False, None, 0)
    assert made["webhook"] == {"address": receiver.address, "state": "ok", "delivered_at": None, "error": None}
    assert made["made"]["webhook_secret"].startswith("whsec_")
    assert client.get(made["made"]["feed_atom"]).status_code == client.get(made["made"]["feed_json"]).status_code == 200
    address = f"/api/v1/searches/{made['id']}"
    assert client.get(address).json() == made | {"made": None}
    assert client.get("/api/v1/searches").json() == {"searches": [made | {"made": None}]}

    changed = client.patch(address, json={"name": "cats", "paused": True, "feed": False, "webhook": ""}).json()
    assert (changed["name"], changed["paused"], changed["feed_since"], changed["webhook"]) == ("cats", True, None, None)
    assert client.get(made["made"]["feed_atom"]).status_code == 404
    assert client.delete(address).status_code == 204
    assert error_of(client.get(address))["code"] == "not_found"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"name": "mine", "query": {}}, 422),
        ({"name": "mine", "query": {"txet": "cat"}}, 422),
        ({"name": "mine", "query": {"text": {"a": 1}}}, 422),
        ({"name": "mine", "query": {"min_width": "wide"}}, 422),
        ({"name": "", "query": {"text": "cat"}}, 422),
        ({"name": "mine", "query": {"like": ["a"] * 1000}}, 422),
        ({"name": "mine", "query": {"text": "cat"}, "webhook": "ftp://example.org"}, 422),
        ({"name": "mine", "query": {"like": "gone"}}, 404),
        ({"query": {"text": "cat"}}, 422),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is(
    client: TestClient, sent: dict[str, object], status: int
) -> None:
    answer = client.post("/api/v1/searches", json=sent)

    assert answer.status_code == status
    assert error_of(answer)["message"]
    assert client.get("/api/v1/searches").json() == {"searches": []}


def test_a_token_to_manage_keeps_searches_and_one_to_read_lists_them(people_client: TestClient) -> None:
    ada = make_person(people_client, "bob")
    managing = api(people_client, make_token(people_client, ada, Scope.MANAGE))
    reading = api(people_client, make_token(people_client, ada, Scope.READ))
    sent = {"name": "cats", "query": {"category": "animal"}}

    assert managing.post("/api/v1/searches", json=sent).status_code == 201
    assert error_of(reading.post("/api/v1/searches", json=sent))["code"] == "not_allowed"
    assert [one["name"] for one in reading.get("/api/v1/searches").json()["searches"]] == ["cats"]


def test_people_see_their_own_searches_alone(people_client: TestClient) -> None:
    make_person(people_client, "bob")
    bob, ada = log_in(people_client, "bob"), log_in(people_client, "ada")
    bob.post("/searches", {"name": "bob's cats", "query": "/?category=animal"})

    assert "bob&#39;s cats" in bob.get("/searches").text
    assert "bob&#39;s cats" not in ada.get("/searches").text
    assert 'href="/searches"' in bob.get("/").text
    assert backend_of(people_client).settings.webhooks
