"""Reviewing duplicates in a real browser: by keys alone, two at one queue, by touch, and without scripts."""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from duplicates import Findings
from pictures import picture_bytes
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from pipeline import accounts, decision_export, duplicate_groups, libraries, members
from pipeline.access import local_owner
from pipeline.backend import Backend
from pipeline.features.comparison import Edit, EditKind
from pipeline.images import ImageRecord, original_key
from pipeline.principals import Role
from tests.web.members import PASSWORD
from tests.web.served import served

GROUPS = 20
KEYS = ("1", "2", "3", "4", "1")
"""What is pressed for one group after the other: keep the left one, the right one, both; unrelated."""

DECISIONS = {"1": "duplicate", "2": "duplicate", "3": "variant", "4": "unrelated"}
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SIZE = (96, 64)
BOX = (0.25, 0.25, 0.5, 0.5)
CROP = {
    "edits": (Edit(EditKind.CROPPED, "b", 0.25, BOX),),
    "transform": (2, 0, -0.5, 0, 2, -0.5),
    "box_in_a": BOX,
    "box_in_b": (0, 0, 1, 1),
}
"""What is said of a picture and the middle quarter of it: the point (1/4, 1/4) of the one is (0, 0) of the other."""


@dataclass(frozen=True)
class Site:
    """A server on which ada and bob moderate a library."""

    url: str
    backend: Backend
    library: str

    def put(self, name: str, data: bytes) -> ImageRecord:
        """Put a picture that is ready, with its file."""
        with Image.open(io.BytesIO(data)) as opened:
            width, height = opened.size
        sha256 = hashlib.sha256(data).hexdigest()
        found = Findings(self.backend).picture(name, self.library, sha256=sha256, width=width, height=height)
        self.backend.objects.put(original_key(self.library, sha256), io.BytesIO(data))
        return found

    def put_group(self, number: int, *, copies: int = 1) -> str:
        """Put a picture and crops of it; return the id of their group."""
        whole = picture_bytes("noise", size=SIZE, seed=number)
        keeper = self.put(f"whole-{number}", whole)
        for copy in range(copies):
            crop = self.put(f"crop-{number}-{copy}", _middle(whole, copy))
            Findings(self.backend).found(keeper, crop, **CROP)
        groups = duplicate_groups.groups_with(self.backend, [keeper], local_owner(self.backend))
        return groups[keeper.row]

    def log(self) -> list[dict[str, str]]:
        """Return the exported log of decisions, newest first."""
        return list(
            csv.DictReader(io.StringIO("".join(decision_export.csv_lines(self.backend, local_owner(self.backend)))))
        )


def _middle(data: bytes, seed: int) -> bytes:
    file = io.BytesIO()
    with Image.open(io.BytesIO(data)) as opened:
        middle = opened.convert("RGB").crop((SIZE[0] // 4, SIZE[1] // 4, 3 * SIZE[0] // 4, 3 * SIZE[1] // 4))
    middle.putpixel((0, 0), (seed, 7, 7))
    middle.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("review"), models) as (url, backend):
        who = local_owner(backend)
        library = libraries.make(backend, who, "family").id
        for name, role in (("ada", Role.OWNER), ("bob", Role.MODERATOR)):
            accounts.add_person(backend, who, name, password=PASSWORD)
            members.grant(backend, who, library, name, role)
        yield Site(url, backend, library)


Comes = Callable[..., Page]


@pytest.fixture
def comes(browser: Browser, site: Site) -> Iterator[Comes]:
    """Let somebody come to the server and log in; no browser may complain of what is wrong with a page."""
    contexts, complaints = [], []

    def is_complaint(said: ConsoleMessage) -> bool:  # the pictures here were never analyzed and have no thumbnails
        return said.type == "error" and not said.text.startswith("Failed to load resource")

    def opened(name: str = "ada", viewport: dict[str, int] = DESKTOP, **options: object) -> Page:
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(f"{error} {error.stack}"))
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        page.goto(f"{site.url}/login")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log in", exact=True).click()
        page.wait_for_url(f"{site.url}/")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def test_twenty_groups_by_keys_alone_and_back_again(site: Site, comes: Comes) -> None:
    for number in range(GROUPS):
        site.put_group(number)
    page = comes()
    page.goto(f"{site.url}/duplicates")
    page.get_by_role("link", name="Review the next one").press("Enter")
    position = page.locator(".review-position")
    expect(position).to_have_text(f"1 of {GROUPS}")
    expect(page.locator(".pair-sentence")).to_contain_text("The right one is a crop of the left one: 25 % of it.")
    assert Axe().run(page).response["violations"] == []
    page.locator("#reason").fill("1 2 3 4 are no keys here")
    expect(position).to_have_text(f"1 of {GROUPS}")
    page.locator("#reason").fill("")
    page.locator("#reason").blur()
    pressed = [KEYS[number % len(KEYS)] for number in range(GROUPS)]
    for number, key in enumerate(pressed, start=1):
        expect(position).to_have_text(f"{number} of {GROUPS}")
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="All done: you have settled 20 groups today.")).to_be_visible()
    assert [line["decision"] for line in reversed(site.log())] == [DECISIONS[key] for key in pressed]
    page.keyboard.press("z")
    expect(position).to_have_text(f"{GROUPS} of {GROUPS}")
    page.keyboard.press("z")  # the one before that
    expect(position).to_have_text(f"{GROUPS - 1} of {GROUPS}")
    assert [line["decision"] for line in site.log()[:2]] == ["withdrawn", "withdrawn"]
    page.keyboard.press("1")
    expect(position).to_have_text(f"{GROUPS} of {GROUPS}")
    page.keyboard.press("4")
    expect(page.get_by_role("heading", name="All done")).to_be_visible()
    assert {line["who"] for line in site.log()} == {"ada"}


