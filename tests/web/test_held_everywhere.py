"""A held or refused picture, tried at every door of the application: to most people it is as one that is not there.

The routes are asked of the application, so a new one is tried as well. What is answered while the picture is held
is compared with what is answered when it has been purged, which tells of counts, too.
"""

import difflib
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline import bank_entries, banks, curation, holding, moderation, saved_feeds, saved_searches
from pipeline.bank_rules import BankAction
from pipeline.banks import BankSettings
from pipeline.ingest import accept
from pipeline.search import SearchQuery
from pipeline.stores import records_banks
from pipeline.stores.records_banks import NewEntry
from pipeline.uploads import spooled
from pipeline.worker import Worker
from tests.web.conftest import OpenClient
from tests.web.photos import encoded, jpeg, photo
from tests.web.test_access_matrix import SECRET_CAPTION, SECRET_FILE, Visitor, World, every_route, route_path

TAG = "waldeinsamkeit"
WORDS = (SECRET_FILE, SECRET_CAPTION, TAG)
LEFT_OUT = {
    "/oidc/start",
    "/oidc/callback",
    "/api/v1/openapi.json",
    "/static/app.css",
    "/account",
    "/people",
    "/metrics",
    "/readyz",
}
"""Doors behind which there are no pictures, and that change with each visit."""

VARYING = re.compile(
    r'"took_ms":\s*[\d.]+|\d+ ms|\d+ seconds|csrf[-_]token"[^>]*|batch=[\w-]+|data-batch="[^"]*"|value="[\w-]{22}"'
    r"|<updated>[^<]*</updated>"
)
SEARCHES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", "/", {"text": "cat"}),
    ("GET", "/", {"text": TAG}),
    ("GET", "/", {"state": "held"}),
    ("GET", "/", {"tag": TAG}),
    ("GET", "/", {"color_name": "orange"}),
    ("GET", "/", {"color": "d2691e", "color_tolerance": "60"}),
    ("GET", "/", {"sort": "largest"}),
    ("GET", "/results.json", {"text": "cat"}),
    ("GET", "/results.csv", {"tag": TAG}),
    ("GET", "/", {"state": "failed"}),
    ("GET", "/api/v1/images", {"state": "held"}),
    ("GET", "/api/v1/images", {"state": "failed"}),
    ("GET", "/api/v1/images", {"tag": TAG}),
    ("POST", "/api/v1/search", {"text": "cat"}),
    ("POST", "/api/v1/search", {"tag": [TAG]}),
    ("POST", "/api/v1/search", {"color": ["#d2691e"], "color_tolerance": 60}),
)
OUTSIDE = ("viewer", "stranger", "administrator", "token: read")


