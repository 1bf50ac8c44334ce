"""Logging in and out over HTTP, and the links that begin an account."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from people_clock import let_pass
from signing_in import at_once

from pipeline import accounts, welcomes
from pipeline.principals import OWNER
from tests.web.conftest import LOCAL, OpenClient
from tests.web.members import PASSWORD, SECURE, Browser, backend_of, log_in, make_person
from webapp.identity import COOKIE, SECURE_COOKIE

OTHER = "staple of a longer kind"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def empty(open_client: OpenClient, tmp_path: Path):
    """A server that requires accounts and has none."""
    with open_client(tmp_path / "empty", with_worker=False, accounts="required") as opened:
        yield opened


def welcome(browser, secret, name="ada", password=PASSWORD, again=None):
    fields = {"name": name, "password": password, "again": password if again is None else again}
    return browser.http.post(f"/welcome/{secret}", data=fields)


def session_of(browser):
    return browser.http.cookies.get(COOKIE)


# ---- In


def test_the_login_page_asks_for_a_name_and_a_password_and_works_without_a_script(people_client):
    page = Browser(people_client).get("/login")
    assert page.status_code == 200
    assert '<form class="fields" action="/login" method="post">' in page.text
    assert 'autocomplete="username"' in page.text
    assert 'autocomplete="current-password"' in page.text


def test_the_login_leads_to_the_start_page_or_to_where_somebody_wanted(people_client):
    browser = Browser(people_client)
    assert browser.log_in("ada").headers["location"] == "/"
    assert Browser(people_client).log_in("ada", next="/trash?a=b").headers["location"] == "/trash?a=b"
    assert browser.get("/login?next=/trash").headers["location"] == "/trash"


@pytest.mark.parametrize("name", ["ada", "nobody-at-all", "", HOSTILE, "x" * 3000])
def test_a_wrong_password_and_an_unknown_name_are_answered_alike(people_client, name):
    answer = Browser(people_client).log_in(name, "a wrong password")
    assert answer.status_code == 401
    assert "The name or the password is wrong. Please try again." in answer.text
    assert COOKIE not in answer.headers.get("set-cookie", "")
    assert HOSTILE not in answer.text
    expected = Browser(people_client).log_in("somebody", "a wrong password")
    assert answer.text.replace(f'value="{name}"', "").count("<") == expected.text.count("<")


def test_the_password_is_not_in_the_page_that_says_it_was_wrong(people_client):
    assert "a wrong password" not in Browser(people_client).log_in("ada", "a wrong password").text


def test_whoever_guesses_waits_and_is_told_how_long(people_client):
    for _ in range(5):
        assert Browser(people_client).log_in("ada", "a wrong password").status_code == 401
    answer = Browser(people_client).log_in("ada")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 5
    assert "too many wrong passwords" in answer.text
    let_pass(backend_of(people_client).database, timedelta(minutes=16))
    assert Browser(people_client).log_in("ada").status_code == 303


@pytest.mark.parametrize(
    "password", ["  spaces at both ends  ", "🐎🔋 correct 🐴 staple", "x" * 200, "<&\"'> and % + more"]
)
def test_a_password_is_taken_as_it_was_typed(people_client, password):
    make_person(people_client, "bea", password=password)
    assert Browser(people_client).log_in("bea", password).status_code == 303
    assert Browser(people_client).log_in("bea", password.strip() + "?").status_code == 401


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "/\\evil.example",
        "http://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\\\\evil.example",
        " //evil.example",
        "\x00//evil.example",
        "/logout",
        "/login?next=/login",
        "",
    ],
)
@pytest.mark.parametrize("way", ["form", "logged in"])
def test_the_login_leads_nowhere_else(people_client, wanted, way):
    if way == "form":
        answer = Browser(people_client).log_in("ada", next=wanted)
    else:
        answer = log_in(people_client, "ada").get(f"/login?next={quote(wanted)}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "evil" not in Browser(people_client).get(f"/login?next={quote(wanted)}").text


@pytest.mark.parametrize("wanted", ["/%2F/evil.example", "/%5Cevil.example", "/trash?next=//evil.example", "/a/../b"])
def test_what_is_encoded_stays_a_path_of_this_server(people_client, wanted):
    location = Browser(people_client).log_in("ada", next=wanted).headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_every_login_begins_a_session_of_its_own_and_ends_the_one_before(people_client):
    browser = Browser(people_client)
    browser.http.cookies.set(COOKIE, "planted", domain="127.0.0.1")
    browser.log_in("ada")
    first = session_of(browser)
    assert first != "planted"
    thief = Browser(people_client)
    thief.http.cookies.set(COOKIE, first)
    assert thief.get("/account").status_code == 200
    make_person(people_client, "bea")
    assert browser.post("/login", {"name": "bea", "password": PASSWORD}).status_code == 303
    assert session_of(browser) != first
    assert "bea" in browser.get("/account").text
    assert thief.get("/account").status_code == 303


def test_a_login_while_the_session_before_is_due_for_renewal_is_the_one_that_counts(people_client):
    browser = log_in(people_client, "ada")
    make_person(people_client, "bea")
    let_pass(backend_of(people_client).database, timedelta(hours=2))
    answer = browser.post("/login", {"name": "bea", "password": PASSWORD})
    assert answer.status_code == 303
    assert len([line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{COOKIE}=")]) == 1
    assert "bea" in browser.get("/account").text


def test_another_website_logs_nobody_in(people_client):
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = Browser(people_client).http.post("/login", data={"name": "ada", "password": PASSWORD}, headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


# ---- Out


@pytest.mark.parametrize("base_url", [LOCAL, SECURE])
def test_logging_out_ends_the_session_in_every_tab_at_once(people_client, base_url):
    browser = log_in(people_client, "ada", base_url=base_url)
    name = SECURE_COOKIE if base_url == SECURE else COOKIE
    tab = Browser(people_client, base_url)
    tab.http.cookies.set(name, browser.http.cookies[name])
    assert tab.get("/account").status_code == 200
    let_pass(backend_of(people_client).database, timedelta(hours=2))
    answer = browser.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["clear-site-data"] == '"cache"'
    (line,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    assert line.startswith(f"{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
    assert name not in browser.http.cookies
    assert tab.get("/account").status_code == 303
    assert tab.get("/api/v1/images").status_code == 401


def test_a_link_logs_nobody_out(people_client):
    browser = log_in(people_client, "ada")
    assert browser.get("/logout").status_code == 405
    assert browser.get("/account").status_code == 200


def test_what_changes_and_what_was_seen_is_not_kept_by_the_browser_for_the_next_person(people_client):
    assert log_in(people_client, "ada").get("/account").headers["cache-control"] == "private, no-cache"


# ---- The first account


def test_the_first_link_makes_the_first_account_and_lets_them_in(empty):
    browser = Browser(empty)
    secret = welcomes.first_run_secret(backend_of(empty))
    page = browser.get(f"/welcome/{secret}")
    assert page.status_code == 200
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "strict-origin")
    answer = welcome(browser, secret)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/people").status_code == 200
    assert "Welcome, ada." in browser.get("/").text or browser.get("/").status_code == 200
    assert Browser(empty).get(f"/welcome/{secret}").status_code == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": "short"}, "at least 10"),
        ({"password": "x" * 201}, "at most 200"),
        ({"again": "something else"}, "not the same"),
        ({"name": HOSTILE}, "letters and digits"),
        ({"name": "\u202eada"}, "letters and digits"),
        ({"name": ""}, "letters and digits"),
    ],
)
def test_a_mistake_in_the_form_is_told_beside_it_and_the_link_still_works(empty, fields, said):
    secret = welcomes.first_run_secret(backend_of(empty))
    answer = welcome(Browser(empty), secret, **fields)
    assert (answer.status_code, said in answer.text, HOSTILE in answer.text) == (422, True, False)
    assert answer.headers["cache-control"] == "no-store"
    assert welcome(Browser(empty), secret).status_code == 303


def test_two_who_open_the_first_link_at_once_make_one_account(empty):
    secret = welcomes.first_run_secret(backend_of(empty))
    browsers = [Browser(empty), Browser(empty)]
    answers = at_once(lambda: welcome(browsers[0], secret, "ada"), lambda: welcome(browsers[1], secret, "eve"))
    assert sorted(answer.status_code for answer in answers) == [303, 404]
    assert len(accounts.list_people(backend_of(empty), OWNER)) == 1
    assert sorted(browser.get("/people").status_code for browser in browsers) == [200, 303]


def test_a_link_for_a_password_names_its_person_and_takes_no_other_name(people_client):
    backend = backend_of(people_client)
    bea = make_person(people_client, "bea")
    old = log_in(people_client, "bea")
    browser = Browser(people_client)
    secret = accounts.password_link(backend, OWNER, bea.id)
    assert "bea" in browser.get(f"/welcome/{secret}").text
    assert welcome(browser, secret, name="ada", password=OTHER).status_code == 303
    assert "bea" in browser.get("/account").text
    assert old.get("/account").status_code == 303
    assert Browser(people_client).log_in("bea", OTHER).status_code == 303
    assert Browser(people_client).log_in("ada").status_code == 303


def test_a_link_to_somebody_deactivated_is_answered_like_no_link(people_client):
    backend = backend_of(people_client)
    bea = make_person(people_client, "bea")
    secret = accounts.password_link(backend, OWNER, bea.id)
    accounts.deactivate(backend, OWNER, bea.id)
    for link in (secret, "no-link"):
        assert Browser(people_client).get(f"/welcome/{link}").status_code == 404
        assert welcome(Browser(people_client), link, password=OTHER).status_code == 404