def test_two_moderators_never_have_the_same_group(site: Site, comes: Comes) -> None:
    first, second = site.put_group(101), site.put_group(102)
    ada, bob = comes("ada"), comes("bob")
    ada.goto(f"{site.url}/duplicates/next")
    bob.goto(f"{site.url}/duplicates/next")
    expect(ada).to_have_url(f"{site.url}/duplicates/{first}")
    expect(bob).to_have_url(f"{site.url}/duplicates/{second}")
    bob.goto(f"{site.url}/duplicates/{first}")
    expect(bob.locator("#claim")).to_contain_text("ada has this one until")
    expect(bob.get_by_role("button", name="Keep the left one")).to_have_count(0)
    bob.keyboard.press("1")  # there is no button that it could press
    ada.get_by_role("button", name="Keep both").click()
    expect(ada.get_by_role("heading", name="All done")).to_be_visible()  # what is left is bob's
    bob.get_by_role("button", name="Next one").click()
    expect(bob).to_have_url(re.compile(second))
    bob.locator("#reason").fill("another sky")
    bob.get_by_role("button", name="Unrelated").click()
    expect(bob.get_by_role("heading", name="All done")).to_be_visible()
    newest = site.log()[:2]
    assert [(line["who"], line["decision"], line["reason"]) for line in newest] == [
        ("bob", "unrelated", "another sky"),
        ("ada", "variant", ""),
    ]


def test_keys_are_changed_and_switched_off(site: Site, comes: Comes) -> None:
    group = site.put_group(103)
    page = comes()
    page.goto(f"{site.url}/duplicates/{group}")
    page.get_by_role("button", name="Keys").click()
    page.locator('[data-remap="unrelated"]').click()
    page.keyboard.press("q")
    page.locator("#desk-keys [data-letters]").uncheck()
    page.get_by_role("button", name="Close", exact=True).click()
    page.keyboard.press("q")
    expect(page.locator("#do-unrelated kbd")).to_be_hidden()
    page.reload()
    page.get_by_role("button", name="Keys").click()
    page.locator("#desk-keys [data-letters]").check()
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator("#do-unrelated kbd")).to_have_text("q")
    page.keyboard.press("q")
    expect(page.get_by_role("heading", name="All done")).to_be_visible()


