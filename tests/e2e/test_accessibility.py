"""What a keyboard, a screen reader and a small screen need, looked for on every page as the browser has built it."""

import pytest
from e2e.conftest import DESKTOP, PHONE, OpenVisitor, Site

PAGES = ("/", "/?text=cat", "/?category=animal&tag=none", "/upload", "/status", "/api/v1/docs", "/nothing", "image")

UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a[href]")]
  .filter((element) => element.checkVisibility())
  .filter((element) => !(element.labels?.length || element.ariaLabel || element.title || element.innerText?.trim()
    || element.getAttribute("aria-labelledby")))
  .map((element) => element.outerHTML)"""
IMAGES_WITHOUT_ALT = "() => [...document.images].filter((image) => !image.hasAttribute('alt')).map((i) => i.outerHTML)"
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((element) => element.checkVisibility() && !element.closest(".wide, .viewer, pre, .visually-hidden"))
  .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((element) => element.outerHTML.slice(0, 120))"""
SMALL_TARGETS = """() => [...document.querySelectorAll("button, nav a, .chip a, label.button, a.button, .option")]
  .filter((element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
  .map((element) => [element.getBoundingClientRect(), element])
  .filter(([box]) => box.width > 1 && Math.round(Math.min(box.height, box.width)) < 44)
  .map(([box, element]) => `${Math.round(box.width)}x${Math.round(box.height)} ${element.outerHTML.slice(0, 100)}`)"""
FOCUS_IS_SEEN = """() => {
  const focused = document.activeElement;
  const near = [focused, focused.parentElement, focused.parentElement.parentElement, focused.nextElementSibling];
  near.push(...(focused.labels ?? []), ...focused.parentElement.children);
  const looks = () => JSON.stringify(near.filter(Boolean).map((element) => {
    const style = getComputedStyle(element);
    return [style.outlineStyle, style.outlineWidth, style.boxShadow, style.borderColor, style.backgroundColor];
  }));
  const before = looks();
  focused.blur();
  const after = looks();
  focused.focus();
  return focused === document.body || before !== after ? "" : focused.outerHTML.slice(0, 120);
}"""


def address(site: Site, path: str) -> str:
    if path != "image":
        return f"{site.url}{path}"
    return f"{site.url}/images/{site.client.get('/api/v1/images').json()['images'][0]['id']}"


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_sound_for_every_reader(site: Site, visitor: OpenVisitor, path: str) -> None:
    guest = visitor(DESKTOP)
    page = guest.open(address(site, path))
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate(IMAGES_WITHOUT_ALT) == []
    assert page.locator("main").count() == 1
    assert page.locator("header").count() >= 1
    assert page.locator("nav").count() >= 1
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
    guest.complaints[:] = [words for words in guest.complaints if "404" not in words]


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_scrolls_no_page_sideways_and_hits_every_target(site: Site, visitor: OpenVisitor, path: str) -> None:
    guest = visitor(PHONE, has_touch=True, is_mobile=True)
    page = guest.open(address(site, path))
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(SMALL_TARGETS) == []
    guest.complaints[:] = [words for words in guest.complaints if "404" not in words]


def test_the_focus_is_always_seen(site: Site, visitor: OpenVisitor) -> None:
    page = visitor(reduced_motion="reduce").open(site.url)
    unseen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        unseen.append(page.evaluate(FOCUS_IS_SEEN))
    assert [element for element in unseen if element] == []


def test_the_first_tab_skips_to_the_content(site: Site, visitor: OpenVisitor) -> None:
    page = visitor().open(site.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "results"
