"""Asking with several parts in a real browser: chips that are changed by keyboard, a box that is drawn, no script."""

import re
from pathlib import Path

import pytest
from e2e.conftest import DESKTOP, PHONE, OpenVisitor, Site
from e2e.gestures import names, scripted
from playwright.sync_api import Locator, Page, expect

from tests.web.photos import encoded, photo

SCREENS = pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
SIDES = ("left", "top", "width", "height")


def id_of(site: Site, name: str) -> str:
    images = site.client.get("/api/v1/images", params={"limit": 200}).json()["images"]
    return next(image["id"] for image in images if image["filename"] == name)


def chip(page: Page, number: int) -> Locator:
    return page.locator(".chip-details").nth(number - 1)


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@SCREENS
def test_what_counts_is_changed_by_keyboard_and_the_focus_stays(
    site: Site, visitor: OpenVisitor, screen: dict[str, int]
) -> None:
    guest = visitor(screen)
    page = guest.open(site.url)
    page.locator("#text").fill("cat -cup")
    page.locator("#text").press("Enter")
    expect(page.get_by_role("heading", name="“cat”, away from “cup”")).to_be_visible()
    chip(page, 2).locator("summary").press("Enter")
    least = chip(page, 2).get_by_role("link", name="\N{MINUS SIGN}2")
    guest.show(page, "open")
    assert fits(page)
    least.press("Enter")
    expect(page).to_have_url(re.compile(r"text=cat\+-2%2Acup"))
    expect(least).to_be_focused()
    expect(least).to_have_attribute("aria-current", "true")
    expect(page.locator("#text")).to_have_value("cat -2*cup")
    page.keyboard.press("Escape")
    expect(least).to_be_hidden()
    expect(chip(page, 2).locator("summary")).to_be_focused()
    page.get_by_role("link", name="Remove cup").press("Enter")
    expect(page.get_by_role("heading", name="“cat”", exact=True)).to_be_visible()
    page.go_back()
    expect(page.locator("#text")).to_have_value("cat -2*cup")


def test_a_chip_that_is_moved_stays_open_has_the_focus_and_says_where_it_is(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(f"{site.url}/?text=cat+%2Bcup+%2Bcoin")
    chip(page, 1).locator("summary").press("Enter")
    for place in (2, 3):
        chip(page, place - 1).get_by_role("link", name="Move back").press("Enter")
        expect(chip(page, place).locator("summary")).to_have_text("cat")
        expect(page.locator(".chip-details[open] summary")).to_have_text("cat")
        expect(page.locator(".chip-details[open] :focus")).to_have_count(1)
        expect(page.locator("#live")).to_have_text(f"cat is now {place} of 3")


@SCREENS
def test_a_box_is_drawn_moved_and_searched(site: Site, visitor: OpenVisitor, screen: dict[str, int]) -> None:
    guest = visitor(screen)
    page = guest.open(f"{site.url}/images/{id_of(site, 'chelsea.jpg')}")
    page.get_by_role("link", name="Search a part").click()
    picture = page.locator("[data-region]")
    expect(picture).to_be_visible()
    scripted(page)
    area = picture.bounding_box()
    assert area
    page.mouse.move(area["x"] + 0.2 * area["width"], area["y"] + 0.1 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + 0.6 * area["width"], area["y"] + 0.6 * area["height"], steps=4)
    page.mouse.up()
    typed = [float(page.locator(f"#region-{side}").input_value()) for side in SIDES]
    assert typed == pytest.approx([20, 10, 40, 50], abs=1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    moved = [float(page.locator(f"#region-{side}").input_value()) for side in SIDES]
    assert moved == pytest.approx([typed[0] + 1, typed[1], typed[2], typed[3] - 1], abs=0.11)
    guest.show(page, "box")
    assert fits(page)
    page.locator("#region-search").click()
    expect(page.get_by_role("heading", name="Pictures with this part")).to_be_visible()
    assert {"chelsea cropped.jpg", "chelsea turned.jpg"} & set(names(page.locator(".tile"))[:3])


def test_a_picture_is_added_to_a_search(site: Site, visitor: OpenVisitor, tmp_path: Path) -> None:
    (tmp_path / "cup.jpg").write_bytes(encoded(photo("coffee.png").resize((300, 200))))
    guest = visitor()
    page = guest.open(f"{site.url}/?text=cat")
    page.locator("#add-picture").set_input_files(tmp_path / "cup.jpg")
    expect(page.get_by_role("heading", name="Like this picture, “cat”")).to_be_visible()
    guest.show(page, "added")


def test_selected_pictures_are_searched_with(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(f"{site.url}/?text=cat")
    page.locator(".tile").first.hover()
    page.locator(".tile-select input").first.check()
    page.get_by_role("button", name="Less like these").click()
    expect(page.get_by_role("heading", name="“cat”, away from a picture")).to_be_visible()


def test_without_a_script_parts_are_changed_and_a_box_is_typed(site: Site, visitor: OpenVisitor) -> None:
    page = visitor(java_script_enabled=False).open(f"{site.url}/?text=cat&like={id_of(site, 'chelsea.jpg')}")
    chip(page, 2).locator("summary").click()
    chip(page, 2).get_by_role("link", name="\N{MULTIPLICATION SIGN}2").click()
    expect(page).to_have_url(re.compile(r"like=2%2A"))
    chip(page, 2).locator("summary").click()
    page.get_by_role("link", name="Choose a part").click()
    for side, value in zip(SIDES, ("10", "10", "60", "60"), strict=True):
        page.locator(f"#region-{side}").fill(value)
    page.locator("#region-search").click()
    expect(page).to_have_url(re.compile(r"like=2%2A.*%400.1%2C0.1%2C0.6%2C0.6"))
