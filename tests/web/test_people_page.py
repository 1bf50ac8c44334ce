"""The page of accounts, for administrators."""

import re

import pytest

from pipeline import accounts
from pipeline.principals import OWNER
from tests.web.members import PASSWORD, Browser, api, backend_of, log_in, make_person, make_token

LINK = re.compile(r"/welcome/[A-Za-z0-9_-]{43}")
DEEDS = ("link", "deactivate", "activate", "administrator")


def names(client):
    return [person.name for person in accounts.list_people(backend_of(client), OWNER)]


@pytest.fixture
def bea(people_client):
    return make_person(people_client, "bea")


def test_an_administrator_adds_somebody_who_chooses_their_own_password(people_client):
    answer = log_in(people_client, "ada").post("/people", {"name": "Cem"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    (link,) = set(LINK.findall(answer.text))
    cem = Browser(people_client)
    assert cem.http.post(link, data={"password": PASSWORD, "again": PASSWORD}).status_code == 303
    assert "cem" in cem.get("/account").text
    assert cem.get("/people").status_code == 403


@pytest.mark.usefixtures("bea")
@pytest.mark.parametrize(("name", "status"), [("bea", 409), (" BEA ", 409), ("<script>x</script>", 422), ("", 422)])
def test_somebody_who_cannot_be_added_is_told_beside_the_form(people_client, name, status):
    answer = log_in(people_client, "ada").post("/people", {"name": name})
    assert (answer.status_code, "<script>x" in answer.text) == (status, False)
    assert names(people_client) == ["ada", "bea"]


def test_nobody_else_sees_or_changes_an_account(people_client, bea):
    browser = log_in(people_client, "bea")
    assert browser.get("/people").status_code == 403
    assert "/people" not in browser.get("/").text
    assert browser.post("/people", {"name": "eve"}).status_code == 403
    for person_id in (bea.id, "none"):
        assert {browser.post(f"/people/{person_id}/{deed}").status_code for deed in DEEDS} == {403}
    assert names(people_client) == ["ada", "bea"]


def test_a_token_of_an_administrator_changes_no_account(people_client):
    ada = accounts.find_person(backend_of(people_client), OWNER, "ada")
    program = api(people_client, make_token(people_client, ada))
    assert program.post("/people", data={"name": "eve"}).status_code == 401
    assert names(people_client) == ["ada"]


def test_who_is_deactivated_is_out_at_their_very_next_request(people_client, bea):
    browser, program = log_in(people_client, "bea"), api(people_client, make_token(people_client, bea))
    assert browser.get("/account").status_code == 200
    assert program.get("/api/v1/images").status_code == 200
    ada = log_in(people_client, "ada")
    assert ada.post(f"/people/{bea.id}/deactivate").status_code == 303
    assert browser.get("/account").status_code == 303
    assert program.get("/api/v1/images").status_code == 401
    assert Browser(people_client).log_in("bea").status_code == 401
    assert ada.post(f"/people/{bea.id}/link").status_code == 409
    assert ada.post(f"/people/{bea.id}/activate").status_code == 303
    assert Browser(people_client).log_in("bea").status_code == 303


def test_an_administrator_makes_another_and_the_last_one_stays(people_client, bea):
    ada = log_in(people_client, "ada")
    ada_id = accounts.find_person(backend_of(people_client), OWNER, "ada").id
    for deed, fields in (("deactivate", {}), ("administrator", {"administrator": "0"})):
        answer = ada.post(f"/people/{ada_id}/{deed}", fields)
        assert (answer.status_code, "last administrator" in answer.text) == (409, True)
    assert ada.post(f"/people/{bea.id}/administrator", {"administrator": "1"}).status_code == 303
    browser = log_in(people_client, "bea")
    assert browser.get("/people").status_code == 200
    assert ada.post(f"/people/{bea.id}/administrator", {"administrator": "0"}).status_code == 303
    assert browser.get("/people").status_code == 403


def test_an_administrator_sees_no_picture_of_others_for_being_one(people_client):
    make_person(people_client, "eva", administrator=True)
    eva = log_in(people_client, "eva")
    assert eva.get("/people").status_code == 200
    assert eva.get("/api/v1/images").json()["images"] == []
    assert eva.get("/?library=main").status_code in {200, 404}


@pytest.mark.usefixtures("bea")
def test_who_has_logged_out_was_seen_all_the_same(people_client):
    ada = log_in(people_client, "ada")
    assert "never" in ada.get("/people").text
    log_in(people_client, "bea").post("/logout")
    assert "never" not in ada.get("/people").text


def test_a_notice_says_what_somebody_is_now_and_cuts_a_long_name(people_client):
    long = make_person(people_client, "w" * 64)
    ada = log_in(people_client, "ada")
    ada.post(f"/people/{long.id}/administrator", {"administrator": "1"})
    assert f"<p>{'w' * 31}… is now an administrator.</p>" in ada.get("/people").text
    ada.post(f"/people/{long.id}/administrator", {"administrator": "0"})
    assert f"<p>{'w' * 31}… is no longer an administrator.</p>" in ada.get("/people").text


def test_an_account_that_is_not_there_is_404(people_client):
    ada = log_in(people_client, "ada")
    assert {ada.post(f"/people/none/{deed}").status_code for deed in DEEDS} == {404}
