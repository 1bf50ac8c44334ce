"""Nothing is lost: real processes, killed with SIGKILL, and several of them at once on one data folder."""

import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from pictures import picture_bytes
from queue_clock import let_leases_run_out

from pipeline.backend import Backend, open_backend
from pipeline.images import ImageState, original_key
from pipeline.reconcile import reconcile
from pipeline.settings import read_settings
from pipeline.stores import records_listing
from pipeline.stores.tables import images
from pipeline.worker import Worker

TESTS = Path(__file__).parent
LIKENESS = (sys.executable, "-c", "from webapp.cli import main; main()")
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.05
LEASE_SECONDS = 2.0
PICTURES = 24  # several batches: the places to be killed at are between the first picture and the last

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is needed")


@pytest.fixture(scope="module")
def own_models(models, lite) -> Path:
    """The folder of model files, with the network in it already."""
    del lite
    return models


@pytest.fixture
def environment(tmp_path, own_models) -> dict[str, str]:
    return os.environ | {
        "LIKENESS_DATA": str(tmp_path / "data"),
        "LIKENESS_MODELS": str(own_models),
        "LIKENESS_LEASE_SECONDS": str(LEASE_SECONDS),
    }


@pytest.fixture
def pictures(tmp_path) -> Path:
    """A folder of pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(PICTURES):
        (folder / f"{number:02}.png").write_bytes(picture_bytes("noise", size=(200, 150), seed=number))
    return folder


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(POLL_SECONDS)


@contextmanager
def running(*arguments: str, environment: dict[str, str], **options) -> Iterator[subprocess.Popen]:
    """Run `likeness` for as long as the block lasts, if it is not killed in it."""
    with subprocess.Popen([*LIKENESS, *arguments], env=environment, text=True, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


def likeness(*arguments: str, environment: dict[str, str]) -> str:
    done = subprocess.run([*LIKENESS, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def count(backend: Backend, state: ImageState) -> int:
    with backend.database.read() as connection:
        return records_listing.count_states(connection)[state]


@pytest.fixture
def watching(environment) -> Iterator[Backend]:
    """Stores of this process on the data folder of the others."""
    settings = read_settings(data=Path(environment["LIKENESS_DATA"]), models=Path(environment["LIKENESS_MODELS"]))
    with open_backend(settings) as backend:
        yield backend


def test_an_import_that_is_killed_five_times_loses_nothing(tmp_path, pictures, own_models):
    seed = secrets.randbelow(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails; bench/survival.py --seed repeats it
    bench = TESTS.parent / "bench" / "survival.py"
    options = [
        "--dir",
        pictures,
        "--pictures",
        str(PICTURES),
        "--kills",
        "5",
        "--models",
        own_models,
        "--seed",
        str(seed),
    ]

    done = subprocess.run(
        [sys.executable, bench, *options, "--json"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["pictures"], report["different_files"], len(report["killed_at"])) == (PICTURES, PICTURES, 5)
    found = {name: value for name, value in list(report.items())[5:] if value}
    assert found == {}


def test_the_pictures_of_a_killed_worker_are_taken_over_when_its_lease_is_over(environment, pictures, watching):
    likeness("import", "--no-wait", str(pictures), environment=environment)

    with running("worker", environment=environment, stderr=subprocess.DEVNULL) as killed:
        wait_until(lambda: count(watching, ImageState.READY) > 5)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    with watching.database.read() as connection:
        held = connection.execute(images.select().where(images.c.lease_token.is_not(None))).mappings().all()
        until = max((row["lease_until"] for row in held), default=datetime.now(UTC))
    assert (until - datetime.now(UTC)).total_seconds() <= LEASE_SECONDS
    with running("worker", environment=environment, stderr=subprocess.DEVNULL):
        wait_until(lambda: count(watching, ImageState.WAITING) == 0)

    assert count(watching, ImageState.READY) == PICTURES
    assert watching.vectors.count() == PICTURES


def test_serve_worker_import_and_search_agree_on_one_folder(environment, pictures, watching, tmp_path):
    extra = tmp_path / "extra.png"
    extra.write_bytes(picture_bytes("split", size=(300, 200)))
    quiet = {"environment": environment, "stderr": subprocess.DEVNULL}
    with (
        running("serve", "--port", "0", stdout=subprocess.PIPE, **quiet) as server,
        running("worker", **quiet),
        running("import", str(pictures), stdout=subprocess.DEVNULL, **quiet) as importing,
    ):
        address = server.stdout.readline().split()[3].rstrip("/")  # "Likeness is at http://127.0.0.1:40123  (…"
        uploaded = upload(address, extra)
        assert importing.wait(PATIENCE_SECONDS) == 0
        wait_until(lambda: count(watching, ImageState.READY) == PICTURES + 1)

        assert watching.vectors.count() == PICTURES + 1
        assert ask(address, "/api/v1/status")["states"]["ready"] == PICTURES + 1
        one = pictures / "17.png"
        by_shell = json.loads(likeness("search", "--image", str(one), "--json", environment=environment))
        by_server = search_by_picture(address, one)
        assert by_shell["results"][0]["image"]["sha256"] == hashlib.sha256(one.read_bytes()).hexdigest()
        assert ids(by_shell) == ids(by_server)

        delete(address, uploaded)
        by_shell = json.loads(likeness("search", "--image", str(extra), "--json", environment=environment))
        assert uploaded not in ids(by_shell)
        assert watching.vectors.count() == PICTURES


@pytest.mark.parametrize(
    ("kind", "steps"),
    [("put", 1), ("put", 2), ("put", 3), ("commit", 1), ("commit", 2), ("commit", 3), ("commit", 99)],
    ids=[
        "original kept",
        "first thumbnail kept",
        "all thumbnails kept",
        "record not committed",
        "claim not committed",
        "result not committed",
        "not killed",
    ],
)
def test_a_process_killed_at_any_step_leaves_what_can_be_repaired(
    settings, empty_database, open_grid_backend, kind, steps
):
    settings.data.mkdir()
    shutil.copyfile(empty_database, settings.data / "likeness.db")
    script = [sys.executable, str(TESTS / "killed_process.py"), str(settings.data), kind, str(steps)]
    done = subprocess.run(script, check=False, env=os.environ | {"PYTHONPATH": str(TESTS)})
    assert done.returncode == (0 if steps == 99 else -signal.SIGKILL)
    backend = open_grid_backend(settings)
    sha256 = hashlib.sha256(picture_bytes()).hexdigest()

    if (kind, steps) in {("put", 1), ("commit", 1)}:  # between the original and its record: only an orphan is left
        assert not any(count(backend, state) for state in ImageState)
        assert [stored.key for stored in backend.objects.list("")] == [original_key("main", sha256)]
        assert reconcile(backend, sweep_objects=True).removed_objects == 0  # too young to be told from an upload
        old = replace(backend, settings=settings.model_copy(update={"grace_seconds": 0.0}))
        assert reconcile(old, sweep_objects=True).removed_objects == 1
        assert list(backend.objects.list("")) == []
    else:
        let_leases_run_out(backend.database)
        Worker(backend).drain()
        assert count(backend, ImageState.READY) == 1
        assert backend.vectors.count() == 1
        assert len(list(backend.objects.list(""))) == 3
        assert "in order" in reconcile(backend, sweep_objects=True).sentence()


def ids(answer: dict) -> list[str]:
    return [result["image"]["id"] for result in answer["results"]]


def ask(address: str, path: str, data: bytes | None = None, *, method: str = "GET", **headers: str) -> dict:
    request = urllib.request.Request(address + path, data, headers, method=method)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.loads(answer.read() or b"{}")


def send_file(address: str, path: str, file: Path) -> dict:
    body = b"--x\r\n" + f'Content-Disposition: form-data; name="file"; filename="{file.name}"\r\n\r\n'.encode()
    body += file.read_bytes() + b"\r\n--x--\r\n"
    return ask(address, path, body, method="POST", **{"Content-Type": "multipart/form-data; boundary=x"})


def upload(address: str, file: Path) -> str:
    return send_file(address, "/api/v1/images", file)["id"]


def search_by_picture(address: str, file: Path) -> dict:
    return send_file(address, f"/api/v1/search?{urlencode({'limit': 20})}", file)


def delete(address: str, image_id: str) -> None:
    ask(address, f"/api/v1/images/{image_id}", method="DELETE")
