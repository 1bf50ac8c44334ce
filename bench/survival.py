"""Kill an import of pictures again and again with SIGKILL, and count what was lost.

    python bench/survival.py --dir FOLDER [--pictures 300] [--kills 5] [--seed N] [--json]

An import into an empty data folder is killed at random moments, spread over its whole length, and started again each
time. Then only a worker runs, and everything that had been accepted must become searchable; then the import runs to
its end, and every picture of FOLDER must be there once, with its original byte for byte. The exit status is 1 if
anything is amiss.
"""

import argparse
import hashlib
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from pipeline.backend import Backend, open_backend
from pipeline.filters import Filter
from pipeline.images import ImageState
from pipeline.originals import original_bytes
from pipeline.principals import OWNER
from pipeline.query_pictures import Region, read_query_picture
from pipeline.questions import Term
from pipeline.reconcile import reconcile
from pipeline.search import SearchQuery, search
from pipeline.settings import read_settings
from pipeline.stores import records_images, records_listing
from pipeline.uploads import existing_file

LIKENESS = (sys.executable, "-c", "from webapp.cli import main; main()")
LEASE_SECONDS = 2  # short, so that the pictures of a killed process are soon taken over
POLL_SECONDS = 0.02
LATEST_KILL_SECONDS = 0.05  # after the chosen progress was seen, so that kills fall between any two steps
PATIENCE_SECONDS = 600.0  # for anything that should happen; far above what it takes
COUNTS = "SELECT count(*), coalesce(sum(state <> 'waiting'), 0) FROM images"
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic"}


@dataclass
class Report:
    """What was found. All but the first five must be zero or empty."""

    seed: int
    pictures: int
    different_files: int
    killed_at: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    accepted_and_lost: int = 0
    still_waiting: int = 0
    missing: int = 0
    twice: int = 0
    failed: int = 0
    damaged_originals: int = 0
    not_found_by_search: int = 0
    missing_originals: int = 0
    stray_objects: int = 0
    surviving_processes: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or left behind."""
        return not any(list(asdict(self).values())[5:])


def main() -> int:
    """Run the measurement and print what was found."""
    options = _options()
    seed = options.seed if options.seed is not None else secrets.randbelow(1 << 32)
    with tempfile.TemporaryDirectory(prefix="likeness-survival-") as folder:
        pictures = _choose(options.dir, options.pictures, Path(folder) / "pictures", seed)
        report = measure(pictures, Path(folder) / "data", options.models, kills=options.kills, seed=seed)
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        for name, value in asdict(report).items():
            print(f"{name.replace('_', ' '):<22} {value}")
    return 0 if report.is_clean else 1


def measure(pictures: Path, data: Path, models: Path | None, *, kills: int, seed: int) -> Report:
    """Import `pictures` into the empty folder `data`, killing it so often; return what was found afterwards."""
    hashes = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(pictures.iterdir())}
    report = Report(seed, len(hashes), len(set(hashes.values())))
    environment = _environment(data, models)
    started = time.perf_counter()
    _kill_again_and_again(report, pictures, data, environment, kills)
    report.seconds["killed imports"] = round(time.perf_counter() - started, 1)

    started = time.perf_counter()
    accepted = _accepted(data)
    with _running("worker", environment=environment):
        _wait_until(lambda: _counts(data)[0] == _counts(data)[1])
    report.seconds["worker afterwards"] = round(time.perf_counter() - started, 1)
    report.accepted_and_lost = len(accepted - _accepted(data, state="ready"))

    started = time.perf_counter()
    subprocess.run([*LIKENESS, "import", str(pictures)], env=environment, check=True, capture_output=True)
    report.seconds["import to its end"] = round(time.perf_counter() - started, 1)
    with open_backend(read_settings(data=data, models=models, grace_seconds=0.0)) as backend:
        _examine(report, backend, hashes)
    return report


def _kill_again_and_again(report: Report, pictures: Path, data: Path, environment: dict[str, str], kills: int) -> None:
    """Kill an import when it has come to a random place; a place is how many were accepted and how many finished."""
    chance = np.random.default_rng(report.seed)
    places = chance.choice(np.arange(1, 2 * report.different_files - 1), kills, replace=False)
    for place in sorted(places.tolist()):
        process = subprocess.Popen([*LIKENESS, "import", str(pictures)], env=environment, stderr=subprocess.DEVNULL)
        _wait_until(partial(_has_come_to, place, data, process))
        decoders = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        try:
            process.wait(chance.uniform(0, LATEST_KILL_SECONDS))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        report.killed_at.append("{} accepted, {} finished".format(*_counts(data)))
        _, alive = psutil.wait_procs(decoders, timeout=30)
        report.surviving_processes += len(alive)


def _has_come_to(place: int, data: Path, process: subprocess.Popen[bytes]) -> bool:
    return sum(_counts(data)) >= place or process.poll() is not None


def _examine(report: Report, backend: Backend, hashes: dict[Path, str]) -> None:
    with backend.database.read() as connection:
        rows = records_listing.list_rows(connection, Filter(), OWNER, limit=10 * len(hashes))
        images = records_images.get_by_rows(connection, rows)
    there = [image.sha256 for image in images]
    report.missing = len(set(hashes.values()) - set(there))
    report.twice = len(there) - len(set(there)) + abs(backend.vectors.count() - len(images))
    report.failed = sum(image.state == ImageState.FAILED for image in images)
    report.still_waiting = sum(image.state == ImageState.WAITING for image in images)
    report.damaged_originals = sum(
        hashlib.sha256(original_bytes(backend, image)).hexdigest() != image.sha256 for image in images
    )
    report.not_found_by_search = sum(not _is_found(backend, path, sha256) for path, sha256 in hashes.items())
    repairs = reconcile(backend, sweep_objects=True)
    report.missing_originals = repairs.missing_originals
    report.stray_objects = len(list(backend.objects.list(""))) - 3 * len(images)  # original and two thumbnails


def _is_found(backend: Backend, path: Path, sha256: str) -> bool:
    """Whether searching with a picture brings it back, among others that look exactly like it if there are any."""
    upload = existing_file(path, max_bytes=backend.settings.max_upload_bytes)
    # Searching with a region, even if it is the whole, goes by what is seen and not by the hash of the file.
    picture = read_query_picture(backend, upload, region=Region(0, 0, 1, 1))
    hits = search(backend, SearchQuery((Term(picture=picture),), limit=10), OWNER).hits
    return sha256 in {hit.image.sha256 for hit in hits}


def _choose(folder: Path, number: int, target: Path, seed: int) -> Path:
    """Copy so many pictures from anywhere below `folder` into `target`, under numbered names."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file())
    target.mkdir()
    chosen = np.random.default_rng(seed).choice(len(found), min(number, len(found)), replace=False)
    for place, number_of_file in enumerate(sorted(chosen.tolist())):
        path = found[number_of_file]
        shutil.copyfile(path, target / f"{place:05}{path.suffix.lower()}")
    return target


