"""Single sign-on over HTTP, against a real provider: who gets in, who does not, and what they are told."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from oidc_provider import Provider, running_provider
from starlette.testclient import TestClient

from pipeline import accounts
from pipeline.principals import OWNER
from pipeline.stores import records_people
from tests.web.conftest import LOCAL, OpenClient

FROM_THE_PROVIDER = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
ADA = {"sub": "1815", "preferred_username": "Ada Lovelace", "email": "Ada@Example.org", "email_verified": True}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        running.users["ada"] = dict(ADA)
        running.logged_in = "ada"
        yield running


@pytest.fixture
def site(open_client: OpenClient, tmp_path: Path, provider: Provider) -> Iterator[TestClient]:
    """A server with an administrator, at which only those who have an account get in."""
    with opened(open_client, tmp_path, provider) as client:
        yield client


@contextmanager
def opened(open_client: OpenClient, folder: Path, provider: Provider, **changes: Any) -> Iterator[TestClient]:
    settings = {
        "public_url": LOCAL,
        "oidc_issuer": provider.issuer,
        "oidc_client_id": provider.client_id,
        "oidc_client_secret": provider.client_secret,
        "oidc_name": "Example University",
        "accounts": "required",
    }
    with open_client(folder / "data", with_worker=False, **(settings | changes)) as client:
        accounts.add_person(backend_of(client), OWNER, "charles", administrator=True, email="charles@example.org")
        yield client


def backend_of(client: TestClient) -> Any:
    return client.app.state.running.backend


def person(client: TestClient, name: str) -> records_people.Person | None:
    with backend_of(client).database.read() as connection:
        return records_people.by_name(connection, name)


def to_provider(client: TestClient, wanted: str = "") -> str:
    """Begin a login; return the address of ours to which the provider sends the browser back."""
    began = client.get("/oidc/start", params={"next": wanted} if wanted else {})
    assert began.status_code == 303, began.text
    answer = httpx2.get(began.headers["location"])
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(f"{LOCAL}/oidc/callback?")
    return answer.headers["location"]


def log_in(client: TestClient, wanted: str = "") -> Any:
    return client.get(to_provider(client, wanted), headers=FROM_THE_PROVIDER)


def who(client: TestClient) -> str:
    """Return the name under which a browser is logged in; "" when it is not."""
    answer = client.get("/account")
    if answer.status_code == 303:
        assert answer.headers["location"] == "/login?next=%2Faccount"
        return ""
    assert answer.status_code == 200
    return next(name for name in ("charles", "ada.lovelace", "ada") if f">{name}<" in answer.text)


class _Problem(HTMLParser):
    """Finds what stands in the element `login-problem`."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.text = False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.inside = self.inside or dict(attrs).get("id") == "login-problem"

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in {"p", "div"}

    def handle_data(self, data: str) -> None:
        self.text += data if self.inside else ""


def problem(client: TestClient, answer: Any) -> str:
    """Return the sentence of a login page, which is all that a refused login leaves behind."""
    assert answer.status_code == 401
    assert "<h1>Log in</h1>" in answer.text
    assert "Traceback" not in answer.text
    assert "likeness" not in client.cookies
    assert "oidc" not in client.cookies
    assert who(client) == ""
    parser = _Problem()
    parser.feed(answer.text)
    sentence = " ".join(parser.text.split())
    assert sentence.endswith(".")
    return sentence


# ---- Who gets in


def test_whoever_has_an_account_here_gets_in_and_where_they_wanted_to_go(site, provider):
    provider.users["ada"] |= {"email": "Charles@Example.org"}

    answer = log_in(site, "/trash?offset=120")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/trash?offset=120"
    assert who(site) == "charles"
    assert person(site, "charles").oidc_subject == f"{provider.issuer} 1815"


def test_once_known_it_is_the_subject_that_counts_and_no_address(site, provider):
    provider.users["ada"] |= {"email": "charles@example.org"}
    log_in(site)
    site.cookies.clear()
    provider.users["ada"] |= {"email": "somebody.else@example.org", "preferred_username": "countess"}

    assert log_in(site).status_code == 303
    assert who(site) == "charles"


def test_an_address_that_nobody_verified_opens_no_account(site, provider):
    provider.users["ada"] |= {"email": "charles@example.org", "email_verified": False}

    assert problem(site, log_in(site)) == (
        "You are known there, but have no account here. Please ask an administrator for one."
    )
    assert person(site, "charles").oidc_subject is None


