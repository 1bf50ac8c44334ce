"""`likeness move`: what it says, how it is stopped, and what to do after it."""

import signal
from pathlib import Path

import pytest
from command import CommandHere, CommandLine, wait_until
from putting import putting

from pipeline.backend import Backend
from pipeline.images import ImageRecord


@pytest.fixture
def here(settings, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandHere:
    return CommandHere(settings.data, models, monkeypatch, capsys)


@pytest.fixture
def image(backend: Backend) -> ImageRecord:
    """A picture in the embedded stores."""
    return putting(backend)()


def test_it_says_what_was_moved_and_what_to_set(here: CommandHere, image: ImageRecord, tmp_path: Path) -> None:
    database, objects = f"sqlite:///{tmp_path}/new.db", (tmp_path / "new").as_uri()

    done = here.run("move", "--database-url", database, "--objects-url", objects)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"The database is at {database} now; all ")
    assert lines[1].startswith(f"The pictures are at {objects} now; 1 files (0.0 MB) were copied.")
    assert lines[2].startswith("Changes had to wait for ")
    assert lines[4:6] == [f"  LIKENESS_DATABASE_URL={database}", f"  LIKENESS_OBJECTS_URL={objects}"]
    assert lines[6].startswith("Until then they answer searches and refuse changes.")
    assert len(list((tmp_path / "new" / "originals").rglob(image.sha256))) == 1


def test_secrets_are_not_shown(here: CommandHere, image: ImageRecord, postgresql) -> None:
    url = postgresql.new_database().replace("postgres:@", "postgres:a-secret@")
    assert "a-secret" in url

    done = here.run("move", "--database-url", url)

    assert done.returncode == 0, done.stderr
    assert "a-secret" not in done.stdout
    assert "Passwords and keys are not shown here" in done.stdout
    assert image.sha256
    postgresql.drop_database(url)


def test_addresses_can_come_from_files(here: CommandHere, image: ImageRecord, tmp_path: Path) -> None:
    database, objects = f"sqlite:///{tmp_path}/new.db", (tmp_path / "new").as_uri()
    (tmp_path / "database").write_text(f"{database}\n")
    (tmp_path / "objects").write_text(objects)
    files = ("--database-url-file", tmp_path / "database", "--objects-url-file", tmp_path / "objects")

    done = here.run("move", *files)

    assert done.returncode == 0, done.stderr
    assert f"  LIKENESS_DATABASE_URL={database}\n  LIKENESS_OBJECTS_URL={objects}\n" in done.stdout
    assert len(list((tmp_path / "new" / "originals").rglob(image.sha256))) == 1


@pytest.mark.parametrize(("text", "told"), [("", "one address"), ("two addresses", "one address"), ("a:", "not both")])
def test_a_file_that_is_no_address_is_wrong_usage(here: CommandHere, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "address").write_text(text)
    also = ("--to", "faiss://") if told == "not both" else ()

    done = here.run("reindex", "--to-file", tmp_path / "address", *also)

    assert done.returncode == 2
    assert told in done.stderr


def test_what_does_not_answer_is_named_to_who_starts_it(here: CommandHere) -> None:
    vectors = here.run("reindex", "--to", "pgvector://nobody:secret@127.0.0.1:1/none")
    database = here.run("reconcile", LIKENESS_DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/none")

    assert vectors.stderr.endswith(" It was looked for at pgvector://nobody@127.0.0.1:1/none.\n")
    assert database.stderr.endswith(" It was looked for at postgresql://nobody@127.0.0.1:1/none.\n")


def test_without_an_address_it_is_wrong_usage(here: CommandHere) -> None:
    done = here.run("move")

    assert done.returncode == 2
    assert "Please say where to" in done.stderr


@pytest.mark.parametrize(
    ("option", "address", "told"),
    [
        ("--database-url", "mysql://localhost/likeness", "--database-url cannot be used"),
        ("--objects-url", "ftp://host/pictures", "--objects-url begins with ftp://"),
        ("--objects-url", "s3://host", "(--objects-url) names no bucket"),
        ("--database-url", "postgresql://nobody@127.0.0.1:1/likeness", "does not answer"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_sentence(
    here: CommandHere, image: ImageRecord, option: str, address: str, told: str
) -> None:
    done = here.run("move", option, address)

    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert image.path is None


def test_it_is_stopped_in_the_middle_and_goes_on(backend: Backend, models: Path, tmp_path: Path) -> None:
    """Thousands of small files take seconds, so that it is in the middle when the first of them have come."""
    for shard in range(8):
        folder = backend.settings.data / "objects" / "originals" / "main" / f"a{shard:x}"
        folder.mkdir(parents=True)
        for name in range(200):
            (folder / f"a{shard:x}{name:062x}").write_bytes(b"a picture")
    command, new = CommandLine(backend.settings.data, models), tmp_path / "new"
    arguments = ("move", "--objects-url", new.as_uri())
    with command.start(*arguments) as running:
        wait_until(lambda: any(file.is_file() for file in new.rglob("a*")))
        running.send_signal(signal.SIGTERM)
        assert "Stopped." in running.communicate()[1]
    assert running.returncode == 1
    before = sum(file.is_file() for file in new.rglob("?" * 64))
    assert 0 < before < 1600

    again = command.run(*arguments)

    assert again.returncode == 0, again.stderr
    assert f"; {1600 - before:,} files" in again.stdout
    assert sum(file.is_file() for file in new.rglob("?" * 64)) == 1600