def _environment(data: Path, models: Path | None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LIKENESS_")}
    ours = {"LIKENESS_DATA": str(data), "LIKENESS_LEASE_SECONDS": str(LEASE_SECONDS)}
    return clean | ours | ({"LIKENESS_MODELS": str(models)} if models else {})


def _counts(data: Path) -> tuple[int, int]:
    """Return how many images were accepted, and how many of them are finished."""
    try:
        with closing(sqlite3.connect(f"file:{data}/likeness.db?mode=ro", uri=True, timeout=30)) as connection:
            accepted, finished = connection.execute(COUNTS).fetchone()
    except sqlite3.OperationalError:  # there are no tables yet
        return 0, 0
    return accepted, finished


def _accepted(data: Path, *, state: str = "%") -> set[str]:
    with closing(sqlite3.connect(f"file:{data}/likeness.db?mode=ro", uri=True, timeout=30)) as connection:
        return {sha256 for (sha256,) in connection.execute("SELECT sha256 FROM images WHERE state LIKE ?", (state,))}


@contextmanager
def _running(*arguments: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([*LIKENESS, *arguments], env=environment, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not happen")
        time.sleep(POLL_SECONDS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill an import again and again, and count what was lost.")
    parser.add_argument("--dir", type=Path, required=True, help="pictures, in folders as deep as you like")
    parser.add_argument("--pictures", type=int, default=300, help="how many of them, chosen at random")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, help="of the choice and of the moments; drawn and printed if not given")
    parser.add_argument("--models", type=Path, help="folder of model files, if they are kept anywhere")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
