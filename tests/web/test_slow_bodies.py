"""Bodies that arrive as slowly, or are written as strangely, as their sender likes."""

import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from pictures import picture_bytes
from starlette.testclient import TestClient

from pipeline import accounts, members, sessions
from pipeline.access import local_owner
from pipeline.principals import Role, Scope
from pipeline.stores import records_libraries
from tests.web.conftest import error_of
from tests.web.members import Browser, api, backend_of, give_role, make_person, make_token

FORM = b"application/x-www-form-urlencoded"


def send_slowly(
    client: TestClient, path: str, headers: dict[str, str], body: bytes, meanwhile: Callable[[], Any]
) -> int:
    """Send a body in two parts, with something happening in between; return the status of the answer."""
    statuses: list[int] = []
    parts = iter([(body[:5], True), (body[5:], False)])
    first_was_sent, more_to_come = False, ["the second part"]

    async def receive() -> dict[str, Any]:
        nonlocal first_was_sent
        if first_was_sent and more_to_come:
            more_to_come.clear()
            meanwhile()
        first_was_sent = True
        part, more = next(parts, (b"", False))
        return {"type": "http.request", "body": part, "more_body": more}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8000")]
        + [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    return statuses[0]


def roles(client: TestClient) -> dict[str, Role]:
    with backend_of(client).database.read() as connection:
        return {member.name: member.role for member in records_libraries.members_of(connection, "main")}


def make_owner(client: TestClient, person: accounts.Person) -> None:
    with backend_of(client).database.write() as connection:
        records_libraries.set_role(connection, "main", person.id, Role.OWNER)


def cookie_of(browser: Browser) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())


@pytest.mark.parametrize("by", ["a session with a field", "a session with a header", "a token"])
def test_an_owner_who_is_removed_while_a_form_arrives_adds_nobody(people_client: TestClient, by: str) -> None:
    carol, eve = (make_person(people_client, name) for name in ("carol", "eve"))
    make_owner(people_client, carol)
    owner = local_owner(backend_of(people_client))
    browser = Browser(people_client)
    browser.log_in("carol")
    fields = {"person": eve.name, "role": "moderator"}
    headers = {"content-type": FORM.decode()}
    path = "/libraries/main/members"
    if by == "a token":
        headers = {"content-type": "application/json"}
        headers["authorization"] = f"Bearer {make_token(people_client, carol, Scope.MANAGE)}"
        path = f"/api/v1{path}"
    else:
        headers["cookie"] = cookie_of(browser)
        if by.endswith("header"):
            headers["x-csrf-token"] = browser.csrf_token
        else:
            fields["csrf_token"] = browser.csrf_token
    body = b'{"person": "eve", "role": "moderator"}' if by == "a token" else urlencode(fields).encode()
    before = roles(people_client)
    assert before == {"ada": Role.OWNER, "carol": Role.OWNER}

    status = send_slowly(
        people_client,
        path,
        headers | {"content-length": str(len(body))},
        body,
        lambda: members.remove(backend_of(people_client), owner, "main", carol.id),
    )

    assert status == 404
    assert roles(people_client) == {"ada": Role.OWNER}


def test_whoever_is_deactivated_while_their_form_arrives_gets_no_token(people_client: TestClient) -> None:
    bob = make_person(people_client, "bob")
    backend = backend_of(people_client)
    browser = Browser(people_client)
    browser.log_in("bob")
    body = urlencode({"name": "late", "scope": "read", "csrf_token": browser.csrf_token}).encode()
    headers = {"content-type": FORM.decode(), "cookie": cookie_of(browser), "content-length": str(len(body))}

    status = send_slowly(
        people_client,
        "/account/tokens",
        headers,
        body,
        lambda: accounts.deactivate(backend, local_owner(backend), bob.id),
    )

    assert status in {303, 401}
    assert people_client.app.state.running.backend is backend
    with backend.database.read() as connection:
        assert not connection.exec_driver_sql("SELECT count(*) FROM tokens").scalar()


def test_a_token_that_is_revoked_while_a_search_arrives_finds_nothing(people_client: TestClient) -> None:
    bob = make_person(people_client, "bob")
    backend = backend_of(people_client)
    token = make_token(people_client, bob, Scope.READ)
    body = b'{"text": "anything at all"}'
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    [kept] = sessions.list_tokens(backend, bob.id)

    status = send_slowly(
        people_client,
        "/api/v1/search",
        headers | {"content-length": str(len(body))},
        body,
        lambda: sessions.revoke_token(backend, local_owner(backend), kept.id),
    )

    assert status == 401