class HeldWorld(World):
    """The people of the matrix, a cat that was found and is held now, a copy of it, and a search that had found it."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        owner = self.as_person("bystander")
        self.bank = banks.make(self.backend, owner, self.shared, BankSettings("good", BankAction.ALLOW)).bank.id
        with self.backend.database.write() as connection:
            records_banks.add_entries(
                connection, self.bank, [NewEntry(bytes(range(32)), 100, "upload:known.jpg")], None
            )
        self.cat = self.put(jpeg("chelsea.png"), SECRET_FILE, caption=SECRET_CAPTION, tags=[TAG])
        self.copy = self.put(encoded(photo("chelsea.png").convert("L")), "gray.jpg")
        Worker(self.backend).drain()
        Worker(self.backend).check()
        query = SearchQuery()
        self.search = saved_searches.save(self.backend, self.as_person("viewer"), "all", {"text": ["all"]}, query)
        self.feed = saved_feeds.make_feed(self.backend, self.as_person("viewer"), self.search.id)

    def put(self, data: bytes, name: str, **words: Any) -> Any:
        with spooled(io.BytesIO(data), name, max_bytes=len(data)) as upload:
            return accept(self.backend, upload, self.as_person("uploader"), library=self.shared, **words).image

    def new_bank_id(self) -> str:
        return self.bank

    def new_image_id(self) -> str:
        return self.cat.id

    def new_feed_key(self) -> str:
        return self.feed

    def new_search_id(self) -> str:
        return self.search.id


@pytest.fixture(scope="module")
def world(open_client: OpenClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldWorld]:
    with open_client(tmp_path_factory.mktemp("held"), with_worker=False, accounts="required") as client:
        yield HeldWorld(client)


def doors(world: HeldWorld) -> list[tuple[str, str, dict[str, Any]]]:
    """Return everything that can be read, each address with the held picture wherever one goes into it."""
    found = []
    for method, path in sorted(set(every_route(world.app.routes))):
        name = route_path(path)
        if method != "GET" or name in LEFT_OUT or any(word in name for word in ("secret}", "person_id", "{group_id}")):
            continue
        found.append((method, world.fill(name) if "{" in name and fillable(world, name) else name, {}))
    about = {"a": world.cat.id, "b": world.copy.id}
    more = [
        ("GET", "/compare", about),
        ("GET", "/region", {"like": world.cat.id}),
        ("GET", "/", {"like": world.cat.id}),
    ]
    more += [("GET", "/", {"like": world.copy.id}), ("GET", "/", {"palette_of": world.cat.id})]
    more += [("GET", f"/images/{world.copy.id}", {}), ("POST", "/api/v1/search", {"image_id": world.cat.id})]
    more += [("POST", "/api/v1/search", {"image_id": world.copy.id}), ("POST", "/api/v1/compare", about)]
    return [*found, *SEARCHES, *more]


def fillable(world: HeldWorld, path: str) -> bool:
    return all(hasattr(world, f"new_{name}") for name in re.findall(r"{(\w+)}", path))


def answers(world: HeldWorld, kind: str, asked: list[tuple[str, str, dict[str, Any]]]) -> dict[str, tuple[int, str]]:
    visitor = Visitor(world, kind)
    found = {}
    for method, path, form in asked:
        answer = visitor.send(method, path, form)
        kept = "" if "image/" in answer.headers.get("content-type", "") else VARYING.sub("", answer.text)
        found[f"{method} {path} {form}"] = (answer.status_code, kept)
    return found


def test_what_is_held_is_to_others_as_what_is_not_there(world: HeldWorld) -> None:
    asked = doors(world)
    before = answers(world, "viewer", asked)
    with world.backend.database.write() as connection:
        holding.hold(connection, world.cat.row, reason="look at this")

    held = {kind: answers(world, kind, asked) for kind in OUTSIDE}
    told = [
        (kind, door) for kind, found in held.items() for door, (_, text) in found.items() if says(text, door, WORDS)
    ]
    assert told == []
    moderators = answers(world, "moderator", asked)
    with world.backend.database.write() as connection:
        holding.release(connection, world.cat.row)
    released = answers(world, "viewer", asked)
    curation.delete(world.backend, [world.cat.id], world.as_person("bystander"), purge=True)
    purged = {kind: answers(world, kind, asked) for kind in OUTSIDE}

    assert len(asked) > 50
    compared = [(kind, door) for kind in OUTSIDE for door in held[kind] if "/audit" not in door]  # it has what was done
    differing = [(kind, door) for kind, door in compared if held[kind][door] != purged[kind][door]]
    assert differing == [], "\n".join(apart(held[kind][door][1], purged[kind][door][1]) for kind, door in differing)
    assert [door for door in before if before[door][0] != released[door][0]] == [], "all is back when it is released"
    shown = {door for door, (status, text) in moderators.items() if status == 200 and SECRET_FILE in text}
    assert {path.split(" ")[1].split("?")[0] for path in shown} >= {
        "/",
        "/moderation",
        "/api/v1/moderation",
        "/api/v1/images",
    }
    searched = [door for door in shown if door.startswith(("GET / ", "GET /results", "POST /api/v1/search"))]
    assert [door for door in searched if world.cat.id not in door] == ["GET / {'state': 'held'}"]


def apart(one: str, other: str) -> str:
    """Return where two answers are not the same."""
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=0)
    return "\n".join(line[:300] for line in lines)


def says(text: str, door: str, words: tuple[str, ...]) -> bool:
    """Whether an answer has any of the words that it was not asked with."""
    return any(word in text for word in words if word not in door)


def test_who_has_sent_it_is_told_that_it_is_held_and_why(world: HeldWorld) -> None:
    world.cat = world.put(jpeg("chelsea.png"), SECRET_FILE)
    Worker(world.backend).drain()
    moderation.hold(world.backend, [world.cat.id], world.as_person("moderator"), "look at this")
    uploader = Visitor(world, "uploader")

    told = uploader.send("GET", f"/api/v1/images/{world.cat.id}", {}).json()
    listed = uploader.send("GET", "/api/v1/images", {"state": "held"}).json()["images"]
    for kind in ("uploader", "moderator"):
        every = Visitor(world, kind).send("GET", "/api/v1/images", {}).json()["images"]
        assert world.cat.id not in [image["id"] for image in every]
    again = uploader.send(
        "POST", "/api/v1/images", {"file": (SECRET_FILE, jpeg("chelsea.png")), "library": world.shared}
    )

    assert (told["state"], told["error"]) == ("held", "look at this")
    assert [image["id"] for image in listed] == [world.cat.id]
    assert (again.status_code, again.json()["state"], again.json()["copies"]) == (200, "held", None)
    for path in ("", "/thumbnail", "/original"):
        assert uploader.send("GET", f"/images/{world.cat.id}{path}", {}).status_code == 404
    card = uploader.send("POST", "/upload", {"file": (SECRET_FILE, jpeg("chelsea.png")), "library": world.shared})
    shown = uploader.client.get(card.headers["location"]).text
    assert "Held until a moderator has looked at it. look at this" in shown
    assert f"/images/{world.cat.id}" not in shown


REFUSAL = "Not this cat, please."


def refuse(world: HeldWorld, data: bytes) -> None:
    """Let a bank of the library refuse what a picture looks like, and send that picture."""
    owner = world.as_person("bystander")
    curation.delete(world.backend, [world.cat.id], owner, purge=True)
    settings = BankSettings("no cats", BankAction.REFUSE, REFUSAL)
    bank = banks.make(world.backend, owner, world.shared, settings).bank.id
    with spooled(io.BytesIO(data), "known.jpg", max_bytes=len(data)) as upload:
        bank_entries.add_picture(world.backend, owner, bank, upload)
    world.cat = world.put(data, SECRET_FILE, caption=SECRET_CAPTION, tags=[TAG])


def test_what_a_bank_will_refuse_and_has_refused_is_to_others_as_what_is_not_there(world: HeldWorld) -> None:
    refuse(world, jpeg("chelsea.png"))
    asked = doors(world)
    addresses = [
        f"{api}/images/{world.cat.id}{path}" for api in ("", "/api/v1") for path in ("", "/thumbnail", "/original")
    ]
    unjudged = {"viewer": answers(world, "viewer", asked)}
    waiting = {
        kind: [Visitor(world, kind).send("GET", path, {}).status_code for path in addresses if path != addresses[3]]
        for kind in ("uploader", "moderator")
    }
    uploader = Visitor(world, "uploader")
    early = uploader.send("GET", addresses[3], {}).json()
    early_card = uploader.send("POST", "/upload", {"file": (SECRET_FILE, jpeg("chelsea.png")), "library": world.shared})
    early_shown = uploader.client.get(early_card.headers["location"]).text
    Worker(world.backend).drain()

    refused = {kind: answers(world, kind, asked) for kind in OUTSIDE}
    moderators = answers(world, "moderator", asked)
    own = uploader.send("GET", f"/api/v1/images/{world.cat.id}", {}).json()
    own_files = [uploader.send("GET", f"/images/{world.cat.id}{path}", {}) for path in ("", "/thumbnail", "/original")]
    card = uploader.send("POST", "/upload", {"file": (SECRET_FILE, jpeg("chelsea.png")), "library": world.shared})
    Worker(world.backend).drain()
    shown = uploader.client.get(card.headers["location"]).text
    again = uploader.send("POST", f"/images/{world.cat.id}/retry", {})
    curation.delete(world.backend, [world.cat.id], world.as_person("bystander"), purge=True)
    purged = {kind: answers(world, kind, asked) for kind in OUTSIDE}

    for kept in (unjudged, refused):
        compared = [(kind, door) for kind in kept for door in kept[kind] if "/audit" not in door]
        differing = [(kind, door) for kind, door in compared if kept[kind][door] != purged[kind][door]]
        assert differing == [], "\n".join(apart(kept[kind][door][1], purged[kind][door][1]) for kind, door in differing)
    assert (waiting["uploader"], waiting["moderator"]) == ([404] * 5, [200] * 5)
    assert (early["state"], early["error"]) == ("waiting", None)
    assert "Kept. Being analyzed…" in early_shown
    assert f"/images/{world.cat.id}" not in early_shown
    told = {door.split(" ")[1] for door, (status, text) in moderators.items() if status == 200 and SECRET_FILE in text}
    assert told >= {"/status", f"/images/{world.cat.id}", "/api/v1/images", f"/api/v1/images/{world.cat.id}"}
    assert (own["state"], own["error"]) == ("failed", REFUSAL)
    assert [answer.status_code for answer in (*own_files, again)] == [404] * 4
    assert REFUSAL in shown
    assert f"/images/{world.cat.id}" not in shown


def test_who_restores_a_picture_that_a_bank_is_asked_about_first_is_led_to_what_is_there(world: HeldWorld) -> None:
    cup = world.put(jpeg("coffee.png"), "cup.jpg")
    Worker(world.backend).drain()
    uploader = Visitor(world, "uploader")
    curation.delete(world.backend, [cup.id], world.as_person("uploader"))

    restored = uploader.send("POST", f"/images/{cup.id}/restore", {})

    assert (restored.status_code, restored.headers["location"]) == (303, "/trash")
    assert "1 picture restored." in uploader.client.get("/trash").text
    assert uploader.send("GET", f"/images/{cup.id}", {}).status_code == 404
    Worker(world.backend).drain()
    assert uploader.send("GET", f"/images/{cup.id}", {}).status_code == 200
