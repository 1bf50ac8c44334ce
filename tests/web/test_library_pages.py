"""The pages about libraries, their members and invitations, and the same for programs."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from house import House
from starlette.testclient import TestClient

from pipeline import members, sessions
from pipeline.principals import Role, Scope
from pipeline.stores import records_people
from pipeline.stores.tables_people import links, people
from tests.web.conftest import LOCAL, OpenClient, error_of, upload
from tests.web.photos import jpeg
from webapp.identity import COOKIE, SESSION
from webapp.security import SECRET_PAGE

API = "/api/v1/libraries"
PASSWORD = "the cat sat on the mat"  # noqa: S105 - of nobody
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
LINK = re.compile(r"http://127\.0\.0\.1:8000(/invitations/[\w-]+)")

Person = Callable[[str], TestClient]


@pytest.fixture(scope="module")
def server(open_client: OpenClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An application with accounts, in which every test has people of its own."""
    with open_client(tmp_path_factory.mktemp("server")) as opened:
        yield opened


@pytest.fixture
def browsers(server: TestClient) -> Iterator[Callable[[], TestClient]]:
    """Return what opens another browser in which nobody is logged in."""
    opened: list[TestClient] = []

    def another() -> TestClient:
        opened.append(TestClient(server.app, LOCAL, raise_server_exceptions=False, follow_redirects=False))
        return opened[-1]

    yield another
    for browser in opened:
        browser.close()


@pytest.fixture
def visitor(browsers: Callable[[], TestClient]) -> TestClient:
    """A browser in which nobody is logged in."""
    return browsers()


@pytest.fixture
def house(server: TestClient) -> House:
    """Nobody but who is added now; the libraries of those before are left without members."""
    found = House(server.app.state.running.backend)
    with found.backend.database.write() as connection:
        connection.execute(people.delete())
    return found


@pytest.fixture
def family(house: House) -> str:
    """A library of Ann with a member in every role; Zoe has one of her own and knows nothing of it."""
    house.library("zoo", zoe=Role.OWNER)
    return house.library("family", ann=Role.OWNER, mia=Role.MODERATOR, uli=Role.UPLOADER, vic=Role.VIEWER)


@pytest.fixture
def person(server: TestClient, browsers: Callable[[], TestClient], house: House, family: str) -> Person:
    """Return the browser in which somebody is logged in."""
    assert family
    logged_in: dict[str, TestClient] = {}

    def of(name: str) -> TestClient:
        if name not in logged_in:
            with house.backend.database.read() as connection:
                found = records_people.by_name(connection, name)
            assert found
            begun = sessions.begin(house.backend, found, address="", browser="", how="for a test")
            sealed = server.app.state.running.signer.seal([begun.session_id, begun.secret], SESSION)
            logged_in[name] = browsers()
            logged_in[name].cookies.set(COOKIE, sealed)
        return logged_in[name]

    return of


@pytest.fixture
def token(house: House, family: str) -> Callable[..., dict[str, str]]:
    """Return the header with a token of somebody."""
    assert family

    def made(name: str, *scopes: Scope) -> dict[str, str]:
        wanted = frozenset(scopes or Scope)
        _, secret = sessions.make_token(house.backend, house.asks(name), "for a test", wanted, 1)
        return {"Authorization": f"Bearer {secret}"}

    return made


def post(browser: TestClient, address: str, **fields: str) -> Any:
    """Send a form as the page of libraries has it."""
    found = CSRF.search(browser.get("/libraries").text)
    assert found
    return browser.post(address, data={"csrf_token": found[1], **fields})


