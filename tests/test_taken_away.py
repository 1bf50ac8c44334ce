"""What is taken away while a request is under way: whoever was let in before acts no more, and nothing changes."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from house import House
from pictures import picture_bytes
from putting import putting

from pipeline import accounts, curation, libraries, members, sessions
from pipeline.errors import InvalidQuery, LikenessError, NotAllowed, NotFound, NotLoggedIn
from pipeline.images import ImageState
from pipeline.ingest import accept_into
from pipeline.passwords import hash_password, hash_secret
from pipeline.principals import EVERY_SCOPE, Principal, Role
from pipeline.stores import records_libraries, records_people, records_sessions
from pipeline.stores.tables import images, metadata
from pipeline.stores.tables_people import login_failures
from pipeline.uploads import spooled

pytestmark = pytest.mark.on_both_databases

PASSWORD, OTHER = "correct horse battery", "staple of a longer kind"
SOON = timedelta(hours=1)


@dataclass(frozen=True)
class Scene:
    """A library of Ann, who administrates as well, and of Bob, with a picture of every kind in it."""

    house: House
    library: str
    deleted_library: str
    ids: dict[str, str]
    there: str
    in_trash: str
    failed: str
    invitation: str
    open_link: str
    session_id: str
    token_id: str

    @property
    def backend(self):
        return self.house.backend


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def scene(backend, hashed) -> Scene:
    house = House(backend)
    house.add("zoe", administrator=True)
    library = house.library("family", ann=Role.OWNER, bob=Role.OWNER, mia=Role.MODERATOR)
    gone = house.library("gone", ann=Role.OWNER, bob=Role.OWNER)
    other = house.library("other", bob=Role.OWNER)
    house.change("ann", administrator=True, password_hash=hashed)
    put = putting(backend)
    there, in_trash, failed = (put(seed=seed, library=library) for seed in (1, 2, 3))
    libraries.delete(backend, house.asks("ann"), gone)
    curation.delete(backend, [in_trash.id], house.asks("ann"))
    ann = house.asks("ann").person_id
    with backend.database.write() as connection:
        connection.execute(images.update().where(images.c.row == failed.row).values(state=ImageState.FAILED))
        ids = {person.name: person.id for person in records_people.list_all(connection)}
        until = datetime.now(UTC) + SOON
        here, other_place = (
            records_sessions.add_session(connection, ann, hash_secret(word), until, address="", browser="")
            for word in ("here", "there")
        )
        token = records_sessions.add_token(connection, ann, "script", hash_secret("token"), EVERY_SCOPE, None)
    assert other_place.id != here.id
    members.invite(backend, house.asks("bob"), library, Role.VIEWER)
    (link,) = members.list_invitations(backend, house.asks("bob"), library)
    return Scene(
        house=house,
        library=library,
        deleted_library=gone,
        ids=ids,
        there=there.id,
        in_trash=in_trash.id,
        failed=failed.id,
        invitation=members.invite(backend, house.asks("bob"), other, Role.VIEWER),
        open_link=link.link_id,
        session_id=here.id,
        token_id=token.id,
    )


def kept(scene: Scene) -> dict[str, list[Any]]:
    """Return every row of every table, but for the passwords that were tried."""
    with scene.backend.database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table)).all()))
            for table in metadata.sorted_tables
            if table is not login_failures
        }


def upload(scene: Scene, who: Principal) -> None:
    data = picture_bytes(seed=9)
    with spooled(io.BytesIO(data), "a.png", max_bytes=len(data)) as sent:
        accept_into(scene.backend, sent, who, scene.library)


Call = Callable[[Scene, Principal], object]

IN_A_LIBRARY: dict[str, Call] = {
    "add a member": lambda it, who: members.add(it.backend, who, it.library, "zoe", Role.VIEWER),
    "change a role": lambda it, who: members.change_role(it.backend, who, it.library, it.ids["mia"], Role.VIEWER),
    "remove a member": lambda it, who: members.remove(it.backend, who, it.library, it.ids["mia"]),
    "remove by name": lambda it, who: members.remove_by_name(it.backend, who, it.library, "mia"),
    "invite": lambda it, who: members.invite(it.backend, who, it.library, Role.OWNER),
    "revoke an invitation": lambda it, who: members.revoke(it.backend, who, it.library, it.open_link),
    "rename": lambda it, who: libraries.rename(it.backend, who, it.library, "mine"),
    "delete the library": lambda it, who: libraries.delete(it.backend, who, it.library),
    "edit": lambda it, who: curation.edit(it.backend, it.there, who, caption="mine"),
    "tag": lambda it, who: curation.add_tags(it.backend, [it.there], who, ["mine"]),
    "delete": lambda it, who: curation.delete(it.backend, [it.there], who),
    "purge": lambda it, who: curation.delete(it.backend, [it.there, it.in_trash], who, purge=True),
    "restore": lambda it, who: curation.restore(it.backend, [it.in_trash], who),
    "analyze again": lambda it, who: curation.retry(it.backend, who, [it.failed]),
    "analyze all again": lambda it, who: curation.retry(it.backend, who),
    "upload": upload,
}

ADMINISTRATING: dict[str, Call] = {
    "make an account": lambda it, who: accounts.add_person(it.backend, who, "eve"),
    "make a link": lambda it, who: accounts.password_link(it.backend, who, it.ids["mia"]),
    "deactivate": lambda it, who: accounts.deactivate(it.backend, who, it.ids["mia"]),
    "activate": lambda it, who: accounts.activate(it.backend, who, it.ids["mia"]),
    "make an administrator": lambda it, who: accounts.set_administrator(
        it.backend, who, it.ids["mia"], administrator=True
    ),
}

FOR_ONESELF: dict[str, Call] = {
    "leave": lambda it, who: members.leave(it.backend, who, it.library),
    "accept an invitation": lambda it, who: members.accept_invitation(it.backend, who, it.invitation),
    "make a library": lambda it, who: libraries.make(it.backend, who, "mine"),
    "restore a library": lambda it, who: libraries.restore(it.backend, who, it.deleted_library),
    "make a token": lambda it, who: sessions.make_token(it.backend, who, "mine", EVERY_SCOPE, None),
    "revoke a token": lambda it, who: sessions.revoke_token(it.backend, who, it.token_id),
    "end a session": lambda it, who: sessions.revoke_session(it.backend, who, it.session_id),
    "end all sessions": lambda it, who: sessions.end_other_sessions(it.backend, who, it.session_id),
    "change the password": lambda it, who: accounts.change_password(it.backend, who, None, PASSWORD, OTHER),
}

EVERYTHING = IN_A_LIBRARY | ADMINISTRATING | FOR_ONESELF


@pytest.mark.parametrize("deed", EVERYTHING)
def test_whoever_keeps_their_rights_acts(scene, deed):
    before = kept(scene)
    EVERYTHING[deed](scene, scene.house.asks("ann"))
    assert kept(scene) != before


def refused(scene: Scene, deeds: Iterable[str], who: Principal) -> dict[str, LikenessError | None]:
    """Check that nothing changes, whichever of `deeds` is tried; return why each was refused.

    It is None where what was asked for does not exist for them any more. As nothing changes, each begins as the first.
    """
    before, reasons = kept(scene), {}
    for deed in deeds:
        reasons[deed] = None
        try:
            answer = EVERYTHING[deed](scene, who)
        except LikenessError as error:
            reasons[deed] = error
        else:
            assert answer in ([], 0), deed
        assert kept(scene) == before, deed
    assert reasons
    return reasons


def others(reasons: dict[str, LikenessError | None], *expected: type) -> dict[str, LikenessError | None]:
    """Return what was refused for another reason than those expected."""
    return {deed: reason for deed, reason in reasons.items() if not isinstance(reason, expected)}


def test_whoever_was_deactivated_meanwhile_does_nothing(scene):
    ann = scene.house.asks("ann")
    scene.house.change("ann", deactivated_at=datetime.now(UTC))
    assert others(refused(scene, EVERYTHING, ann), NotLoggedIn) == {}


@pytest.mark.parametrize("key", ["session", "token"])
def test_whoever_was_logged_out_or_whose_token_was_revoked_meanwhile_does_nothing(scene, key):
    ann = scene.house.asks("ann")
    who = replace(ann, session_id=scene.session_id) if key == "session" else replace(ann, token_id=scene.token_id)
    with scene.backend.database.write() as connection:
        records_sessions.end_session(connection, scene.session_id)
        records_sessions.revoke_token(connection, scene.token_id)
    assert others(refused(scene, EVERYTHING, who), NotLoggedIn) == {}


def test_whoever_was_removed_meanwhile_finds_nothing(scene):
    ann = scene.house.asks("ann")
    members.remove(scene.backend, scene.house.asks("bob"), scene.library, scene.ids["ann"])
    reasons = refused(scene, [*IN_A_LIBRARY, "leave"], ann)
    assert others(reasons, NotFound, InvalidQuery, type(None)) == {}


def test_in_a_library_that_was_deleted_meanwhile_nothing_is_done(scene):
    ann = scene.house.asks("ann")
    libraries.delete(scene.backend, scene.house.asks("bob"), scene.library)
    reasons = refused(scene, [*IN_A_LIBRARY, "leave"], ann)
    assert others(reasons, NotFound, InvalidQuery, type(None)) == {}


def test_whoever_was_made_a_viewer_meanwhile_may_only_look(scene):
    ann = scene.house.asks("ann")
    members.change_role(scene.backend, scene.house.asks("bob"), scene.library, scene.ids["ann"], Role.VIEWER)
    # A deleted picture is there only for those who may restore it, and of all that failed none is theirs to change.
    assert set(others(refused(scene, IN_A_LIBRARY, ann), NotAllowed).items()) <= {
        ("restore", None),
        ("analyze all again", None),
    }


def test_whoever_administrates_no_more_does_nothing_to_accounts(scene):
    ann = scene.house.asks("ann")
    accounts.set_administrator(scene.backend, scene.house.asks("zoe"), scene.ids["ann"], administrator=False)
    assert others(refused(scene, ADMINISTRATING, ann), NotAllowed) == {}


def test_whoever_was_made_less_meanwhile_restores_no_library(scene):
    ann = scene.house.asks("ann")
    with scene.backend.database.write() as connection:
        records_libraries.set_role(connection, scene.deleted_library, scene.ids["ann"], Role.MODERATOR)
    assert others(refused(scene, ["restore a library"], ann), NotFound) == {}
