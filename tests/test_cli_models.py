"""`likeness models`: what there is, and getting, checking and removing it, as people see it."""

import json
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from command import CommandHere
from hub_server import Hub
from tiny_model import NAME, announce, contents, files_in, serving_the_model, tiny_card

from pipeline.features.encoders.cards import ModelCard, as_json
from pipeline.features.encoders.catalog import CATALOG

WHOLE = {Path(source).name: content for source, content in contents().items()}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandHere:
    """The command with an empty models folder."""
    return CommandHere(tmp_path / "data", tmp_path / "models", monkeypatch, capsys)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_the_model() as served:
        yield served


def test_the_list_tells_of_every_model_what_it_is_and_on_what_terms(here):
    listed = here.run("models", "list").stdout
    blocks = {block.split(" ")[0]: block for block in listed.replace("\n  ", "  ").splitlines()}

    assert list(blocks) == ["lite", *CATALOG]
    assert "1,000 kinds of things" in blocks["lite"]
    assert "512 numbers, 156 MB, not here, the default where it can be had" in blocks["clip-vit-b-32"]
    assert "licence MIT; from Xenova/clip-vit-base-patch32" in blocks["clip-vit-b-32"]
    assert "languages: many; quality: Immich 73.2 %" in blocks["siglip2-b-32-256"]


def test_the_list_marks_what_forbids_commercial_use_and_what_nobody_verified(here):
    listed = here.run("models", "list").stdout
    blocks = {block.split(" ")[0]: block for block in listed.replace("\n  ", "  ").splitlines()}

    forbidden = [name for name, block in blocks.items() if "COMMERCIAL USE IS FORBIDDEN" in block]
    unverified = [name for name, block in blocks.items() if "could not be verified" in block]
    assert forbidden == ["mobileclip2-s2"]
    assert "clip-vit-b-32" not in unverified
    assert "clip-vit-l-14" in unverified


def test_the_list_says_what_is_here_partly_here_and_not_here(here, hub):
    announce(here.models)
    assert "partly here" in here.run("models", "list").stdout
    here.run("models", "pull", NAME, LIKENESS_HUB=hub.address)

    told = {told["name"]: told for told in json.loads(here.run("models", "list", "--json").stdout)["models"]}

    assert told[NAME]["state"] == "here"
    assert told[NAME]["bytes"] == sum(map(len, WHOLE.values()))
    assert told[NAME]["verified"] is True
    assert told["lite"]["state"] == "here"
    assert told["mobileclip2-s2"]["state"] == "missing"
    assert told["mobileclip2-s2"]["commercial_use"] is False
    assert told["clip-vit-b-32"]["default"] is True


def test_a_damaged_model_does_not_keep_the_others_from_being_listed(here):
    announce(here.models)
    (here.models / NAME / "card.json").write_text("{")

    done = here.run("models", "list")

    assert done.returncode == 0
    assert "clip-vit-b-32" in done.stdout
    assert "tiny                  The file card.json of this model is damaged." in done.stdout


@pytest.mark.parametrize("wrong", [{"path": 5}, {"path": "a\0b"}, {"bytes": "x"}, {"sha256": 7}])
def test_a_card_that_says_what_cannot_be_is_listed_with_a_sentence_and_not_imported(here, wrong):
    announce(here.models)
    path = here.models / NAME / "card.json"
    card = json.loads(path.read_text())
    card["files"][0] |= wrong
    path.write_text(json.dumps(card))

    listed = here.run("models", "list")
    imported = here.run("models", "import", here.models / NAME, "--name", "another")

    assert listed.returncode == 0
    assert "clip-vit-b-32" in listed.stdout
    assert "tiny                  The card of the model tiny cannot be used: " in listed.stdout
    assert imported.returncode == 1
    assert imported.stderr.startswith("The card of the model tiny cannot be used: ")


def test_every_model_is_compared_however_many_are_damaged(here, hub):
    for name in ("a-damaged", "b-sound", "c-unreadable"):
        announce(here.models, tiny_card(name=name))
        assert here.run("models", "pull", name, LIKENESS_HUB=hub.address).returncode == 0
    (here.models / "a-damaged" / "image.onnx").write_bytes(bytes(len(WHOLE["image.onnx"])))
    (here.models / "a-damaged" / "text.onnx").unlink()
    (here.models / "c-unreadable" / "card.json").write_text("{")
    (here.models / "clip-vit-b-32" / ".parts").mkdir(parents=True)

    done = here.run("models", "verify")

    assert done.returncode == 1
    assert done.stdout == "b-sound: every checksum is right.\n"
    said = done.stderr.splitlines()
    assert [line.split(". ")[0] for line in said] == [
        "a-damaged: The file image.onnx of the model a-damaged is damaged",
        "a-damaged: The file text.onnx of the model a-damaged cannot be read",
        "c-unreadable: The file card.json of this model is damaged",
        "clip-vit-b-32: Only a part of the model clip-vit-b-32 is here",
    ]


