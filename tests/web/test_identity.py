"""Who a request comes from: cookies, tokens of the API, CSRF tokens, and the server before it has accounts."""

import random
from datetime import timedelta
from http.cookies import SimpleCookie
from itertools import cycle
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute
from people_clock import let_pass

from pipeline import accounts, sessions, welcomes
from pipeline.principals import OWNER, Scope
from pipeline.stores.tables import metadata
from tests.web.conftest import LOCAL, OpenClient, error_of
from tests.web.members import PASSWORD, SECURE, Browser, another, api, backend_of, log_in, make_person, make_token
from tests.web.photos import plain
from webapp.cookies import Signer
from webapp.identity import COOKIE, SECURE_COOKIE, SESSION

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
AN_HOUR = timedelta(hours=1, seconds=1)


def cookie_of(answer, name=COOKIE):
    """Return the cookies of this name that an answer sets, in order."""
    parsed = [SimpleCookie(line) for line in answer.headers.get_list("set-cookie")]
    return [each[name] for each in parsed if name in each]


def unsafe_routes(client):
    found = [
        (method, route.path)
        for included in client.app.routes
        for route in getattr(getattr(included, "original_router", None), "routes", [included])
        if isinstance(route, APIRoute)
        for method in sorted(route.methods & UNSAFE)
    ]
    assert ("POST", "/logout") in found
    assert ("POST", "/account/tokens") in found
    return [(method, path.replace("{", "").replace("}", "").replace(":path", "")) for method, path in found]


def everything_in(client):
    """Return every row of every table, but of those that tell when a session was last used."""
    with backend_of(client).database.read() as connection:
        tables = [table for table in metadata.sorted_tables if table.name != "sessions"]
        return {table.name: connection.execute(sa.select(table)).all() for table in tables}


# ---- CSRF tokens


def test_no_route_changes_anything_for_a_session_without_its_own_csrf_token(people_client):
    ada, other = log_in(people_client, "ada"), log_in(people_client, "ada")
    assert ada.csrf_token != other.csrf_token
    before = everything_in(people_client)
    wrong = cycle(("", "wrong", other.csrf_token, ada.csrf_token[:-1], ada.csrf_token.upper()))
    routes = unsafe_routes(people_client)
    assert len(routes) > 10 * 5, "each is tried on many"
    for method, path in routes:
        for token in (None, next(wrong)):  # what a token is worth is decided before it is known what is asked for
            sent = {} if token is None else {"csrf_token": token}
            headers = {} if token is None else {"X-CSRF-Token": token}
            answers = [
                ada.http.request(method, path, data=sent),
                ada.http.request(method, path, headers=headers, json={}),
                ada.http.request(method, path, data=sent, files={"file": ("a.png", plain("red"))}),
            ]
            assert [answer.status_code for answer in answers] == [403] * 3, (method, path, token)
            assert all("earlier login" in answer.text for answer in answers)
    assert everything_in(people_client) == before
    assert ada.get("/account").status_code == 200


def test_the_csrf_token_is_taken_from_a_field_or_a_header(people_client):
    ada = log_in(people_client, "ada")
    fields = {"name": "bea", "csrf_token": ada.csrf_token}
    assert ada.http.post("/people", data=fields).status_code == 200
    assert ada.request("POST", "/people", data={"name": "cem"}).status_code == 200
    assert ada.http.post("/people", data=fields | {"name": "dora"}, files={"x": b""}).status_code == 200


def test_a_wrong_header_is_not_made_good_by_a_right_field(people_client):
    ada = log_in(people_client, "ada")
    answer = ada.post("/people", {"name": "bea"}, headers={"X-CSRF-Token": "wrong"})
    assert answer.status_code == 403


def test_of_two_csrf_fields_a_wrong_one_at_the_end_is_refused(people_client):
    ada = log_in(people_client, "ada")
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for fields, status in (([ada.csrf_token, "wrong"], 403), ([ada.csrf_token, ada.csrf_token], 200)):
        body = "&".join(["name=bea", *(f"csrf_token={field}" for field in fields)])
        assert ada.http.post("/people", content=body, headers=kind).status_code == status


