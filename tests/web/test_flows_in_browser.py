"""What scripts do for the ways between pages, in a real browser in front of the application."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from pipeline import accounts, libraries, members, sessions
from pipeline.access import local_owner
from pipeline.accounts import Person
from pipeline.backend import Backend
from pipeline.principals import Role, Scope
from tests.web.members import PASSWORD
from tests.web.photos import jpeg
from tests.web.served import served

SHOTS = os.environ.get("SCREENSHOTS", "")
"""A folder in which pages are kept as pictures, for people to look at."""


@dataclass(frozen=True)
class Site:
    """A server on which ada administrates and owns a library."""

    url: str
    backend: Backend
    ada: Person
    library: str

    def log_in(self, page: Page, name: str = "ada") -> None:
        page.goto(f"{self.url}/login")
        self.fill_login(page, name)
        expect(page.locator(".account-button")).to_be_visible()

    def fill_login(self, page: Page, name: str = "ada") -> None:
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log in", exact=True).click()

    def log_out_everywhere(self) -> None:
        """End every session of ada, as if its time were over."""
        who = local_owner(self.backend)
        accounts.deactivate(self.backend, who, self.ada.id)
        accounts.activate(self.backend, who, self.ada.id)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("flows"), models) as (url, backend):
        who = local_owner(backend)
        ada = accounts.add_person(backend, who, "ada", administrator=True, password=PASSWORD)
        accounts.add_person(backend, who, "root", administrator=True, password=PASSWORD)
        library = libraries.make(backend, who, "family").id
        members.grant(backend, who, library, "ada", Role.OWNER)
        yield Site(url, backend, ada, library)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1440, "height": 900})
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Iterator[Page]:
    opened = context.new_page()
    broken: list[str] = []
    opened.on("pageerror", lambda error: broken.append(str(error)))
    site.log_in(opened)
    yield opened
    assert broken == []


def show(page: Page, name: str) -> None:
    """Keep pictures of a page as it is now."""
    if not SHOTS:
        return
    for width, height in ((390, 844), (1440, 900)):
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=f"{SHOTS}/{name}-{width}.png")


# ---- What is shown once


def test_loading_a_page_with_a_new_token_again_makes_no_second_one(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/account")
    page.get_by_label("What it is for").fill("backup")
    page.get_by_role("button", name="Make the token").click()
    expect(page.locator(".secret code")).to_have_text(re.compile(r"^lk_"))
    expect(page).to_have_url(f"{site.url}/account")
    page.reload()
    expect(page.get_by_role("heading", name="API tokens")).to_be_visible()
    expect(page.locator(".secret")).to_have_count(0)
    assert [token.name for token in sessions.list_tokens(site.backend, site.ada.id)] == ["backup"]


def test_loading_a_page_with_a_new_invitation_again_makes_no_second_one(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/libraries/{site.library}")
    page.get_by_role("button", name="Make the link").click()
    expect(page.locator(".secret code")).to_contain_text("/invitations/")
    expect(page).to_have_url(f"{site.url}/libraries/{site.library}")
    page.reload()
    expect(page.get_by_role("heading", name="Members")).to_be_visible()
    expect(page.locator(".secret")).to_have_count(0)
    assert len(members.list_invitations(site.backend, local_owner(site.backend), site.library)) == 1


def test_loading_a_page_with_a_new_link_for_a_password_again_leaves_that_link_alone(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/people")
    page.locator("form[action='/people'] input[name=name]").fill("cem")
    page.locator("form[action='/people'] button.primary").click()
    link = page.locator(".secret code").inner_text()
    expect(page).to_have_url(f"{site.url}/people?link")
    page.reload()
    expect(page.locator(".secret")).to_have_count(0)
    expect(page.locator(".field-problem")).to_have_count(0)
    # A second link would have ended this one.
    page.context.clear_cookies()
    page.goto(link)
    expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    expect(page.locator("input[name=password]")).to_be_focused()


# ---- What asks first


def test_revoking_a_token_asks_first(page: Page, site: Site) -> None:
    _, secret = sessions.make_token(
        site.backend, local_owner(site.backend), "x" * 90, frozenset({Scope.READ}), None, person=site.ada
    )
    page.goto(f"{site.url}/account")
    page.get_by_role("button", name=f"Revoke {'x' * 90}").click()
    expect(page.locator("#ask")).to_contain_text("Revoke the token")
    show(page, "revoke-asks")
    page.locator("#ask").get_by_role("button", name="Cancel").click()
    expect(page.locator("#ask")).to_be_hidden()
    assert sessions.identify_token(site.backend, secret, address="")
    page.get_by_role("button", name=f"Revoke {'x' * 90}").click()
    page.locator("#ask").get_by_role("button", name="Revoke").click()
    expect(page.locator("#notice")).to_contain_text("revoked")
    assert not sessions.identify_token(site.backend, secret, address="")


# ---- A session that ends


def test_an_upload_after_the_session_has_ended_is_sent_again_after_a_login_in_another_tab(
    page: Page, context: BrowserContext, site: Site
) -> None:
    page.goto(f"{site.url}/upload?library={site.library}")
    site.log_out_everywhere()
    files = [{"name": name, "mimeType": "image/jpeg", "buffer": jpeg("coffee.png")} for name in ("a.jpg", "b.jpg")]
    page.locator("#upload-files").set_input_files(files)  # type: ignore[arg-type] # as Playwright documents it
    sentences = page.locator(".card.local .card-sentence")
    expect(sentences).to_have_text(["You have been logged out. Log in again, then try again."] * 2)
    show(page, "upload-logged-out")

    page.get_by_role("button", name="Try again").first.click()
    expect(sentences).to_have_text(["You have been logged out. Log in again, then try again."] * 2)
    with context.expect_page() as opened:
        page.get_by_role("link", name="Log in again").first.click()
    site.fill_login(opened.value)
    expect(opened.value).to_have_url(f"{site.url}/upload")
    for _ in files:
        page.get_by_role("button", name="Try again").first.click()
    expect(page.locator(".card.local")).to_have_count(0)
    expect(page.locator(".card[data-outcome=waiting]")).to_have_count(2)
    expect(page).to_have_url(re.compile(rf"/upload\?batch=[\w-]+&library={site.library}$"))


def test_a_form_after_the_session_has_ended_leads_by_the_login_back_to_its_page(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/libraries")
    site.log_out_everywhere()
    page.get_by_label("Name").fill("garden")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("main")).to_contain_text("You have been logged out. What you sent was not kept")
    show(page, "form-logged-out")
    page.get_by_role("link", name="Log in").click()
    site.fill_login(page)
    expect(page).to_have_url(f"{site.url}/libraries")


def test_pictures_dropped_after_the_session_has_ended_lead_to_the_login(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/account")
    site.log_out_everywhere()
    page.evaluate("""() => {
      const clipboardData = new DataTransfer();
      for (const name of ["a.png", "b.png"]) clipboardData.items.add(new File(["a"], name, { type: "image/png" }));
      document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    }""")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    site.fill_login(page)
    expect(page).to_have_url(f"{site.url}/upload")
