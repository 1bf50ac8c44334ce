"""Feeds of saved searches: valid, not asked for twice, and telling nobody what is not theirs any more."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from saved import compare
from starlette.testclient import TestClient

from pipeline import accounts, curation, members, saved_feeds
from pipeline.access import local_owner
from pipeline.principals import OWNER, Role, Scope
from pipeline.worker import Worker
from tests.web.conftest import OpenClient
from tests.web.members import another, api, backend_of, give_role, log_in, make_person, make_token
from tests.web.photos import cropped, jpeg
from webapp.feeds import FeedDocument, FeedEntry, atom, json_feed

ATOM = {"a": "http://www.w3.org/2005/Atom"}
HOSTILE = '"><script>alert(1)</script>&amp;]]>\x00\x0b\ufffe.jpg'
PLAIN = {"text": "cat"}


@pytest.fixture
def client(open_client: OpenClient, tmp_path: Path) -> Iterator[TestClient]:
    with open_client(tmp_path / "data", with_worker=False) as opened:
        yield opened


def bring_in(client: TestClient, data: bytes, name: str) -> str:
    """Upload a picture, analyze it and compare it; return its id."""
    answer = client.post("/api/v1/images", files={"file": (name, data)})
    backend = backend_of(client)
    Worker(backend).drain()
    compare(backend)
    return answer.json()["id"]


def make_feed(client: TestClient, **query: str) -> dict[str, str]:
    answer = client.post("/api/v1/searches", json={"name": "my <cats>", "query": query or PLAIN, "feed": True})
    assert answer.status_code == 201, answer.text
    return answer.json()["made"]


def titles(answer) -> list[str | None]:
    return [title.text for title in ET.fromstring(answer.content).findall("a:entry/a:title", ATOM)]  # noqa: S314 - ours


def test_an_atom_feed_has_what_the_standard_asks_for(client: TestClient) -> None:
    made = make_feed(client)
    bring_in(client, jpeg("chelsea.png"), "first.jpg")
    image_id = bring_in(client, cropped("chelsea.png"), "second.jpg")
    bring_in(client, jpeg("rocket.jpg"), "rocket.jpg")

    answer = client.get(made["feed_atom"])
    feed = ET.fromstring(answer.content)  # noqa: S314 - ours

    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    assert feed.findtext("a:title", namespaces=ATOM) == "my <cats> · Likeness"
    assert feed.findtext("a:author/a:name", namespaces=ATOM) == "Likeness"
    links = {link.get("rel"): link.get("href") for link in feed.findall("a:link", ATOM)}
    assert links == {"self": made["feed_atom"], "alternate": "http://127.0.0.1:8000/?text=cat"}
    entries = feed.findall("a:entry", ATOM)
    assert titles(answer) == ["second.jpg", "first.jpg"]
    for place in (feed, *entries):
        assert UUID(place.findtext("a:id", "", ATOM).removeprefix("urn:uuid:"))
        moment = datetime.fromisoformat(place.findtext("a:updated", "", ATOM))
        assert moment.tzinfo is not None
        assert place.find("a:title", ATOM) is not None
    assert len({place.findtext("a:id", "", ATOM) for place in (feed, *entries)}) == 3
    assert feed.findtext("a:updated", "", ATOM)[:19] == entries[0].findtext("a:updated", "", ATOM)[:19]
    assert entries[0].find("a:link[@rel='alternate']", ATOM).get("href") == f"http://127.0.0.1:8000/images/{image_id}"
    assert entries[0].findtext("a:summary", "", ATOM).startswith(("strong match, ", "possible match, "))


def test_a_json_feed_has_the_same_entries(client: TestClient) -> None:
    made = make_feed(client)
    image_id = bring_in(client, jpeg("chelsea.png"), "cat.jpg")

    answer = client.get(made["feed_json"])
    feed = answer.json()

    assert answer.headers["content-type"] == "application/feed+json; charset=utf-8"
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert (feed["title"], feed["feed_url"]) == ("my <cats> · Likeness", made["feed_json"])
    assert feed["home_page_url"] == "http://127.0.0.1:8000/?text=cat"
    (item,) = feed["items"]
    assert item["id"] == ET.fromstring(client.get(made["feed_atom"]).content).findtext("a:entry/a:id", "", ATOM)  # noqa: S314
    assert (item["title"], item["url"]) == ("cat.jpg", f"http://127.0.0.1:8000/images/{image_id}")
    assert item["content_text"]
    assert datetime.fromisoformat(item["date_published"]).tzinfo is not None


def test_a_feed_without_entries_is_one(client: TestClient) -> None:
    made = make_feed(client)

    assert titles(client.get(made["feed_atom"])) == []
    assert client.get(made["feed_json"]).json()["items"] == []


def test_a_feed_that_is_known_is_not_sent_again(client: TestClient) -> None:
    made = make_feed(client)
    bring_in(client, jpeg("chelsea.png"), "cat.jpg")
    for address in (made["feed_atom"], made["feed_json"]):
        answer = client.get(address)
        mark, moment = answer.headers["etag"], answer.headers["last-modified"]
        assert parsedate_to_datetime(moment) <= datetime.now(UTC)
        for known in (
            {"If-None-Match": mark},
            {"If-None-Match": f'"other", W/{mark}'},
            {"If-Modified-Since": moment},
            {"If-None-Match": mark, "If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        ):
            again = client.get(address, headers=known)
            assert (again.status_code, again.content) == (304, b""), known
            assert again.headers["etag"] == mark
        for unknown in (
            {"If-None-Match": '"other"'},
            {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
            {"If-None-Match": '"other"', "If-Modified-Since": moment},
        ):
            assert client.get(address, headers=unknown).status_code == 200, unknown

    image_id = bring_in(client, cropped("chelsea.png"), "second.jpg")
    assert client.get(made["feed_json"], headers={"If-None-Match": mark}).status_code == 200
    known = client.get(made["feed_json"]).headers
    curation.delete(backend_of(client), [image_id], local_owner(backend_of(client)))
    assert client.get(made["feed_json"], headers={"If-None-Match": known["etag"]}).status_code == 200
    if known["last-modified"] != moment:  # a date says no more than the second, which the mark does
        assert client.get(made["feed_json"], headers={"If-Modified-Since": known["last-modified"]}).status_code == 200
    assert client.head(made["feed_atom"]).status_code == 200


def test_a_feed_has_the_newest_fifty(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert saved_feeds.MOST_ENTRIES == 50
    monkeypatch.setattr(saved_feeds, "MOST_ENTRIES", 1)
    made = make_feed(client)
    bring_in(client, jpeg("chelsea.png"), "first.jpg")
    bring_in(client, cropped("chelsea.png"), "second.jpg")

    assert titles(client.get(made["feed_atom"])) == ["second.jpg"]


def test_hostile_names_stay_text() -> None:
    entry = FeedEntry("018f", HOSTILE, f"https://a.example/?x={HOSTILE}", HOSTILE, datetime(2026, 11, 5, tzinfo=UTC))
    feed = FeedDocument("s1", HOSTILE, "https://a.example/f", "https://a.example/", entry.at, (entry,))

    document = atom(feed)
    read = ET.fromstring(document)  # noqa: S314 - ours

    shown = HOSTILE.replace("\x00", "\ufffd").replace("\x0b", "\ufffd").replace("\ufffe", "\ufffd")
    assert b"<script>" not in document
    assert [one.tag.partition("}")[2] for one in read.find("a:entry", ATOM) or ()] == [
        "id",
        "title",
        "updated",
        "published",
        "link",
        "summary",
    ]
    assert read.findtext("a:entry/a:title", "", ATOM) == shown
    assert json.loads(json_feed(feed))["items"][0]["title"] == HOSTILE


def test_a_key_that_is_none_opens_nothing(client: TestClient) -> None:
    make_feed(client)
    for path in ("/feeds/.atom", "/feeds/guessed.atom", "/feeds/%00.json", "/feeds/a/b.atom", "/feeds/guessed"):
        assert client.get(path).status_code == 404


def test_thumbnails_are_told_where_nobody_logs_in(client: TestClient) -> None:
    made = make_feed(client)
    bring_in(client, jpeg("chelsea.png"), "cat.jpg")

    (item,) = client.get(made["feed_json"]).json()["items"]
    link = ET.fromstring(client.get(made["feed_atom"]).content).find("a:entry/a:link[@rel='enclosure']", ATOM)  # noqa: S314

    assert link is not None
    assert link.get("href") == item["image"]
    assert client.get(item["image"]).headers["content-type"] == link.get("type") == "image/webp"


# ---- With accounts


@pytest.fixture
def vics_feed(people_client: TestClient) -> dict[str, str]:
    """The feed of Vic, who looks into a library of Ada's, in which there is a cat."""
    backend = backend_of(people_client)
    vic = make_person(people_client, "vic")
    ada = accounts.find_person(backend, OWNER, "ada")
    give_role(people_client, "main", vic, Role.VIEWER)
    program = api(people_client, make_token(people_client, vic, Scope.MANAGE))
    made = program.post("/api/v1/searches", json={"name": "cats", "query": PLAIN, "feed": True}).json()["made"]
    bring_in(api(people_client, make_token(people_client, ada)), jpeg("chelsea.png"), "cat.jpg")
    return made