def test_where_no_model_is_there_is_nothing_to_compare(here):
    done = here.run("models", "verify")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("No model is here.")


def test_a_name_that_is_no_name_is_wrong_usage(here, tmp_path):
    done = here.run("models", "import", tmp_path, "--name", "My Model")

    assert done.returncode == 2
    assert done.stderr.startswith("Invalid value for --name: A model cannot be called 'My Model'.")


def test_a_model_is_pulled_compared_and_removed(here, hub):
    announce(here.models)

    pulled = here.run("models", "pull", NAME, LIKENESS_HUB=hub.address)
    assert (pulled.returncode, pulled.stdout) == (0, "")
    assert "The model tiny is here, with every checksum right." in pulled.stderr
    assert here.run("models", "verify", NAME).stdout == "tiny: every checksum is right.\n"
    assert here.run("models", "verify").stdout == "tiny: every checksum is right.\n"

    damaged = bytearray(WHOLE["text.onnx"])
    damaged[-1] ^= 1
    (here.models / NAME / "text.onnx").write_bytes(damaged)
    verified = here.run("models", "verify")
    assert (verified.returncode, verified.stdout) == (1, "")
    assert "The file text.onnx of the model tiny is damaged" in verified.stderr

    assert here.run("models", "remove", NAME).returncode == 0
    assert here.run("models", "verify", NAME).returncode == 1


def test_a_licence_that_forbids_commercial_use_is_told_when_its_model_is_pulled(here, hub, monkeypatch):
    monkeypatch.setitem(CATALOG, "mobileclip2-s2", research_only())

    pulled = here.run("models", "pull", "mobileclip2-s2", LIKENESS_HUB=hub.address)

    assert pulled.returncode == 0
    assert "The licence of mobileclip2-s2, apple-amlr, forbids commercial use." in pulled.stderr


def research_only() -> ModelCard:
    return replace(tiny_card(name="mobileclip2-s2"), licence="apple-amlr", commercial_use=False)


def test_a_model_is_imported_without_a_network(here, tmp_path):
    folder = tmp_path / "carried"
    folder.mkdir()
    for name, content in {**WHOLE, "card.json": as_json(tiny_card()).encode()}.items():
        (folder / name).write_bytes(content)
    archive = shutil.make_archive(tmp_path / "packed", "zip", folder)

    done = here.run("models", "import", archive, "--name", "carried")

    assert done.returncode == 0, done.stderr
    assert files_in(here.models / "carried") == WHOLE
    assert "carried" in here.run("models", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("pull", "clip-vit-b-32"), "Nothing may be downloaded here, because LIKENESS_HUB is off."),
        (("pull", "nothing"), "There is no encoder named nothing. Please choose one of: lite, clip-vit-b-32,"),
        (("pull", "lite"), "The encoder lite comes with the program; there is nothing to pull."),
        (("import", "/nowhere/model.zip"), "There is no file or folder /nowhere/model.zip."),
        (("verify", "clip-vit-b-32"), "The model clip-vit-b-32 is not here."),
        (("verify", "../.."), "The model ../.. is not here."),
        (("remove", "clip-vit-b-32"), "The model clip-vit-b-32 is not here, so nothing was removed."),
        (("remove", "../data"), "There is no encoder named ../data."),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(here, arguments, sentence):
    done = here.run("models", *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1


def test_a_hub_that_cannot_be_reached_is_said_with_what_to_do(here):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{reserved.getsockname()[1]}"

        done = here.run("models", "pull", "clip-vit-b-32", LIKENESS_HUB=address)

    assert done.returncode == 1
    assert done.stderr.startswith(f"The model hub {address} cannot be reached")
    assert all(means in done.stderr for means in ("LIKENESS_HUB", "HTTPS_PROXY", "likeness models import"))


@pytest.mark.parametrize("address", ["huggingface.co", "ftp://huggingface.co", "http://"])
def test_an_address_that_is_none_is_refused(here, address):
    done = here.run("models", "list", LIKENESS_HUB=address)

    assert done.returncode == 1
    assert done.stderr.startswith("LIKENESS_HUB cannot be used")
