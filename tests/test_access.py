"""The door: who may see and change what, and that nothing tells of what they may not."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from house import settle
from pictures import picture_bytes

from pipeline import access, curation
from pipeline.backend import Backend
from pipeline.errors import ImageNotFound, InvalidQuery, NotAllowed
from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState, new_image_id
from pipeline.ingest import accept, accept_into
from pipeline.principals import OWNER, Action, Principal, Role, Scope
from pipeline.query_pictures import keep_query_picture
from pipeline.questions import Term
from pipeline.reconcile import reconcile
from pipeline.search import SearchQuery, search
from pipeline.stores import records_audit, records_images, records_libraries
from pipeline.stores.records_audit import Event
from pipeline.stores.tables import images
from pipeline.uploads import spooled
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

FAMILY, OTHER = "f" * 16, "0" * 16
ROLES = tuple(Role)
EVERYBODY = {
    **{role.value: Principal(role.value, {FAMILY: role}, person_id=f"person-{role.value}") for role in ROLES},
    "stranger": Principal("stranger", {OTHER: Role.OWNER}, person_id="person-stranger"),
    "administrator": Principal("administrator", {}, person_id="person-administrator", administrator=True),
}
VIEWER, UPLOADER, MODERATOR, LIBRARY_OWNER = (EVERYBODY[role.value] for role in ROLES)
STRANGER = EVERYBODY["stranger"]

SEES = {"viewer", "uploader", "moderator", "owner"}
CHANGES = {"moderator", "owner"}


@pytest.fixture
def backend(backend: Backend) -> Backend:
    """Stores with two libraries, one called "family", and another of the same name that is somebody else's."""
    with backend.database.write() as connection:
        records_libraries.make(connection, "family", FAMILY)
        records_libraries.make(connection, "family", OTHER)
    settle(backend, *EVERYBODY.values())
    return backend


def send(backend: Backend, principal: Principal, seed: int = 0, library: str | None = FAMILY, **options) -> ImageRecord:
    data = picture_bytes("noise", seed=seed)
    with spooled(io.BytesIO(data), f"{seed}.png", max_bytes=len(data)) as upload:
        return accept(backend, upload, principal, library=library, **options).image


def entries(backend: Backend, event: Event) -> list[records_audit.Entry]:
    with backend.database.read() as connection:
        found = records_audit.entries(connection, None, limit=100)
    return [entry for entry in found if entry.action == event]


@contextmanager
def statements(backend: Backend) -> Iterator[list[str]]:
    """Collect the statements that the database is asked."""
    asked: list[str] = []

    def note(_connection, _cursor, statement, *_):
        asked.append(statement)

    sa.event.listen(backend.database.engine, "before_cursor_execute", note)
    yield asked
    sa.event.remove(backend.database.engine, "before_cursor_execute", note)


# ---- One picture


def fail(backend: Backend, image: ImageRecord) -> None:
    with backend.database.write() as connection:
        connection.execute(images.update().where(images.c.row == image.row).values(state=ImageState.FAILED))


def delete_as_owner(backend: Backend, image: ImageRecord) -> None:
    curation.delete(backend, [image.id], OWNER)


DEEDS = {
    "look at it": (SEES, None, lambda backend, who, image: access.get_image(backend, image.id, who)),
    "search with it": (
        SEES,
        None,
        lambda backend, who, image: search(backend, SearchQuery((Term(image_id=image.id),)), who),
    ),
    "edit it": (CHANGES, None, lambda backend, who, image: curation.edit(backend, image.id, who, caption="mine")),
    "tag it": (CHANGES, None, lambda backend, who, image: curation.add_tags(backend, [image.id], who, ["a"])),
    "delete it": (CHANGES, None, lambda backend, who, image: curation.delete(backend, [image.id], who)),
    "restore it": (
        CHANGES,
        delete_as_owner,
        lambda backend, who, image: curation.restore(backend, [image.id], who),
    ),
    "analyze it again": (CHANGES, fail, lambda backend, who, image: curation.retry(backend, who, [image.id])),
    "purge it": (
        {"owner"},
        None,
        lambda backend, who, image: curation.delete(backend, [image.id], who, purge=True),
    ),
}


