"""The pages in a real browser, with sample values: nothing overflows, keys and selection work, nothing is blocked.

What needs the application behind the pages is tested with it, elsewhere.
"""

import re
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from tests.web.every_page import every_page
from tests.web.preview import app

WIDTHS = (320, 390, 768, 1440)
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
FOCUSED_TILE = "[...document.querySelectorAll('.tile-link')].indexOf(document.activeElement)"
PASTE_TWO = """() => {
  const clipboardData = new DataTransfer();
  for (const name of ["a.png", "b.png"]) clipboardData.items.add(new File(["a"], name, { type: "image/png" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    sockets = [server.config.bind_socket()]
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
    thread.start()
    yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}/preview"
    server.should_exit = True
    thread.join()


@pytest.fixture
def desk(browser: Browser) -> Iterator[Page]:
    yield from _page_of(browser.new_context(viewport={"width": 1440, "height": 900}))


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    size = {"width": 390, "height": 844}
    yield from _page_of(browser.new_context(viewport=size, is_mobile=True, has_touch=True))  # type: ignore[arg-type]


def _page_of(context: BrowserContext) -> Iterator[Page]:
    """Give a page, and fail afterwards when a script broke or the content security policy stopped something."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert problems == []


def test_no_page_scrolls_sideways_at_any_width(desk: Page, address: str) -> None:
    wide = []
    for name in every_page():
        desk.goto(f"{address}/{name}")
        for width in WIDTHS:
            desk.set_viewport_size({"width": width, "height": 800})
            if desk.evaluate(OVERFLOW) > 0:
                wide.append((name, width))
    assert wide == []


def test_the_slash_leads_to_the_search_box(desk: Page, address: str) -> None:
    desk.goto(f"{address}/search-all")
    desk.keyboard.press("/")
    expect(desk.locator("#text")).to_be_focused()


def test_arrows_move_along_and_between_the_rows(desk: Page, address: str) -> None:
    desk.goto(f"{address}/search-all")
    desk.keyboard.press("ArrowRight")
    desk.keyboard.press("ArrowRight")
    assert desk.evaluate(FOCUSED_TILE) == 1
    desk.keyboard.press("ArrowDown")
    below = desk.evaluate(FOCUSED_TILE)
    tops = desk.evaluate("[...document.querySelectorAll('.tile')].map(tile => tile.offsetTop)")
    assert tops[below] == min(top for top in tops if top > tops[1])
    desk.keyboard.press("ArrowUp")
    assert tops[desk.evaluate(FOCUSED_TILE)] == tops[1]


def test_a_range_is_selected_by_keys_and_cleared_by_escape(desk: Page, address: str) -> None:
    desk.goto(f"{address}/search-all")
    for key in ("ArrowRight", "x", "ArrowRight", "ArrowRight", "Shift+X"):
        desk.keyboard.press(key)
    expect(desk.locator("#selection-count")).to_have_text("3 pictures selected")
    expect(desk.locator(".selection-bar")).to_be_visible()
    desk.keyboard.press("Escape")
    expect(desk.locator(".selection-bar")).to_be_hidden()


def test_keys_are_letters_while_somebody_types(desk: Page, address: str) -> None:
    desk.goto(f"{address}/search-all")
    desk.locator("#text").press_sequentially("x/m?")
    expect(desk.locator("#text")).to_have_value("x/m?")
    expect(desk.locator("dialog[open]")).to_have_count(0)


def test_deleting_asks_and_says_how_many(desk: Page, address: str) -> None:
    desk.goto(f"{address}/search-all")
    for key in ("ArrowRight", "x", "ArrowRight", "x"):
        desk.keyboard.press(key)
    desk.locator("[data-confirm]").click()
    expect(desk.locator("#confirm-question")).to_have_text("Delete 2 pictures?")
    desk.get_by_role("button", name="Keep").click()
    expect(desk.locator("#confirm")).to_be_hidden()
    expect(desk.locator(".tile-select :checked")).to_have_count(2)


