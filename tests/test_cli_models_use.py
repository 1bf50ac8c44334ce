"""`likeness models use` and the commands around it: what they say, and that they can be interrupted."""

import json
import shutil
import signal
from pathlib import Path

import pytest
from command import CommandHere, CommandLine
from pictures import picture_bytes
from tiny_clip import build_tiny_clip

from pipeline import encoder_switch
from webapp import cli_models_use

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


def test_a_model_that_the_database_works_with_is_replaced_only_by_itself(here, with_models, tmp_path):
    here.run("models", "use", NAME)
    build_tiny_clip(tmp_path / "other", NAME, seed=5)
    before = (with_models / NAME / "card.json").read_bytes()

    refused = here.run("models", "import", tmp_path / "other")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("The database works with other files of tiny-a. Please give these a name of")
    assert (with_models / NAME / "card.json").read_bytes() == before
    assert here.run("search", "--text", "green", "--limit", "1").returncode == 0

    assert here.run("models", "import", with_models / NAME).returncode == 0
    assert here.run("models", "import", tmp_path / "other", "--name", "other").returncode == 0


def test_a_model_that_is_being_filled_is_replaced_only_by_itself(here, tmp_path):
    here.run("models", "use", NAME, "--no-wait")
    build_tiny_clip(tmp_path / "other", NAME, seed=5)

    assert here.run("models", "import", tmp_path / "other").returncode == 1
    here.run("models", "cancel")
    assert here.run("models", "import", tmp_path / "other").returncode == 0


def test_other_files_than_those_the_data_rests_on_are_named_and_can_be_brought_back(here, with_models, tmp_path):
    here.run("models", "use", NAME)
    shutil.copytree(with_models / NAME, tmp_path / "kept")
    build_tiny_clip(with_models / NAME, NAME, seed=5)

    refused = here.run("search", "--text", "green")
    assert refused.returncode == 1
    assert refused.stderr.startswith("This data was analyzed with other files of the encoder tiny-a than those in ")
    assert str(with_models / NAME) in refused.stderr
    assert "`likeness models import`" in refused.stderr

    assert here.run("models", "import", tmp_path / "kept").returncode == 0
    assert here.run("search", "--text", "green", "--limit", "1").returncode == 0


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_model_of_which_a_part_is_damaged_is_not_gone_over_to(here, with_models):
    flip(with_models / NAME / "text.onnx")

    refused = here.run("models", "use", NAME)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("The file text.onnx of the model tiny-a is damaged.")
    assert here.run("search", "--text", "dog", "--limit", "1", "--json").stdout.count('"encoder": "lite"') >= 1


def test_a_model_that_is_damaged_while_it_is_filled_ends_the_command_with_a_sentence(here, with_models, monkeypatch):
    monkeypatch.setattr(cli_models_use, "LOOK_SECONDS", 0.05)
    begin = encoder_switch.begin

    def begin_and_damage(*given: object) -> object:
        begun = begin(*given)
        flip(with_models / NAME / "text.onnx")
        return begun

    monkeypatch.setattr(encoder_switch, "begin", begin_and_damage)

    done = here.run("models", "use", NAME)

    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("The file text.onnx of the model tiny-a is damaged.")
    assert last.endswith("The change was paused or ended before it was done, so searches use lite as before.")


def test_pictures_that_could_not_be_embedded_are_counted_at_the_end(here):
    for path in (here.data / "objects").rglob("*"):
        if path.is_file():
            path.unlink()

    done = here.run("models", "use", NAME)

    assert done.stdout == "Searches use the encoder tiny-a now.\n"
    assert "3 pictures could not be embedded. No search finds them;" in done.stderr


@pytest.fixture
def fresh(tmp_path: Path, with_models: Path, monkeypatch, capsys) -> CommandHere:
    """The command over a data folder in which nothing is."""
    return CommandHere(tmp_path / "fresh", with_models, monkeypatch, capsys)


def test_an_empty_data_folder_begins_with_the_encoder_that_is_wished(fresh):
    done = fresh.run("models", "use", NAME)

    assert (done.returncode, done.stdout) == (0, "Searches use the encoder tiny-a now.\n")
    listed = json.loads(fresh.run("models", "list", "--json").stdout)["models"]
    assert {told["name"]: told["role"] for told in listed if told["role"]} == {NAME: "active"}  # lite never was
    assert fresh.run("models", "use", NAME).stderr.startswith("Searches use the encoder tiny-a already.")


@pytest.mark.parametrize("command", [("models", "use", NAME), ("reconcile",)])
def test_an_empty_data_folder_does_not_begin_with_a_damaged_model(fresh, with_models, command):
    flip(with_models / NAME / "text.onnx")

    done = fresh.run(*command, LIKENESS_ENCODER=NAME)

    assert done.returncode == 1
    assert "The file text.onnx of the model tiny-a is damaged." in done.stdout + done.stderr
    flip(with_models / NAME / "text.onnx")
    assert fresh.run("models", "use", NAME).returncode == 0


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
