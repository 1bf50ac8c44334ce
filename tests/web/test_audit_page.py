"""The audit log over HTTP: for whom it opens, what it shows, and the CSV."""

import csv
import io

import pytest

from pipeline import libraries
from pipeline.principals import OWNER, Role
from pipeline.stores import records_audit
from pipeline.stores.records_audit import Event
from tests.web.members import Browser, backend_of, give_role, log_in, make_person

HOSTILE = '=1+1"><script>alert(1)</script>'


@pytest.fixture
def family(people_client):
    """A library of which bea is the owner and vic a viewer."""
    library = libraries.make(backend_of(people_client), OWNER, "family").id
    give_role(people_client, library, make_person(people_client, "bea"), Role.OWNER)
    give_role(people_client, library, make_person(people_client, "vic"), Role.VIEWER)
    return library


def table_of(browser):
    answer = browser.get("/audit.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="likeness-audit-')
    assert answer.headers["cache-control"] == "no-store"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_an_administrator_reads_what_everybody_did(people_client, family):
    Browser(people_client).log_in("bea", "a wrong password")
    browser = log_in(people_client, "ada")
    page = browser.get("/audit")
    assert page.status_code == 200
    for word in ("login failed", "member added", "family", "person added"):
        assert word in page.text
    told = {(row["who"], row["action"], row["subject"], row["library_id"]) for row in table_of(browser)}
    assert ("(nobody)", "login failed", "bea", "") in told
    assert ("ada", "logged in", "by password", "") in told
    assert ("(this machine)", "member added", "vic", family) in told


def test_an_owner_reads_what_was_done_in_their_library_alone(people_client, family):
    browser = log_in(people_client, "bea")
    page = browser.get("/audit")
    assert (page.status_code, "login" in page.text.partition("<tbody")[2]) == (200, False)
    assert {row["library_id"] for row in table_of(browser)} == {family}


@pytest.mark.usefixtures("family")
def test_whoever_owns_nothing_reads_nothing(people_client):
    browser = log_in(people_client, "vic")
    assert [browser.get(path).status_code for path in ("/audit", "/audit.csv")] == [403, 403]
    assert 'href="/audit"' not in browser.get("/").text


def test_what_was_typed_is_text_on_the_page_and_no_formula_in_the_csv(people_client):
    with backend_of(people_client).database.write() as connection:
        records_audit.add(connection, OWNER, Event.LIBRARY_MADE, HOSTILE, before=HOSTILE)
    browser = log_in(people_client, "ada")
    assert "<script>alert" not in browser.get("/audit").text
    row = next(row for row in table_of(browser) if row["action"] == "library made")
    assert not row["subject"].startswith("=")


def test_older_entries_are_on_further_pages(people_client):
    with backend_of(people_client).database.write() as connection:
        for number in range(150):
            records_audit.add(connection, OWNER, Event.LIBRARY_MADE, f"library-{number}-")
    browser = log_in(people_client, "ada")
    first, second = browser.get("/audit"), browser.get("/audit?offset=100")
    assert 'href="/audit?offset=100"' in first.text
    assert "library-149-" in first.text
    assert "library-0-" in second.text
    assert "library-0-" not in first.text
    assert len(table_of(browser)) == 153  # and the account, that it owns a library, and the login


@pytest.mark.parametrize("offset", ["-1", "x", "1e3", "9" * 30])
def test_an_offset_that_is_none_is_one_sentence(people_client, offset):
    assert log_in(people_client, "ada").get(f"/audit?offset={offset}").status_code == 422


def test_nothing_of_the_log_can_be_changed_over_http(people_client):
    browser = log_in(people_client, "ada")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert browser.request(method, "/audit").status_code == 405
        assert browser.request(method, "/audit.csv").status_code == 405
