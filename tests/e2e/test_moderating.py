"""A moderator works through the queue in a real browser, at a desk and on a phone."""

import re
from pathlib import Path

from e2e.conftest import PHONE, OpenVisitor, serving
from playwright.sync_api import Page, expect

from tests.web.photos import cropped, jpeg

ANSWERS = {"cat.jpg": "chelsea.png", "coffee.jpg": "coffee.png", "rocket.jpg": "rocket.jpg", "temple.jpg": "china.jpg"}


def test_the_queue_at_a_desk_and_on_a_phone(tmp_path: Path, models: Path, visitor: OpenVisitor) -> None:
    with serving(tmp_path / "data", models) as site:
        ids = {name: site.upload(name, jpeg(photo)) for name, photo in ANSWERS.items()}
        site.wait()
        site.client.post(
            "/api/v1/moderation/hold", json={"ids": [ids["temple.jpg"]], "reason": "odd"}
        ).raise_for_status()
        for name in ("cat.jpg", "coffee.jpg", "rocket.jpg"):
            said = site.client.post(f"/api/v1/images/{ids[name]}/report", json={"reason": f"about {name}"})
            said.raise_for_status()
        at_desk(visitor().open(f"{site.url}/moderation?tab=reported"))
        on_phone(visitor(PHONE).open(site.url))
        uploading(visitor().open(f"{site.url}/upload"), tmp_path)


def at_desk(page: Page) -> None:
    """Reveal by keyboard, select all, look at what would happen, remove, and undo."""
    cases = page.locator(".case")
    expect(cases).to_have_count(3)
    picture = page.locator(".case", has_text="cat.jpg").locator("img")
    expect(picture).to_have_css("filter", "blur(28px)")
    box = page.get_by_role("checkbox", name="Show the picture cat.jpg")
    box.focus()
    page.keyboard.press("Space")
    expect(picture).to_have_css("filter", "none")
    page.get_by_role("button", name="Select all on this page").click()
    expect(page.locator("#selection-count")).to_have_text("3 pictures selected")
    page.locator("#selection").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="Remove 3 pictures?")).to_be_visible()
    page.get_by_label("Reason").fill("against the rules")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("3 pictures removed.")
    expect(cases).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#notice")).to_contain_text("3 pictures wait again.")
    page.get_by_role("link", name=re.compile("^Reported")).click()
    expect(cases).to_have_count(3)


def on_phone(page: Page) -> None:
    """Find the queue by its number, show pictures at once, and approve what is held."""
    expect(page.locator(".tile")).to_have_count(3)
    page.locator("#place-moderation").click()
    expect(page.locator(".case")).to_have_count(1)
    page.get_by_role("button", name="Show all pictures at once").click()
    expect(page.locator(".case img")).to_have_css("filter", "none")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.get_by_role("button", name="Approve temple.jpg").click()
    expect(page.locator("#notice")).to_contain_text("1 picture approved.")
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.locator(".tile")).to_have_count(4)


def uploading(page: Page, folder: Path) -> None:
    """Send a crop of a picture that is there, and use that one in its place."""
    crop = folder / "closer.jpg"
    crop.write_bytes(cropped("coffee.png"))
    page.locator("#upload-files").set_input_files(crop)
    copy = page.locator(".card", has_text="closer.jpg").locator(".card-copy", has_text="coffee.jpg")
    expect(copy).to_contain_text("Edited", timeout=30_000)
    page.get_by_role("button", name="Use coffee.jpg in its place").click()
    expect(page.locator(".card")).to_have_attribute("data-outcome", "deleted")
    expect(page.locator("#notice")).to_contain_text("coffee.jpg is used, and the new one is in the trash.")
    expect(page.locator("#changes[data-poll]")).to_have_count(0)  # before the server ends
