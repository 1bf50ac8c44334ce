"""`likeness models use` and the commands around it: what they say, and that they can be interrupted."""

import json
import signal
from pathlib import Path

import pytest
from command import CommandHere, CommandLine
from pictures import picture_bytes
from tiny_clip import build_tiny_clip

NAME = "tiny-a"


@pytest.fixture
def with_models(tmp_path: Path) -> Path:
    build_tiny_clip(tmp_path / "models" / NAME, NAME)
    return tmp_path / "models"


@pytest.fixture
def here(tmp_path: Path, with_models: Path, monkeypatch, capsys) -> CommandHere:
    """The command over a data folder with three pictures, analyzed with `lite`."""
    (tmp_path / "pictures").mkdir()
    for number, color in enumerate(("#d01010", "#10b010", "#1010d0")):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(picture_bytes(color=color))
    command = CommandHere(tmp_path / "data", with_models, monkeypatch, capsys)
    done = command.run("import", tmp_path / "pictures", LIKENESS_ENCODER="lite")
    assert done.returncode == 0, done.stderr
    return command


def test_the_encoder_is_changed_and_searches_use_it(here):
    done = here.run("models", "use", NAME)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "Searches use the encoder tiny-a now.\n"
    found = here.run("search", "--text", "green", "--limit", "1", "--json")
    assert '"filename": "1.png"' in found.stdout


def test_the_list_tells_which_encoder_is_in_use_and_which_are_kept(here):
    def roles() -> dict[str, str | None]:
        listed = json.loads(here.run("models", "list", "--json").stdout)["models"]
        return {told["name"]: told["role"] for told in listed if told["name"] in {"lite", NAME, "clip-vit-b-32"}}

    assert roles() == {"lite": "active", "clip-vit-b-32": None, NAME: None}
    here.run("models", "use", NAME, "--no-wait")
    assert roles() == {"lite": "active", "clip-vit-b-32": None, NAME: "building"}
    here.run("models", "use", NAME)
    assert roles() == {"lite": "old", "clip-vit-b-32": None, NAME: "active"}
    assert "IN USE" in here.run("models", "list").stdout


def test_a_change_can_be_begun_paused_resumed_and_ended(here):
    begun = here.run("models", "use", NAME, "--no-wait")
    assert begun.returncode == 0
    assert begun.stderr.startswith("The change to tiny-a has begun;")

    assert here.run("models", "pause").stdout.startswith("The change of encoder rests.")
    assert here.run("models", "resume").stdout.startswith("The change of encoder goes on")
    assert here.run("models", "cancel").stdout.startswith("The change of encoder was ended;")
    again = here.run("models", "cancel")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("No change of encoder is under way.")


def test_what_the_old_encoder_computed_is_dropped_when_every_process_has_gone_over(here):
    assert here.run("models", "drop", "lite").stderr.startswith("No vectors of an old encoder lite are kept here.")
    here.run("models", "use", NAME)

    assert here.run("models", "drop", "lite").stderr.startswith("Some processes may still be searching with")


def test_a_model_that_the_database_works_with_is_not_removed(here):
    here.run("models", "use", NAME)

    refused = here.run("models", "remove", NAME)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("The database works with tiny-a. Please change to another encoder")


def test_a_setting_that_contradicts_the_database_names_the_command_that_changes_it(here):
    refused = here.run("search", "--text", "dog", LIKENESS_ENCODER=NAME)

    assert refused.returncode == 1
    assert "`likeness models use tiny-a` then changes the encoder, while searches go on." in refused.stderr


def test_an_interrupted_change_goes_on_with_the_same_command(here, tmp_path: Path, with_models: Path):
    line = CommandLine(tmp_path / "data", with_models)
    here.run("models", "use", NAME, "--no-wait")
    here.run("models", "pause")
    waiting = line.start("models", "use", NAME)
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=60)

    done = line.run("models", "use", NAME)

    assert done.returncode in {0, 1}
    if done.returncode:  # the first one had done it before it was interrupted
        assert "Searches use the encoder tiny-a already." in done.stderr
    assert '"filename": "1.png"' in line.run("search", "--text", "green", "--limit", "1", "--json").stdout
