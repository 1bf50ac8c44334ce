"""Coming back to results in a real browser: what was loaded is there again, at the place where it was left."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import wait_until
from e2e.conftest import DESKTOP, PHONE, OpenVisitor, Site, serving
from playwright.sync_api import Page, Route, expect

from tests.web.photos import encoded, photo

PICTURES, PAGE = 130, 60
SCREENS = pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
TOP = "Math.round(scrollY)"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Site]:
    """A server with 130 small pictures, a few of them wide."""
    with serving(tmp_path_factory.mktemp("many"), models) as opened:
        for number in range(PICTURES):
            small = photo("chelsea.png").resize((36 if number % 4 else 60, 24))
            small.putpixel((number % 24, number // 24), (number, 0, 0))
            opened.upload(f"{number:03}.png", encoded(small, "PNG"))
        opened.wait()
        yield opened


def scroll_through(page: Page, loads: int) -> None:
    """Scroll to the end until it has grown this many times."""
    for load in range(1, loads + 1):
        page.locator("#more-link").scroll_into_view_if_needed()
        expect(page.locator(".tile")).to_have_count(min(PAGE * (load + 1), PICTURES))


def tile_in_sight(page: Page) -> int:
    """Scroll a tile of the second load to the middle of the window, and return its number."""
    page.locator(".tile").nth(100).evaluate("(tile) => tile.scrollIntoView({ block: 'center' })")
    return 100


def expect_place(page: Page, tiles: int, top: int) -> None:
    expect(page.locator(".tile")).to_have_count(tiles)
    wait_until(lambda: abs(page.evaluate(TOP) - top) < 3)


@SCREENS
def test_back_from_a_picture_leads_to_where_it_was_opened(
    many: Site, visitor: OpenVisitor, screen: dict[str, int]
) -> None:
    page = visitor(screen).open(many.url)
    scroll_through(page, 1)
    expect(page).to_have_url(f"{many.url}/?shown=120")
    link = page.locator(".tile-link").nth(tile_in_sight(page))
    address, top = link.get_attribute("href"), page.evaluate(TOP)
    assert top > 2 * screen["height"]
    link.click()
    expect(page).to_have_url(re.compile(r"/images/"))
    page.go_back()
    expect_place(page, 120, top)
    expect(page.locator(f'.tile-link[href="{address}"]')).to_be_focused()
    page.go_forward()
    expect(page).to_have_url(re.compile(r"/images/"))
    page.go_back()
    expect_place(page, 120, top)


def test_a_page_that_is_loaded_again_stays_where_it_was(many: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(f"{many.url}/?sort=oldest")
    scroll_through(page, 1)
    tile_in_sight(page)
    top = page.evaluate(TOP)
    page.reload()
    expect_place(page, 120, top)
    scroll_through_rest(page)


def scroll_through_rest(page: Page) -> None:
    """Scroll on: what follows is loaded behind what was there again."""
    page.locator("#more-link").scroll_into_view_if_needed()
    expect(page.locator(".tile")).to_have_count(PICTURES)
    expect(page.locator("#more")).to_have_count(0)


def test_back_from_a_filter_leads_to_where_it_was_set(many: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(f"{many.url}/?min_height=5")
    scroll_through(page, 1)
    tile_in_sight(page)
    top = page.evaluate(TOP)
    set_filter = """() => {
      const form = document.getElementById("search");
      form.elements.min_height.value = "5000";
      form.requestSubmit();
    }"""
    page.evaluate(set_filter)
    expect(page).to_have_url(f"{many.url}/?min_height=5000")
    expect(page.locator(".tile")).to_have_count(0)
    page.go_back()
    expect_place(page, 120, top)


def test_tiles_that_come_after_the_search_was_left_change_nothing(many: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(f"{many.url}/status")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile("offset=60"), hold)
    page.goto(f"{many.url}/?min_height=5")
    with page.expect_request(re.compile("offset=60")):
        page.locator("#more-link").scroll_into_view_if_needed()
    page.get_by_role("link", name="Remove at least 5 px high").click()
    expect(page).to_have_url(f"{many.url}/")
    page.evaluate("""() => {
      window.late = new Promise((arrived) => document.addEventListener("htmx:replacedInHistory", () => arrived(true)));
    }""")
    held[0].continue_()
    assert page.evaluate("() => window.late")
    expect(page).to_have_url(f"{many.url}/")
    expect(page.locator(".tile")).to_have_count(PAGE)


def test_a_visit_that_is_new_begins_at_the_top(many: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(many.url)
    scroll_through(page, 1)
    page.goto(f"{many.url}/?shown=120")
    expect(page.locator(".tile")).to_have_count(120)
    assert page.evaluate(TOP) == 0


def test_how_much_is_shown_is_announced(many: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(many.url)
    scroll_through(page, 1)
    expect(page.locator("#live")).to_have_text("120 pictures are shown")


def test_without_scripts_back_leads_to_the_page_that_was_left(many: Site, visitor: OpenVisitor) -> None:
    page = visitor(java_script_enabled=False).open(many.url)
    page.get_by_role("link", name="Show more").click()
    expect(page).to_have_url(f"{many.url}/?offset=60")
    page.locator(".tile-link").nth(30).click()
    page.go_back()
    expect(page).to_have_url(f"{many.url}/?offset=60")
    expect(page.locator(".tile")).to_have_count(PAGE)


# ---- The keyboard, from words to a picture and back


def test_the_keyboard_leads_from_the_box_to_a_picture_and_back(many: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(many.url)
    box, links = page.locator("#text"), page.locator(".tile-link")
    box.click()
    page.keyboard.type("cat")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{many.url}/?text=cat")
    expect(page.get_by_role("heading", name="“cat”")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/images/"))
    page.go_back()
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator("#selection-count")).to_have_text("1 picture selected")
    page.keyboard.press("Escape")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).to_be_focused()
    assert page.evaluate("getSelection().toString()") == "cat"


def test_keys_of_one_letter_can_be_switched_off_for_good(many: Site, visitor: OpenVisitor) -> None:
    guest = visitor()
    page = guest.open(f"{many.url}/?min_height=5")
    page.keyboard.press("?")
    expect(page.get_by_role("button", name="Close", exact=True)).to_be_focused()
    page.get_by_label("Keys of one letter work").uncheck()
    guest.show(page, "keys")
    page.get_by_role("button", name="Close", exact=True).click()
    for _ in range(2):
        page.keyboard.press("/")
        page.keyboard.press("?")
        expect(page.locator("#text")).not_to_be_focused()
        expect(page.locator("#keys")).to_be_hidden()
        page.reload()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tile-link").first).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator(".tile-select input").first).not_to_be_checked()
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Keys of one letter work").check()
    page.get_by_role("button", name="Close", exact=True).click()
    page.keyboard.press("/")
    expect(page.locator("#text")).to_be_focused()


# ---- Saving what was found


def test_results_are_saved_from_a_menu(many: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(f"{many.url}/?text=cat")
    summary = page.locator("summary", has_text="Save results")
    link = page.get_by_role("link", name="CSV for spreadsheets")
    summary.click()
    with page.expect_download() as download:
        link.click()
    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert len(lines) == PICTURES + 1
    assert download.value.suggested_filename.endswith(".csv")
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(summary).to_be_focused()
    summary.click()
    page.get_by_role("heading", name="“cat”").click()
    expect(link).to_be_hidden()
