"""The pages in Chinese, in a real browser: nothing too wide, scripts that speak it, and the way to choose it."""

import pytest
from e2e.conftest import DESKTOP, PHONE, OpenVisitor, Site
from e2e.test_accessibility import PAGES, SMALL_TARGETS, TOO_WIDE, UNNAMED, address
from playwright.sync_api import expect


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", [*PAGES, "/trash", "/libraries"])
def test_pages_in_chinese_fit_their_screen(site: Site, visitor: OpenVisitor, path: str, screen: dict[str, int]) -> None:
    guest = visitor(screen, locale="zh-CN", has_touch=screen == PHONE)
    page = guest.open(address(site, path))
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate(SMALL_TARGETS if screen == PHONE else UNNAMED) == []
    guest.complaints[:] = [words for words in guest.complaints if "404" not in words]


def test_scripts_speak_the_language_of_the_page(site: Site, visitor: OpenVisitor) -> None:
    page = visitor(locale="zh-CN").open(site.url)
    page.locator(".tile-link").first.focus()
    page.keyboard.press("x")
    expect(page.locator("#selection-count")).to_have_text("已选择 1 张图片")
    page.locator("[data-confirm]").click()
    expect(page.locator("#confirm-question")).to_have_text("删除 1 张图片？")


@pytest.mark.parametrize("with_script", [True, False], ids=["script", "no-script"])
def test_a_language_is_chosen_at_the_foot_of_a_page(site: Site, visitor: OpenVisitor, with_script: bool) -> None:
    page = visitor(java_script_enabled=with_script).open(f"{site.url}/status")
    page.get_by_role("button", name="中文").click()
    expect(page).to_have_url(f"{site.url}/status")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.goto(f"{site.url}/trash")
    expect(page.locator("h1")).to_have_text("回收站")
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("Trash")