def test_another_subject_with_the_same_address_opens_no_account(site, provider):
    provider.users["ada"] |= {"email": "charles@example.org"}
    provider.users["impostor"] = {"sub": "1", "email": "charles@example.org", "email_verified": True}
    log_in(site)
    site.cookies.clear()
    provider.logged_in = "impostor"

    problem(site, log_in(site))
    assert person(site, "charles").oidc_subject == f"{provider.issuer} 1815"


def test_a_stranger_gets_no_account_unless_it_is_so_set(site):
    assert "have no account here" in problem(site, log_in(site))
    assert person(site, "ada.lovelace") is None


def test_a_stranger_gets_an_account_that_can_do_nothing_yet_if_it_is_so_set(open_client, tmp_path, provider):
    with opened(open_client, tmp_path, provider, oidc_create=True) as client:
        assert log_in(client).headers["location"] == "/"
        assert who(client) == "ada.lovelace"
        made = person(client, "ada.lovelace")
        people = client.get("/people")

    assert (made.email, made.administrator, made.password_hash) == ("ada@example.org", False, None)
    assert people.status_code == 403


def test_whoever_is_deactivated_stays_outside(site, provider):
    provider.users["ada"] |= {"email": "ada@example.org"}
    ada = accounts.add_person(backend_of(site), OWNER, "ada", email="ada@example.org")
    log_in(site)
    assert who(site) == "ada"
    accounts.deactivate(backend_of(site), OWNER, ada.id)
    assert who(site) == ""
    site.cookies.clear()

    problem(site, log_in(site))


# ---- What is refused


@pytest.mark.parametrize(
    "changed",
    [{"nonce": "another"}, {"aud": "another"}, {"exp": 1_000_000_000}, {"iss": "https://another.example.org"}],
    ids=["nonce", "audience", "expired", "issuer"],
)
def test_a_token_for_another_end_lets_nobody_in(site, provider, changed):
    provider.users["ada"] |= {"email": "charles@example.org"}
    provider.changed_claims = changed

    sentence = problem(site, log_in(site))

    assert sentence == "The single sign-on provider did not confirm this login. Please try again."


@pytest.mark.parametrize("forgery", ["none", "HS256", "other key"])
def test_a_forged_token_lets_nobody_in(site, provider, forgery):
    provider.users["ada"] |= {"email": "charles@example.org"}
    provider.forged_with = forgery

    sentence = problem(site, log_in(site))

    assert sentence == "The single sign-on provider did not confirm this login. Please try again."


def test_a_login_that_another_browser_began_is_refused(site, provider):
    provider.users["ada"] |= {"email": "charles@example.org"}
    back = to_provider(site)
    site.cookies.clear()

    assert problem(site, site.get(back, headers=FROM_THE_PROVIDER)).startswith("This login was not begun in this brow")
    assert "/token" not in provider.asked


def test_the_state_of_another_login_is_refused(site, provider):
    provider.users["ada"] |= {"email": "charles@example.org"}
    first = to_provider(site)
    to_provider(site)  # the cookie is that of this one now

    assert problem(site, site.get(first)).startswith("This login was not begun in this browser")
    assert "/token" not in provider.asked


def test_a_cookie_that_was_changed_is_no_cookie(site):
    back = to_provider(site)
    sealed = site.cookies["oidc"]
    site.cookies.clear()
    changed = sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB")

    answer = site.get(back, headers={"Cookie": f"oidc={changed}"})

    assert problem(site, answer).startswith("This login was not begun in this browser")


def test_a_way_back_works_once(site, provider):
    provider.users["ada"] |= {"email": "charles@example.org"}
    back = to_provider(site)
    kept = site.cookies["oidc"]
    assert site.get(back).status_code == 303
    site.cookies.clear()

    assert problem(site, site.get(back)).startswith("This login was not begun in this browser")
    copied = site.get(back, headers={"Cookie": f"oidc={kept}"})  # by somebody who has seen all that passed
    assert problem(site, copied).startswith("The single sign-on provider did not confirm")


def test_whoever_cancels_comes_back_to_the_login_page_and_can_try_again(site, provider):
    provider.refuses_to_log_in = True

    answer = log_in(site, "/trash")

    assert problem(site, answer).startswith("You have not logged in at the single sign-on provider.")
    assert 'href="/oidc/start?next=%2Ftrash"' in answer.text
    assert "Example University" in answer.text