OF_MANY = {"tag it", "delete it", "restore it", "analyze it again", "purge it"}
"""Where images that do not exist are left out."""


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("deed", DEEDS)
def test_each_role_may_do_what_it_is_for(backend, deed, who):
    allowed, prepare, do = DEEDS[deed]
    image = send(backend, OWNER)
    Worker(backend).drain()
    if prepare:
        prepare(backend, image)
    # A deleted picture exists for nobody but those who may restore it.
    seen = allowed if prepare is delete_as_owner else SEES
    principal = EVERYBODY[who]

    if who in allowed:
        assert do(backend, principal, image)
    elif who in seen:
        with pytest.raises(NotAllowed, match=r"You may look at the pictures of “family” but not"):
            do(backend, principal, image)
    elif deed in OF_MANY:
        assert not do(backend, principal, image)
    else:
        with pytest.raises(ImageNotFound, match=f"^{access.GONE}$"):
            do(backend, principal, image)


@pytest.mark.parametrize("deed", ["edit it", "tag it", "delete it", "restore it", "analyze it again"])
def test_uploaders_may_change_what_nobody_but_they_have_uploaded(backend, deed):
    _, prepare, do = DEEDS[deed]
    own = send(backend, UPLOADER)
    if prepare:
        prepare(backend, own)

    assert do(backend, UPLOADER, own)


def test_what_somebody_else_has_uploaded_as_well_is_no_longer_ones_own(backend):
    image = send(backend, UPLOADER)
    assert access.get_image(backend, image.id, UPLOADER, Action.CHANGE).uploader == UPLOADER.person_id

    again = send(backend, LIBRARY_OWNER)

    assert again.id == image.id
    with pytest.raises(NotAllowed):
        curation.delete(backend, [image.id], UPLOADER)


def test_nothing_is_ones_own_for_who_may_only_look_now(backend):
    image = send(backend, UPLOADER)
    demoted = Principal("uploader", {FAMILY: Role.VIEWER}, person_id=UPLOADER.person_id)
    settle(backend, demoted)

    with pytest.raises(NotAllowed):
        curation.edit(backend, image.id, demoted, caption="still mine")


def test_what_came_without_accounts_belongs_to_nobody(backend):
    image = send(backend, OWNER)
    nameless = Principal("nobody in particular", {FAMILY: Role.UPLOADER})

    with pytest.raises(NotAllowed):
        curation.delete(backend, [image.id], nameless)


def test_if_one_of_many_may_not_be_changed_none_is(backend):
    own, foreign = send(backend, UPLOADER, 1), send(backend, OWNER, 2)
    ids = [own.id, foreign.id]

    for deed in (
        lambda: curation.delete(backend, ids, UPLOADER),
        lambda: curation.add_tags(backend, ids, UPLOADER, ["a"]),
        lambda: curation.retry(backend, UPLOADER, ids),
        lambda: curation.delete(backend, ids, MODERATOR, purge=True),
    ):
        with pytest.raises(NotAllowed, match=r"of these 2 pictures"):
            deed()

    found = access.get_images(backend, ids, OWNER)
    assert [(image.deleted_at, image.tags) for image in found] == [(None, ()), (None, ())]


def test_of_many_those_in_foreign_libraries_are_left_out_as_if_there_were_none(backend):
    own, foreign = send(backend, MODERATOR, 1), send(backend, OWNER, 2, library=OTHER)

    deleted = curation.delete(backend, [own.id, foreign.id, new_image_id()], MODERATOR)

    assert [image.id for image in deleted] == [own.id]
    assert access.get_image(backend, foreign.id, STRANGER).deleted_at is None


def test_a_foreign_id_takes_the_same_statements_as_one_that_there_is_not(backend):
    there = send(backend, OWNER, library=OTHER)
    deleted = send(backend, OWNER, 2, library=OTHER)
    delete_as_owner(backend, deleted)

    def asked(image_id: str) -> list[str]:
        with statements(backend) as found, pytest.raises(ImageNotFound):
            access.get_image(backend, image_id, VIEWER, deleted_too=True)
        return found

    assert asked(there.id) == asked(new_image_id()) == asked(deleted.id)
    assert sum("SELECT" in statement for statement in asked(there.id)) == 1


def test_bytes_in_a_foreign_library_take_the_same_statements_as_new_ones(backend):
    send(backend, OWNER, 1, library=OTHER)

    def asked(seed: int) -> list[str]:
        with statements(backend) as found:
            send(backend, UPLOADER, seed)
        return found

    assert asked(1) == asked(2)


# ---- Tokens