def test_a_csrf_field_behind_a_large_file_is_found(people_client):
    ada = log_in(people_client, "ada")
    noise = random.Random(5).randbytes(4 << 20)  # noqa: S311 - nothing is to be guessed
    parts = [("file", ("large.jpg", noise)), ("csrf_token", (None, ada.csrf_token))]
    assert ada.http.post("/upload", files=parts).status_code == 303
    parts[1] = ("csrf_token", (None, "wrong"))
    assert ada.http.post("/upload", files=parts).status_code == 403


def test_a_csrf_token_that_is_sent_as_a_file_is_none(people_client):
    ada = log_in(people_client, "ada")
    files = {"csrf_token": ("csrf.txt", ada.csrf_token.encode())}
    assert ada.http.post("/people", data={"name": "bea"}, files=files).status_code == 403


def test_the_api_needs_the_csrf_token_with_a_cookie_and_none_with_an_api_token(people_client):
    ada = log_in(people_client, "ada")
    picture = {"file": ("red.png", plain("red"))}
    refused = ada.http.post("/api/v1/images", files=picture)
    assert (refused.status_code, error_of(refused)["code"]) == (403, "not_allowed")
    image = ada.request("POST", "/api/v1/images", files=picture)
    assert image.status_code in {200, 201, 202}, image.text
    address = f"/api/v1/images/{image.json()['id']}"
    assert ada.http.patch(address, json={"caption": "of somebody else"}).status_code == 403
    assert ada.request("PATCH", address, json={"caption": "mine"}).json()["caption"] == "mine"
    ada_again = accounts.find_person(backend_of(people_client), OWNER, "ada")
    program = api(people_client, make_token(people_client, ada_again))
    assert program.patch(address, json={"caption": "by a program"}).json()["caption"] == "by a program"


# ---- API tokens


def test_a_token_opens_the_api_and_no_page(people_client):
    program = api(people_client, make_token(people_client, make_person(people_client, "bea", administrator=True)))
    assert program.get("/api/v1/images").status_code == 200
    assert program.get("/metrics").status_code == 200
    for page in ("/", "/account", "/people", "/audit", "/audit.csv", "/status", "/libraries"):
        answer = program.get(page)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login"), page
    assert program.post("/people", data={"name": "eve"}).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer lk_x",
        "Bearer \xff",
        "Basic YWRhOnB3",
        "lk_x",
        "bearer  x y z",
        "Bearer " + "x" * 5000,
    ],
)
def test_what_is_no_token_is_401_with_a_sentence(people_client, header):
    answer = people_client.get("/api/v1/images", headers={"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert error_of(answer)["code"] == "not_logged_in"


def test_a_token_that_is_no_good_is_not_made_good_by_a_session(people_client):
    ada = log_in(people_client, "ada")
    assert ada.get("/api/v1/images").status_code == 200
    assert ada.get("/api/v1/images", headers={"Authorization": "Bearer lk_x"}).status_code == 401


def test_a_revoked_token_is_refused_at_the_very_next_request(people_client):
    backend, bea = backend_of(people_client), make_person(people_client, "bea")
    program = api(people_client, make_token(people_client, bea, Scope.READ))
    assert program.get("/api/v1/images").status_code == 200
    (token,) = sessions.list_tokens(backend, bea.id)
    sessions.revoke_token(backend, OWNER, token.id)
    assert program.get("/api/v1/images").status_code == 401


# ---- Cookies


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(people_client):
    (cookie,) = cookie_of(Browser(people_client).log_in("ada"))
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert (cookie["secure"], cookie["domain"]) == ("", "")
    assert int(cookie["max-age"]) == 30 * 86_400


def test_over_https_the_cookie_is_secure_and_of_this_host_alone(people_client):
    answer = Browser(people_client, SECURE).log_in("ada")
    assert cookie_of(answer) == []
    (cookie,) = cookie_of(answer, SECURE_COOKIE)
    assert SECURE_COOKIE.startswith("__Host-")
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "")


def test_over_https_a_cookie_that_may_come_from_elsewhere_counts_for_nothing(people_client):
    (cookie,) = cookie_of(Browser(people_client).log_in("ada"))
    secure = another(people_client, SECURE, cookies={COOKIE: cookie.value})
    assert secure.get("/account").status_code == 303


def test_a_cookie_that_was_changed_is_nobodys(people_client):
    (cookie,) = cookie_of(Browser(people_client).log_in("ada"))
    value = cookie.value
    payload, time, signature = value.split(".")
    signer: Signer = people_client.app.state.running.signer
    opened = signer.unseal(value, SESSION, 60)
    assert isinstance(opened, list)
    hostile = {
        "cut off": value[:-1],
        "another letter": value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1],
        "no signature": payload,
        "an empty signature": f"{payload}.{time}.",
        "the signature alone": signature,
        "signed by another key": Signer("another key of 32 characters!!!!").seal(opened, SESSION),
        "signed for another end": signer.seal(opened, "oidc"),
        "of another shape": signer.seal({"a": 1}, SESSION),
        "too short": signer.seal(opened[:1], SESSION),
        "no session": signer.seal(["x", opened[1]], SESSION),
        "empty": "",
        "no text": "\xff\xfe",
        "very long": "x" * 7000,
    }
    for name, text in hostile.items():
        answer = another(people_client, headers={"Cookie": f"{COOKIE}={text}".encode("latin-1")}).get("/account")
        assert answer.status_code == 303, name
    assert another(people_client, cookies={COOKIE: value}).get("/account").status_code == 200


