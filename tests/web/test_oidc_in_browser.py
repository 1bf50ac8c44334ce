"""Single sign-on in a real browser: the provider is another site, as it is for people."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from in_a_thread import free_listener, listening
from oidc_provider import Provider, running_provider
from playwright.sync_api import Browser, Page, expect

from pipeline import accounts
from pipeline.backend import open_backend
from pipeline.principals import OWNER
from pipeline.settings import read_settings
from webapp.app import create_app


@pytest.fixture
def provider() -> Iterator[Provider]:
    # Under another name than the server: to a browser that is another site, whose requests bring no strict cookies.
    with running_provider("localhost") as running:
        yield running


@pytest.fixture
def address(tmp_path: Path, models: Path, provider: Provider) -> Iterator[str]:
    listener = free_listener()
    public_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = read_settings(
        data=tmp_path / "data",
        models=models,
        accounts="required",
        public_url=public_url,
        oidc_issuer=provider.issuer,
        oidc_client_id=provider.client_id,
        oidc_client_secret=provider.client_secret,
        oidc_name="Example University",
        oidc_create=True,
    )
    with open_backend(settings) as backend:
        accounts.add_person(backend, OWNER, "charles", administrator=True)
    with listening(listener, create_app(settings, with_worker=False)):
        yield public_url


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert problems == []


def test_a_person_goes_to_the_provider_and_comes_back_to_where_they_wanted_to_go(page, address, provider):
    page.goto(f"{address}/trash")
    page.get_by_role("link", name="Log in with Example University").click()
    expect(page).to_have_title("A provider")
    assert page.url.startswith(f"{provider.issuer}/authorize?")
    page.get_by_label("Name").fill("ada")
    page.get_by_role("button", name="Log in").click()

    expect(page).to_have_url(f"{address}/trash")
    expect(page.get_by_role("heading", name="Trash")).to_be_visible()
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies(address)}
    assert set(cookies) == {"likeness"}
    assert (cookies["likeness"]["httpOnly"], cookies["likeness"]["sameSite"]) == (True, "Lax")


def test_whoever_cancels_at_the_provider_is_told_so_and_can_try_again(page, address, provider):
    page.goto(f"{address}/login?next=/trash")
    provider.refuses_to_log_in = True
    page.get_by_role("link", name="Log in with Example University").click()
    expect(page.get_by_text("You have not logged in at the single sign-on provider.")).to_be_visible()

    provider.refuses_to_log_in, provider.logged_in = False, "ada"
    page.get_by_role("link", name="Log in with Example University").click()

    expect(page).to_have_url(f"{address}/trash")
