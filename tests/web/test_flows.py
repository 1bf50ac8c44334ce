"""The ways from page to page: what is kept when something is refused, and where one ends up afterwards."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline import libraries, members
from pipeline.access import local_owner
from pipeline.principals import Role
from tests.web.markup import Element, Markup
from tests.web.members import LOCAL, PASSWORD, SECURE, Browser, another, backend_of, give_role, log_in, make_person

INVITATION = re.compile(r"/invitations/[\w-]+")
FRAGMENT = {"HX-Request": "true"}


def make_library(server: TestClient, name: str, **roles: Role) -> str:
    """Return the id of a new library with these members, who get accounts."""
    backend = backend_of(server)
    library = libraries.make(backend, local_owner(backend), name).id
    for person, role in roles.items():
        give_role(server, library, make_person(server, person), role)
    return library


def field(page: Any, label_of: str) -> Element:
    """Return the field of a page that has this id."""
    return next(e for e in Markup(page.text).elements if e.attributes.get("id") == label_of)


def chosen(page: Any, select: str) -> list[str]:
    options = [e for e in Markup(page.text).all("option") if any(i.attributes.get("id") == select for i in e.inside)]
    return [option.attributes["value"] for option in options if "selected" in option.attributes]


def upload_link(page: Any) -> str:
    return field(page, "place-upload").attributes["href"]


# ---- A session that has ended


@pytest.mark.parametrize(
    ("referer", "way"),
    [
        (f"{LOCAL}/people?x=1", "/login?next=%2Fpeople%3Fx%3D1"),
        ("https://elsewhere.test/people", "/login"),
        (f"{LOCAL}.elsewhere.test/people", "/login"),
        (f"{LOCAL}//elsewhere.test", "/login"),
        ("", "/login"),
    ],
)
def test_a_form_without_a_session_leads_by_the_login_back_to_its_own_page(people_client, referer, way):
    answer = Browser(people_client).post("/people", {"name": "eve"}, headers={"Referer": referer})
    markup = Markup(answer.text)
    assert answer.status_code == 401
    assert "What you sent was not kept" in answer.text
    assert [a.attributes["href"] for a in markup.all("a") if a.text == "Log in"] == [way]


@pytest.mark.parametrize(("base_url", "cleared"), [(LOCAL, True), (SECURE, True), ("http://192.0.2.7:8000", False)])
def test_the_cache_is_cleared_where_browsers_do_not_complain_of_it(people_client, base_url, cleared):
    browser = log_in(people_client, "ada", base_url=base_url)
    assert ("clear-site-data" in browser.post("/logout").headers) == cleared


# ---- Invitations


def invitation(server: TestClient, library: str) -> str:
    """Return the address of an invitation by an administrator, with which an account can be made."""
    ada = log_in(server, "ada")
    found = INVITATION.search(ada.post(f"/libraries/{library}/invitations", {"role": "viewer"}).text)
    assert found
    return found[0]


@pytest.mark.parametrize(
    ("name", "password", "again", "status", "sentence"),
    [("ada", PASSWORD, PASSWORD, 409, "ada is taken"), ("bob", "short", "short", 422, "at least 10")],
)
def test_an_account_that_cannot_be_made_is_told_on_the_invitation_itself(
    people_client, name, password, again, status, sentence
):
    library = make_library(people_client, "family")
    members.grant(backend_of(people_client), local_owner(backend_of(people_client)), library, "ada", Role.OWNER)
    link = invitation(people_client, library)
    fields = {"name": name, "password": password, "again": again}
    answer = Browser(people_client).http.post(f"{link}/account", data=fields)
    assert answer.status_code == status
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "strict-origin")
    (problem,) = [e for e in Markup(answer.text).elements if e.attributes.get("role") == "alert"]
    assert sentence in problem.text
    assert f"{link}/account" in [e.attributes.get("action") for e in problem.inside]
    assert field(answer, "account-name").attributes["value"] == name
    assert "autofocus" in field(answer, "account-name").attributes
    assert "Join family" in Markup(answer.text).all("h1")[0].text
    assert "Log in to join" in answer.text


def test_whoever_makes_an_account_by_an_invitation_lands_in_the_library(people_client):
    library = make_library(people_client, "family")
    members.grant(backend_of(people_client), local_owner(backend_of(people_client)), library, "ada", Role.OWNER)
    bob = Browser(people_client)
    fields = {"name": "bob", "password": PASSWORD, "again": PASSWORD}
    answer = bob.http.post(f"{invitation(people_client, library)}/account", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/?library={library}")
    page = bob.get(answer.headers["location"])
    assert page.status_code == 200
    assert "Welcome, bob." in page.text


# ---- Libraries


@pytest.fixture
def owner(people_client: TestClient) -> tuple[Browser, str]:
    """Somebody with a library of their own, in which somebody else looks."""
    library = make_library(people_client, "family", ann=Role.OWNER, vic=Role.VIEWER)
    return log_in(people_client, "ann"), library


def test_a_member_who_cannot_be_added_stays_in_the_field_with_the_role(owner):
    ann, library = owner
    answer = ann.post(f"/libraries/{library}/members", {"person": "<b>nobody", "role": "moderator"})
    assert (answer.status_code, field(answer, "member-name").attributes["value"]) == (404, "<b>nobody")
    assert chosen(answer, "member-role") == ["moderator"]
    assert f"/libraries/{library}/members" in [
        e.attributes.get("action") for e in field(answer, "member-problem").inside
    ]


def test_a_name_that_cannot_be_given_stays_in_the_field(owner):
    ann, library = owner
    answer = ann.post(f"/libraries/{library}/rename", {"name": "a/b"})
    assert (answer.status_code, field(answer, "new-name").attributes["value"]) == (422, "a/b")
    assert "no comma or slash" in field(answer, "rename-problem").text
    assert Markup(answer.text).all("h1")[0].text == "family"


def test_making_a_library_that_one_has_already_says_so(owner):
    ann, _ = owner
    addresses, notices = [], []
    for _ in range(2):
        answer = ann.post("/libraries", {"name": "garden"})
        addresses.append(answer.headers["location"])
        notices.append("You already have a library called “garden”." in ann.get(addresses[-1]).text)
    assert addresses[0] == addresses[1]
    assert notices == [False, True]


def test_a_library_of_others_and_one_that_does_not_exist_are_told_alike(people_client, owner):
    _, library = owner
    zoe = Browser(people_client)
    make_person(people_client, "zoe")
    zoe.log_in("zoe")
    foreign, unknown = (zoe.get("/", params={"library": name}) for name in (library, "f" * len(library)))
    assert foreign.status_code == unknown.status_code == 404
    assert "There is no such library." in unknown.text
    assert "is empty" not in unknown.text
    assert foreign.text.replace(library, "") == unknown.text.replace("f" * len(library), "")


# ---- Adding to the library that is looked at


def test_upload_leads_into_the_library_that_is_looked_at(owner):
    ann, library = owner
    other = ann.post("/libraries", {"name": "garden"}).headers["location"].rpartition("/")[2]
    for each in (library, other):
        page = ann.get("/", params={"library": each})
        assert upload_link(page) == f"/upload?library={each}"
        assert chosen(ann.get(upload_link(page)), "upload-library") == [each]
        # What htmx replaces has the link as well, out of band.
        assert upload_link(ann.get("/", params={"library": each}, headers=FRAGMENT)) == f"/upload?library={each}"
    assert upload_link(ann.get("/", params={"library": [library, other]})) == "/upload"
    assert upload_link(ann.get("/")) == "/upload"


def test_upload_does_not_lead_into_a_library_that_one_may_only_look_at(people_client, owner):
    _, library = owner
    vic = log_in(people_client, "vic")
    vic.post("/libraries", {"name": "garden"})
    assert upload_link(vic.get("/", params={"library": library})) == "/upload"


def test_the_list_of_an_upload_without_a_script_keeps_the_library(owner):
    ann, library = owner
    ann.post("/libraries", {"name": "garden"})
    fields = {"csrf_token": ann.csrf_token, "library": library}
    answer = ann.http.post("/upload", data=fields, files={"file": ("a.txt", b"no picture")})
    assert answer.status_code == 303
    assert chosen(ann.get(answer.headers["location"]), "upload-library") == [library]


# ---- Without accounts


@pytest.mark.parametrize("page", ["/", "/upload"])
def test_where_the_only_library_is_deleted_it_is_offered_to_be_restored(idle_client, page):
    assert "is deleted" not in idle_client.get(page).text
    idle_client.post("/libraries/main/delete", data={"confirmed": "1"})
    answer = another(idle_client).get(page)
    assert "The library “<bdi>main</bdi>” is deleted" in answer.text
    assert "/libraries/main/restore" in [e.attributes.get("action") for e in Markup(answer.text).all("form")]
    assert "upload-files" not in answer.text
    assert "invitation" not in idle_client.get("/libraries").text
    idle_client.post("/libraries/main/restore")
    assert "upload-files" in idle_client.get(page).text


def test_pictures_go_into_the_library_that_is_left_where_the_usual_one_is_deleted(idle_client):
    idle_client.post("/libraries", data={"name": "garden"})
    idle_client.post("/libraries/main/delete", data={"confirmed": "1"})
    page = idle_client.get("/upload")
    assert field(page, "upload-library").attributes["value"] == "garden"