def test_weak_matches_are_not_loaded_while_they_are_folded(desk: Page, address: str) -> None:
    asked: list[str] = []
    desk.on("request", lambda request: asked.append(request.url))
    desk.goto(f"{address}/search-folded")
    desk.wait_for_load_state("networkidle")
    expect(desk.locator("#more-link")).to_be_hidden()
    assert [url for url in asked if "offset=60" in url] == []


def test_filters_are_a_sheet_on_the_phone(phone: Page, address: str) -> None:
    phone.goto(f"{address}/search-all")
    expect(phone.locator("#filters")).to_be_hidden()
    phone.get_by_role("button", name="Filters").tap()
    expect(phone.locator("#filters")).to_be_visible()
    phone.get_by_role("button", name="Close the filters").tap()
    expect(phone.locator("#filters")).to_be_hidden()


def test_on_the_phone_pictures_are_tapped_to_select_them(phone: Page, address: str) -> None:
    phone.goto(f"{address}/search-all")
    phone.get_by_role("button", name="Select", exact=True).tap()
    phone.locator(".tile-link").nth(1).tap()
    phone.locator(".tile-link").nth(2).tap()
    expect(phone.locator("#selection-count")).to_have_text("2 pictures selected")
    assert "search-all" in phone.url


def test_a_click_zooms_to_that_point_and_escape_goes_back(desk: Page, address: str) -> None:
    desk.goto(f"{address}/image-ready")
    desk.locator("[data-zoom]").click()
    expect(desk.locator("#viewer")).to_have_class(re.compile("zoomed"))
    across, down = desk.locator("[data-zoom]").evaluate(
        "e => [(e.scrollLeft + e.clientWidth / 2) / e.scrollWidth, (e.scrollTop + e.clientHeight / 2) / e.scrollHeight]"
    )
    assert (across, down) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.5, abs=0.02))
    desk.keyboard.press("Escape")
    expect(desk.locator("#viewer")).not_to_have_class(re.compile("zoomed"))


def test_the_account_menu_is_opened_and_left_by_keyboard(desk: Page, address: str) -> None:
    desk.goto(f"{address}/search-member")
    desk.locator(".account-button").focus()
    desk.keyboard.press("Enter")
    expect(desk.locator("#account-menu")).to_be_visible()
    desk.keyboard.press("Tab")
    expect(desk.locator("#account-menu").get_by_role("link", name="Libraries")).to_be_focused()
    desk.keyboard.press("Escape")
    expect(desk.locator("#account-menu")).to_be_hidden()
    expect(desk.locator(".account-button")).to_be_focused()


def test_the_account_menu_fits_the_phone_and_can_be_touched(phone: Page, address: str) -> None:
    phone.goto(f"{address}/search-member")
    phone.locator(".account-button").tap()
    entries = phone.locator("#account-menu :is(a, button)")
    boxes = [entry.bounding_box() or {} for entry in entries.all()]
    assert len(boxes) == 6
    assert all(box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)


def test_what_scripts_send_carries_the_token_of_the_session(desk: Page, address: str) -> None:
    desk.goto(f"{address}/search-member")
    with desk.expect_request("**/?category=*") as asked:
        desk.locator("#facet-category-building").check()
    assert asked.value.headers["x-csrf-token"] == "csrf-1"
    desk.goto(f"{address}/upload-choice")
    with desk.expect_request("**/upload") as sent:
        desk.locator("#upload-files").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"a"})
    assert sent.value.headers["x-csrf-token"] == "csrf-1"
    expect(desk.locator("#card-card0")).to_be_visible()


def is_upload(response: Response) -> bool:
    """Whether it answers a file that was sent, and not the page that shows the list."""
    return response.request.method == "POST" and response.url.endswith("/upload")


def test_files_go_to_the_library_that_is_chosen(desk: Page, address: str) -> None:
    desk.goto(f"{address}/upload-choice")
    desk.locator("#upload-library").select_option("family")
    with desk.expect_response(is_upload) as answered:
        desk.locator("#upload-files").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"a"})
    assert "Added to 018f" in answered.value.text()


