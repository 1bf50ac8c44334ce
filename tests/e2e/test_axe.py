"""What axe finds wrong with the pages for people who use them otherwise than by looking and pointing: nothing."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from e2e.conftest import DESKTOP, PHONE, OpenVisitor, Site
from playwright.sync_api import Page

PAGES = (
    "/",
    "/?text=2*cat+-cup&category=animal",
    "/?text=zyxw",
    "/upload",
    "/status",
    "/trash",
    "/libraries",
    "/duplicates",
)
IMAGE_PAGES = ("/images/{}", "/region?like={}", "/?like={}&like=-1*{}", "/compare?a={}&b={}")


def faults(page: Page) -> list[str]:
    """Return what axe says of the page, a line for each element."""
    result = Axe().run(page).response
    assert len(result["passes"]) > 10  # it has looked
    return [f"{fault['id']}: {node['html'][:200]}" for fault in result["violations"] for node in fault["nodes"]]


@pytest.mark.parametrize("looks", [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop light", "phone dark"])
@pytest.mark.parametrize("path", [*PAGES, *IMAGE_PAGES])
def test_axe_finds_no_fault(site: Site, visitor: OpenVisitor, path: str, looks: tuple[dict[str, int], str]) -> None:
    screen, scheme = looks
    image = site.client.get("/api/v1/images").json()["images"][0]["id"]
    guest = visitor(screen, color_scheme=scheme)
    page = guest.open(f"{site.url}{path.replace('{}', image)}")
    assert faults(page) == []
    if page.locator(".chip-details").count():
        page.locator(".chip-details summary").first.click()
        assert faults(page) == []
    guest.complaints[:] = [words for words in guest.complaints if "422" not in words]
