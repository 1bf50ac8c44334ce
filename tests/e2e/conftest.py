"""A real Chromium in front of a real server with real photos.

Without a browser the tests are skipped on a laptop; where CI or REQUIRE_BROWSER is set they fail instead.
"""

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import pytest
from command import wait_until
from playwright.sync_api import Browser, BrowserContext, Page

from tests.web.photos import FOLDERS, cropped, encoded, jpeg, photo

PROGRAM = Path(sys.executable).with_name("likeness")
PATIENCE_MILLISECONDS = 10_000
SHOTS = os.environ.get("SCREENSHOTS", "")
"""A folder in which the end of every test is kept as a picture, for people to look at."""
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@dataclass(frozen=True)
class Site:
    """A running server."""

    url: str
    client: httpx.Client
    welcome: str = ""
    """The link that it printed to make the first account."""

    def upload(self, name: str, data: bytes, **fields: object) -> str:
        """Send a picture; return its id."""
        answer = self.client.post("/api/v1/images", files={"file": (name, data)}, data=fields)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()["id"]

    def wait(self) -> None:
        """Return when nothing waits for its analysis."""
        wait_until(lambda: self.client.get("/api/v1/status").json()["queue_depth"] == 0)


@dataclass
class Visitor:
    """A person in front of a browser, and everything the browser complained about."""

    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    story: str = ""
    """How pictures of this visit are called."""

    def open(self, address: str) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.on("console", lambda message: self._complain(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(address)
        return page

    def show(self, page: Page, step: str) -> None:
        """Keep pictures of the page as it is at this step, for people to look at."""
        if not SHOTS:
            return
        own = page.viewport_size
        assert own
        for screen in (DESKTOP, PHONE):
            page.set_viewport_size(screen)
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=f"{SHOTS}/{self.story}-{step}-{screen['width']}.png", full_page=True)
        page.set_viewport_size(own)

    def _complain(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


OpenVisitor = Callable[..., Visitor]


def pictures() -> dict[str, bytes]:
    """Twenty pictures: twelve photos, and eight that are their kin."""
    named = {name.replace(".png", ".jpg"): jpeg(name) for name in FOLDERS}
    named |= {
        f"{name.split('.')[0]} cropped.jpg": cropped(name, 0.8) for name in ("chelsea.png", "coffee.png", "china.jpg")
    }
    named |= {
        f"{name.split('.')[0]} turned.jpg": encoded(photo(name).rotate(5))
        for name in ("chelsea.png", "rocket.jpg", "flower.jpg")
    }
    named |= {
        f"{name.split('.')[0]} gray.jpg": encoded(photo(name).convert("L")) for name in ("coffee.png", "astronaut.png")
    }
    return named


@contextmanager
def serving(
    data: Path, models: Path, *arguments: object, trusted: Path | None = None, **environment: str
) -> Iterator[Site]:
    """Serve `data` in a process of its own; `trusted` is the certificate that its https has."""
    is_first_run = environment.get("LIKENESS_ACCOUNTS") == "required" and not any(data.glob("*.db"))
    settings = {"LIKENESS_DATA": str(data), "LIKENESS_MODELS": str(models), **environment}
    command = [PROGRAM, "serve", "--port", "0", *map(str, arguments)]
    with subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert "://" in said, said
            url = said.removeprefix("Likeness is at ").split()[0]
            welcome = process.stdout.readline().rpartition(" ")[2].strip() if is_first_run else ""
            verify = ssl.create_default_context(cafile=trusted) if trusted else True
            with httpx.Client(base_url=url, timeout=60, verify=verify) as client:
                yield Site(url, client, welcome)
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Site]:
    """A server with the twenty pictures, which tests leave as they found them."""
    with serving(tmp_path_factory.mktemp("site"), models) as opened:
        for name, data in pictures().items():
            opened.upload(name, data)
        opened.wait()
        yield opened


@pytest.fixture(scope="session")
def second_server(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("second"), models) as opened:
        yield opened


@pytest.fixture
def own_site(second_server: Site) -> Site:
    """A server without a picture, whatever the test before has left there."""
    for image in second_server.client.get("/api/v1/images", params={"limit": 200}).json()["images"]:
        second_server.client.delete(f"/api/v1/images/{image['id']}", params={"purge": "true"}).raise_for_status()
    return second_server


@pytest.fixture
def visitor(browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenVisitor]:
    """Let people visit, with a screen and perhaps without scripts; none of their browsers may complain."""
    visitors: list[Visitor] = []

    def opened(viewport: dict[str, int] = DESKTOP, **options: object) -> Visitor:
        context = browser.new_context(viewport=viewport, permissions=["clipboard-read", "clipboard-write"], **options)
        visitors.append(Visitor(context, story=f"{request.node.name.replace('/', '-')}-{len(visitors)}"))
        return visitors[-1]

    yield opened
    for each in visitors:
        for page in each.context.pages:
            each.show(page, "end")
        each.context.close()
    assert [complaint for each in visitors for complaint in each.complaints] == []