def test_a_provider_that_is_down_is_said_so_and_nothing_else_suffers(open_client, tmp_path):
    with running_provider() as provider:
        pass  # it has been there, and has gone
    with opened(open_client, tmp_path, provider) as client:
        answer = client.get("/oidc/start")

        assert answer.status_code == 503
        assert "The single sign-on provider does not answer. Please try again in a moment." in answer.text
        assert "set-cookie" not in answer.headers
        assert client.get("/login").status_code == 200


def test_a_provider_that_goes_down_in_between_is_said_so(open_client, tmp_path):
    with ExitStack() as its_life:
        provider = its_life.enter_context(running_provider())
        provider.logged_in = "ada"
        with opened(open_client, tmp_path, provider) as client:
            back = to_provider(client)
            its_life.close()

            answer = client.get(back)
            assert answer.status_code == 503
            assert "The single sign-on provider does not answer." in answer.text
            assert who(client) == ""


@pytest.mark.parametrize("wanted", ["https://evil.example.org/", "//evil.example.org", "/\\evil.example.org", "x"])
def test_a_login_leads_to_no_other_site(site, provider, wanted):
    provider.users["ada"] |= {"email": "charles@example.org"}

    assert log_in(site, wanted).headers["location"] == "/"


def test_an_address_that_fits_into_no_cookie_is_forgotten(site, provider):
    provider.users["ada"] |= {"email": "charles@example.org"}
    endless = "/?text=" + "".join(str(number * 7919) for number in range(1500))

    assert log_in(site, endless).headers["location"] == "/"


# ---- What is told to whom


def test_the_log_says_why_and_keeps_the_secrets(site, provider, caplog):
    provider.changed_claims = {"aud": "another"}
    with caplog.at_level(logging.DEBUG):
        back = to_provider(site)
        site.get(back)

    code = parse_qs(urlsplit(back).query)["code"][0]
    reasons = [record.getMessage() for record in caplog.records if record.name == "webapp.routes.oidc"]
    assert len(reasons) == 1
    assert "aud" in reasons[0]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("webapp", "pipeline"))]
    assert not any(code in line or provider.client_secret in line for line in ours)


def test_what_a_stranger_writes_into_the_address_stays_one_line_of_the_log(site, caplog):
    state = parse_qs(urlsplit(to_provider(site)).query)["state"][0]

    answer = site.get("/oidc/callback", params={"state": state, "error": "<script>\nforged line" + "x" * 500})

    assert "<script>" not in answer.text
    (line,) = [record.getMessage() for record in caplog.records if record.name == "webapp.routes.oidc"]
    assert "\n" not in line
    assert len(line) < 300


def test_the_way_back_is_kept_nowhere_and_told_to_nobody(site, provider):
    provider.users["ada"] |= {"email": "charles@example.org"}

    answer = log_in(site)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "strict-origin"


def test_the_cookie_of_a_login_is_out_of_reach_for_scripts_and_other_sites(site):
    cookie = site.get("/oidc/start").headers["set-cookie"]

    parts = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "samesite=lax", "max-age=600"} <= parts


# ---- Servers without single sign-on


def test_without_a_provider_there_is_nothing_at_its_addresses(open_client, tmp_path):
    with open_client(tmp_path / "data", with_worker=False, accounts="required") as client:
        assert client.get("/oidc/start").status_code == 404
        assert client.get("/oidc/callback?code=1&state=2").status_code == 404


def test_where_nobody_needs_to_log_in_nobody_can(open_client, tmp_path, provider):
    settings = {"oidc_issuer": provider.issuer, "oidc_client_id": provider.client_id, "oidc_create": True}
    with open_client(tmp_path / "data", with_worker=False, public_url=LOCAL, **settings) as client:
        assert client.get("/oidc/start").status_code == 404


def test_without_the_extra_the_server_says_at_its_start_what_to_install(tmp_path, models):
    without = "import sys; sys.modules['authlib'] = None; from webapp.cli import run; sys.exit(run(['serve']))"
    settings = {
        "LIKENESS_DATA": str(tmp_path / "data"),
        "LIKENESS_MODELS": str(models),
        "LIKENESS_OIDC_ISSUER": "https://login.example.org",
        "LIKENESS_OIDC_CLIENT_ID": "likeness",
        "LIKENESS_PUBLIC_URL": LOCAL,
    }

    done = subprocess.run(
        [sys.executable, "-c", without],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == (
        "Single sign-on needs the extra `oidc`. Please run `pip install --editable '.[oidc]'` in the folder that "
        "Likeness was cloned into, or use its image, and start again.\n"
    )
