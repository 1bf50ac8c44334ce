"""`likeness duplicates scan` from the shell."""

from pathlib import Path

import pytest
from command import CommandHere
from edits import mirrored


@pytest.fixture
def here(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    return CommandHere(tmp_path / "data", models, monkeypatch, capsys)


def test_a_scan_tells_what_it_found_and_that_nothing_is_left(here, photos, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, data in (("a.jpg", photos["coffee"]), ("b.jpg", mirrored(photos["coffee"])), ("c.jpg", photos["rocket"])):
        (folder / name).write_bytes(data)
    assert here.run("import", folder).returncode == 0

    done = here.run("duplicates", "scan", "--again")

    assert done.returncode == 0
    assert done.stderr.startswith("Checked 3 pictures in ")
    assert done.stdout == "1 pair is one picture edited\n"
    again = here.run("duplicates", "scan", "--library", "main")
    assert again.stderr.startswith("Checked 0 pictures in ")
    assert again.stdout == done.stdout
    assert here.run("duplicates", "scan", "--library", "nowhere").returncode == 1
    assert here.run("duplicates", "scan", "--no-such-thing").returncode == 2