@pytest.mark.parametrize("charset", ["punycode", "undefined", "unicode_escape", "idna", "utf-16", "no such thing"])
def test_a_form_in_another_charset_is_refused_before_it_is_decoded(people_client: TestClient, charset: str) -> None:
    body = b'--X\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + b"b" * 50_000 + b"\r\n--X--\r\n"
    headers = {"content-type": f"multipart/form-data; boundary=X; charset={charset}"}

    answer = people_client.post("/login", content=body, headers=headers)

    assert answer.status_code == 422
    assert "UTF-8" in answer.text


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8"])
def test_a_form_that_says_that_it_is_utf_8_is_read(people_client: TestClient, charset: str) -> None:
    body = b'--X\r\nContent-Disposition: form-data; name="name"\r\n\r\nada\r\n--X--\r\n'
    headers = {"content-type": f"multipart/form-data; boundary=X; charset={charset}"}

    assert people_client.post("/login", content=body, headers=headers).status_code == 401


def test_only_the_beginning_of_a_name_is_normalized(people_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    normalize = unicodedata.normalize

    def measured(form: Any, text: str) -> str:
        lengths.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", measured)
    tower = "a" + "\u0301" * 10_000 + "\u0316" * 10_000

    answer = people_client.post("/login", data={"name": tower, "password": "a"})

    assert answer.status_code == 401
    assert lengths
    assert max(lengths) <= 256


def test_a_token_for_uploads_alone_is_not_told_what_others_wrote(people_client: TestClient) -> None:
    owner, bob = make_person(people_client, "olga"), make_person(people_client, "bob")
    make_owner(people_client, owner)
    give_role(people_client, "main", bob, Role.UPLOADER)
    picture = picture_bytes()
    sent = api(people_client, make_token(people_client, owner)).post(
        "/api/v1/images",
        files={"file": ("secret-name.png", picture)},
        data={"caption": "hidden words", "tags": "quiet"},
    )
    assert sent.status_code == 201
    scanner = api(people_client, make_token(people_client, bob, Scope.UPLOAD))

    again = scanner.post("/api/v1/images", files={"file": ("mine.png", picture)})

    assert (again.status_code, again.json()["existing"]) == (200, True)
    assert (again.json()["filename"], again.json()["caption"], again.json()["tags"]) == ("mine.png", "", [])
    refused = scanner.get("/api/v1/images")
    assert (refused.status_code, error_of(refused)["code"]) == (403, "not_allowed")


def test_who_may_add_nothing_anywhere_is_refused_before_their_pictures_are_read(people_client: TestClient) -> None:
    make_person(people_client, "bob")
    browser = Browser(people_client)
    browser.log_in("bob")
    never_read: list[str] = []

    status = send_slowly(
        people_client,
        "/upload",
        {"content-type": "multipart/form-data; boundary=X", "cookie": cookie_of(browser)},
        b"--X\r\nwhat follows is never asked for",
        lambda: never_read.append("asked"),
    )

    assert (status, never_read) == (403, [])


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-www-form-urlencoded", ""])
@pytest.mark.parametrize("path", ["/upload", "/search", "/api/v1/images", "/api/v1/search"])
def test_only_forms_with_files_may_be_larger_than_what_is_held_in_memory(
    people_client: TestClient, path: str, kind: str
) -> None:
    browser = Browser(people_client)
    browser.log_in("ada")
    headers = {"content-type": kind} if kind else {}

    answer = browser.http.post(path, content=b"x" * (3 << 20), headers=headers | {"x-csrf-token": browser.csrf_token})

    assert answer.status_code == 413


def test_every_cookie_that_is_given_out_over_https_is_for_https_alone(people_client: TestClient) -> None:
    secure = Browser(people_client, "https://127.0.0.1:8000")
    answers = [secure.log_in("ada"), secure.get("/upload"), secure.post("/account/sessions/revoke-others")]
    cookies = [cookie for answer in answers for cookie in answer.headers.get_list("set-cookie")]

    assert len(cookies) >= 3
    assert [cookie for cookie in cookies if "; secure" not in cookie.lower()] == []
