"""Adding, editing and deleting pictures in a real browser."""

import re
from pathlib import Path

from e2e.conftest import PHONE, OpenVisitor, Site
from e2e.gestures import drop, names
from playwright.sync_api import Route, expect

from tests.web.photos import encoded, jpeg, photo, plain

CAT, COFFEE, ROCKET = jpeg("chelsea.png"), jpeg("coffee.png"), jpeg("rocket.jpg")


def test_the_first_visit_ends_with_pictures_that_can_be_found(own_site: Site, visitor: OpenVisitor) -> None:
    guest = visitor()
    page = guest.open(own_site.url)
    expect(page.get_by_text("Drop pictures here")).to_be_visible()
    files = [("cat.jpg", CAT), ("cat smaller.jpg", encoded(photo("chelsea.png", side_px=200))), ("notes.txt", b"words")]
    drop(page, [*files, ("cat again.jpg", CAT)], "upload")
    expect(page).to_have_url(re.compile(r"/upload\?batch="))
    expect(page.locator(".card[data-outcome=added], .card[data-outcome=existing]")).to_have_count(3)
    refused = page.locator(".card", has_text="notes.txt")
    expect(refused).to_have_attribute("data-outcome", "refused")
    expect(refused.locator(".card-sentence")).to_have_text(re.compile(r"\w+.*\."))
    expect(page.locator(".card", has_text="cat").locator(".mini-palette").first).to_be_visible()
    expect(page.locator("#changes")).to_contain_text("1 refused")
    outcomes = page.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.outcome).sort()")
    assert outcomes in (["added", "added", "existing", "refused"], ["added", "existing", "existing", "refused"])

    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("link", name="Upload").click()
    expect(page.locator(".card")).to_have_count(4)
    expect(refused).to_be_visible()


def test_a_phone_uploads_by_choosing(own_site: Site, visitor: OpenVisitor, tmp_path: Path) -> None:
    paths = []
    for name, data in (("cat.jpg", CAT), ("coffee.jpg", COFFEE)):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    page = visitor(PHONE).open(f"{own_site.url}/upload")
    page.locator("#upload-files").set_input_files(paths)
    expect(page.locator(".card[data-outcome=added]")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_many_are_selected_by_keyboard_tagged_deleted_and_brought_back(own_site: Site, visitor: OpenVisitor) -> None:
    for name, data in (("cat.jpg", CAT), ("coffee.jpg", COFFEE), ("rocket.jpg", ROCKET), ("red.png", plain("red"))):
        own_site.upload(name, data)
    own_site.wait()
    page = visitor().open(own_site.url)
    expect(page.locator("#selection")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+X")
    expect(page.locator("#selection-count")).to_have_text("3 pictures selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    page.keyboard.press("x")
    expect(page.locator("#selection-count")).to_have_text("1 picture selected")

    page.locator("#selection-tags").fill("keep, warm")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("1 picture tagged.")
    page.locator("#group-tag > summary").click()
    page.locator("#facet-tag-keep").check()
    expect(page.locator(".tile")).to_have_count(1)
    (kept,) = names(page.locator(".tile"))

    page.goto(own_site.url)
    for name in ("rocket.jpg", kept):
        page.get_by_label(f"Select {name}").check(force=True)
    number = len({"rocket.jpg", kept})
    words = f"Delete {number} picture{'s' if number > 1 else ''}"
    page.locator("#selection [data-confirm]").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"{words}?")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator(".tile")).to_have_count(4)
    page.locator("#selection [data-confirm]").click()
    page.get_by_role("dialog").get_by_role("button", name=words).click()
    expect(page.locator(".tile")).to_have_count(4 - number)
    expect(page.locator("#notice")).to_contain_text("deleted.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tile")).to_have_count(4)
    expect(page.locator("#notice")).to_contain_text("restored.")


def test_a_filter_that_is_chosen_before_the_scripts_are_there_counts(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open("about:blank")
    held: list[Route] = []
    page.route("**/htmx.min.js*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright sets an attribute on it
    with page.expect_request("**/htmx.min.js*"):
        page.goto(site.url, wait_until="commit")
    page.locator("#facet-category-animal").check()
    expect(page.locator(".chip")).to_have_count(0)
    assert page.evaluate("typeof htmx") == "undefined"
    for route in held:
        route.continue_()
    expect(page.locator(".chip")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?(.*&)?category=animal"))


def test_a_selection_is_downloaded(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    page.get_by_label("Select coffee.jpg").check(force=True)
    page.get_by_label("Select rocket.jpg").check(force=True)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download ZIP").click()
    assert re.fullmatch(r"likeness-[\d-]+-2-pictures\.zip", download.value.suggested_filename)


def test_an_image_is_edited_in_place(own_site: Site, visitor: OpenVisitor) -> None:
    image = own_site.upload("cat.jpg", CAT)
    own_site.wait()
    page = visitor().open(f"{own_site.url}/images/{image}")
    page.get_by_label("Caption").fill('Chelsea "the cat" <b>')
    page.get_by_label("Tags, separated by commas").fill("cat, striped")
    page.locator("#edit-save").click()
    expect(page.locator(".tags").get_by_role("link", name="striped")).to_be_visible()
    expect(page).to_have_url(f"{own_site.url}/images/{image}")
    page.reload()
    expect(page.get_by_label("Caption")).to_have_value('Chelsea "the cat" <b>')
    page.locator(".code").first.click()
    assert re.fullmatch("#[0-9a-f]{6}", page.evaluate("navigator.clipboard.readText()"))
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Deleted")).to_be_visible()
    page.get_by_role("button", name="Restore it").click()
    expect(page.get_by_role("heading", name="Deleted")).to_be_hidden()


def test_without_a_script_everything_works_by_forms(own_site: Site, visitor: OpenVisitor, tmp_path: Path) -> None:
    for name, data in (("cat.jpg", CAT), ("coffee.jpg", COFFEE)):
        (tmp_path / name).write_bytes(data)
    page = visitor(java_script_enabled=False).open(own_site.url)
    page.locator("#upload-files").set_input_files([tmp_path / "cat.jpg", tmp_path / "coffee.jpg"])
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".card")).to_have_count(2)
    own_site.wait()
    page.reload()
    expect(page.locator(".card[data-outcome=added]")).to_have_count(2)

    page.goto(own_site.url)
    page.locator("#picture").set_input_files(tmp_path / "cat.jpg")
    page.get_by_role("button", name="Find it").click()
    assert names(page.locator(".tile"))[0] == "cat.jpg"
    page.goto(own_site.url)
    page.locator("#text").fill("coffee")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"text=coffee"))
    assert names(page.locator(".tile"))[0] == "coffee.jpg"

    page.goto(own_site.url)
    page.get_by_label("Select cat.jpg").check(force=True)
    page.locator("#selection").get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete 1 picture").click()
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tile")).to_have_count(2)
