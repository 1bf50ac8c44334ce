"""No page of another site can reach the application, and nothing that was uploaded can act in ours."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import LIBRARY, LOCAL, error_of, upload
from tests.web.markup import Markup

EVIL = "http://evil.example"
PAGES = ("/", "/?text=cat", "/upload", "/status", "/api/v1/docs", "/nothing", "/images/nothing", "/?color=red")


# ---- Host: no name of the outside world, against DNS rebinding


@pytest.mark.parametrize("path", ["/", "/api/v1/images", "/livez", "/static/app.css", "/nothing"])
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "", "[::"],
)
def test_only_names_of_this_machine_are_answered(library: TestClient, host: str, path: str) -> None:
    answer = library.get(path, headers={"Host": host})
    assert answer.status_code == 403
    assert "http://127.0.0.1" in answer.text
    if path.startswith("/api/"):
        assert error_of(answer)["code"] == "wrong_host"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "[::1]:8000", "LOCALHOST:8000"])
def test_every_name_of_this_machine_is_answered(library: TestClient, host: str) -> None:
    assert library.get("/livez", headers={"Host": host}).status_code == 200


# ---- Origin: nothing is changed for a page of another site

UNSAFE = [
    ("POST", "/api/v1/images"),
    ("POST", "/api/v1/search"),
    ("PATCH", "/api/v1/images/x"),
    ("DELETE", "/api/v1/images/x"),
    ("POST", "/api/v1/libraries"),
    ("POST", "/search"),
    ("POST", "/upload"),
    ("POST", "/selection"),
    ("POST", "/images/x/edit"),
    ("POST", "/images/x/delete"),
    ("POST", "/status/retry"),
]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": EVIL}, id="another site"),
        pytest.param({"Origin": "null"}, id="a sandboxed frame"),
        pytest.param({"Origin": "http://127.0.0.1:9999"}, id="another port of this machine"),
        pytest.param({"Origin": "http://localhost:8000"}, id="another name of this machine"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="cross-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="same-site"),
        pytest.param({"Origin": LOCAL, "Sec-Fetch-Site": "cross-site"}, id="an origin that is contradicted"),
        pytest.param({"Origin": "http://[::"}, id="no address"),
    ],
)
@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_a_page_of_another_site_changes_nothing(
    library: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = library.request(method, path, headers=headers)
    assert answer.status_code == 403
    assert "Another website asked for this" in answer.text
    assert answer.headers["content-security-policy"]
    if path.startswith("/api/"):
        assert error_of(answer)["code"] == "wrong_origin"


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": LOCAL}, {"Sec-Fetch-Site": "same-origin", "Origin": LOCAL}, {"Sec-Fetch-Site": "none"}]
)
def test_our_own_pages_and_programs_are_served(library: TestClient, headers: dict[str, str]) -> None:
    assert library.post("/api/v1/search", json={"text": "cat"}, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/images", "/readyz", "/upload/changes?batch=a&done=1-9"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, id="as an image"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": EVIL}, id="by a script"),
        pytest.param(
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, id="in a frame"
        ),
        pytest.param({"Origin": EVIL}, id="by an old browser"),
    ],
)
def test_a_page_of_another_site_gets_nothing(library: TestClient, path: str, headers: dict[str, str]) -> None:
    assert library.get(path, headers=headers).status_code == 403


def test_a_link_on_another_site_leads_here(library: TestClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert library.get("/", headers=link).status_code == 200


def test_no_other_site_may_read_an_answer(library: TestClient) -> None:
    answer = library.get("/api/v1/images")
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


# ---- What pages carry


def every_answer(client: TestClient) -> list[Any]:
    image = client.get("/api/v1/images").json()["images"][0]["id"]
    paths = (*PAGES, f"/images/{image}", f"/images/{image}/thumbnail", f"/images/{image}/original", "/static/app.css")
    return [client.get(path) for path in (*paths, "/api/v1/images", "/livez", "/metrics", "/api/v1/nothing")]


def test_every_answer_has_the_headers_that_keep_it_harmless(library: TestClient) -> None:
    for answer in every_answer(library):
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe-eval" not in policy
        assert not re.search(r"script-src[^;]*(unsafe-inline|https?:|\*)", policy)


def test_no_page_has_a_script_or_style_in_it(library: TestClient) -> None:
    image = library.get("/api/v1/images").json()["images"][0]["id"]
    for path in (*PAGES, f"/images/{image}"):
        markup = Markup(library.get(path).text)
        for script in markup.all("script"):
            assert script.attributes["src"].startswith("/static/")
            assert script.text == ""
        assert markup.all("style", "iframe", "object", "embed", "base") == []
        for element in markup.elements:
            handlers = [name for name in element.attributes if name.startswith(("on", "hx-on"))]
            assert handlers == [], (path, element)
            assert not element.attributes.get("href", "").lower().startswith(("javascript:", "data:"))


def test_a_color_in_an_address_cannot_become_other_styles(library: TestClient) -> None:
    for query in ("color=0;position:fixed", "color=%23000;background:red", "scheme=x;top:0", "color_name=a;b:c"):
        for style in re.findall(r'style="([^"]*)"', library.get(f"/?{query}").text):
            assert "position" not in style
            assert not re.search(r"(background|top|b):", style)


# ---- Redirects and cookies


@pytest.mark.parametrize(
    "back",
    [
        "http://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
        "evil",
        "",
        "https:evil",
    ],
)
def test_redirects_lead_only_to_own_addresses(client: TestClient, back: str) -> None:
    image = upload(client, LIBRARY["cat.jpg"]).json()["id"]
    answer = client.post("/selection", data={"action": "tag", "tags": "a", "image": image, "back": back})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    asked = client.post("/selection", data={"action": "delete", "image": image, "back": back})
    assert f'value="{back}"' not in asked.text or not back


def test_an_own_address_is_gone_back_to(client: TestClient) -> None:
    image = upload(client, LIBRARY["cat.jpg"]).json()["id"]
    answer = client.post("/selection", data={"action": "tag", "tags": "a", "image": image, "back": "/?text=a b&tag=ä"})
    assert answer.headers["location"] == "/?text=a%20b&tag=%C3%A4"


def test_cookies_are_for_the_server_alone(client: TestClient) -> None:
    image = upload(client, LIBRARY["cat.jpg"]).json()["id"]
    answers = [
        client.get("/upload"),
        client.post("/upload", files={"file": ("a.jpg", LIBRARY["coffee.jpg"])}),
        client.post("/selection", data={"action": "tag", "tags": "a", "image": image, "back": "/"}),
        client.post("/status/retry"),
    ]
    for answer in answers:
        for cookie in answer.headers.get_list("set-cookie"):
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie


@pytest.mark.parametrize("value", ["x", "", "e30=", "W10=", "bnVsbA==", "eyJzZW50ZW5jZSI6IDEsICJ1bmRvIjogMX0=", "\xe4"])
def test_a_damaged_cookie_is_no_cookie(library: TestClient, value: str) -> None:
    answer = library.get("/status", headers={"Cookie": f"notice={value}; upload_batch=../x".encode("latin-1")})
    assert answer.status_code == 200
    deep = "W1tb" * 900  # base64 of [[[…, deeper than a parser goes
    assert library.get("/status", headers={"Cookie": f"notice={deep}"}).status_code == 200


def test_a_key_or_id_is_never_a_path(library: TestClient) -> None:
    for path in (
        "/pictures/..%2f..%2fetc%2fpasswd",
        "/images/..%2f/original",
        "/static/..%2fpyproject.toml",
        "/static//etc/passwd",
    ):
        assert library.get(path).status_code == 404
