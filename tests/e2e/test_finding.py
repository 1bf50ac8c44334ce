"""Finding pictures in a real browser: by dropping, pasting, choosing, typing and narrowing."""

import re
from pathlib import Path

import pytest
from e2e.conftest import DESKTOP, PHONE, OpenVisitor, Site
from e2e.gestures import drop, names, paste
from playwright.sync_api import Page, expect

from tests.web.photos import encoded, jpeg, photo

CAT = jpeg("chelsea.png")
CAT_SEEN_OTHERWISE = encoded(photo("chelsea.png").rotate(-6).resize((200, 140)), quality=70)
CATS = {"chelsea.jpg", "chelsea cropped.jpg", "chelsea turned.jpg"}

SCREENS = pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])


def expect_cats(page: Page) -> None:
    expect(page).to_have_url(re.compile(r"/\?.*picture="))
    expect(page.locator(".tile").first).to_be_visible()
    assert set(names(page.locator(".tile"))[:3]) == CATS


def fits(page: Page) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@SCREENS
def test_a_dropped_picture_finds_its_kin(site: Site, visitor: OpenVisitor, screen: dict[str, int]) -> None:
    page = visitor(screen).open(site.url)
    drop(page, [("cat.jpg", CAT_SEEN_OTHERWISE)])
    expect_cats(page)
    expect(page.get_by_role("heading", name="Pictures like this one")).to_be_visible()
    expect(page.locator(".asked-picture")).to_be_visible()
    assert fits(page)


def test_while_a_file_is_dragged_the_page_says_where_it_may_go(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    expect(page.locator("#drop")).to_be_hidden()
    drop(page, [("cat.jpg", CAT_SEEN_OTHERWISE)], "search")
    expect_cats(page)


@SCREENS
def test_the_very_same_picture_is_told_to_be_the_same(site: Site, visitor: OpenVisitor, screen: dict[str, int]) -> None:
    page = visitor(screen).open(site.url)
    paste(page, [("clipboard.jpg", CAT)])
    expect_cats(page)
    expect(page.locator(".tile").first).to_contain_text("the same picture")


def test_a_chosen_picture_finds_its_kin(site: Site, visitor: OpenVisitor, tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(CAT_SEEN_OTHERWISE)
    page = visitor().open(site.url)
    page.locator("#picture").set_input_files(tmp_path / "cat.jpg")
    expect_cats(page)


def test_what_is_no_picture_is_refused_in_a_sentence_and_nothing_is_left_behind(
    site: Site, visitor: OpenVisitor
) -> None:
    guest = visitor()
    page = guest.open(site.url)
    drop(page, [("notes.txt", b"just words")])
    expect(page.get_by_role("alert")).to_contain_text("not")
    page.go_back()
    expect(page.locator("#looking")).to_be_hidden()
    expect(page.locator(".tile").first).to_be_visible()
    guest.complaints[:] = [words for words in guest.complaints if "status of 415" not in words]


def test_typed_words_find_pictures_and_leave_the_keyboard_where_it_was(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    page.keyboard.press("/")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("coffee")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/?text=coffee")
    expect(page.get_by_role("heading", name="“coffee”")).to_be_visible()
    assert names(page.locator(".tile"))[0].startswith("coffee")
    expect(page.locator("#text")).to_be_focused()
    expect(page).to_have_title("coffee · Likeness")


def test_a_facet_narrows_changes_the_address_and_keeps_the_focus(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    box = page.locator("#facet-category-animal")
    count = int(page.locator("label", has=box).locator(".count").inner_text())
    box.focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(f"{site.url}/?category=animal")
    expect(page.locator(".tile")).to_have_count(count)
    expect(page.locator("#facet-category-animal")).to_be_focused()
    expect(page.locator("#facet-category-animal")).to_be_checked()
    expect(page.locator("#live")).to_contain_text("picture")
    page.get_by_role("link", name="Remove animal").click()
    expect(page).to_have_url(f"{site.url}/")
    expect(page.locator(".tile")).to_have_count(20)
    expect(page.locator("#facet-category-animal")).not_to_be_checked()


def test_the_order_and_an_opened_group_stay_while_filters_change(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    page.locator("#group-sizes > summary").click()
    page.locator("#sort").focus()
    page.locator("#sort").select_option("largest")
    expect(page).to_have_url(f"{site.url}/?sort=largest")
    expect(page.locator("#sort")).to_be_focused()
    largest = names(page.locator(".tile"))

    page.locator("#facet-category-animal").check()
    expect(page).to_have_url(re.compile(r"category=animal"))
    expect(page).to_have_url(re.compile(r"sort=largest"))
    expect(page.locator("#min_width")).to_be_visible()
    expect(page.locator("#sort")).to_have_value("largest")
    expect(page.locator(".tile").nth(1)).to_be_visible()
    animals = names(page.locator(".tile"))
    assert animals == [name for name in largest if name in animals]

    page.get_by_role("link", name="Remove animal").click()
    expect(page).to_have_url(f"{site.url}/?sort=largest")


def test_back_and_forward_show_what_was_there(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    page.locator("#text").fill("coffee")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="“coffee”")).to_be_visible()
    page.locator("#facet-category-food").check()
    expect(page).to_have_url(f"{site.url}/?text=coffee&category=food")
    page.go_back()
    expect(page).to_have_url(f"{site.url}/?text=coffee")
    expect(page.locator("#facet-category-food")).not_to_be_checked()
    expect(page.locator("#text")).to_have_value("coffee")
    page.go_back()
    expect(page.get_by_role("heading", name="All pictures")).to_be_visible()
    expect(page.locator("#text")).to_have_value("")
    page.go_forward()
    expect(page.get_by_role("heading", name="“coffee”")).to_be_visible()


def test_the_filters_of_a_phone_are_a_sheet(site: Site, visitor: OpenVisitor) -> None:
    page = visitor(PHONE).open(site.url)
    expect(page.locator("#facet-category-animal")).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    page.locator("#facet-category-animal").check()
    page.get_by_role("button", name="Show the pictures").click()
    expect(page).to_have_url(f"{site.url}/?category=animal")
    expect(page.locator("#facet-category-animal")).to_be_hidden()
    assert fits(page)


def test_more_like_one_of_the_results(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    tile = page.locator(".tile", has=page.get_by_label("Select chelsea.jpg"))
    tile.hover()
    tile.get_by_role("link", name="More like chelsea.jpg").click()
    expect(page).to_have_url(re.compile(r"/\?like="))
    found = names(page.locator(".tile"))
    assert set(found[:2]) == CATS - {"chelsea.jpg"}
    assert "chelsea.jpg" not in found


def test_arrow_keys_move_between_pictures_and_enter_opens_one(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tile-link").nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tile-link").nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".tile-link").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/images/"))


def test_a_search_that_cannot_be_run_says_so(site: Site, visitor: OpenVisitor) -> None:
    guest = visitor()
    page = guest.open(f"{site.url}/?color=teal")
    expect(page.get_by_role("alert")).to_contain_text("color must be written like #2f6fd0")
    guest.complaints[:] = [words for words in guest.complaints if "status of 422" not in words]