def narrowed(principal: Principal, *scopes: Scope) -> Principal:
    return Principal(principal.name, principal.roles, person_id=principal.person_id, scopes=frozenset(scopes))


def test_a_token_for_uploading_adds_pictures_and_reads_none(backend):
    token = narrowed(LIBRARY_OWNER, Scope.UPLOAD)
    image = send(backend, token)

    for look in (
        lambda: access.get_image(backend, image.id, token),
        lambda: search(backend, SearchQuery(), token),
        lambda: curation.edit(backend, image.id, token, caption=""),
        lambda: curation.delete(backend, [image.id], token),
    ):
        with pytest.raises(NotAllowed, match="scope “read”"):
            look()


def test_a_token_says_which_scope_it_lacks(backend):
    image = send(backend, OWNER)
    reading = narrowed(LIBRARY_OWNER, Scope.READ)

    assert access.get_image(backend, image.id, reading).id == image.id
    with pytest.raises(NotAllowed, match="scope “moderate”"):
        curation.delete(backend, [image.id], reading)
    with pytest.raises(NotAllowed, match="scope “manage”"):
        curation.delete(backend, [image.id], reading, purge=True)
    with pytest.raises(NotAllowed, match="scope “upload”"):
        send(backend, reading, 2)


# ---- Which library


def test_a_library_is_meant_by_its_id_or_by_a_name_that_is_clear_to_who_says_it(backend):
    both = Principal("both", {FAMILY: Role.UPLOADER, OTHER: Role.UPLOADER}, person_id="both")

    assert access.upload_library(backend, "family", UPLOADER) == FAMILY
    assert access.upload_library(backend, "family", STRANGER) == OTHER
    assert access.upload_library(backend, OTHER, both) == OTHER
    with pytest.raises(InvalidQuery, match=f"(?s)id of the one you mean.*({FAMILY}|{OTHER}) or ({FAMILY}|{OTHER})"):
        access.upload_library(backend, "family", both)


def test_of_two_libraries_of_one_name_the_one_where_pictures_may_be_added_is_meant(backend):
    both = Principal("both", {FAMILY: Role.VIEWER, OTHER: Role.UPLOADER}, person_id="both")

    assert access.upload_library(backend, "family", both) == OTHER
    with pytest.raises(NotAllowed, match="look at the pictures of “family”"):
        access.upload_library(backend, FAMILY, both)


@pytest.mark.parametrize("asked", [OTHER, "nothing", "../etc", ""])
def test_a_library_that_one_does_not_see_is_none(backend, asked):
    with pytest.raises(InvalidQuery, match=r"^There is no such library\.$"):
        send(backend, UPLOADER, library=asked)


def test_without_a_wish_pictures_go_into_main_or_the_only_library(backend):
    roles = {"main": Role.UPLOADER, FAMILY: Role.OWNER}

    assert access.upload_library(backend, None, Principal("a", roles)) == "main"
    assert access.upload_library(backend, None, Principal("b", {**roles, "main": Role.VIEWER})) == FAMILY
    with pytest.raises(InvalidQuery, match=r"“family” or “family”"):
        access.upload_library(backend, None, Principal("c", {FAMILY: Role.OWNER, OTHER: Role.OWNER}))
    with pytest.raises(NotAllowed, match="no library that you may add"):
        access.upload_library(backend, None, VIEWER)


def test_the_owner_of_everything_makes_a_library_by_naming_it_unless_it_is_deleted(backend):
    assert send(backend, OWNER, library="holidays").library_name == "holidays"
    assert [entry.library for entry in entries(backend, Event.LIBRARY_MADE)] == ["holidays"]
    with backend.database.write() as connection:
        records_libraries.set_deleted(connection, "holidays", datetime.now(UTC))

    owner = access.local_owner(backend)

    assert owner.hidden == {"holidays"}
    with pytest.raises(InvalidQuery, match="“holidays” has been deleted"):
        send(backend, owner, 2, library="holidays")


def test_a_library_that_is_deleted_meanwhile_swallows_no_picture(backend):
    with backend.database.write() as connection:
        records_libraries.set_deleted(connection, FAMILY, datetime.now(UTC))

    data = picture_bytes()
    with spooled(io.BytesIO(data), "a.png", max_bytes=len(data)) as upload:
        with pytest.raises(InvalidQuery, match="no such library"):
            accept_into(backend, upload, UPLOADER, FAMILY)
        with pytest.raises(InvalidQuery, match="no such library"):
            accept_into(backend, upload, OWNER, FAMILY)

    with backend.database.read() as connection:
        assert records_images.get_by_rows(connection, [1]) == []


