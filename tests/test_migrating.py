from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from command import CommandHere
from real_servers import PostgresqlServer

from pipeline.stores.database import MIGRATIONS, Database


@pytest.fixture
def here(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandHere:
    return CommandHere(tmp_path / "data", models, monkeypatch, capsys)


def versions() -> list[str]:
    """Return all versions of the tables, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def test_migrating_makes_the_tables_once_and_says_which_version_they_have(here: CommandHere) -> None:
    newest = versions()[0]
    assert here.run("migrate").stdout == f"The tables were made, in version {newest}.\n"
    assert here.run("migrate").stdout == f"The tables have the newest version, {newest}.\n"


def test_tables_of_an_older_version_are_raised(here: CommandHere) -> None:
    newest, before = versions()[:2]
    database = Database(f"sqlite:///{here.data}/likeness.db")
    with database.engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, before)
    database.close()
    assert here.run("migrate").stdout == f"The tables were brought from version {before} to {newest}.\n"


def test_migrating_works_on_postgresql_and_opens_no_other_store(
    here: CommandHere, postgresql: PostgresqlServer
) -> None:
    url = postgresql.new_database()
    nowhere = {
        "LIKENESS_OBJECTS_URL": "s3+http://key:secret@127.0.0.1:9/none",
        "LIKENESS_VECTORS_URL": "milvus://127.0.0.1:9",
    }
    assert "were made" in here.run("migrate", LIKENESS_DATABASE_URL=url, **nowhere).stdout
    postgresql.drop_database(url)


def test_data_of_a_newer_version_is_left_alone(here: CommandHere) -> None:
    here.run("migrate")
    database = Database(f"sqlite:///{here.data}/likeness.db")
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    done = here.run("migrate")
    assert done.returncode == 1
    assert "newer version of Likeness" in done.stderr


def test_a_database_that_is_down_is_a_sentence(here: CommandHere) -> None:
    done = here.run("migrate", LIKENESS_DATABASE_URL="postgresql://127.0.0.1:9/none")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