def test_one_picture_lies_upon_the_other_and_three_are_settled_by_touch(site: Site, comes: Comes) -> None:
    group = site.put_group(104, copies=2)
    page = comes(viewport=PHONE, has_touch=True, is_mobile=True)
    page.goto(f"{site.url}/duplicates/{group}")
    page.get_by_role("radio", name="Swipe").tap()
    left, right = (page.locator(f'[data-side="{side}"] img').bounding_box() for side in "ab")
    assert left
    assert right
    assert right["width"] == pytest.approx(left["width"] / 2, rel=0.01)  # the crop lies where it was cut from
    assert right["x"] == pytest.approx(left["x"] + left["width"] / 4, abs=1)
    assert right["y"] == pytest.approx(left["y"] + left["height"] / 4, abs=1)
    slider = page.get_by_label("Where the right one begins")
    slider.fill("20")
    assert page.locator('[data-side="b"]').evaluate("pane => pane.style.clipPath") == "inset(0px 0px 0px 20%)"
    page.get_by_role("button", name="Larger").tap()
    expect(page.locator("[data-zoomed]")).to_have_text("1.4×")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.get_by_role("link", name=re.compile("^Right: crop-104-1")).tap()
    expect(page.locator(".group-member").nth(2).locator(".here")).to_have_text("Right")
    page.get_by_role("button", name="Keep only the left one").tap()
    expect(page.locator("#notice")).to_contain_text("2 pictures are in the trash, whole-104.jpg is kept.")
    page.locator("#notice").get_by_role("button", name="Undo").tap()
    expect(page.locator(".group-member")).to_have_count(3)
    expect(page.locator("#notice")).to_contain_text("Taken back: everything is as it was.")


def test_without_scripts_the_forms_do_the_same(site: Site, comes: Comes) -> None:
    group = site.put_group(105)
    page = comes(java_script_enabled=False)
    page.goto(f"{site.url}/duplicates/{group}")
    expect(page.locator("[data-side] img")).to_have_count(2)
    page.get_by_role("button", name="Keep the right one").click()
    expect(page.locator("#notice")).to_contain_text("crop-105-0.jpg is kept.")
    page.locator("#notice").get_by_role("button", name="Undo").click()
    expect(page.locator("[data-side] img")).to_have_count(2)
    expect(page.locator("#notice")).to_contain_text("Taken back")


def test_what_was_settled_is_listed_and_taken_back_long_after(site: Site, comes: Comes) -> None:
    group = site.put_group(106)
    page = comes(java_script_enabled=False)
    page.goto(f"{site.url}/duplicates/{group}")
    page.get_by_role("button", name="Keep the left one").click()
    page = comes("bob")
    page.goto(f"{site.url}/duplicates?state=settled")
    card = page.locator(".group-card").first
    expect(card).to_contain_text("whole-106.jpg was kept.")
    expect(card).to_contain_text("ada")
    card.get_by_role("button", name="Undo").click()
    expect(page.locator("#notice")).to_contain_text("Taken back")
    expect(card).to_contain_text("Taken back")
    expect(card.get_by_role("button")).to_have_count(0)
    assert site.log()[0]["decision"] == "withdrawn"


def test_a_page_that_is_left_alone_does_not_hold_its_group(site: Site, comes: Comes) -> None:
    group = site.put_group(107)
    page = comes()
    page.clock.install()
    claims = []
    page.on("response", lambda answer: claims.append(answer.url) if answer.url.endswith("/claim") else None)
    page.goto(f"{site.url}/duplicates/{group}")
    expect(page.locator("[data-pair].ready")).to_have_count(1)
    with page.expect_response("**/claim"):
        page.clock.fast_forward(61_000)
    page.clock.fast_forward(11 * 60_000)
    page.clock.fast_forward(61_000)
    assert len(claims) == 1
    page.mouse.move(40, 40)
    with page.expect_response("**/claim"):
        page.clock.fast_forward(61_000)


def test_two_files_are_compared_and_nothing_is_kept(site: Site, comes: Comes) -> None:
    page = comes()
    page.goto(f"{site.url}/compare")
    same = picture_bytes("noise", size=SIZE, seed=7007)
    for side in ("Left", "Right"):
        page.get_by_label(side, exact=True).set_input_files(
            {"name": f"{side}.png", "mimeType": "image/png", "buffer": same}
        )
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator(".pair-sentence")).to_contain_text("Both are the very same picture.")
    assert page.locator('[data-side="a"] img').evaluate("picture => picture.naturalWidth") == SIZE[0]
    found = site.backend.database
    with found.read() as connection:
        kept = connection.exec_driver_sql(
            "SELECT count(*) FROM images WHERE sha256 = ?", (hashlib.sha256(same).hexdigest(),)
        )
        assert kept.scalar_one() == 0