def test_names_and_ids_narrow_to_what_is_visible_and_unknown_ones_to_nothing(backend):
    def libraries(principal: Principal, *asked: str) -> tuple[str, ...] | None:
        return access.visible(backend, Filter(libraries=asked), principal).libraries

    assert libraries(VIEWER, "family") == (FAMILY,)
    assert libraries(VIEWER, OTHER, "nothing") == ()
    assert libraries(OWNER, "family") == (FAMILY, OTHER)
    assert access.visible(backend, Filter(), VIEWER).libraries == (FAMILY,)
    assert access.visible(backend, Filter(), VIEWER, Action.CHANGE).libraries == ()
    hidden = Principal("owner", hidden=frozenset({OTHER}))
    assert libraries(hidden, "family", OTHER) == (FAMILY,)
    assert access.visible(backend, Filter(), hidden).without_libraries == (OTHER,)


def test_two_libraries_of_one_name_are_called_so_that_they_can_be_told_apart(backend):
    assert access.library_labels(backend, VIEWER) == {FAMILY: "family"}
    assert access.library_labels(backend, OWNER) == {
        "main": "main",
        FAMILY: f"family ({FAMILY})",
        OTHER: f"family ({OTHER})",
    }


# ---- Uploads


def test_the_same_bytes_of_two_people_in_two_libraries_are_two_pictures(backend):
    mine, theirs = send(backend, UPLOADER, caption="mine"), send(backend, STRANGER, library=OTHER, caption="theirs")

    assert mine.id != theirs.id
    assert (mine.uploader, theirs.uploader) == (UPLOADER.person_id, STRANGER.person_id)
    assert access.get_image(backend, mine.id, UPLOADER).caption == "mine"


def test_who_may_not_change_a_picture_does_not_change_it_by_sending_it_again(backend):
    image = send(backend, OWNER, caption="from the owner", tags=["old"])

    again = send(backend, UPLOADER, caption="mine now", tags=["new"])

    assert (again.id, again.caption, again.tags) == (image.id, "from the owner", ("old",))
    changed = send(backend, MODERATOR, caption="better", tags=["new"])
    assert (changed.caption, changed.tags) == ("better", ("new", "old"))


def test_where_a_file_lies_on_the_server_is_told_to_who_looks_after_it(backend, tmp_path):
    who = Principal("Ada", {FAMILY: Role.UPLOADER}, person_id="ada")
    settle(backend, who)
    data = picture_bytes()
    with spooled(io.BytesIO(data), "a.png", max_bytes=len(data)) as upload:
        image = accept_into(backend, upload, OWNER, FAMILY, place=tmp_path / "a.png").image
        accept_into(backend, upload, who, FAMILY)

    def told(principal: Principal) -> list[tuple[str, str | None]]:
        return [(origin.found_as, origin.person) for origin in access.origins_of(backend, image, principal)]

    assert told(VIEWER) == told(LIBRARY_OWNER) == [("a.png", None), ("a.png", "Ada")]
    assert told(OWNER)[0] == (str(tmp_path / "a.png"), None)
    assert told(Principal("x", {FAMILY: Role.VIEWER}, administrator=True))[0] == (str(tmp_path / "a.png"), None)


# ---- The audit log


def test_what_is_deleted_restored_and_purged_is_in_the_log_of_each_library(backend):
    both = Principal("both", {FAMILY: Role.OWNER, OTHER: Role.OWNER}, person_id="both", address="192.0.2.7")
    settle(backend, both)
    ids = [send(backend, OWNER, seed, library).id for seed, library in ((1, FAMILY), (2, FAMILY), (3, OTHER))]

    curation.delete(backend, ids, both)
    curation.restore(backend, ids[:1], both)
    curation.delete(backend, ids[1:], both, purge=True)

    deleted = entries(backend, Event.IMAGES_DELETED)
    assert {(entry.library, entry.subject) for entry in deleted} == {(FAMILY, "2 pictures"), (OTHER, "1 picture")}
    assert {entry.actor_id for entry in deleted} == {"both"}
    assert {entry.address for entry in deleted} == {"192.0.2.7"}
    (restored,) = entries(backend, Event.IMAGES_RESTORED)
    assert restored.detail == {"ids": ids[:1], "files": ["1.png"]}
    assert len(entries(backend, Event.IMAGES_PURGED)) == 2