def test_the_library_that_is_looked_at_or_chosen_first_gets_what_is_brought(desk: Page, address: str) -> None:
    desk.goto(f"{address}/search-member?library=018f")
    with desk.expect_response(is_upload) as answered:
        desk.evaluate(PASTE_TWO)
    assert "Added to 018f" in answered.value.text()
    desk.goto(f"{address}/search-member-empty")
    desk.locator("#upload-library").select_option("family")
    with desk.expect_response(is_upload) as answered:
        desk.locator("#upload-files").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"a"})
    assert "Added to 018f" in answered.value.text()


def test_a_picture_pasted_by_who_may_add_nothing_is_searched_for(desk: Page, address: str) -> None:
    desk.goto(f"{address}/upload-looker")
    # To the end of the way: a page that is closed while it sends a picture may never be done.
    with desk.expect_navigation(), desk.expect_response("**/search") as answered:
        desk.evaluate(PASTE_TWO)
    assert answered.value.request.method == "POST"


def test_the_keys_and_drops_of_a_page_without_a_search_box_do_nothing(desk: Page, address: str) -> None:
    desk.goto(f"{address}/welcome-first")
    for key in ("/", "?", "Escape"):
        desk.keyboard.press(key)
    desk.evaluate(PASTE_TWO)
    assert desk.url.endswith("/welcome-first")


def test_a_password_can_be_looked_at_and_hidden_again(desk: Page, address: str) -> None:
    desk.goto(f"{address}/login-plain")
    desk.get_by_label("Password", exact=True).fill("correct horse")
    desk.get_by_role("button", name="Show what is typed").click()
    expect(desk.locator("#login-password")).to_have_attribute("type", "text")
    desk.get_by_role("button", name="Show what is typed").click()
    expect(desk.locator("#login-password")).to_have_attribute("type", "password")


def test_without_scripts_the_menu_and_the_changes_still_open(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/people-full")
    page.locator("summary").first.click()
    expect(page.get_by_role("button", name="Deactivate").first).to_be_visible()
    page.locator(".account-button").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    context.close()


def test_without_scripts_files_are_chosen_in_plain_fields(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/upload-empty")
    expect(page.locator("#upload-files")).to_be_visible()
    expect(page.locator(".dropzone button")).to_be_visible()
    expect(page.locator("#upload-folder")).to_be_hidden()
    context.close()


def test_without_scripts_nobody_is_told_to_drop_or_paste(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for name in ("search-first", "search-all", "upload-empty", "library-owner"):
        page.goto(f"{address}/{name}")
        expect(page.locator("body")).not_to_contain_text(re.compile(r"\b(Drop|[Pp]aste)\b"), use_inner_text=True)
        expect(page.locator("#text")).to_have_attribute("placeholder", "Describe a picture")
    context.close()


@pytest.mark.parametrize("name", ["people-full", "account-full", "audit-full", "library-owner"])
def test_no_date_of_a_table_wraps(desk: Page, address: str, name: str) -> None:
    for width in (390, 768, 1440):
        desk.set_viewport_size({"width": width, "height": 900})
        desk.goto(f"{address}/{name}")
        for changes in desk.locator(".more-tools > summary").all():
            changes.click()
        lines = desk.locator(".when").evaluate_all(
            "all => all.map(one => { const text = document.createRange(); text.selectNodeContents(one);"
            " return new Set([...text.getClientRects()].map(box => Math.round(box.top))).size; })"
        )
        assert set(lines) == {1}, width


def test_what_a_notice_lies_over_can_be_scrolled_out_from_under_it(phone: Page, address: str) -> None:
    phone.goto(f"{address}/search-deleted")
    phone.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    notice = phone.locator(".notice-card").bounding_box()
    last = phone.locator("footer a").last.bounding_box()
    assert notice is not None
    assert last is not None
    assert last["y"] + last["height"] <= notice["y"]
