"""Who may do what: every route of the application, tried as every kind of visitor.

The routes are asked of the application itself, so one that has no row in `access_matrix` fails. What is refused must
change nothing and tell nothing.
"""

import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pictures import picture_bytes
from sqlalchemy.engine import Connection
from starlette.testclient import TestClient

from pipeline import (
    accounts,
    bank_entries,
    banks,
    curation,
    duplicate_groups,
    libraries,
    members,
    moderation,
    reporting,
    saved_feeds,
    saved_searches,
    sessions,
    settling,
    upload_choices,
)
from pipeline.backend import Backend
from pipeline.bank_rules import BankAction
from pipeline.features.comparison import Comparison, Verdict
from pipeline.filters import Filter
from pipeline.images import ImageRecord
from pipeline.ingest import accept
from pipeline.principals import OWNER, Principal, Role, Scope
from pipeline.query_pictures import keep_query_picture
from pipeline.search import SearchQuery
from pipeline.settling import Settlement
from pipeline.stores import (
    records_banks,
    records_images,
    records_libraries,
    tables_duplicates,
    tables_people,
    tables_searches,
)
from pipeline.stores.records_banks import NewEntry
from pipeline.stores.records_people import Person
from pipeline.stores.tables import images, metadata
from pipeline.stores.tables_duplicates import duplicate_groups as groups
from pipeline.stores.tables_duplicates import moderation_cases, pair_findings
from pipeline.stores.tables_people import audit_log, login_failures
from pipeline.uploads import spooled
from tests.web.access_matrix import VISITORS, route_path, rows
from tests.web.conftest import OpenClient
from tests.web.members import another
from webapp.identity import COOKIE, CSRF, CSRF_FIELD, CSRF_HEADER, SESSION

HOST = "http://pictures.example:8000"
PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody
SECRET_NAME, SECRET_FILE, SECRET_CAPTION = "zugunruhe", "schattenbild.png", "a caption nobody else may read"
ROWS = rows()
ROLES = {"viewer": Role.VIEWER, "uploader": Role.UPLOADER, "moderator": Role.MODERATOR, "owner": Role.OWNER}
BROWSERS = ("viewer", "uploader", "moderator", "owner", "stranger", "administrator")
WRITTEN_BY_READERS = {"query_pictures", "frozen_results", "upload_cards", "login_failures"}
"""Tables in which a request that only reads, or is refused, may leave something: that it was made, or what it asked."""

MARKED_BY_READERS = {
    "sessions": ("id", "person_id"),
    "tokens": ("id", "person_id", "name", "scopes", "expires_at"),
    "duplicate_groups": ("id", "keeper_row", "verdict", "created_at"),
}
"""Tables in which it may note that it was made, with the columns that must stay; a group is claimed by opening it."""

KEPT = 50
"""So many of the last pictures are there for pages to show to whom they must not."""

OUTSIDERS = {"anonymous", "stranger", "administrator"}


