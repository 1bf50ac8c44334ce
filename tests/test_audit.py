"""The audit log: it only grows, and everybody reads what is theirs to read."""

import csv
import io
import json

import pytest
import sqlalchemy as sa
from signing_in import HERE, PASSWORD, asks

from pipeline import accounts, audit, libraries
from pipeline.errors import NotAllowed
from pipeline.principals import NOBODY, OWNER, Principal, Role, Scope
from pipeline.stores import records_audit, records_libraries
from pipeline.stores.records_audit import Event
from pipeline.stores.tables_people import audit_log

pytestmark = pytest.mark.on_both_databases

FIRST_ACCOUNT = [("(this machine)", "member added"), ("(this machine)", "person added")]
"""What the log says when the first account gets the library `main`, newest first."""


@pytest.fixture(autouse=True)
def ada(backend):
    return accounts.add_person(backend, OWNER, "ada", password=PASSWORD)


def rows(backend):
    with backend.database.read() as connection:
        return connection.execute(audit_log.select()).all()


def read(backend, principal, **options):
    return audit.read(backend, principal, **{"offset": 0, "limit": 1000} | options)


def as_table(backend, principal):
    return list(csv.DictReader(io.StringIO("".join(audit.csv_lines(backend, principal)))))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'eve'",
        "UPDATE audit_log SET id = id + 1000",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "REPLACE INTO audit_log SELECT * FROM audit_log",
        "INSERT INTO audit_log SELECT * FROM audit_log WHERE true ON CONFLICT (id) DO UPDATE SET actor = 'eve'",
    ],
)
def test_nothing_that_was_written_is_changed_or_removed_not_even_by_sql(backend, statement):
    before = rows(backend)
    assert before
    understood = "REPLACE" if backend.database.is_sqlite else "TRUNCATE"  # neither database knows that of the other
    if statement.split()[0] in {"REPLACE", "TRUNCATE"} - {understood}:
        pytest.skip("This database has no such statement.")
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), backend.database.write() as connection:
        connection.execute(sa.text(statement))
    assert rows(backend) == before


def test_what_did_not_happen_is_not_in_the_log(backend):
    before = rows(backend)
    with pytest.raises(ZeroDivisionError):
        record_and_fail(backend)
    assert rows(backend) == before


def record_and_fail(backend):
    with backend.database.write() as connection:
        records_audit.add(connection, OWNER, Event.PERSON_ADDED, "eve")
        return 1 / 0


def test_removing_a_person_or_a_library_leaves_what_the_log_tells_of_them(backend):
    library = libraries.make(backend, asks(backend, "ada"), "family")
    with backend.database.write() as connection:
        connection.execute(sa.text("DELETE FROM people"))
        connection.execute(sa.text("DELETE FROM libraries"))
    told = {(record.actor, record.action, record.library) for record in read(backend, OWNER)}
    assert ("ada", "library made", library.id) in told


# ---- Who reads what


@pytest.fixture
def two_libraries(backend):
    """One of Ann, one of Bob, and something that was done in none."""
    with backend.database.write() as connection:
        for name in ("ann", "bob"):
            library = records_libraries.make(connection, f"of {name}", f"lib-{name}")
            who = Principal(name, {library.id: Role.OWNER}, f"id-{name}", address=HERE)
            records_audit.add(connection, who, Event.MEMBER_ADDED, "vic", library=library.id, role="viewer")


def owner_of(name, role=Role.OWNER, scopes=frozenset(Scope)):
    return Principal(name, {f"lib-{name}": role}, f"id-{name}", scopes=scopes)


@pytest.mark.usefixtures("two_libraries")
def test_owners_read_what_happened_in_their_libraries_and_nothing_else(backend):
    (record,) = read(backend, owner_of("ann"))
    assert (record.actor, record.library, record.library_name, record.address) == ("ann", "lib-ann", "of ann", HERE)
    assert record.detail_words == "role: viewer"
    assert [row["library_id"] for row in as_table(backend, owner_of("bob"))] == ["lib-bob"]


