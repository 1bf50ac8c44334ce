"""Searching with the address of a picture in a real browser: pasted, dropped, typed, and followed as a link."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.conftest import DESKTOP, PHONE, OpenVisitor, Site, serving
from e2e.gestures import names
from picture_server import PictureServer
from picture_server import serving as serving_pictures
from playwright.sync_api import Page, expect

from tests.web.photos import cropped, encoded, jpeg, photo

SELECT_ALL = "Meta+A" if sys.platform == "darwin" else "Control+A"
SCREENS = pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])

TRANSFER = """(given) => {
  const transfer = new DataTransfer();
  for (const [kind, data] of Object.entries(given)) transfer.setData(kind, data);
  return transfer;
}"""


@pytest.fixture(scope="module")
def web() -> Iterator[PictureServer]:
    """Another website, with a cat."""
    with serving_pictures(PictureServer()) as server:
        server.put("/cat.jpg", encoded(photo("chelsea.png").rotate(-6).resize((200, 140)), quality=70))
        server.put("/page.html", b"<html><body>no picture</body></html>", "Content-Type: text/html")
        yield server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, models: Path, web: PictureServer) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("fetching"), models, LIKENESS_FETCH_ALLOW=web.place) as opened:
        for name, data in {
            "chelsea.jpg": jpeg("chelsea.png"),
            "chelsea cropped.jpg": cropped("chelsea.png", 0.8),
            "coffee.jpg": jpeg("coffee.png"),
            "rocket.jpg": jpeg("rocket.jpg"),
        }.items():
            opened.upload(name, data)
        opened.wait()
        yield opened


@pytest.fixture(autouse=True)
def _forgotten(web: PictureServer) -> None:
    web.heads.clear()


def expect_cats(page: Page) -> None:
    expect(page).to_have_url(re.compile(r"/\?.*picture="))
    expect(page.locator(".asked-picture")).to_be_visible()
    assert set(names(page.locator(".tile"))[:2]) == {"chelsea.jpg", "chelsea cropped.jpg"}


def paste(page: Page, words: str, selector: str = "body") -> None:
    transfer = page.evaluate_handle(TRANSFER, {"text/plain": words})
    page.evaluate(
        """([transfer, selector]) => document.querySelector(selector).dispatchEvent(
          new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }))""",
        [transfer, selector],
    )


def drag(page: Page, given: dict[str, str]):
    transfer = page.evaluate_handle(TRANSFER, given)
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    return transfer


def let_go(page: Page, transfer, selector: str = "[data-drop=search]") -> None:
    page.locator(selector).first.dispatch_event("drop", {"dataTransfer": transfer})


@SCREENS
def test_an_address_pasted_anywhere_is_searched_with(
    site: Site, web: PictureServer, visitor: OpenVisitor, screen: dict[str, int]
) -> None:
    page = visitor(screen).open(site.url)
    paste(page, f"  {web.url('/cat.jpg')}\n")
    expect_cats(page)


def test_an_address_copied_elsewhere_and_pasted_into_the_box(
    site: Site, web: PictureServer, visitor: OpenVisitor
) -> None:
    page = visitor().open(f"{site.url}/status")
    page.evaluate("(words) => navigator.clipboard.writeText(words)", web.url("/cat.jpg"))
    page.locator("#text").fill("old words")
    page.keyboard.press(SELECT_ALL)
    page.keyboard.press("ControlOrMeta+V")
    expect_cats(page)


def test_an_address_among_other_words_or_in_another_field_is_left_alone(
    site: Site, web: PictureServer, visitor: OpenVisitor
) -> None:
    page = visitor().open(site.url)
    page.locator("#text").fill("see ")
    page.locator("#text").press("End")
    page.evaluate("(words) => navigator.clipboard.writeText(words)", web.url("/cat.jpg"))
    page.keyboard.press("ControlOrMeta+V")
    expect(page.locator("#text")).to_have_value(f"see {web.url('/cat.jpg')}")
    paste(page, web.url("/cat.jpg"), "input[name=tag]")
    paste(page, "just words")
    expect(page).to_have_url(f"{site.url}/")
    assert web.heads == []


@SCREENS
def test_a_typed_address_and_enter_search_at_once_and_keep_the_filters(
    site: Site, web: PictureServer, visitor: OpenVisitor, screen: dict[str, int]
) -> None:
    page = visitor(screen).open(f"{site.url}/?min_width=5")
    page.locator("#text").fill(web.url("/cat.jpg"))
    page.keyboard.press("Enter")
    expect_cats(page)
    expect(page).to_have_url(re.compile(r"picture=.*&min_width=5"))
    assert len(web.heads) == 1


def test_a_picture_dragged_from_another_website_is_searched_with(
    site: Site, web: PictureServer, visitor: OpenVisitor
) -> None:
    page = visitor().open(site.url)
    cat = web.url("/cat.jpg")
    html = f'<meta charset="utf-8"><a href="{web.url("/page.html")}"><img src="{cat}"></a>'
    transfer = drag(page, {"text/uri-list": web.url("/page.html"), "text/html": html})
    expect(page.locator("[data-drop=search]")).to_be_visible()
    expect(page.locator("[data-drop=upload]")).to_be_hidden()
    let_go(page, transfer)
    expect_cats(page)


def test_an_address_that_is_dragged_alone_is_searched_with(
    site: Site, web: PictureServer, visitor: OpenVisitor
) -> None:
    page = visitor(PHONE).open(site.url)
    let_go(page, drag(page, {"text/uri-list": f"# a comment\r\n{web.url('/cat.jpg')}\r\n"}))
    expect_cats(page)


def test_words_that_are_dragged_do_nothing(site: Site, web: PictureServer, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    transfer = drag(page, {"text/plain": web.url("/cat.jpg")})
    expect(page.locator("#drop")).to_be_hidden()
    let_go(page, transfer, "main")
    expect(page).to_have_url(f"{site.url}/")
    assert web.heads == []


def test_a_link_to_an_address_fetches_nothing_before_somebody_says_so(
    site: Site, web: PictureServer, visitor: OpenVisitor
) -> None:
    guest = visitor()
    page = guest.open(f"{site.url}/?text={web.url('/cat.jpg')}")
    expect(page.get_by_role("heading", name="Search with the picture at this address?")).to_be_visible()
    guest.show(page, "offered")
    assert web.heads == []
    page.get_by_role("button", name="Search with this picture").click()
    expect_cats(page)


def test_without_scripts_an_address_is_searched_with_in_two_steps(
    site: Site, web: PictureServer, visitor: OpenVisitor
) -> None:
    page = visitor(java_script_enabled=False).open(f"{site.url}/?min_width=5")
    page.locator("#text").fill(web.url("/cat.jpg"))
    page.keyboard.press("Enter")
    assert web.heads == []
    page.get_by_role("button", name="Search with this picture").click()
    expect_cats(page)


def test_what_is_no_picture_is_told_and_the_way_back_is_open(
    site: Site, web: PictureServer, visitor: OpenVisitor
) -> None:
    guest = visitor()
    page = guest.open(site.url)
    for path, words in (("/page.html", "not"), ("/nothing", "No picture could be fetched from this address")):
        page.locator("#text").fill(web.url(path))
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text(words)
        page.go_back()
        expect(page.locator("#looking")).to_be_hidden()
        expect(page.locator(".tile").first).to_be_visible()
    guest.complaints[:] = [words for words in guest.complaints if not re.search("status of 4(15|22)", words)]


def test_after_an_address_a_picture_can_be_chosen(
    site: Site, web: PictureServer, visitor: OpenVisitor, tmp_path: Path
) -> None:
    (tmp_path / "rocket.jpg").write_bytes(encoded(photo("rocket.jpg").rotate(3)))
    page = visitor().open(site.url)
    paste(page, web.url("/cat.jpg"))
    expect_cats(page)
    page.go_back()
    expect(page).to_have_url(f"{site.url}/")
    page.locator("#picture").set_input_files(tmp_path / "rocket.jpg")
    expect(page).to_have_url(re.compile("picture="))
    assert names(page.locator(".tile"))[0] == "rocket.jpg"