def test_a_deletion_that_is_refused_is_not_in_the_log(backend):
    image = send(backend, OWNER)

    with pytest.raises(NotAllowed):
        curation.delete(backend, [image.id], VIEWER)

    assert entries(backend, Event.IMAGES_DELETED) == []


def test_a_deleted_picture_that_comes_again_is_restored_and_the_log_says_so(backend):
    image = send(backend, UPLOADER)
    curation.delete(backend, [image.id], UPLOADER)

    assert send(backend, UPLOADER).deleted_at is None

    (entry,) = entries(backend, Event.IMAGES_RESTORED)
    assert (entry.actor, entry.detail["ids"]) == ("uploader", [image.id])


def test_all_that_failed_is_analyzed_again_where_it_may_be_changed(backend):
    failed = [send(backend, OWNER, 1), send(backend, UPLOADER, 2), send(backend, OWNER, 3, OTHER)]
    for image in failed:
        fail(backend, image)

    assert curation.retry(backend, VIEWER) == 0
    assert curation.retry(backend, UPLOADER) == 1
    assert curation.retry(backend, MODERATOR) == 1
    assert access.get_image(backend, failed[2].id, STRANGER).state == ImageState.FAILED


# ---- Searches


def kept(backend: Backend, seed: int) -> Term:
    data = picture_bytes("noise", seed=seed)
    with spooled(io.BytesIO(data), "query.png", max_bytes=len(data)) as upload:
        return Term(picture_key=keep_query_picture(backend, upload).key)


def test_a_search_finds_in_visible_libraries_alone_also_the_very_same_bytes(backend):
    send(backend, OWNER, 1, library=OTHER)
    send(backend, OWNER, 2)
    Worker(backend).drain()
    searches = [Term(text="red"), kept(backend, 1)]

    def found(principal: Principal) -> list[list[str]]:
        queries = [SearchQuery((term,)) for term in searches] + [SearchQuery()]
        return [sorted(hit.image.library for hit in search(backend, query, principal).hits) for query in queries]

    assert found(VIEWER) == [[FAMILY]] * 3
    assert found(STRANGER) == [[OTHER]] * 3
    assert found(EVERYBODY["administrator"]) == [[]] * 3
    assert found(Principal("owner", hidden=frozenset({OTHER}))) == [[FAMILY]] * 3
    assert found(OWNER) == [[OTHER, FAMILY]] * 3


def test_a_search_by_bytes_that_lie_in_a_foreign_library_takes_the_same_statements(backend):
    send(backend, OWNER, 1, library=OTHER)
    Worker(backend).drain()
    known, unknown = kept(backend, 1), kept(backend, 2)
    search(backend, SearchQuery((Term(text="red"),)), OWNER)  # the index reads what is new

    def asked(term: Term) -> list[str]:
        with statements(backend) as found:
            search(backend, SearchQuery((term,)), VIEWER)
        return found

    assert asked(known) == asked(unknown)


def test_the_pages_of_a_search_are_those_of_who_asks(backend):
    """A link to a search by picture is passed on; the results that were frozen for one are not shown to another."""
    for seed in range(1, 4):
        send(backend, OWNER, seed, library=OTHER)
        send(backend, OWNER, seed)
    Worker(backend).drain()
    term = kept(backend, 1)

    def page(principal: Principal, offset: int) -> list[str]:
        query = SearchQuery((term,), limit=2, offset=offset)
        return [hit.image.library for hit in search(backend, query, principal).hits]

    assert page(STRANGER, 0) + page(STRANGER, 2) == [OTHER] * 3
    assert page(VIEWER, 2) + page(VIEWER, 0) == [FAMILY] * 3


def test_what_is_purged_because_its_time_is_over_was_purged_by_the_program(backend):
    image = send(backend, UPLOADER)
    curation.delete(backend, [image.id], UPLOADER)
    long_ago = datetime.now(UTC) - timedelta(days=backend.settings.trash_days + 1)
    with backend.database.write() as connection:
        connection.execute(images.update().values(deleted_at=long_ago))

    assert reconcile(backend).purged_images == 1

    (entry,) = entries(backend, Event.IMAGES_PURGED)
    assert (entry.actor, entry.actor_id, entry.library) == ("Likeness", None, FAMILY)
    assert entry.detail["ids"] == [image.id]