class World:
    """An application with the people of the matrix, and what routes need to be asked for."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.app = client.app
        self.backend: Backend = client.app.state.running.backend
        self.seed = 0
        self._everything = {
            table.name: _everything(table) for table in metadata.sorted_tables if table.name not in WRITTEN_BY_READERS
        }
        self.people = {name: self._person(name) for name in ("administrator", *BROWSERS[:-1], "bystander", "reporter")}
        self.shared = libraries.make(self.backend, self.as_person("owner"), SECRET_NAME).id
        libraries.make(self.backend, self.as_person("stranger"), "elsewhere")
        self.set_roles()
        self.tokens = {
            f"token: {scope}": sessions.make_token(
                self.backend, self.as_person("owner"), scope, frozenset({scope}), 1.0
            )[1]
            for scope in Scope
        }

    def _person(self, name: str) -> Person:
        return accounts.add_person(self.backend, OWNER, name, password=PASSWORD)

    def set_roles(self) -> None:
        """Give everybody the role they begin with, and no other, whatever the request before has changed."""
        with self.backend.database.write() as connection:
            connection.execute(login_failures.delete())
            connection.execute(tables_searches.saved_searches.delete())  # nobody keeps more than a hundred
            for name, person in self.people.items():
                for library in records_libraries.roles_of(connection, person.id):
                    if name != "stranger" or library == self.shared:
                        records_libraries.remove_member(connection, library, person.id)
                if name in ROLES:
                    records_libraries.set_role(connection, self.shared, person.id, ROLES[name])
            records_libraries.set_role(connection, self.shared, self.people["bystander"].id, Role.OWNER)
            records_libraries.set_role(connection, self.shared, self.people["reporter"].id, Role.VIEWER)
            connection.execute(moderation_cases.delete())  # nobody reports without end
            connection.execute(tables_duplicates.banks.delete())  # what no bank has judged is not shown
            self._forget(connection)
            records_libraries.rename(connection, self.shared, SECRET_NAME)
            records_libraries.set_deleted(connection, self.shared, None)

    def _forget(self, connection: Connection) -> None:
        """Forget what is long past: everything there is is compared after each request, and would grow with each."""
        connection.execute(tables_people.sessions.delete())
        newest = connection.scalar(sa.select(sa.func.max(images.c.row))) or 0
        rows = connection.scalars(sa.select(images.c.row).where(images.c.row <= newest - KEPT)).all()
        if rows:
            records_images.purge(connection, rows)

    def now(self, name: str) -> Person:
        """Return the account of somebody as it is now."""
        return accounts.find_person(self.backend, OWNER, name)

    def as_person(self, name: str) -> Principal:
        """Return what somebody may do, as it is now."""
        person = self.people[name]
        with self.backend.database.read() as connection:
            roles = records_libraries.roles_of(connection, person.id)
        return Principal(name, roles, person.id, administrator=person.administrator)

    def image(self) -> ImageRecord:
        """Put a picture into the shared library, in the name of the bystander."""
        self.seed += 1
        data = picture_bytes("noise", seed=self.seed)
        with spooled(io.BytesIO(data), SECRET_FILE, max_bytes=len(data)) as upload:
            return accept(
                self.backend, upload, self.as_person("bystander"), library=self.shared, caption=SECRET_CAPTION
            ).image

    def fill(self, path: str) -> str:
        """Return the path with a fresh thing for each of its parameters."""
        return re.sub(r"{(\w+)}", lambda found: str(getattr(self, f"new_{found[1]}")()), path)

    def new_image_id(self) -> str:
        return self.image().id

    def new_deleted_id(self) -> str:
        image = self.image()
        curation.delete(self.backend, [image.id], self.as_person("bystander"))
        return image.id

    def new_held_id(self) -> str:
        image = self.image()
        moderation.hold(self.backend, [image.id], self.as_person("bystander"), "look at this")
        return image.id

    def new_reported_id(self) -> str:
        image = self.image()
        reporting.report(self.backend, image.id, self.as_person("reporter"), "look at this")
        return image.id

    def new_batch(self) -> str:
        return moderation.approve(self.backend, [self.new_reported_id()], self.as_person("bystander")).batch

    def new_used_batch(self) -> str:
        new, existing = self.new_image_id(), self.new_image_id()
        return upload_choices.use_existing(self.backend, new, existing, self.as_person("bystander")).batch

    def new_key(self) -> str:
        data = picture_bytes("disc")
        with spooled(io.BytesIO(data), "query.png", max_bytes=len(data)) as upload:
            return keep_query_picture(self.backend, upload).key

    def new_group_id(self) -> str:
        """Let two pictures of the shared library be copies of each other; `in_group` are those pictures."""
        self.in_group = [self.image(), self.image()]
        with self.backend.database.write() as connection:
            rows = [image.row for image in self.in_group]
            connection.execute(images.update().where(images.c.row.in_(rows)).values(state="ready"))
            finding = Comparison(Verdict.IDENTICAL).as_json()
            values = {"a_row": rows[0], "b_row": rows[1], "verdict": "identical", "evidence": finding, "version": 1}
            connection.execute(pair_findings.insert().values(found_at=datetime.now(UTC), **values))
            duplicate_groups.regroup(connection, rows)
            return str(connection.scalar(sa.select(groups.c.id).where(groups.c.keeper_row.in_(rows))))

    def new_asked_group_id(self) -> str:
        """Return the group whose pictures the form has named."""
        with self.backend.database.read() as connection:
            rows = [image.row for image in self.in_group]
            return str(connection.scalar(sa.select(groups.c.id).where(groups.c.keeper_row.in_(rows))))

    def settlement(self) -> dict[str, Any]:
        """Return a form that deletes one picture of a new group."""
        self.new_group_id()
        return {"keeper": self.in_group[0].id, "delete": [self.in_group[1].id]}

    def settled(self) -> str:
        """Return what takes back that somebody has settled a group."""
        group = self.new_group_id()
        settlement = Settlement(self.in_group[0].id, deletes=(self.in_group[1].id,))
        return settling.settle(self.backend, group, settlement, self.as_person("bystander")).batch

    def expected(self) -> str:
        """Return what a preview has told of a new group."""
        self.new_group_id()
        return settling.preview_identical(self.backend, self.as_person("bystander")).expected

    def new_library(self) -> str:
        return self.shared

    def new_deleted_library(self) -> str:
        libraries.delete(self.backend, self.as_person("bystander"), self.shared)
        return self.shared

    def new_person_id(self) -> str:
        person = self._person(f"guest-{uuid4().hex[:8]}")
        with self.backend.database.write() as connection:
            records_libraries.set_role(connection, self.shared, person.id, Role.VIEWER)
        return person.id

    def new_password_secret(self) -> str:
        return accounts.password_link(self.backend, OWNER, self.new_person_id())

    def new_invitation_secret(self) -> str:
        return members.invite(self.backend, self.as_person("bystander"), self.shared, Role.OWNER)

    def new_administrator_secret(self) -> str:
        """Invite somebody in the name of an administrator, whose invitations are good for an account as well."""
        with self.backend.database.write() as connection:
            records_libraries.set_role(connection, self.shared, self.people["administrator"].id, Role.OWNER)
        return members.invite(self.backend, self.as_person("administrator"), self.shared, Role.VIEWER)

    def new_link_id(self) -> str:
        self.new_invitation_secret()
        return members.list_invitations(self.backend, self.as_person("bystander"), self.shared)[0].link_id

    def new_search_id(self) -> str:
        query = SearchQuery(where=Filter(libraries=(self.shared,)))
        fields = {"library": [self.shared]}
        return saved_searches.save(self.backend, self.as_person("bystander"), SECRET_CAPTION, fields, query).id

    def new_bank_id(self) -> str:
        """Return a bank with an entry; it is the only one, since a library has a hundred at most.

        It keeps nothing back that waits for it.
        """
        owner = self.as_person("bystander")
        with self.backend.database.write() as connection:
            connection.execute(tables_duplicates.banks.delete())
        self.bank = banks.make(
            self.backend, owner, self.shared, banks.BankSettings(SECRET_CAPTION, BankAction.WARN)
        ).bank.id
        with self.backend.database.write() as connection:
            entry = NewEntry(bytes(range(32)), 100, f"upload:{SECRET_FILE}", thumbnail=b"a small picture")
            records_banks.add_entries(connection, self.bank, [entry], None)
        return self.bank

    def new_entry_id(self) -> int:
        """Return the entry of the bank that was made last."""
        return bank_entries.list_entries(self.backend, self.as_person("bystander"), self.bank, limit=1)[0].id

    def new_feed_key(self) -> str:
        query = SearchQuery(where=Filter(categories=("animal",)))
        fields = {"category": ["animal"]}
        saved = saved_searches.save(self.backend, self.as_person("bystander"), "animals", fields, query)
        return saved_feeds.make_feed(self.backend, self.as_person("bystander"), saved.id)

    def new_session_id(self) -> str:
        return sessions.begin(self.backend, self.now("bystander"), address="", browser="", how="a test").session_id

    def new_token_id(self) -> str:
        made, _ = sessions.make_token(self.backend, self.as_person("bystander"), "a", frozenset({Scope.READ}), 1.0)
        return made.id

    def contents(self) -> dict[str, list[sa.Row[Any]]]:
        """Return everything in the database that a refused request must not touch."""
        with self.backend.database.read() as connection:
            return {name: list(connection.exec_driver_sql(statement)) for name, statement in self._everything.items()}


def _everything(table: sa.Table) -> str:
    """Return what reads the lasting columns of a table, as SQL: as the driver gives them they are compared quickest.

    Of the audit log, from which nothing can be removed and in which nothing can be changed, that is how long it is.
    """
    if table is audit_log:
        return str(sa.select(sa.func.max(audit_log.c.id)))
    lasting = [table.c[name] for name in MARKED_BY_READERS.get(table.name, table.c.keys())]
    return str(sa.select(*lasting).order_by(*table.primary_key))


@pytest.fixture(scope="module")
def world(open_client: OpenClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_client(tmp_path_factory.mktemp("matrix"), with_worker=False, accounts="required") as client:
        yield World(client)


class Visitor:
    """Sends requests as one of the kinds of visitors."""

    def __init__(self, world: World, kind: str) -> None:
        self.client = another(world.client, HOST)
        self.kind, self.csrf = kind, ""
        if kind in BROWSERS:
            signer = world.app.state.running.signer
            begun = sessions.begin(world.backend, world.now(kind), address="", browser="", how="a test")
            self.client.cookies.set(COOKIE, signer.seal([begun.session_id, begun.secret], SESSION))
            self.csrf = signer.mark(begun.session_id, CSRF)
        elif kind in world.tokens:
            self.client.headers["Authorization"] = f"Bearer {world.tokens[kind]}"

    def send(self, method: str, path: str, form: dict[str, Any]) -> Any:
        if method == "GET":
            return self.client.get(path, params=form)
        if path.startswith("/api/"):
            headers = {CSRF_HEADER: self.csrf} if self.csrf else {}
            if "file" in form:
                rest = {name: value for name, value in form.items() if name != "file"}
                return self.client.request(method, path, files={"file": form["file"]}, data=rest, headers=headers)
            return self.client.request(method, path, json=form, headers=headers)
        fields = {name: value for name, value in form.items() if name != "file"} | {CSRF_FIELD: self.csrf}
        files = {"file": form["file"]} if "file" in form else None
        return self.client.request(method, path, data=fields, files=files)


def form_of(world: World, method: str, path: str) -> dict[str, Any]:
    """Return what a request to a route sends so that nothing but a missing right can be wrong with it."""
    fresh = uuid4().hex[:8]
    world.seed += 1
    picture = ("new.png", picture_bytes("noise", seed=world.seed))
    forms: dict[str, dict[str, Any]] = {
        "POST /search": {"file": picture},
        "POST /upload": {"file": picture, "library": world.shared},
        "GET /upload/changes": {"batch": "a"},
        "POST /images/{image_id}/edit": {"caption": "changed", "tags": "new"},
        "POST /language": {"language": "en"},
        "POST /images/{image_id}/report": {"reason": "look at this"},
        "POST /images/{held_id}/report": {"reason": "look at this"},
        "POST /images/{image_id}/hold": {"reason": "look at this"},
        "POST /images/{held_id}/edit": {"caption": "changed", "tags": "new"},
        "PATCH /api/v1/images/{held_id}": {"caption": "changed"},
        "POST /api/v1/images/{image_id}/report": {"reason": "look at this"},
        "POST /selection": {"action": "tag", "tags": "new"},
        "POST /api/v1/images": {"file": picture, "library": world.shared},
        "PATCH /api/v1/images/{image_id}": {"caption": "changed"},
        "POST /api/v1/search": {"text": "cat"},
        "POST /api/v1/libraries": {"name": fresh},
        "PATCH /api/v1/libraries/{library}": {"name": fresh},
        "POST /api/v1/libraries/{library}/members": {"person": world.people["administrator"].name, "role": "viewer"},
        "PATCH /api/v1/libraries/{library}/members/{person_id}": {"role": "uploader"},
        "POST /duplicates/{group_id}": {"action": "keep-left"},
        "POST /login": {"name": "viewer", "password": "not the password"},
        "POST /welcome/{password_secret}": {"name": fresh, "password": PASSWORD, "again": PASSWORD},
        "POST /invitations/{invitation_secret}/account": {"name": fresh, "password": PASSWORD, "again": PASSWORD},
        "POST /invitations/{administrator_secret}/account": {"name": fresh, "password": PASSWORD, "again": PASSWORD},
        "POST /account/password": {"current": PASSWORD, "password": PASSWORD, "again": PASSWORD},
        "POST /account/tokens": {"name": fresh, "scope": "read", "expires": "30"},
        "POST /people": {"name": fresh},
        "POST /people/{person_id}/administrator": {"administrator": "1"},
        "POST /status/encoder": {"do": "pause"},
        "POST /searches": {"name": fresh, "query": "/?category=animal"},
        "POST /searches/{search_id}/rename": {"name": fresh},
        "POST /searches/{search_id}/webhook": {"address": "http://127.0.0.1/"},
        "POST /api/v1/searches": {"name": fresh, "query": {"category": "animal"}},
        "PATCH /api/v1/searches/{search_id}": {"name": fresh},
        "POST /banks": {"name": fresh, "library": world.shared},
        "POST /banks/{bank_id}/settings": {"name": fresh},
        "POST /banks/{bank_id}/delete": {"confirmed": "1"},
        "POST /banks/{bank_id}/pictures": {"file": picture},
        "POST /banks/{bank_id}/hashes": {"text": "ab" * 32},
        "POST /banks/{bank_id}/try": {"file": picture},
        "POST /banks/{bank_id}/hold": {"number": "0"},
        "POST /api/v1/banks": {"name": fresh, "library": world.shared},
        "PATCH /api/v1/banks/{bank_id}": {"name": fresh},
        "POST /api/v1/banks/{bank_id}/entries": {"hashes": [{"hash": "ab" * 32}]},
        "POST /api/v1/banks/{bank_id}/pictures": {"file": picture},
        "POST /api/v1/banks/{bank_id}/hashes": {"file": ("list.csv", b"ab" * 32)},
        "PATCH /api/v1/banks/{bank_id}/entries/{entry_id}": {"notes": "changed"},
        "POST /api/v1/banks/{bank_id}/try": {"file": picture},
        "POST /api/v1/banks/{bank_id}/hold": {"number": 0},
        "POST /libraries": {"name": fresh},
        "POST /libraries/{library}/rename": {"name": fresh},
        "POST /libraries/{library}/delete": {"confirmed": "1"},
        "POST /libraries/{library}/members": {"person": world.people["administrator"].name, "role": "viewer"},
        "POST /libraries/{library}/members/{person_id}/role": {"role": "uploader"},
        "POST /libraries/{library}/invitations": {"role": "viewer"},
    }
    if path == "/images/{image_id}/bank":
        return {"bank": world.new_bank_id()}
    if path.startswith(("/moderation/", "/api/v1/moderation/")):
        return deed_of(world, path)
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "POST /selection": lambda: forms["POST /selection"] | {"image": world.new_image_id()},
        "POST /upload/choose": lambda: {
            "choice": "use",
            "new": world.new_image_id(),
            "existing": world.new_image_id(),
            "batch": "a",
            "card": "1",
        },
        "POST /api/v1/duplicates/decisions": lambda: {
            "a": world.new_image_id(),
            "b": world.new_image_id(),
            "decision": "unrelated",
        },
        "POST /api/v1/compare": lambda: {"a": world.new_image_id(), "b": world.new_image_id()},
        "POST /api/v1/duplicates/undo": lambda: {"batch": world.settled()},
        "POST /duplicates/undo": lambda: {"done": f"{world.settled()}:{world.in_group[0].id}"},
        "POST /duplicates/identical": lambda: {"expected": world.expected()},
        "POST /api/v1/duplicates/identical": lambda: {"expected": world.expected()},
        "POST /api/v1/duplicates/{asked_group_id}/settle": world.settlement,
    }
    call = f"{method} {path}"
    return made[call]() if call in made else forms.get(call, {})


def deed_of(world: World, path: str) -> dict[str, Any]:
    """Return what is sent to decide about a picture, made only for the routes that need it."""
    deed = path.rpartition("/")[2]
    if deed == "undo":
        return {"batch": world.new_batch()}
    if path.startswith("/api/"):
        return {"ids": [world.new_image_id() if deed == "hold" else world.new_reported_id()], "reason": "look at this"}
    return {"action": "approve" if deed == "settle" else "remove", "image": world.new_reported_id()}


def answer_of(answer: Any) -> str:
    is_login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
    return "L" if is_login and answer.request.url.path != "/logout" else str(answer.status_code)


def every_route(routes: Any) -> Iterator[tuple[str, str]]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from every_route(inner.routes)
            continue
        path = "/static/app.css" if route.path == "/static" else route.path
        for method in getattr(route, "methods", None) or {"GET"}:
            if method != "HEAD":
                yield method, path


def test_every_route_has_a_row_and_every_row_a_route(world: World) -> None:
    routes = set(every_route(world.app.routes))

    assert routes == {(method, route_path(path)) for method, path in ROWS}


@pytest.mark.parametrize(("method", "path"), ROWS, ids=lambda value: value)
def test_every_visitor_is_answered_as_the_matrix_says(world: World, method: str, path: str) -> None:
    got, changed, told = {}, [], []
    for kind in VISITORS:
        world.set_roles()
        visitor = Visitor(world, kind)
        form, address = form_of(world, method, path), world.fill(path)
        before = world.contents()
        answer = visitor.send(method, address, form)
        got[kind] = answer_of(answer)
        refused = answer.status_code >= 400 or got[kind] == "L"
        if (refused or method == "GET") and path != "/login" and world.contents() != before:
            changed.append(kind)
        shown = answer.text if "image" not in answer.headers.get("content-type", "") else ""
        if kind in OUTSIDERS and leaks(world, path, shown):
            told.append(kind)

    assert got == ROWS[method, path]
    assert (changed, told) == ([], [])


def leaks(world: World, path: str, text: str) -> bool:
    """Whether an answer tells of the shared library: its name, its pictures, or its id where it was not asked for."""
    if "secret}" in path:  # an invitation names the library: that is what it is for
        return False
    ids = [] if "library}" in path else [world.shared]
    return any(word in text for word in (SECRET_NAME, SECRET_FILE, SECRET_CAPTION, *ids))


@pytest.mark.parametrize(
    ("method", "path"),
    [key for key, row in ROWS.items() if row["stranger"] == "404" and "{" in key[1]],
    ids=lambda value: value,
)
@pytest.mark.parametrize("kind", ["stranger", "administrator"])
def test_what_is_not_theirs_is_answered_as_what_is_not_there(world: World, method: str, path: str, kind: str) -> None:
    world.set_roles()
    visitor = Visitor(world, kind)
    form, theirs = form_of(world, method, path), world.fill(path)
    nowhere = re.sub(r"{\w+}", lambda _: str(uuid4()), path)

    real, unknown = visitor.send(method, theirs, form), visitor.send(method, nowhere, form)

    assert real.status_code == unknown.status_code == 404
    assert masked(real, theirs) == masked(unknown, nowhere)


def masked(answer: Any, address: str) -> tuple[str, dict[str, str]]:
    """Return the text and headers of an answer without the address that was asked for."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"date", "content-length"}}
    return answer.text.replace(address, "ADDRESS"), headers
