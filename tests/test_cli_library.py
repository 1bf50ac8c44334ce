"""`likeness library`: libraries and who is in them, from the shell."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from command import CommandHere

from pipeline.stores import records_images, records_libraries, records_people
from pipeline.stores.database import Database
from pipeline.stores.records_images import NewImage


@pytest.fixture
def here(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandHere:
    return CommandHere(tmp_path / "data", models, monkeypatch, capsys)


@pytest.fixture
def database(here: CommandHere) -> Iterator[Database]:
    """The tables that the command uses."""
    opened = Database(f"sqlite:///{here.data / 'likeness.db'}")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def ann(database: Database) -> str:
    """The name of an administrator."""
    with database.write() as connection:
        return records_people.add(connection, "ann", administrator=True).name


def test_a_library_is_made_listed_renamed_deleted_and_restored(here: CommandHere, database: Database) -> None:
    assert here.run("library", "add", "holidays").stdout == "The library holidays is there; its id is holidays.\n"
    with database.write() as connection:
        records_images.add(connection, NewImage("holidays", "ab" * 32, 1, "image/png", 1, 1, "a.png"))
    assert here.run("library", "rename", "holidays", "trips").returncode == 0
    assert "holidays              trips  1 picture\n" in here.run("library", "list").stdout

    deleted = here.run("library", "delete", "trips")

    assert deleted.stdout == "trips is deleted. `likeness library restore holidays` helps for 30 days.\n"
    assert (
        "holidays              trips  1 picture  deleted, can be restored until" in here.run("library", "list").stdout
    )
    assert here.run("library", "restore", "holidays").stdout == "trips is back, with 1 picture.\n"
    assert "deleted" not in here.run("library", "list").stdout


def test_people_are_given_roles_and_taken_out(here: CommandHere, database: Database, ann: str) -> None:
    with database.write() as connection:
        records_people.add(connection, "bob", administrator=False)
    here.run("library", "add", "scans")

    assert here.run("library", "members", "scans").stdout.split() == [ann, "owner"]
    assert here.run("library", "grant", "scans", "Bob", "viewer").stdout == "bob is viewer of scans now.\n"
    assert here.run("library", "grant", "scans", "bob", "moderator").stdout == "bob is moderator of scans now.\n"
    assert "scans                 scans  0 pictures  2 members" in here.run("library", "list").stdout
    assert here.run("library", "remove", "scans", "bob").stdout == "bob is in scans no more.\n"
    assert here.run("library", "members", "scans").stdout.split() == [ann, "owner"]


def test_the_library_of_a_person_is_named_by_its_id_when_several_are_called_so(
    here: CommandHere, database: Database, ann: str
) -> None:
    with database.write() as connection:
        ids = [records_libraries.make(connection, "family").id for _ in range(2)]

    confused = here.run("library", "grant", "family", ann, "owner")

    assert confused.returncode == 1
    assert all(library in confused.stderr for library in ids)
    assert here.run("library", "grant", ids[0], ann, "owner").returncode == 0


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("grant", "main", "nobody", "viewer"), "Nobody here is called “nobody”."),
        (("grant", "attic", "ann", "viewer"), "There is no such library."),
        (("remove", "main", "nobody"), "There is no such member."),
        (("delete", "attic"), "There is no such library."),
        (("restore", "main"), "There is no such library."),
        (("add", "a b"), "The name of a library has only letters"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(here: CommandHere, arguments: tuple[str, ...], sentence: str) -> None:
    done = here.run("library", *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


def test_a_role_that_is_none_is_wrong_usage(here: CommandHere) -> None:
    assert here.run("library", "grant", "main", "ann", "king").returncode == 2


def test_the_last_owner_stays_one_for_the_shell_too(here: CommandHere, ann: str) -> None:
    here.run("library", "add", "scans")

    done = here.run("library", "grant", "scans", ann, "viewer")

    assert (done.returncode, done.stdout) == (1, "")
    assert "needs an owner" in done.stderr