def test_a_feed_is_read_without_logging_in_and_opens_no_picture(
    people_client: TestClient, vics_feed: dict[str, str]
) -> None:
    reader = another(people_client)

    answer = reader.get(vics_feed["feed_atom"])
    (item,) = reader.get(vics_feed["feed_json"]).json()["items"]

    assert titles(answer) == ["cat.jpg"]
    assert b"thumbnail" not in answer.content
    assert "image" not in item
    assert reader.get(item["url"]).headers["location"].startswith("/login")
    assert log_in(people_client, "vic").get(item["url"]).status_code == 200


def test_whoever_is_removed_from_a_library_reads_nothing_of_it(
    people_client: TestClient, vics_feed: dict[str, str]
) -> None:
    backend = backend_of(people_client)
    vic = accounts.find_person(backend, OWNER, "vic")
    members.remove(backend, local_owner(backend), "main", vic.id)

    assert titles(another(people_client).get(vics_feed["feed_atom"])) == []
    assert another(people_client).get(vics_feed["feed_json"]).json()["items"] == []


def test_the_feed_of_a_deactivated_account_is_not_there(people_client: TestClient, vics_feed: dict[str, str]) -> None:
    backend = backend_of(people_client)
    vic = accounts.find_person(backend, OWNER, "vic")
    accounts.deactivate(backend, local_owner(backend), vic.id)
    unknown = another(people_client).get("/feeds/guessed.atom")

    answer = another(people_client).get(vics_feed["feed_atom"])

    assert answer.status_code == unknown.status_code == 404
