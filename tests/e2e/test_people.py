"""Two people in two browsers at one server: what each sees, and that what is taken away is gone with the next click."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx2 as httpx
import pytest
from e2e.conftest import DESKTOP, PHONE, OpenVisitor, Site, Visitor, serving
from e2e.gestures import drop, names
from playwright.sync_api import Page, expect

from pipeline import accounts
from pipeline.backend import Backend, open_backend
from pipeline.principals import OWNER
from pipeline.settings import read_settings
from tests.web.photos import cropped, jpeg

PASSWORD = "correct horse battery"  # noqa: S105 - of nobody
CAT, CAT_CROPPED, COFFEE, ROCKET = jpeg("chelsea.png"), cropped("chelsea.png"), jpeg("coffee.png"), jpeg("rocket.jpg")
ADAS = [("cat.jpg", CAT), ("cat closer.jpg", CAT_CROPPED), ("coffee.jpg", COFFEE)]
BOBS = [("rocket.jpg", ROCKET)]
PAGES = ("/", "/upload", "/libraries", "/status", "/trash", "/account")
GONE = "status of 404"


@dataclass(frozen=True)
class Person:
    """Somebody in front of a browser in which they have logged in."""

    name: str
    visitor: Visitor
    page: Page

    def goes(self, path: str) -> Page:
        self.page.goto(f"{self.site}{path}")
        return self.page

    @property
    def site(self) -> str:
        return "/".join(self.page.url.split("/")[:3])

    def shows(self, step: str) -> None:
        self.visitor.show(self.page, step)

    def was_told(self, *sentences: str) -> None:
        """Expect what the browser says about answers that a test wants to be refusals."""
        found = [words for words in self.visitor.complaints if any(sentence in words for sentence in sentences)]
        assert found
        self.visitor.complaints[:] = [words for words in self.visitor.complaints if words not in found]


Comes = Callable[..., Person]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory, models) -> Iterator[Backend]:
    """What the server keeps, to make people in it."""
    settings = read_settings(data=tmp_path_factory.mktemp("people"), models=models)
    with open_backend(settings) as opened:
        accounts.add_person(opened, OWNER, "charles", password=PASSWORD)
        yield opened


@pytest.fixture(scope="module")
def house(backend: Backend) -> Iterator[Site]:
    settings = backend.settings
    with serving(settings.data, settings.models) as site:
        yield site


@pytest.fixture
def comes(house: Site, backend: Backend, visitor: OpenVisitor) -> Comes:
    """Let somebody come who has an account since just now, or a second time in another browser."""

    def come(name: str, screen: dict[str, int] = DESKTOP, **options: object) -> Person:
        full_name = name if "-" in name or name == "charles" else f"{name}-{uuid4().hex[:6]}"
        if full_name not in {name, "charles"}:
            accounts.add_person(backend, OWNER, full_name, password=PASSWORD)
        guest = visitor(screen, **options)
        guest.story += f"-{name.partition('-')[0]}"
        page = guest.open(f"{house.url}/account")
        page.get_by_label("Name").fill(full_name)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name=f"Account of {full_name}")).to_be_visible()
        return Person(full_name, guest, page)

    return come


def make_library(person: Person, name: str) -> str:
    """Make a library on its page; return its id."""
    page = person.goes("/libraries")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("#notice")).to_contain_text(f"The library “{name}” is made.")
    return page.url.rpartition("/")[2]


def upload(person: Person, files: list[tuple[str, bytes]]) -> list[str]:
    """Drop files on the upload page; return the ids of the images."""
    page = person.goes("/upload")
    drop(page, files)
    for name, _ in files:
        card = page.locator(".card[data-outcome=added]", has=page.locator(f'a:text-is("{name}")'))
        expect(card).to_have_count(1)
    links = [page.locator(".card-name a", has_text=re.compile(f"^{re.escape(name)}$")) for name, _ in files]
    return [link.first.get_attribute("href").rpartition("/")[2] for link in links]


def seen_pictures(person: Person, path: str = "/") -> set[str]:
    return set(names(person.goes(path).locator(".tile")))


def status_of(person: Person, path: str) -> int:
    """Return how an address answers the browser of somebody."""
    return person.page.context.request.get(f"{person.site}{path}", max_redirects=0).status


def words_of(person: Person, path: str) -> str:
    """Return what an address says to somebody, and what lies behind the words, but for how long it took."""
    return re.sub(r"\d+ ms", "", person.page.context.request.get(f"{person.site}{path}").text())


def test_each_sees_only_their_own(comes: Comes) -> None:
    ada, bob = comes("ada"), comes("bob", PHONE)
    ada.goes("/")
    ada.shows("1-nothing-yet")
    adas = make_library(ada, "Cats & cups")
    ada.shows("2-a-library")
    ids = upload(ada, ADAS)
    ada.shows("3-uploaded")
    make_library(bob, "Rockets")
    upload(bob, BOBS)

    assert seen_pictures(ada) == {"cat.jpg", "cat closer.jpg", "coffee.jpg"}
    expect(ada.page.locator(".summary")).to_contain_text("3 pictures")
    ada.shows("4-searches")
    assert seen_pictures(bob) == {"rocket.jpg"}
    expect(bob.page.locator(".summary")).to_contain_text("1 picture")
    bob.shows("4-searches")
    everything = "".join(words_of(bob, path) for path in PAGES)
    assert [word for word in ("cat.jpg", "Cats &", adas, *ids) if word in everything] == []

    for image in ids:
        nowhere = str(uuid4())
        for path in (
            "/images/{}",
            "/images/{}/thumbnail",
            "/images/{}/original",
            "/?like={}",
            "/region?like={}",
            "/?library={}",
        ):
            theirs, unknown = words_of(bob, path.format(image)), words_of(bob, path.format(nowhere))
            assert theirs.replace(image, nowhere) == unknown
        assert status_of(bob, f"/images/{image}") == status_of(bob, f"/images/{image}/thumbnail") == 404
    page = bob.goes(f"/images/{ids[0]}")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    bob.shows("5-the-picture-of-the-other")
    bob.was_told(GONE)


def test_the_very_file_of_somebody_else_finds_nothing_of_theirs(comes: Comes) -> None:
    ada, bob = comes("ada"), comes("bob", PHONE)
    make_library(ada, "Cats")
    upload(ada, ADAS)
    make_library(bob, "Rockets")
    upload(bob, BOBS)

    page = bob.goes("/")
    drop(page, [("found somewhere.jpg", CAT)], "search")
    expect(page.get_by_role("heading", name="Pictures like this one")).to_be_visible()
    expect(page.get_by_text("the same picture")).to_have_count(0)
    assert set(names(page.locator(".tile:visible"))) <= {"rocket.jpg"}
    bob.shows("1-finds-nothing")

    upload(bob, [("found somewhere.jpg", CAT)])
    expect(page.locator(".card-kin")).to_have_count(0)
    expect(page.locator("#changes")).not_to_contain_text("already here")
    assert seen_pictures(bob) == {"rocket.jpg", "found somewhere.jpg"}
    assert len(seen_pictures(ada)) == 3


def invitation(person: Person, library: str, role: str) -> str:
    """Make a link on the page of a library; return it as it is shown there."""
    page = person.goes(f"/libraries/{library}")
    page.get_by_role("region", name="Invite somebody").locator("#link-role").select_option(role)
    page.get_by_role("button", name="Make the link").click()
    return page.locator(".secret code").inner_text()


def test_who_is_invited_sees_more_and_may_what_their_role_says(comes: Comes) -> None:
    ada, bob = comes("ada"), comes("bob", PHONE)
    library = make_library(ada, "Cats & cups")
    cat = upload(ada, ADAS)[0]
    link = invitation(ada, library, "viewer")
    ada.shows("1-invites")

    page = bob.page
    page.goto(link)
    expect(page.get_by_role("heading", name="Join Cats & cups")).to_be_visible()
    bob.shows("1-is-invited")
    page.get_by_role("button", name="Join as a viewer").click()
    expect(page.locator("#notice")).to_contain_text("You are in “Cats & cups” now.")
    expect(page.locator(".tile")).to_have_count(3)
    bob.shows("2-sees")
    bob.goes(f"/images/{cat}")
    expect(page.get_by_role("heading", name="cat.jpg")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    expect(page.get_by_label("Caption")).to_have_count(0)
    bob.shows("3-may-only-look")
    expect(page.get_by_role("link", name="Upload")).to_have_count(0)

    ada.goes(f"/libraries/{library}")
    ada.page.get_by_label(f"Role of {bob.name}", exact=True).select_option("moderator")
    ada.page.get_by_role("button", name=f"Change the role of {bob.name}").click()
    expect(ada.page.locator("#notice")).to_contain_text(f"{bob.name} is now a moderator.")
    ada.shows("4-raises")
    page.reload()
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    page.get_by_label("Caption").fill("Chelsea")
    page.locator("#edit-save").click()
    expect(page.locator(".saved")).to_be_visible()
    bob.shows("5-may-change")

    bob.goes("/")
    ada.page.get_by_role("button", name=f"Remove {bob.name}").click()
    ada.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(ada.page.locator("#notice")).to_contain_text(f"{bob.name} is no longer in it.")
    page.locator(".tile-link").first.click()
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    bob.shows("6-is-out")
    assert seen_pictures(bob) == set()
    bob.shows("7-is-out-and-searches")
    bob.was_told(GONE)


def test_a_link_works_once(comes: Comes) -> None:
    ada, bob, eve = comes("ada"), comes("bob"), comes("eve")
    link = invitation(ada, make_library(ada, "Cats"), "viewer")
    bob.page.goto(link)
    eve.page.goto(link)
    bob.page.get_by_role("button", name="Join as a viewer").click()
    expect(bob.page.locator("#notice")).to_contain_text("You are in")
    eve.page.get_by_role("button", name="Join as a viewer").click()
    expect(eve.page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    assert "Cats" not in words_of(eve, "/libraries")
    eve.was_told(GONE)


@pytest.mark.parametrize("next_request", ["a page", "a part of one"])
def test_a_session_that_is_revoked_ends_with_the_next_request(comes: Comes, next_request: str) -> None:
    ada = comes("ada", user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    make_library(ada, "Cats")
    upload(ada, ADAS[:1])
    phone = comes(ada.name, PHONE, user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Version/19.0 Safari/604.1")
    page = phone.goes("/")
    expect(page.locator(".tile")).to_have_count(1)

    ada.goes("/account")
    expect(ada.page.get_by_role("region", name="Where you are logged in")).to_contain_text("Firefox on Linux this one")
    ada.shows("1-sessions")
    ada.page.get_by_role("button", name="Log out Safari on iPhone").click()
    expect(ada.page.locator("#notice")).to_contain_text("The session has ended.")

    if next_request == "a page":
        page.get_by_role("link", name="Status").click()
    else:
        page.get_by_role("searchbox").fill("cat")
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    phone.shows("2-is-logged-out")
    expect(page.locator(".tile")).to_have_count(0)
    assert seen_pictures(ada) == {"cat.jpg"}
    phone.visitor.complaints[:] = [words for words in phone.visitor.complaints if "status of 401" not in words]


def test_who_is_deactivated_is_out_with_the_next_click(comes: Comes) -> None:
    charles, bob = comes("charles"), comes("bob")
    make_library(bob, "Rockets")
    page = charles.goes("/people")
    row = page.get_by_role("row", name=bob.name)
    row.get_by_label(f"Change {bob.name}").click()
    charles.shows("1-people")
    row.get_by_role("button", name="Deactivate").click()
    page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    expect(page.locator("#notice")).to_contain_text(f"{bob.name} is logged out everywhere")
    bob.page.get_by_role("link", name="Search", exact=True).click()
    expect(bob.page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_token_that_is_revoked_works_no_more_from_the_next_call_on(comes: Comes) -> None:
    ada = comes("ada")
    make_library(ada, "Cats")
    upload(ada, ADAS[:1])
    page = ada.goes("/account")
    page.get_by_label("What it is for").fill("Backup")
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator(".secret code").inner_text()
    ada.shows("1-the-token")
    with httpx.Client(base_url=ada.site, headers={"Authorization": f"Bearer {secret}"}) as program:
        assert len(program.get("/api/v1/images").json()["images"]) == 1
        page.get_by_role("button", name="Revoke Backup").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.locator("#notice")).to_contain_text("The token is revoked.")
        answer = program.get("/api/v1/images")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_logged_in")