def text_of(answer: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def role_of(house: House, name: str, library: str) -> Role | None:
    return house.asks(name).role_in(library)


# ---- Without accounts


def test_without_accounts_libraries_are_made_renamed_deleted_and_restored(client: TestClient) -> None:
    made = client.post("/libraries", data={"name": "holidays"})
    assert made.headers["location"] == "/libraries/holidays"
    page = client.get("/libraries/holidays")
    assert "Delete this library" in page.text
    assert "Members" not in page.text
    assert "your role" not in page.text

    client.post("/libraries/holidays/rename", data={"name": "trips"})
    assert "trips" in client.get("/libraries").text
    upload(client, jpeg("coffee.png"), library="trips")
    gone = client.post("/libraries/holidays/delete", data={"confirmed": "1"})
    assert gone.headers["location"] == "/libraries"
    assert "can be restored until" in text_of(client.get("/libraries"))
    assert client.get("/api/v1/images").json()["images"] == []
    assert client.get("/libraries/holidays").status_code == 404

    client.post("/libraries/holidays/restore")
    assert [image["library"] for image in client.get("/api/v1/images").json()["images"]] == ["trips"]


def test_without_accounts_nobody_can_be_invited(client: TestClient) -> None:
    answer = client.post("/libraries/main/invitations", data={"role": "viewer"})

    assert answer.status_code == 409
    assert "There are no accounts here" in answer.text


def test_a_refused_name_stays_in_the_field_with_the_reason(client: TestClient) -> None:
    answer = client.post("/libraries", data={"name": "our <b>holidays</b>"})

    assert answer.status_code == 422
    assert "only letters, digits" in answer.text
    assert "our &lt;b&gt;holidays&lt;/b&gt;" in answer.text


# ---- A library hides and comes back


def test_deleting_hides_the_pictures_everywhere_at_once_and_restoring_brings_them_back(
    person: Person, house: House, family: str, token: Callable[..., dict[str, str]]
) -> None:
    vic, ann = person("vic"), person("ann")
    sent = vic.post(
        "/api/v1/images",
        files={"file": ("a.jpg", jpeg("coffee.png"))},
        data={"library": "family", "wait": "true", "tags": "breakfast"},
        headers=token("ann"),
    )
    image = sent.json()["id"]
    asked = {"text": "coffee", "library": family}

    def seen() -> list[Any]:
        found = vic.post("/api/v1/search", json=asked, headers=token("vic"))
        return [
            [entry["id"] for entry in vic.get("/api/v1/images", headers=token("vic")).json()["images"]],
            [hit["image"]["id"] for hit in found.json()["results"]],
            vic.get(f"/images/{image}").status_code,
            vic.get(f"/api/v1/images/{image}/thumbnail", headers=token("vic")).status_code,
            vic.get(f"/api/v1/images/{image}/original", headers=token("vic")).status_code,
            "breakfast" in vic.get("/").text,
            "family" in vic.get("/libraries").text,
        ]

    assert seen() == [[image], [image], 200, 200, 200, True, True]

    assert post(ann, f"/libraries/{family}/delete", confirmed="1").status_code == 303
    assert seen() == [[], [], 404, 404, 404, False, False]

    assert post(ann, f"/libraries/{family}/restore").status_code == 303
    assert seen() == [[image], [image], 200, 200, 200, True, True]
    assert [action for _, action, _ in house.log(family) if "library" in action] == [
        "library deleted",
        "library restored",
    ]


def test_a_library_is_not_deleted_without_a_tick(person: Person, house: House, family: str) -> None:
    answer = post(person("ann"), f"/libraries/{family}/delete")

    assert answer.status_code == 422
    assert "Nothing was deleted" in answer.text
    assert role_of(house, "ann", family) == Role.OWNER


# ---- Who sees what


def test_the_page_of_another_library_is_the_one_of_an_unknown_one(person: Person, family: str) -> None:
    unknown, foreign = (person("zoe").get(f"/libraries/{name}") for name in ("f" * 16, family))

    assert unknown.status_code == foreign.status_code == 404
    assert unknown.text.replace("f" * 16, "") == foreign.text.replace(family, "")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("rename", {"name": "mine"}),
        ("delete", {}),
        ("delete", {"confirmed": "1"}),
        ("members", {"person": "zoe", "role": "viewer"}),
        ("members", {}),
        ("members/somebody/role", {"role": "owner"}),
        ("members/somebody/role", {}),
        ("members/somebody/remove", {}),
        ("invitations", {"role": "owner"}),
        ("invitations", {}),
        ("invitations/some-link/revoke", {}),
    ],
)
def test_what_owners_do_is_refused_to_members_and_unknown_to_others(
    person: Person, house: House, family: str, path: str, fields: dict[str, str]
) -> None:
    before = house.log()
    for name in ("mia", "uli", "vic"):
        assert post(person(name), f"/libraries/{family}/{path}", **fields).status_code == 403
    assert post(person("zoe"), f"/libraries/{family}/{path}", **fields).status_code == 404
    assert [entry for entry in house.log() if entry not in before and entry[1] != "logged in"] == []