def test_a_cookie_of_another_installation_is_nobodys(people_client, open_client: OpenClient, tmp_path: Path):
    (cookie,) = cookie_of(Browser(people_client).log_in("ada"))
    with open_client(tmp_path / "other", with_worker=False, accounts="required") as elsewhere:
        make_person(elsewhere, "ada")
        assert another(elsewhere, cookies={COOKIE: cookie.value}).get("/account").status_code == 303


def test_after_an_hour_the_answer_brings_a_new_cookie_and_the_csrf_token_stays(people_client):
    ada = log_in(people_client, "ada")
    token = ada.csrf_token
    before = ada.http.cookies[COOKIE]
    let_pass(backend_of(people_client).database, AN_HOUR)
    (cookie,) = cookie_of(ada.get("/account"))
    assert cookie.value != before
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie_of(ada.get("/account")) == []
    assert ada.read_token() == token


@pytest.mark.parametrize("path", ["/account", "/api/v1/images", "/nothing-here", "/api/v1/images/none"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_new_cookie_comes_with_every_kind_of_answer_or_the_old_one_still_works(people_client, path, method):
    ada = log_in(people_client, "ada")
    let_pass(backend_of(people_client).database, AN_HOUR)
    ada.http.request(method, path)
    let_pass(backend_of(people_client).database, timedelta(minutes=2))
    assert ada.get("/account").status_code == 200


def test_an_old_copy_of_a_cookie_ends_the_session_for_the_thief_and_the_owner(people_client):
    ada = log_in(people_client, "ada")
    thief = another(people_client, cookies={COOKIE: ada.http.cookies[COOKIE]})
    assert thief.get("/account").status_code == 200
    let_pass(backend_of(people_client).database, AN_HOUR)
    assert ada.get("/account").status_code == 200
    assert ada.get("/account").status_code == 200
    let_pass(backend_of(people_client).database, timedelta(minutes=11))
    assert thief.get("/account").status_code == 303
    assert ada.get("/account").status_code == 303


# ---- Answers to nobody


def test_nobody_is_led_to_the_login_and_from_there_to_where_they_wanted(people_client):
    nobody = Browser(people_client)
    assert nobody.get("/").headers["location"] == "/login"
    answer = nobody.get("/images/x?size=large&a=b")
    assert answer.headers["location"] == "/login?next=%2Fimages%2Fx%3Fsize%3Dlarge%26a%3Db"
    assert nobody.http.head("/account").status_code == 303
    assert nobody.http.post("/people", data={"name": "eve"}).status_code == 401


def test_htmx_is_told_to_open_the_login_as_a_page(people_client):
    headers = {"HX-Request": "true", "HX-Current-URL": f"{LOCAL}/status?x=1"}
    for method in ("GET", "POST"):
        answer = Browser(people_client).http.request(method, "/status", headers=headers)
        expected = "/login?next=%2Fstatus%3Fx%3D1"
        if method == "GET":
            assert (answer.status_code, answer.headers["hx-redirect"]) == (401, expected)
    hostile = headers | {"HX-Current-URL": "https://evil.example//evil.example/"}
    answer = Browser(people_client).get("/status", headers=hostile)
    assert answer.headers["hx-redirect"] == "/login"


def test_pages_without_anybody_are_bare_and_tell_nothing_of_the_server(people_client):
    backend = backend_of(people_client)
    pages = [Browser(people_client).get(path) for path in ("/login", "/nothing-here", "/welcome/no-link", "/people")]
    assert [page.status_code for page in pages] == [200, 404, 404, 303]
    for page in pages:
        for word in (backend.encoder.name, "main", "ada", str(backend.settings.data), "/trash", "csrf"):
            assert word not in page.text.replace('id="main"', "").replace("#main", "").replace("<main", "").replace(
                "</main", ""
            ), word


def test_an_unknown_address_has_the_frame_of_whoever_asks(people_client, client):
    assert 'href="/trash"' in log_in(people_client, "ada").get("/nothing-here").text
    assert 'href="/trash"' in client.get("/nothing-here").text
    assert 'href="/trash"' not in Browser(people_client).get("/nothing-here").text


def test_an_error_nobody_foresaw_tells_nobody_what_it_was(people_client, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("a secret of the machine")

    monkeypatch.setattr("starlette.requests.HTTPConnection.query_params", property(broken))
    answer = Browser(people_client).get("/login")
    assert answer.status_code == 500
    assert "secret of the machine" not in answer.text
    assert "Traceback" not in answer.text


def test_a_database_that_is_down_is_one_sentence_and_lets_nobody_in(people_client):
    ada = log_in(people_client, "ada")
    database = backend_of(people_client).database
    database.engine.dispose()
    path = Path(database.url.database)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    path.mkdir()
    for browser in (ada, Browser(people_client)):
        assert browser.get("/livez").status_code == 200
        assert browser.get("/readyz").status_code == 503
        assert browser.get("/readyz").json() == {"status": "not ready", "down": ["Database", "Vector index"]}
        assert browser.http.post("/login", data={"name": "ada", "password": PASSWORD}).status_code == 503
    for page in ("/", "/account", "/people", "/status"):
        answer = ada.get(page)
        assert (answer.status_code, "The database does not answer." in answer.text) == (503, True), page
        assert "sqlite" not in answer.text.lower()
    assert ada.get("/api/v1/images").json()["error"]["code"] == "store_unavailable"


# ---- A server on which nobody has an account


def test_without_accounts_whoever_is_at_the_machine_does_everything_without_a_login(client):
    assert client.get("/").status_code == 200
    assert client.get("/login").headers["location"] == "/"
    assert client.post("/api/v1/images", files={"file": ("red.png", plain("red"))}).status_code in {201, 202}
    assert "csrf" not in client.get("/").text
    assert client.get("/account").status_code == 404
    assert client.post("/logout").status_code == 422
    assert client.post("/login", data={"name": "ada", "password": PASSWORD}).headers["location"] == "/"


def test_without_accounts_another_host_and_a_proxy_are_refused(client):
    assert client.get("/", headers={"Host": "pictures.example.org"}).status_code == 403
    assert client.get("/", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 403
    assert client.get("/api/v1/images", headers={"Forwarded": "for=192.0.2.7"}).status_code == 403


def test_the_first_account_closes_a_running_server_at_once(client):
    assert client.get("/account").status_code == 404
    make_person(client, "ada")
    assert client.get("/").headers["location"] == "/login"
    assert client.get("/api/v1/images").status_code == 401
    assert client.post("/api/v1/images", files={"file": ("red.png", plain("red"))}).status_code == 401
    assert log_in(client, "ada").get("/").status_code == 200


def test_where_accounts_are_required_everything_is_closed_before_there_is_one(open_client: OpenClient, tmp_path: Path):
    with open_client(tmp_path / "data", with_worker=False, accounts="required") as empty:
        for path in ("/", "/status", "/people", "/images/x"):
            assert empty.get(path).status_code == 303
        assert empty.get("/api/v1/images").status_code == 401
        assert Browser(empty).log_in("ada").status_code == 401


def test_where_accounts_are_required_they_stay_so_with_people(people_client):
    assert accounts.are_active(backend_of(people_client))
    assert welcomes.first_run_secret(backend_of(people_client)) is None
    assert people_client.get("/").headers["location"] == "/login"
