import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import CommandHere, CommandLine, wait_until
from pictures import picture_bytes
from skimage import data as sample_data
from skimage.io import imsave

from pipeline.images import ImageState
from pipeline.passwords import hash_password
from pipeline.stores import records_listing
from pipeline.stores.database import Database
from webapp.cli import COMMANDS, run
from webapp.cli_errors import end_of
from webapp.cli_services import work_until_told
from webapp.cli_session import stopped_gently


@pytest.fixture
def command(tmp_path: Path, models: Path) -> CommandLine:
    return CommandLine(tmp_path / "data", models)


@pytest.fixture
def here(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandHere:
    return CommandHere(tmp_path / "data", models, monkeypatch, capsys)


@pytest.fixture
def filled(
    photographs: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandHere:
    return CommandHere(photographs, models, monkeypatch, capsys)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """A data folder with four photographs."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        imsave(folder / f"{name}.jpg", getattr(sample_data, name)(), check_contrast=False)
    command = CommandLine(tmp_path_factory.mktemp("data"), models)
    assert command.run("import", folder).returncode == 0
    return command.data


@pytest.mark.parametrize("name", ["", *(found.name for found in COMMANDS), "models list"])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*name.split(), "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: likeness")


def test_help_is_quick_because_nothing_heavy_is_imported_for_it() -> None:
    heavy = "{'numpy', 'PIL', 'sqlalchemy', 'fastapi', 'onnxruntime', 'faiss', 'sklearn', 'pydantic'}"
    program = f"import sys, webapp.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["import"],
        ["import", "/no/such/folder"],
        ["search", "--limit", "0"],
        ["search", "--category", "unicorn"],
        ["search", "--sort", "upwards"],
        ["search", "--state", "gone"],
        ["search", "--orientation", "round"],
        ["search", "--image", "/no/such/file.jpg"],
        ["serve", "--tls-cert", "/no/such/file.pem"],
        ["evaluate", "/", "--only", "beauty"],
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1


def test_a_setting_that_makes_no_sense_is_one_sentence_and_status_1(here: CommandHere) -> None:
    done = here.run("search", LIKENESS_MAX_PIXELS="many")
    assert done.returncode == 1
    assert "LIKENESS_MAX_PIXELS" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unforeseen_error_leaves_its_traceback_in_a_file_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIKENESS_DATA", str(tmp_path))
    assert end_of(RuntimeError("a wheel came off")) == 1
    shown = capsys.readouterr().err
    assert str(tmp_path / "errors.log") in shown
    assert "wheel" not in shown
    assert "a wheel came off" in (tmp_path / "errors.log").read_text()


def test_a_search_by_words_finds_the_cat(filled: CommandHere) -> None:
    done = filled.run("search", "--text", "cat", "--limit", "1")
    assert done.returncode == 0
    assert "chelsea.jpg" in done.stdout


def test_search_reads_weights_in_its_text_as_the_page_does(filled: CommandHere) -> None:
    plain, away = (json.loads(filled.run("search", "--text", text, "--json").stdout) for text in ("cat", "-cat"))
    assert [hit["image"]["id"] for hit in away["results"]] == [hit["image"]["id"] for hit in plain["results"]][::-1]
    assert "weight 0" in filled.run("search", "--text", "0*cat").stderr


def test_a_search_by_picture_gives_the_same_picture_first_as_json(filled: CommandHere, tmp_path: Path) -> None:
    imsave(tmp_path / "cup.png", sample_data.coffee(), check_contrast=False)
    done = filled.run("search", "--image", tmp_path / "cup.png", "--json")
    answer = json.loads(done.stdout)
    assert answer["results"][0]["image"]["filename"] == "coffee.jpg"
    assert answer["results"][0]["strength"] == "strong"
    assert {"results", "verdict", "encoder", "took_ms"} <= set(answer)
    similarities = [result["similarity"] for result in answer["results"]]
    assert similarities == sorted(similarities, reverse=True)


def test_a_search_with_filters_only_lists_what_passes(filled: CommandHere) -> None:
    answer = json.loads(filled.run("search", "--min-height", "450", "--json").stdout)
    assert [result["image"]["filename"] for result in answer["results"]] == ["astronaut.jpg"]
    assert answer["results"][0]["similarity"] is None


def test_a_list_takes_every_filter_and_an_order(filled: CommandHere) -> None:
    everything = json.loads(filled.run("search", "--sort", "largest", "--json").stdout)["results"]
    pixels = [hit["image"]["width"] * hit["image"]["height"] for hit in everything]
    assert pixels == sorted(pixels, reverse=True)
    kept = filled.run(
        *(
            "search",
            "--json",
            "--orientation",
            "landscape",
            "--format",
            "png",
            "--format",
            "jpeg",
            "--max-bytes",
            "50 MB",
        ),
        *("--without-tag", "none", "--sort", "oldest"),
    )
    expected = [hit["image"]["id"] for hit in everything if hit["image"]["width"] > 1.05 * hit["image"]["height"]]
    assert sorted(hit["image"]["id"] for hit in json.loads(kept.stdout)["results"]) == sorted(expected)
    assert json.loads(filled.run("search", "--monochrome", "--json").stdout)["results"] == []
    assert json.loads(filled.run("search", "--state", "failed", "--json").stdout)["results"] == []


def test_a_search_with_a_file_that_is_no_picture_says_so(filled: CommandHere, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("milk, eggs")
    done = filled.run("search", "--image", tmp_path / "notes.txt")
    assert done.returncode == 1
    assert "text file" in done.stderr


def test_words_that_the_encoder_does_not_know_are_one_sentence(filled: CommandHere) -> None:
    done = filled.run("search", "--text", "xyzzy")
    assert (done.returncode, done.stdout) == (0, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_name_of_a_file_is_found_and_what_was_looked_for_where_is_told(filled: CommandHere) -> None:
    done = filled.run("search", "--text", "chelsea ")
    [line] = done.stdout.splitlines()
    assert line.endswith("chelsea.jpg  file name: chelsea")
    assert "captions, tags and file names only: chelsea" in done.stderr
    assert filled.run("search", "--text", "chelsea ", "--words-weight", "0").stdout == ""


def test_an_export_has_every_original_and_its_metadata(filled: CommandHere, tmp_path: Path) -> None:
    done = filled.run("export", tmp_path / "out", "--min-height", "450")
    assert done.returncode == 0
    assert (tmp_path / "out" / "originals" / "astronaut.jpg").stat().st_size > 0
    assert json.loads((tmp_path / "out" / "metadata.json").read_text())["images"][0]["width"] == 512
    again = filled.run("export", tmp_path / "out")
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert filled.run("export", tmp_path / "out", "--force").returncode == 0
    assert len(list((tmp_path / "out" / "originals").iterdir())) == 4


def test_reindex_counts_the_vectors(filled: CommandHere) -> None:
    assert filled.run("reindex").stdout == "The index holds 4 vectors.\n"


def test_reconcile_finds_nothing_to_mend(filled: CommandHere) -> None:
    done = filled.run("reconcile")
    assert done.returncode == 0
    assert "in order" in done.stdout


def test_the_doctor_is_content(filled: CommandHere) -> None:
    done = filled.run("doctor")
    assert done.returncode == 0
    assert "4 ready" in done.stdout


def test_the_doctor_exits_with_1_when_something_is_wrong(here: CommandHere) -> None:
    here.data.write_text("a file where the folder should be")
    done = here.run("doctor")
    assert done.returncode == 1
    assert "problem" in done.stdout


def test_retry_analyzes_again_what_failed(here: CommandHere, tmp_path: Path) -> None:
    file = tmp_path / "photos" / "a.png"
    file.parent.mkdir()
    file.write_bytes(picture_bytes(seed=1))
    here.run("import", "--in-place", "--no-wait", file.parent)
    shutil.move(file, tmp_path / "away.png")
    here.run("retry")
    here.run("import", "--in-place", file.parent)
    assert states(here.data)[ImageState.FAILED] == 1
    assert "no longer where" in here.run("doctor").stdout
    shutil.move(tmp_path / "away.png", file)
    assert here.run("retry").returncode == 0
    assert states(here.data)[ImageState.READY] == 1


def test_the_list_of_encoders_names_their_licence(here: CommandHere) -> None:
    listed = here.run("models", "list").stdout
    assert "lite" in listed
    assert "Apache-2.0" in listed


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_in_use_is_one_sentence_and_status_1(command: CommandLine, taken_port: int) -> None:
    done = command.run("serve", "--port", taken_port)
    assert done.returncode == 1
    assert str(taken_port) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_serve_prints_its_address_answers_and_stops_gently(command: CommandLine) -> None:
    with command.start("serve", "--port", "0") as process:
        try:
            address = process.stdout.readline().split()[3]
            with urllib.request.urlopen(f"{address}/livez", timeout=10) as answer:  # noqa: S310
                assert answer.status == 200
        finally:
            process.terminate()
        assert process.wait(30) == 0
        assert "Traceback" not in process.stderr.read()


def test_serve_says_in_one_sentence_why_it_cannot_start(command: CommandLine) -> None:
    command.data.mkdir()
    (command.data / "likeness.db").write_bytes(b"this is no database" * 500)
    done = command.run("serve", "--port", "0")
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_worker_analyzes_what_waits_and_ends_when_told(command: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(picture_bytes("noise", seed=seed))
    command.run("import", "--no-wait", folder)
    assert states(command.data)[ImageState.WAITING] == 3
    with command.start("worker") as worker:
        try:
            wait_until(lambda: states(command.data)[ImageState.READY] == 3)
        finally:
            worker.terminate()
        assert worker.wait(30) == 0


def test_what_a_worker_has_in_hand_is_finished_before_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    told, finished = threading.Event(), threading.Event()

    def compute() -> None:
        for number in range(10):  # some tenths of a second
            hash_password(f"password {number}")

    def work() -> None:
        compute()  # until it is waited for
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        told.wait()
        compute()
        finished.set()

    with stopped_gently():
        work_until_told(work, stop=told.set)

    assert finished.is_set()
    assert "Finishing the pictures in hand." in capsys.readouterr().err


def states(data: Path) -> dict[ImageState, int]:
    database = Database(f"sqlite:///{data}/likeness.db")
    try:
        with database.read() as connection:
            return records_listing.count_states(connection)
    finally:
        database.close()