def test_owners_and_moderators_see_all_members_and_the_others_less(person: Person, family: str) -> None:
    everybody = {"ann", "mia", "uli", "vic"}
    for name, expected in (("ann", everybody), ("mia", everybody), ("uli", {"ann", "uli"}), ("vic", {"ann", "vic"})):
        page = person(name).get(f"/libraries/{family}").text
        assert set(re.findall(r'<th scope="row"><bdi>(\w+)</bdi>', page)) == expected
        assert ("Only owners and moderators see all members." in page) == (expected != everybody)
        assert ("Invite somebody" in page) == (name == "ann")


def test_libraries_of_one_name_can_be_told_apart(person: Person, house: House) -> None:
    zoe = person("zoe")
    for _ in range(2):
        house.library("garden", zoe=Role.VIEWER)

    names = re.findall(r"<bdi>(garden[^<]*)</bdi>", zoe.get("/libraries").text)

    assert len(set(names)) == 2


def test_hostile_names_are_shown_as_text(person: Person) -> None:
    name = '<script>alert(1)<"script>'
    made = post(person("ann"), "/libraries", name=name)

    assert made.status_code == 303
    page = person("ann").get(made.headers["location"]).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


# ---- Members


def test_members_are_added_given_roles_and_removed(person: Person, house: House, family: str) -> None:
    ann, zoe_id = person("ann"), house.asks("zoe").person_id

    assert post(ann, f"/libraries/{family}/members", person="Zoe", role="viewer").status_code == 303
    assert role_of(house, "zoe", family) == Role.VIEWER
    assert person("zoe").get(f"/libraries/{family}").status_code == 200
    assert post(ann, f"/libraries/{family}/members/{zoe_id}/role", role="moderator").status_code == 303
    assert role_of(house, "zoe", family) == Role.MODERATOR
    assert post(ann, f"/libraries/{family}/members/{zoe_id}/remove").status_code == 303
    assert person("zoe").get(f"/libraries/{family}").status_code == 404


@pytest.mark.parametrize(
    ("path", "fields", "status", "sentence"),
    [
        ("members", {"person": "nobody", "role": "viewer"}, 404, "Nobody here is called “nobody”"),
        ("members", {"person": "zoe", "role": "king"}, 422, "A role is one of viewer"),
        ("members", {"person": "vic", "role": "viewer"}, 409, "vic is a member"),
        ("invitations", {"role": "king"}, 422, "A role is one of viewer"),
        ("rename", {"name": "a/b"}, 422, "no comma or slash"),
        ("leave", {}, 409, "needs an owner"),
    ],
)
def test_what_cannot_be_done_is_told_on_the_page(
    person: Person, family: str, path: str, fields: dict[str, str], status: int, sentence: str
) -> None:
    answer = post(person("ann"), f"/libraries/{family}/{path}", **fields)

    assert answer.status_code == status
    assert sentence in text_of(answer)
    assert "Members" in answer.text


def test_the_last_owner_is_offered_no_way_out(person: Person, house: House, family: str) -> None:
    before = person("ann").get(f"/libraries/{family}").text
    mia_id = house.asks("mia").person_id
    assert mia_id
    members.change_role(house.backend, house.asks("ann"), family, mia_id, Role.OWNER)
    after = person("ann").get(f"/libraries/{family}").text

    assert "Leave this library" not in before
    assert "Leave this library" in after
    assert f"members/{house.asks('ann').person_id}/role" not in before
    assert f"members/{house.asks('ann').person_id}/role" in after


def test_a_member_leaves(person: Person, house: House, family: str) -> None:
    assert post(person("vic"), f"/libraries/{family}/leave").headers["location"] == "/libraries"
    assert role_of(house, "vic", family) is None


# ---- Invitations