@pytest.mark.usefixtures("two_libraries")
def test_administrators_read_everything(backend):
    told = [(record.actor, record.action) for record in read(backend, asks(backend, "ada"))]
    assert told == [("bob", "member added"), ("ann", "member added"), *FIRST_ACCOUNT]
    assert len(as_table(backend, asks(backend, "ada"))) == 4


@pytest.mark.usefixtures("two_libraries")
@pytest.mark.parametrize(
    "who",
    [
        NOBODY,
        *(owner_of("ann", role) for role in (Role.VIEWER, Role.UPLOADER, Role.MODERATOR)),
        owner_of("ann", scopes=frozenset({Scope.READ, Scope.UPLOAD, Scope.MODERATE})),
    ],
)
def test_nobody_else_reads_a_line(backend, who):
    with pytest.raises(NotAllowed):
        read(backend, who)
    with pytest.raises(NotAllowed):
        audit.csv_lines(backend, who)  # at once, and not with the first line


def test_no_account_can_be_taken_for_the_machine_or_for_nobody(backend):
    accounts.add_person(backend, asks(backend, "ada"), "owner")
    with backend.database.write() as connection:
        records_audit.add(connection, asks(backend, "owner"), Event.LOGGED_IN, "by password")
        records_audit.add(connection, OWNER, Event.LIBRARY_MADE, "attic")
        records_audit.add(connection, NOBODY, Event.LOGIN_FAILED, "ada")
    assert [record.actor for record in read(backend, OWNER, limit=3)] == ["(nobody)", "(this machine)", "owner"]


def test_details_that_say_nothing_to_people_are_left_to_the_csv(backend):
    with backend.database.write() as connection:
        records_audit.add(connection, OWNER, Event.IMAGES_DELETED, "2", ids=["a", "b"], sessions_ended=0, before="")
        records_audit.add(connection, OWNER, Event.PASSWORD_CHANGED, "ada", sessions_ended=2, administrator=False)
    newer, older = read(backend, OWNER, limit=2)
    assert (newer.detail_words, older.detail_words) == ("sessions ended: 2, administrator: no", "")
    assert json.loads(as_table(backend, OWNER)[1]["detail"])["ids"] == ["a", "b"]


# ---- The CSV


def test_the_csv_has_everything_newest_first_however_much_it_is(backend):
    with backend.database.write() as connection:
        for number in range(1100):
            records_audit.add(connection, OWNER, Event.LIBRARY_MADE, f"library {number}")
    table = as_table(backend, OWNER)
    assert [row["subject"] for row in table] == [*(f"library {number}" for number in range(1099, -1, -1)), "ada", "ada"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_csv_begins_a_formula(backend, start):
    hostile = f"{start}HYPERLINK(0)"
    who = Principal(hostile, None, "id", address=hostile)
    with backend.database.write() as connection:
        library = records_libraries.make(connection, hostile)
        records_audit.add(connection, who, Event.LIBRARY_RENAMED, hostile, library=library.id, before=hostile)
    row = as_table(backend, OWNER)[0]
    assert "HYPERLINK" in row["subject"]
    assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_quotes_commas_and_lines_stay_in_their_cell(backend):
    subject = 'a "quoted", and\nbroken; <script>name</script>'
    with backend.database.write() as connection:
        records_audit.add(connection, OWNER, Event.LIBRARY_MADE, subject)
    assert as_table(backend, OWNER)[0]["subject"] == subject


def test_pages_of_the_log_follow_each_other(backend):
    with backend.database.write() as connection:
        for number in range(5):
            records_audit.add(connection, OWNER, Event.LIBRARY_MADE, str(number))
    parts = [[record.subject for record in read(backend, OWNER, offset=offset, limit=2)] for offset in (0, 2, 4)]
    assert parts == [["4", "3"], ["2", "1"], ["0", "ada"]]
