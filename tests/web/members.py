"""People with browsers and programs with tokens, at one application on which everybody logs in."""

import html
import re
from dataclasses import dataclass, field
from typing import Any

from starlette.testclient import TestClient

from pipeline import accounts, members, sessions
from pipeline.access import local_owner
from pipeline.accounts import Person
from pipeline.backend import Backend
from pipeline.principals import EVERY_SCOPE, Role, Scope

LOCAL = "http://127.0.0.1:8000"
SECURE = "https://127.0.0.1:8000"
PASSWORD = "correct horse battery"  # noqa: S105 - of nobody but these tests
CSRF_META = re.compile(r'<meta name="csrf-token" content="([^"]+)">')
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def backend_of(client: TestClient) -> Backend:
    """Return what the application of `client` has opened."""
    return client.app.state.running.backend


def make_person(
    client: TestClient, name: str, *, administrator: bool = False, password: str | None = PASSWORD
) -> Person:
    """Make an account. The first one on a server administrates, whatever is asked."""
    backend = backend_of(client)
    return accounts.add_person(backend, local_owner(backend), name, administrator=administrator, password=password)


def give_role(client: TestClient, library: str, person: Person, role: Role) -> None:
    """Make somebody a member of a library that is there."""
    backend = backend_of(client)
    members.add(backend, local_owner(backend), library, person.name, role)


def another(client: TestClient, base_url: str = LOCAL, **options: Any) -> TestClient:
    """Return a client of the same application with cookies of its own; this one starts and stops nothing."""
    made = TestClient(client.app, base_url=base_url, raise_server_exceptions=False, follow_redirects=False, **options)
    made.portal = client.portal  # all in one event loop, as on a server; else each request begins one, in a new thread
    return made


def make_token(client: TestClient, person: Person, *scopes: Scope, days: float | None = None) -> str:
    """Return the secret of an API token of somebody, of every scope unless some are named."""
    backend = backend_of(client)
    wanted = frozenset(scopes) or EVERY_SCOPE
    return sessions.make_token(backend, local_owner(backend), "test", wanted, days, person=person)[1]


def api(client: TestClient, token: str) -> TestClient:
    """Return a program that comes with this token."""
    return another(client, headers={"Authorization": f"Bearer {token}"})


@dataclass
class Browser:
    """What somebody does on pages: cookies of their own, and with every change the CSRF token of their session."""

    client: TestClient
    base_url: str = LOCAL
    http: TestClient = field(init=False)
    csrf_token: str = ""

    def __post_init__(self) -> None:
        self.http = another(self.client, self.base_url)

    def log_in(self, name: str, password: str = PASSWORD, **fields: str) -> Any:
        """Return the answer to the form of the login page."""
        answer = self.http.post("/login", data={"name": name, "password": password, **fields})
        self.read_token()
        return answer

    def read_token(self) -> str:
        """Return the CSRF token that the pages of this session have, "" when there is none."""
        found = CSRF_META.search(self.http.get("/account").text)
        self.csrf_token = html.unescape(found.group(1)) if found else ""
        return self.csrf_token

    def get(self, address: str, **options: Any) -> Any:
        return self.http.get(address, **options)

    def post(self, address: str, data: dict[str, Any] | None = None, **options: Any) -> Any:
        """Send a form as our pages do, with the token in a field."""
        return self.http.post(address, data={"csrf_token": self.csrf_token, **(data or {})}, **options)

    def request(self, method: str, address: str, **options: Any) -> Any:
        """Ask as a script of our pages does, with the token in a header."""
        headers = {"X-CSRF-Token": self.csrf_token} if method not in SAFE else {}
        return self.http.request(method, address, headers=headers | options.pop("headers", {}), **options)


def log_in(client: TestClient, name: str, password: str = PASSWORD, base_url: str = LOCAL) -> Browser:
    """Return a browser in which somebody has logged in."""
    browser = Browser(client, base_url)
    answer = browser.log_in(name, password)
    assert answer.status_code == 303, answer.text
    return browser