def invited(person: Person, family: str, role: str = "uploader") -> str:
    answer = post(person("ann"), f"/libraries/{family}/invitations", role=role)
    assert answer.status_code == 200
    for name, value in SECRET_PAGE.items():
        assert answer.headers[name] == value
    found = LINK.search(answer.text)
    assert found
    return found[1]


def test_an_invitation_link_is_shown_once_and_works_once(person: Person, house: House, family: str) -> None:
    link = invited(person, family)
    assert link not in person("ann").get(f"/libraries/{family}").text

    offered = person("zoe").get(link)
    assert "ann invites you to this library as an uploader" in text_of(offered)
    assert {name: offered.headers[name] for name in SECRET_PAGE} == SECRET_PAGE
    assert post(person("zoe"), link).headers["location"] == f"/?library={family}"

    assert role_of(house, "zoe", family) == Role.UPLOADER
    assert post(person("zoe"), link).status_code == 404
    assert person("zoe").get(link).status_code == 404


def test_a_revoked_and_an_expired_link_are_gone(person: Person, house: House, family: str) -> None:
    revoked, expired = invited(person, family), invited(person, family)
    for invitation in members.list_invitations(house.backend, house.asks("ann"), family):
        if len(members.list_invitations(house.backend, house.asks("ann"), family)) == 2:
            with house.backend.database.write() as connection:
                past = datetime.now(UTC) - timedelta(seconds=1)
                connection.execute(links.update().where(links.c.id == invitation.link_id).values(expires_at=past))
        else:
            address = f"/libraries/{family}/invitations/{invitation.link_id}/revoke"
            assert post(person("ann"), address).status_code == 303

    for link in (revoked, expired):
        assert person("zoe").get(link).status_code == 404
        assert post(person("zoe"), link).status_code == 404
    assert role_of(house, "zoe", family) is None


def test_whoever_is_not_logged_in_is_led_to_the_login_and_back(
    visitor: TestClient, person: Person, family: str
) -> None:
    link = invited(person, family)
    page = visitor.get(link)

    assert page.status_code == 200
    assert f"/login?next={link.replace('/', '%2F')}" in page.text
    assert "Make an account" not in page.text
    assert {name: page.headers[name] for name in SECRET_PAGE} == SECRET_PAGE
    assert visitor.post(link).status_code == 401


def test_an_administrator_invites_people_without_an_account(
    visitor: TestClient, person: Person, house: House, family: str
) -> None:
    house.change("ann", administrator=True)
    link = invited(person, family, "viewer")
    assert f'action="{link}/account"' in visitor.get(link).text

    made = visitor.post(f"{link}/account", data={"name": "bob", "password": PASSWORD, "again": PASSWORD})

    assert made.status_code == 303, made.text
    assert role_of(house, "bob", family) == Role.VIEWER
    assert visitor.get(f"/libraries/{family}").status_code == 200
    assert person("zoe").get(link).status_code == 404


def test_no_account_is_made_through_the_invitation_of_somebody_else(
    visitor: TestClient, person: Person, family: str
) -> None:
    link = invited(person, family, "viewer")

    made = visitor.post(f"{link}/account", data={"name": "bob", "password": PASSWORD, "again": PASSWORD})

    assert made.status_code == 403
    assert person("zoe").get(link).status_code == 200


# ---- For programs


def test_a_program_makes_renames_deletes_and_restores_a_library(client: TestClient) -> None:
    made = client.post(API, json={"name": "holidays"})
    assert (made.status_code, made.json()) == (
        201,
        {"id": "holidays", "name": "holidays", "role": "owner", "images": 0},
    )
    assert client.post(API, json={"name": "holidays"}).status_code == 201
    assert client.patch(f"{API}/holidays", json={"name": "trips"}).json()["name"] == "trips"
    assert client.get(f"{API}/trips").json()["id"] == client.get(f"{API}/holidays").json()["id"] == "holidays"

    assert client.delete(f"{API}/trips").status_code == 204

    assert error_of(client.get(f"{API}/trips"))["code"] == "library_not_found"
    listed = client.get(API).json()
    assert [library["name"] for library in listed["libraries"]] == ["main"]
    assert [library["name"] for library in listed["deleted"]] == ["trips"]
    assert error_of(client.post(API, json={"name": "holidays"}))["code"] == "conflict"
    assert client.post(f"{API}/trips/restore").json()["id"] == "holidays"
    assert client.get(API).json()["deleted"] == []


