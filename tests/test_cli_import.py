import json
import os
import shutil
import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from command import CommandHere, CommandLine, wait_until
from pictures import picture_bytes, torn

from pipeline.backend import open_backend
from pipeline.curation import delete
from pipeline.principals import OWNER
from pipeline.settings import Settings

MANY = 60  # pictures of an import that is interrupted: enough that the signal falls in its middle


@pytest.fixture
def command(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandHere:
    return CommandHere(tmp_path / "data", models, monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "photos"
    (place / "more").mkdir(parents=True)
    for seed in range(4):
        (place / "more" / f"{seed}.png").write_bytes(picture_bytes("noise", seed=seed))
    return place


def listed(command: CommandHere) -> list[dict[str, object]]:
    answer = json.loads(command.run("search", "--limit", "100", "--json").stdout)
    return [result["image"] for result in answer["results"]]


def test_importing_a_folder_twice_finds_nothing_new(command: CommandHere, folder: Path) -> None:
    first = command.run("import", folder)
    assert (first.returncode, first.stdout) == (0, "")
    assert "4 imported." in first.stderr
    assert len(listed(command)) == 4
    second = command.run("import", folder)
    assert second.returncode == 0
    assert "4 unchanged since the last import." in second.stderr
    assert len(listed(command)) == 4


def test_refused_files_are_listed_with_their_reasons_and_the_others_go_in(command: CommandHere, folder: Path) -> None:
    (folder / "notes.txt").write_text("milk, eggs")
    (folder / "torn.png").write_bytes(torn(picture_bytes("noise", size=(400, 300))))
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9\n.txt")).write_text("coffee")
    done = command.run("import", folder)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("refused  ") for line in lines)
    assert any("notes.txt: This is a text file" in line for line in lines)
    assert any("torn.png: This picture is damaged" in line for line in lines)
    assert any("caf\\xe9\\n.txt" in line for line in lines)
    assert "4 imported, 3 refused." in done.stderr


def test_refusals_are_told_and_are_no_failure(command: CommandHere, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("Dear Sir or Madam")
    done = command.run("import", tmp_path / "letters")
    assert done.returncode == 0
    assert "1 refused." in done.stderr


def test_an_empty_folder_is_no_failure(command: CommandHere, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = command.run("import", tmp_path / "empty")
    assert done.returncode == 0
    assert "nothing to import" in done.stderr


def test_a_picture_that_comes_back_from_the_trash_is_told_of(command: CommandHere, folder: Path) -> None:
    command.run("import", folder)
    with open_backend(Settings(data=command.data, models=command.models)) as backend:
        delete(backend, [str(image["id"]) for image in listed(command)][:1], OWNER)
    shutil.copytree(folder / "more", folder / "again")

    done = command.run("import", folder)

    assert "3 were there already, 1 restored from the trash, 4 unchanged since the last import." in done.stderr
    assert len(listed(command)) == 4


def test_the_data_folder_is_not_imported_into_itself(command: CommandHere, folder: Path) -> None:
    inside = replace(command, data=folder / "data")
    inside.run("import", folder)
    assert "4 unchanged" in inside.run("import", folder).stderr


def test_in_place_the_originals_stay_where_they_are(command: CommandHere, folder: Path) -> None:
    assert command.run("import", "--in-place", folder).returncode == 0
    assert not (command.data / "objects" / "originals").exists()
    assert len(listed(command)) == 4


def test_pictures_go_into_the_library_that_is_named(command: CommandHere, folder: Path) -> None:
    command.run("import", "--library", "holidays", "--exclude", "0.png", folder)
    assert [image["library"] for image in listed(command)] == ["holidays"] * 3
    done = command.run("import", "--library", "../etc", folder)
    assert done.returncode == 1
    assert done.stderr.startswith("The name of a library")
    assert len(done.stderr.splitlines()) == 1


def test_an_import_waits_also_for_what_an_earlier_one_left_waiting(command: CommandHere, folder: Path) -> None:
    command.run("import", "--no-wait", folder)
    assert listed(command) == []
    command.run("import", folder)
    assert len(listed(command)) == 4


def test_an_import_that_is_interrupted_goes_on_where_it_stopped(command: CommandHere, folder: Path) -> None:
    for seed in range(4, MANY):
        (folder / f"{seed}.png").write_bytes(picture_bytes("noise", size=(300, 200), seed=seed))
    with CommandLine(command.data, command.models).start("import", folder) as process:
        wait_until(lambda: accepted(command.data) > 0)
        os.killpg(process.pid, signal.SIGINT)
        _, shown = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "run the same command again" in shown
    assert "Traceback" not in shown
    done = command.run("import", folder)
    assert (done.returncode, done.stdout) == (0, "")
    images = listed(command)
    assert len(images) == len({image["sha256"] for image in images}) == MANY


def accepted(data: Path) -> int:
    """Return how many pictures are in, asking the database as a stranger would; 0 while there is none."""
    try:
        connection = sqlite3.connect(f"file:{data}/likeness.db?mode=ro", uri=True)
        try:
            return connection.execute("SELECT count(*) FROM images").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return 0
