"""Libraries: made, named, deleted with everything in them, restored, and forgotten when their time is over."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from house import House, ensure_library
from putting import putting
from shelf import Shelf

from pipeline import libraries, purging
from pipeline.errors import Conflict, InvalidQuery, LibraryNotFound, LikenessError, NotAllowed
from pipeline.filters import Filter
from pipeline.principals import NOBODY, OWNER, Principal, Role, Scope
from pipeline.questions import Term
from pipeline.reconcile import reconcile
from pipeline.search import SearchQuery, search
from pipeline.settings import read_settings
from pipeline.stores import records_images, records_libraries, records_people
from pipeline.stores.tables_people import members as members_table
from pipeline.worker import Worker

pytestmark = pytest.mark.on_both_databases

MANAGE_ONLY = frozenset({Scope.MANAGE})


@pytest.fixture
def house(backend) -> House:
    return House(backend)


@pytest.fixture
def family(house) -> str:
    """A library of Ann with a member in every role; Zoe has one of her own and knows nothing of it."""
    house.library("zoo", zoe=Role.OWNER)
    return house.library("family", ann=Role.OWNER, mia=Role.MODERATOR, uli=Role.UPLOADER, vic=Role.VIEWER)


def names(backend, principal: Principal) -> list[str]:
    return [info.name for info in libraries.list_libraries(backend, principal)]


def answer_of(call, *arguments) -> tuple[type, str]:
    """Return how a call is refused."""
    with pytest.raises(LikenessError) as caught:
        call(*arguments)
    return type(caught.value), str(caught.value)


def delete_long_ago(backend, library: str, days: float) -> None:
    with backend.database.write() as connection:
        records_libraries.set_deleted(connection, library, datetime.now(UTC) - timedelta(days=days))


def put_into(backend, library: str, count: int) -> None:
    put = putting(backend)
    for number in range(count):
        put(library=library, seed=number)


@contextmanager
def statements_of(backend) -> Iterator[list[str]]:
    """Give the list to which every statement is added."""
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:
        seen.append(statement)

    sa.event.listen(backend.database.engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(backend.database.engine, "before_cursor_execute", note)


# ---- Made and listed


def test_whoever_makes_a_library_owns_it_and_its_id_tells_nothing(backend, house):
    house.add("ann")

    made = libraries.make(backend, house.asks("ann"), "Our holidays: été 2026")

    assert (made.name, made.role, made.images) == ("Our holidays: été 2026", Role.OWNER, 0)
    assert "holiday" not in made.id
    assert house.asks("ann").roles == {made.id: Role.OWNER}
    assert house.log(made.id) == [("ann", "library made", "Our holidays: été 2026")]


def test_making_a_library_again_returns_the_one_there_is(backend, house):
    house.add("ann")

    first = libraries.make(backend, house.asks("ann"), "family")
    again = libraries.make(backend, house.asks("ann"), "family")

    assert first.id == again.id
    assert len(house.log()) == 1


@pytest.mark.usefixtures("family")
def test_the_names_of_other_peoples_libraries_are_free(backend, house):
    made = libraries.make(backend, house.asks("zoe"), "family")

    assert house.asks("zoe").roles.keys() >= {made.id}
    assert names(backend, house.asks("zoe")) == ["family", "zoo"]
    assert names(backend, house.asks("ann")) == ["family"]


def test_a_member_may_have_a_library_called_like_the_one_they_are_in(backend, house, family):
    made = libraries.make(backend, house.asks("vic"), "family")

    assert made.id != family
    with pytest.raises(InvalidQuery, match="Several libraries are called “family”"):
        libraries.describe_library(backend, house.asks("vic"), "family")
    assert libraries.describe_library(backend, house.asks("vic"), family).role == Role.VIEWER


@pytest.mark.parametrize("name", ["", " ", " family", "family ", "a,b", "a/b", "a\nb", "a\u202eb", "x" * 65])
def test_names_that_could_not_be_read_or_typed_are_refused(backend, house, name):
    house.add("ann")

    with pytest.raises(InvalidQuery, match="1 to 64 characters"):
        libraries.make(backend, house.asks("ann"), name)


def test_at_the_machine_itself_the_name_is_the_id(backend):
    assert libraries.make(backend, OWNER, "holidays").id == "holidays"
    assert libraries.make(backend, OWNER, "holidays").id == "holidays"
    with pytest.raises(InvalidQuery, match="letters, digits"):
        libraries.make(backend, OWNER, "our holidays")


def test_at_the_machine_itself_the_private_library_of_a_person_is_not_taken_for_the_own(backend, house, family):
    house.add("ada", administrator=True)

    made = libraries.make(backend, OWNER, "family")

    assert made.id == "family" != family
    assert libraries.make(backend, OWNER, "family").id == "family"
    assert house.asks("ada").roles == {"family": Role.OWNER}
    assert house.asks("ann").roles == {family: Role.OWNER}


def test_at_the_machine_itself_a_deleted_library_is_not_made_again_by_accident(backend):
    libraries.make(backend, OWNER, "holidays")
    libraries.delete(backend, OWNER, "holidays")

    with pytest.raises(Conflict, match="was deleted"):
        libraries.make(backend, OWNER, "holidays")


def test_what_is_made_at_the_machine_belongs_to_all_active_administrators(backend, house):
    house.add("ann", administrator=True)
    house.add("bob", administrator=True)
    house.add("eve", administrator=True)
    house.add("vic")
    house.change("eve", deactivated_at=datetime.now(UTC))

    made = libraries.make(backend, OWNER, "scans")
    with backend.database.write() as connection:
        ensure_library(connection, "imports")

    for name in ("ann", "bob"):
        assert house.asks(name).roles == {made.id: Role.OWNER, "imports": Role.OWNER}
    assert house.asks("eve").roles == house.asks("vic").roles == {}


def test_nobody_makes_a_library_and_a_token_only_with_its_scope(backend, house):
    house.add("ann")

    with pytest.raises(NotAllowed):
        libraries.make(backend, NOBODY, "family")
    with pytest.raises(NotAllowed, match="It would need the scope “manage”"):
        libraries.make(backend, house.asks("ann", frozenset(Scope) - MANAGE_ONLY), "family")
    assert libraries.make(backend, house.asks("ann", MANAGE_ONLY), "family").role == Role.OWNER


def test_nobody_owns_libraries_without_end(backend, house, monkeypatch):
    monkeypatch.setattr(libraries, "MOST_OWNED", 2)
    house.add("ann")
    for name in ("one", "two"):
        libraries.make(backend, house.asks("ann"), name)

    with pytest.raises(Conflict, match="You own 2 libraries"):
        libraries.make(backend, house.asks("ann"), "three")


def test_a_listing_has_the_role_the_pictures_and_for_owners_the_members(backend, house, family):
    shelf = Shelf(backend)
    kept, deleted = shelf.add("kept", library=family), shelf.add("deleted", library=family)
    with backend.database.write() as connection:
        records_images.delete(connection, [deleted.row])

    assert kept.library == family
    listed = {name: libraries.list_libraries(backend, house.asks(name)) for name in ("ann", "mia", "vic", "zoe")}
    assert [(info.role, info.images, info.members) for info in listed["ann"]] == [(Role.OWNER, 1, 4)]
    assert [(info.role, info.images, info.members) for info in listed["mia"]] == [(Role.MODERATOR, 1, None)]
    assert [(info.role, info.images, info.members) for info in listed["vic"]] == [(Role.VIEWER, 1, None)]
    assert [(info.name, info.images) for info in listed["zoe"]] == [("zoo", 0)]


def test_an_administrator_sees_no_library_for_being_one(backend, house, family):
    house.add("ada", administrator=True)

    assert libraries.list_libraries(backend, house.asks("ada")) == []
    with pytest.raises(LibraryNotFound):
        libraries.describe_library(backend, house.asks("ada"), family)


def test_a_token_that_may_not_read_lists_nothing(backend, house, family):
    with pytest.raises(NotAllowed, match="It would need the scope “read”"):
        libraries.list_libraries(backend, house.asks("ann", MANAGE_ONLY))
    with pytest.raises(NotAllowed, match="It would need the scope “read”"):
        libraries.describe_library(backend, house.asks("ann", MANAGE_ONLY), family)


# ---- What is not one's own


@pytest.mark.parametrize(
    "call",
    [
        libraries.describe_library,
        libraries.delete,
        libraries.restore,
        lambda backend, principal, name: libraries.rename(backend, principal, name, "mine now"),
    ],
)
def test_a_library_of_others_is_answered_as_one_that_does_not_exist(backend, house, family, call):
    zoe = house.asks("zoe")
    unknown = answer_of(call, backend, zoe, "nothing-here")

    assert unknown[0] is LibraryNotFound
    assert answer_of(call, backend, zoe, family) == unknown
    assert answer_of(call, backend, zoe, "family") == unknown
    assert names(backend, house.asks("ann")) == ["family"]


def test_finding_a_library_of_others_takes_the_statements_of_an_unknown_one(backend, house, family):
    zoe = house.asks("zoe")
    with statements_of(backend) as unknown, pytest.raises(LibraryNotFound):
        libraries.find_library(backend, zoe, "0" * 16)
    with statements_of(backend) as foreign, pytest.raises(LibraryNotFound):
        libraries.find_library(backend, zoe, family)

    assert foreign == unknown
    assert sum(statement.startswith("SELECT") for statement in unknown) == 1


@pytest.mark.parametrize("member", ["mia", "uli", "vic"])
@pytest.mark.parametrize(
    "call", [libraries.delete, lambda backend, principal, name: libraries.rename(backend, principal, name, "mine now")]
)
def test_members_who_are_no_owners_are_told_that_they_may_not(backend, house, family, member, call):
    with pytest.raises(NotAllowed, match="Only the owners of “family” may do this"):
        call(backend, house.asks(member), family)
    assert house.log() == []


# ---- Renamed


def test_a_renamed_library_keeps_its_id_and_everything_else(backend, house, family):
    image = Shelf(backend).add("kept", library=family)

    renamed = libraries.rename(backend, house.asks("ann"), "family", "The Smiths")

    assert (renamed.id, renamed.name, renamed.images) == (family, "The Smiths", 1)
    with backend.database.read() as connection:
        assert records_images.get_by_rows(connection, [image.row])[0].library_name == "The Smiths"
    assert house.log(family) == [("ann", "library renamed", "The Smiths")]


def test_the_same_name_again_changes_and_records_nothing(backend, house, family):
    assert libraries.rename(backend, house.asks("ann"), family, "family").name == "family"
    assert house.log() == []


def test_no_two_of_ones_own_libraries_get_one_name(backend, house, family):
    libraries.make(backend, house.asks("ann"), "garden")

    with pytest.raises(Conflict, match="called “garden” already"):
        libraries.rename(backend, house.asks("ann"), family, "garden")


@pytest.mark.usefixtures("family")
def test_the_name_of_another_persons_library_can_be_taken(backend, house):
    assert libraries.rename(backend, house.asks("zoe"), "zoo", "family").name == "family"


def test_at_the_machine_a_library_is_renamed_and_found_under_its_id_and_its_name(backend):
    libraries.make(backend, OWNER, "main")
    libraries.make(backend, OWNER, "other")

    libraries.rename(backend, OWNER, "main", "photos")

    assert {libraries.find_library(backend, OWNER, name).id for name in ("main", "photos")} == {"main"}
    with pytest.raises(Conflict):
        libraries.rename(backend, OWNER, "other", "main")


# ---- Deleted and restored


def found_by_search(backend, principal: Principal, like: str) -> list[str]:
    result = search(backend, SearchQuery((Term(image_id=like),), Filter()), principal)
    return [hit.image.id for hit in result.hits]


def test_a_deleted_library_is_gone_for_all_at_once_and_restoring_brings_everything_back(backend, house, family):
    shelf = Shelf(backend)
    mine = libraries.make(backend, house.asks("ann"), "mine")
    asked = shelf.add("asked", shelf.axis(0), library=mine.id)
    hit = shelf.add("hit", shelf.axis(0, 0.1), library=family)
    before = found_by_search(backend, house.asks("ann"), asked.id)
    assert before == [hit.id]

    libraries.delete(backend, house.asks("ann"), "family")

    assert found_by_search(backend, house.asks("ann"), asked.id) == []
    assert names(backend, house.asks("ann")) == ["mine"]
    for name in ("ann", "mia", "uli", "vic"):
        with pytest.raises(LibraryNotFound):
            libraries.describe_library(backend, house.asks(name), family)

    libraries.restore(backend, house.asks("ann"), family)

    assert found_by_search(backend, house.asks("ann"), asked.id) == [hit.id]
    assert house.asks("vic").roles == {family: Role.VIEWER}
    assert house.log(family) == [("ann", "library deleted", "family"), ("ann", "library restored", "family")]


def test_a_deleted_library_is_told_to_its_owners_with_the_day_it_is_purged(backend, house, family):
    Shelf(backend).add("a picture", library=family)
    libraries.delete(backend, house.asks("ann"), family)

    (deleted,) = libraries.list_deleted(backend, house.asks("ann"))

    assert (deleted.id, deleted.name, deleted.images) == (family, "family", 1)
    assert deleted.purged_at - deleted.deleted_at == timedelta(days=backend.settings.trash_days)
    assert [library.id for library in libraries.list_deleted(backend, OWNER)] == [family]
    for name in ("mia", "uli", "vic", "zoe"):
        assert libraries.list_deleted(backend, house.asks(name)) == []


@pytest.mark.parametrize("name", ["mia", "uli", "vic", "zoe"])
def test_only_owners_restore_and_for_others_there_is_nothing_to_restore(backend, house, family, name):
    libraries.delete(backend, house.asks("ann"), family)

    unknown = answer_of(libraries.restore, backend, house.asks(name), "nothing-here")
    assert answer_of(libraries.restore, backend, house.asks(name), family) == unknown
    assert names(backend, house.asks("ann")) == []


def test_the_shell_restores_every_library(backend, house, family):
    libraries.delete(backend, house.asks("ann"), family)

    libraries.restore(backend, OWNER, family)

    assert names(backend, house.asks("ann")) == ["family"]


def test_a_library_that_was_not_deleted_cannot_be_restored(backend, house, family):
    with pytest.raises(LibraryNotFound):
        libraries.restore(backend, house.asks("ann"), family)


def test_what_is_due_is_not_given_back(backend, house, family):
    delete_long_ago(backend, family, backend.settings.trash_days + 1)

    assert libraries.list_deleted(backend, house.asks("ann")) == []
    with pytest.raises(LibraryNotFound):
        libraries.restore(backend, house.asks("ann"), family)


# ---- Forgotten


def test_repair_forgets_a_deleted_library_and_its_files_when_its_time_is_over(
    open_grid_backend, tmp_path, models, monkeypatch
):
    backend = open_grid_backend(read_settings(data=tmp_path / "data", models=models, trash_days=0))
    monkeypatch.setattr(purging, "PURGE_BATCH", 2)
    house = House(backend)
    house.add("ann", administrator=True)
    libraries.make(backend, OWNER, "scans")
    assert house.asks("ann").roles == {"scans": Role.OWNER}
    put_into(backend, "scans", 3)
    put_into(backend, "main", 1)
    Worker(backend).drain()
    before = len(list(backend.objects.list("")))
    libraries.delete(backend, OWNER, "scans")

    repairs = reconcile(backend)

    assert repairs.purged_images == 3
    assert len(list(backend.objects.list(""))) == before // 4
    assert house.asks("ann").roles == {}
    with backend.database.read() as connection:
        assert records_libraries.list_ids(connection) == ["main"]
        assert connection.execute(members_table.select()).all() == []
    assert ("owner", "library deleted", "scans") in house.log()
    assert house.log()[-1] == ("Likeness", "library purged", "scans")
    assert backend.vectors.count() == 1
    assert reconcile(backend).purged_images == 0
    libraries.make(backend, OWNER, "scans")


def test_repair_leaves_a_library_that_can_still_be_restored(backend, house, family):
    Shelf(backend).add("a picture", library=family)
    delete_long_ago(backend, family, backend.settings.trash_days - 1)

    assert reconcile(backend).purged_images == 0
    assert libraries.restore(backend, house.asks("ann"), family).images == 1


def test_repair_removes_invitations_whose_time_is_over(backend, family):
    with backend.database.write() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        records_people.add_link(connection, "ab" * 32, records_people.LinkKind.INVITATION, past, library=family)

    reconcile(backend)

    with backend.database.read() as connection:
        assert not connection.execute(records_people.links.select()).all()
        assert family in records_libraries.list_ids(connection)
