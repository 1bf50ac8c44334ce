"""The account page: password, sessions and API tokens of the person who looks at it."""

import re

import pytest

from pipeline import accounts, sessions
from pipeline.principals import OWNER, Scope
from tests.web.members import PASSWORD, Browser, api, backend_of, log_in, make_person

OTHER = "staple of a longer kind"
HOSTILE = "<script>alert(1)</script>"
TOKEN = re.compile(r"lk_[A-Za-z0-9_-]{43}")


def change(browser, current=PASSWORD, password=OTHER, again=None):
    fields = {"current": current, "password": password, "again": password if again is None else again}
    return browser.post("/account/password", fields)


def ids_of(client, name="ada"):
    backend = backend_of(client)
    person = accounts.find_person(backend, OWNER, name)
    return [token.id for token in sessions.list_tokens(backend, person.id)]


def others_of(browser):
    """Return the ids of the sessions that the page offers to end."""
    return re.findall(r'action="/account/sessions/([^"/]+)/revoke"', browser.get("/account").text)


# ---- Password


def test_a_new_password_logs_out_every_other_browser_and_not_this_one(people_client):
    this, other = log_in(people_client, "ada"), log_in(people_client, "ada")
    assert change(this).headers["location"] == "/account"
    assert this.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    assert Browser(people_client).log_in("ada").status_code == 401
    assert Browser(people_client).log_in("ada", OTHER).status_code == 303


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (0, "You are logged out everywhere else.</p>"),
        (1, "everywhere else; 1 API token still works.</p>"),
        (2, "everywhere else; 2 API tokens still work.</p>"),
    ],
)
def test_who_changes_their_password_is_told_what_goes_on_working(people_client, tokens, told):
    browser = log_in(people_client, "ada")
    for number in range(tokens):
        browser.post("/account/tokens", {"name": f"script {number}", "scope": "read", "expires": "30"})
    change(browser)
    assert told in browser.get("/account").text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"current": "a wrong password"}, "not your current password"),
        ({"password": "short"}, "at least 10"),
        ({"password": "x" * 201}, "at most 200"),
        ({"again": "something else"}, "not the same"),
    ],
)
def test_a_mistake_is_told_on_the_page_and_changes_nothing(people_client, fields, said):
    browser = log_in(people_client, "ada")
    answer = change(browser, **fields)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert Browser(people_client).log_in("ada").status_code == 303


def test_guessing_the_present_password_is_slowed_down(people_client):
    browser = log_in(people_client, "ada")
    assert [change(browser, "a wrong password").status_code for _ in range(5)] == [422] * 5
    answer = change(browser)
    assert (answer.status_code, "too many wrong passwords" in answer.text) == (429, True)
    assert int(answer.headers["retry-after"]) > 0


# ---- Sessions


def test_a_browser_that_is_logged_out_from_another_is_out_at_its_next_request(people_client):
    here, there = log_in(people_client, "ada"), log_in(people_client, "ada")
    (session_id,) = others_of(here)
    assert there.get("/account").status_code == 200
    assert here.post(f"/account/sessions/{session_id}/revoke").status_code == 303
    assert there.get("/account").status_code == 303
    assert there.get("/api/v1/images").status_code == 401
    assert here.post(f"/account/sessions/{session_id}/revoke").status_code == 404


def test_all_others_are_logged_out_together(people_client):
    here, *others = [log_in(people_client, "ada") for _ in range(3)]
    assert here.post("/account/sessions/revoke-others").status_code == 303
    assert "2 other sessions ended." in here.get("/account").text
    assert [other.get("/account").status_code for other in others] == [303, 303]
    assert others_of(here) == []


def test_nobody_ends_the_session_of_another_person(people_client):
    make_person(people_client, "bea")
    bea, ada = log_in(people_client, "bea"), log_in(people_client, "ada")
    log_in(people_client, "bea")
    (session_id,) = others_of(bea)
    answers = [ada.post(f"/account/sessions/{each}/revoke") for each in (session_id, "none")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(session_id, "none") == answers[1].text
    assert others_of(bea) == [session_id]


def test_what_a_browser_says_of_itself_is_shown_as_text(people_client):
    hostile = Browser(people_client)
    hostile.http.headers["User-Agent"] = f"{HOSTILE}\x01 {'x' * 5000}"
    hostile.log_in("ada")
    page = log_in(people_client, "ada").get("/account")
    assert (page.status_code, HOSTILE in page.text) == (200, False)


# ---- Tokens


def test_a_token_is_shown_once_and_works(people_client):
    browser = log_in(people_client, "ada")
    answer = browser.post("/account/tokens", {"name": HOSTILE, "scope": ["read"], "expires": "30"})
    assert answer.status_code == 200
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "strict-origin")
    assert HOSTILE not in answer.text
    (secret,) = set(TOKEN.findall(answer.text))
    assert secret not in browser.get("/account").text
    program = api(people_client, secret)
    assert program.get("/api/v1/images").status_code == 200
    assert program.post("/api/v1/images", files={"file": ("a.png", b"")}).status_code == 403


def test_a_token_that_is_revoked_is_refused_at_its_very_next_request(people_client):
    browser = log_in(people_client, "ada")
    page = browser.post("/account/tokens", {"name": "script", "scope": ["read"], "expires": "never"})
    program = api(people_client, TOKEN.search(page.text).group())
    assert program.get("/api/v1/images").status_code == 200
    (token_id,) = ids_of(people_client)
    assert browser.post(f"/account/tokens/{token_id}/revoke").status_code == 303
    assert program.get("/api/v1/images").status_code == 401
    assert browser.post(f"/account/tokens/{token_id}/revoke").status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "scope": ["read"]},
        {"name": "x" * 101, "scope": ["read"]},
        {"name": "script"},
        {"name": "script", "scope": ["everything"]},
        {"name": "script", "scope": ["read"], "expires": "0"},
        {"name": "script", "scope": ["read"], "expires": "-1"},
        {"name": "script", "scope": ["read"], "expires": "1e9"},
        {"name": "script", "scope": ["read"], "expires": "9" * 400},
        {"name": "script", "scope": ["read"], "expires": "nan"},
    ],
)
def test_a_token_that_cannot_be_made_is_told_on_the_page(people_client, fields):
    answer = log_in(people_client, "ada").post("/account/tokens", fields)
    assert (answer.status_code, "lk_" in answer.text) == (422, False)
    assert ids_of(people_client) == []


def test_nobody_revokes_the_token_of_another_person(people_client):
    bea = make_person(people_client, "bea")
    backend = backend_of(people_client)
    token, _ = sessions.make_token(backend, OWNER, "script", frozenset({Scope.READ}), None, person=bea)
    assert log_in(people_client, "ada").post(f"/account/tokens/{token.id}/revoke").status_code == 404
    assert ids_of(people_client, "bea") == [token.id]