def test_a_program_looks_after_members(
    visitor: TestClient, house: House, family: str, token: Callable[..., dict[str, str]]
) -> None:
    ann, place = token("ann"), f"{API}/family/members"

    added = visitor.post(place, json={"person": "zoe", "role": "viewer"}, headers=ann)
    assert (added.status_code, added.json()["person"], added.json()["role"]) == (201, "zoe", "viewer")
    zoe = f"{place}/{added.json()['person_id']}"
    assert visitor.patch(zoe, json={"role": "moderator"}, headers=ann).json()["role"] == "moderator"
    assert [found["person"] for found in visitor.get(place, headers=token("zoe")).json()["members"]] == [
        "ann",
        "mia",
        "zoe",
        "uli",
        "vic",
    ]
    assert visitor.delete(zoe, headers=ann).status_code == 204
    assert role_of(house, "zoe", family) is None
    vic = f"{API}/{family}/members/{house.asks('vic').person_id}"
    assert visitor.delete(vic, headers=token("vic")).status_code == 204
    assert role_of(house, "vic", family) is None


def test_a_role_that_is_none_is_422(visitor: TestClient, family: str, token: Callable[..., dict[str, str]]) -> None:
    answer = visitor.post(f"{API}/{family}/members", json={"person": "zoe", "role": "king"}, headers=token("ann"))

    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_query")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "", None),
        ("patch", "", {"name": "mine"}),
        ("delete", "", None),
        ("post", "/restore", None),
        ("get", "/members", None),
        ("post", "/members", {"person": "zoe", "role": "viewer"}),
        ("patch", "/members/somebody", {"role": "viewer"}),
        ("delete", "/members/somebody", None),
    ],
)
def test_for_programs_too_a_library_of_others_is_one_that_is_not_there(
    visitor: TestClient,
    family: str,
    token: Callable[..., dict[str, str]],
    method: str,
    path: str,
    body: dict[str, str] | None,
) -> None:
    def answer(name: str) -> Any:
        return visitor.request(method, f"{API}/{name}{path}", json=body, headers=token("zoe"))

    unknown = answer("nothing-here")
    assert unknown.status_code == 404
    for name in (family, "family"):
        assert (answer(name).status_code, answer(name).json()) == (404, unknown.json())


def test_listings_and_their_counts_do_not_change_with_another_library(
    visitor: TestClient, family: str, token: Callable[..., dict[str, str]]
) -> None:
    zoe = token("zoe")
    before = visitor.get(API, headers=zoe).json()
    sent = visitor.post(
        "/api/v1/images",
        files={"file": ("a.jpg", jpeg("coffee.png"))},
        data={"library": family},
        headers=token("ann"),
    )

    assert sent.status_code == 201
    assert visitor.get(API, headers=zoe).json() == before
    assert [library["name"] for library in before["libraries"]] == ["zoo"]


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_reaches_as_far_as_its_scope(
    visitor: TestClient, family: str, token: Callable[..., dict[str, str]], scope: Scope
) -> None:
    headers = token("ann", scope)

    reading = {visitor.get(f"{API}{path}", headers=headers).status_code for path in ("", "/family", "/family/members")}
    managing = visitor.patch(f"{API}/{family}", json={"name": "kin"}, headers=headers).status_code

    assert reading == ({403} if scope == Scope.UPLOAD else {200})  # to moderate or manage is to see
    assert managing == (200 if scope == Scope.MANAGE else 403)


def test_a_restart_keeps_a_library_deleted(open_client: OpenClient, tmp_path: Path) -> None:
    with open_client(tmp_path / "data") as first:
        upload(first, jpeg("coffee.png"), library="trips")
        first.delete(f"{API}/trips")
    with open_client(tmp_path / "data") as second:
        assert second.get("/api/v1/images").json()["images"] == []
        assert second.post(f"{API}/trips/restore").status_code == 200
        assert len(second.get("/api/v1/images").json()["images"]) == 1
