"""The first account in a real browser: its page holds a secret, and its form must still be known to be our own."""

import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from command import wait_until
from playwright.sync_api import Browser, expect

from pipeline import welcomes
from pipeline.settings import read_settings
from tests.web.members import PASSWORD
from webapp.app import create_app


@pytest.fixture
def server(tmp_path, models) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """The address of a server without an account, and what makes the secret of a link for the first one."""
    app = create_app(read_settings(data=tmp_path, models=models, accounts="required"), with_worker=False)
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    sockets = [running.config.bind_socket()]
    thread = threading.Thread(target=running.run, kwargs={"sockets": sockets})
    thread.start()
    wait_until(lambda: running.started)
    address = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    yield address, lambda: welcomes.first_run_secret(app.state.running.backend)
    running.should_exit = True
    thread.join()


def test_the_first_account_is_made_and_changed_in_a_real_browser(browser: Browser, server) -> None:
    address, first_run_secret = server
    context = browser.new_context()
    page = context.new_page()
    told: list[str] = []
    page.on("request", lambda request: told.append(request.headers.get("referer", "")))
    page.goto(f"{address}/login")
    secret = first_run_secret()
    page.goto(f"{address}/welcome/{secret}")
    page.fill("input[name=name]", "ada")
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.click("main form button.primary")
    expect(page).to_have_url(f"{address}/")
    assert secret
    assert not [referer for referer in told if secret in referer]

    page.goto(f"{address}/people")
    # The second time from a page that shows a secret.
    for name in ("bea", "cem"):
        page.fill("form[action='/people'] input[name=name]", name)
        page.locator("form[action='/people'] button.primary").click()
        expect(page.locator("#main")).to_contain_text(f"A link for {name} to choose a password")
    context.close()
