"""Transactions, pragmas and migrations of the database."""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from house import ensure_library

from pipeline.errors import ConfigurationError, StoreUnavailable
from pipeline.stores import records_libraries
from pipeline.stores.database import Database
from pipeline.stores.tables import libraries, metadata

MIGRATE = "import sys; from pipeline.stores.database import Database; Database(sys.argv[1]).migrate()"
COUNT_UP = """
import sys
from pipeline.stores.database import Database
import sqlalchemy as sa
database = Database(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with database.write() as connection:
        value = connection.scalar(sa.text("SELECT value FROM counters WHERE name = 'change'"))
        connection.execute(sa.text("UPDATE counters SET value = :next WHERE name = 'change'"), {"next": value + 1})
"""


@pytest.fixture
def url(tmp_path: Path, database_kind: str, request: pytest.FixtureRequest) -> str:
    """The address of an empty database."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'likeness.db'}"
    return request.getfixturevalue("postgresql").new_database()


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """The address of an SQLite database, for what only a file can go through."""
    return f"sqlite:///{tmp_path / 'likeness.db'}"


def start(script: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stderr=subprocess.PIPE)


def finish(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        _, complaints = process.communicate(timeout=60)
        assert process.returncode == 0, complaints.decode()


def is_ours(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
    """Whether the code describes it: the full-text index of each database is made by the database alone."""
    if parents.get("table_name") == "image_words":
        return (kind, name) not in {("column", "index"), ("index", "ix_image_words_index")}
    return not (name or "").startswith("word_index")


@pytest.mark.on_both_databases
def test_migrations_make_the_tables_that_the_code_describes(url):
    database = Database(url)
    database.migrate()

    with database.read() as connection:
        options = {"compare_type": True, "include_name": is_ours}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    database.close()

    only_on_postgresql = ["ix_images_created_at"] if database.is_sqlite else []
    assert [(what, made.name) for what, made in differences] == [("add_index", name) for name in only_on_postgresql]


@pytest.mark.on_both_databases
def test_migrating_twice_changes_nothing(url):
    database = Database(url)
    database.migrate()
    with database.write() as connection:
        ensure_library(connection, "kept")
    database.migrate()

    with database.read() as connection:
        assert records_libraries.list_ids(connection) == ["kept", "main"]
    database.close()


@pytest.mark.on_both_databases
def test_several_processes_may_migrate_at_once(url):
    finish([start(MIGRATE, url) for _ in range(4)])

    database = Database(url)
    assert database.is_current()
    with database.read() as connection:
        assert records_libraries.list_ids(connection) == ["main"]
    database.close()


@pytest.mark.on_both_databases
def test_a_migration_that_fails_halfway_leaves_nothing(url):
    database = Database(url)
    with database.engine.begin() as connection:  # the last table of the first migration is there already
        connection.execute(sa.text("CREATE TABLE tags (wrong INTEGER)"))
    with pytest.raises((sa.exc.OperationalError, sa.exc.ProgrammingError), match="already exists"):
        database.migrate()

    with database.engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == ["tags"]
        connection.execute(sa.text("DROP TABLE tags"))
    database.migrate()
    assert database.is_current()
    database.close()


@pytest.mark.on_both_databases
def test_tables_of_a_newer_version_are_refused(url):
    database = Database(url)
    database.migrate()
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigurationError, match="newer version"):
        database.migrate()
    database.close()


def test_every_connection_survives_a_power_cut_and_keeps_references(database):
    connections = [database.engine.connect() for _ in range(3)]
    for connection in connections:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        # synchronous: 2 is FULL (sqlite.org/pragma.html#pragma_synchronous)
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
        connection.close()


@pytest.mark.on_both_databases
def test_writers_of_several_processes_queue_and_lose_nothing(url):
    database = Database(url)
    database.migrate()

    finish([start(COUNT_UP, url, "50") for _ in range(3)])

    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT value FROM counters WHERE name = 'change'")) == 150
    database.close()


@pytest.mark.on_both_databases
def test_writers_of_several_threads_queue_and_lose_nothing(database):
    def count_up() -> None:
        for _ in range(25):
            with database.write() as connection:
                value = connection.scalar(sa.text("SELECT value FROM counters WHERE name = 'change'"))
                connection.execute(sa.text(f"UPDATE counters SET value = {value + 1} WHERE name = 'change'"))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT value FROM counters WHERE name = 'change'")) == 100


@pytest.mark.on_both_databases
def test_a_reader_does_not_wait_for_a_writer_and_sees_nothing_unfinished(database):
    with database.write() as writing:
        ensure_library(writing, "unfinished")
        with database.read() as reading:
            assert records_libraries.list_ids(reading) == ["main"]

    with database.read() as reading:
        assert records_libraries.list_ids(reading) == ["main", "unfinished"]


@pytest.mark.on_both_databases
def test_a_reader_keeps_one_view_while_others_write(database):
    with database.read() as reading:
        assert records_libraries.list_ids(reading) == ["main"]
        with database.write() as writing:
            ensure_library(writing, "later")
        assert records_libraries.list_ids(reading) == ["main"]


@pytest.mark.on_both_databases
def test_a_block_that_raises_writes_nothing(database):
    def write_and_fail() -> None:
        with database.write() as connection:
            ensure_library(connection, "half")
            raise RuntimeError("the power of this argument")

    with pytest.raises(RuntimeError):
        write_and_fail()

    with database.read() as connection:
        assert records_libraries.list_ids(connection) == ["main"]


def test_a_database_that_cannot_be_opened_says_so(tmp_path):
    (tmp_path / "folder.db").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'folder.db'}")

    with pytest.raises(StoreUnavailable) as caught:
        database.migrate()
    assert caught.value.user_message == "The database does not answer. Please try again in a moment."
    database.close()


def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path):
    (tmp_path / "likeness.db").write_bytes(b"GIF89a, not SQLite" * 1000)
    database = Database(f"sqlite:///{tmp_path / 'likeness.db'}")

    with pytest.raises(StoreUnavailable) as caught:
        database.migrate()
    assert "damaged" in caught.value.user_message
    database.close()


@pytest.mark.on_both_databases
def test_a_mistake_of_the_program_is_not_taken_for_a_database_that_is_down(database):
    def insert_twice() -> None:
        with database.write() as connection:
            for _ in range(2):
                connection.execute(libraries.insert().values(id="twice", name="twice", created_at=datetime.now(UTC)))

    with pytest.raises(sa.exc.IntegrityError):
        insert_twice()


@pytest.mark.on_both_databases
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("SELEC 1", id="a syntax error"),
        pytest.param("SELECT nothing FROM images", id="no such column"),
        pytest.param("SELECT 1 FROM nothing", id="no such table"),
        pytest.param("SELECT 1" + " + 1" * 30_000, id="an expression that is too large"),
    ],
)
def test_a_statement_that_can_never_run_is_not_answered_with_try_again(database, statement):
    with pytest.raises(sa.exc.DBAPIError), database.read() as connection:
        connection.exec_driver_sql(statement)


def test_a_database_that_somebody_keeps_locked_is_down(file_url):
    database, other = Database(file_url), Database(file_url)
    database.migrate()
    with other.read() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=0")
    with database.write(), pytest.raises(StoreUnavailable, match="does not answer"), other.write():
        pass
    database.close()
    other.close()


def test_a_database_that_only_may_be_read_is_down(file_url):
    Database(file_url).migrate()
    database = Database(f"{file_url.replace('///', '///file:')}?mode=ro&uri=true")
    with pytest.raises(StoreUnavailable, match="does not answer"), database.write() as connection:
        ensure_library(connection, "more")
    database.close()


@pytest.mark.parametrize("url", ["", "no scheme", "nosuch://host/db", "postgresql+nosuch://host/db"])
def test_an_address_that_means_nothing_is_a_mistake_of_the_settings(url):
    with pytest.raises(ConfigurationError, match="LIKENESS_DATABASE_URL"):
        Database(url)
