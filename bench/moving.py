"""Move a library from the embedded stores to servers and back, by the commands alone, while it answers searches.

    python bench/moving.py [--pictures 10000] [--without milvus]

Pictures are drawn, and analyzed as far as this goes without decoding them: real files, thumbnails and records, random
embeddings around a hundred centers. PostgreSQL, an S3 server (rclone) and Milvus are started from their wheels. One
client asks all the time for what is like one of twenty pictures, over HTTP: the old server while a command runs, then
the new one. Told are the seconds of each command, how long changes had to wait, how many searches were answered and
how many were not, the slowest, and how many of the ten pictures of the exact answer came. In the end every record and
every original must be what it was at the beginning; the exit status is 1 otherwise.
"""

import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx2 as httpx
import numpy as np
from latency import SEED, fill
from PIL import Image
from served import PROGRAM, serving

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from real_servers import PostgresqlServer  # noqa: E402 - lies beside the tests
from s3_server import S3Server  # noqa: E402

from pipeline.backend import Backend, open_backend  # noqa: E402
from pipeline.features.thumbnail import THUMBNAIL_SIZES  # noqa: E402
from pipeline.images import original_key, thumbnail_key  # noqa: E402
from pipeline.settings import read_settings  # noqa: E402

PROBES = 20
NEIGHBORS = 10
PICTURE_PX = 48
TIMEOUT_SECONDS = 30.0
PAUSE_SECONDS = 0.02  # between two searches, so that the client does not take all of a small machine
WAITED = re.compile(r"Changes had to wait for ([\d.]+) seconds")


def main() -> int:
    options = _options()
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="likeness-moving-")))
        embedded = {"LIKENESS_DATA": str(data)}
        with open_backend(read_settings(data=data)) as backend:
            fill(backend, options.pictures)
            probes = _draw(backend)
            before = _fingerprint(backend)
        postgresql, s3 = PostgresqlServer(), S3Server()
        stack.callback(postgresql.close)
        stack.callback(s3.close)
        places = {"LIKENESS_DATABASE_URL": postgresql.new_database(), "LIKENESS_OBJECTS_URL": s3.url()}
        servers = embedded | places
        engines = _engines(options.without, stack)

        print(f"{options.pictures:,} pictures with {before.files:,} originals\n{HEADINGS}")
        asking = stack.enter_context(_Asking(probes))
        with serving(data) as server:
            asking.turn_to(server.url)
            asking.learn()
            there = ["--database-url", places["LIKENESS_DATABASE_URL"], "--objects-url", places["LIKENESS_OBJECTS_URL"]]
            asking.during("move to PostgreSQL + S3", embedded, "move", *there)
            new = stack.enter_context(serving(data, **places))
            asking.turn_to(new.url)
        for name, url in engines.items():
            asking.during(f"reindex --to {name}", servers, "reindex", "--to", url)
        back = ["--database-url", f"sqlite:///{data}/likeness.db", "--objects-url", (data / "objects").as_uri()]
        asking.during("move back", servers, "move", *back)
        last = stack.enter_context(serving(data))
        asking.turn_to(last.url)
        asking.during("doctor", embedded, "doctor")
        with open_backend(read_settings(data=data)) as backend:
            after = _fingerprint(backend)
    print(f"records and originals are {'the same as before' if after == before else 'DIFFERENT'}")
    return int(after != before or asking.unanswered > 0)


HEADINGS = f"{'':26}{'seconds':>9}{'waiting':>9}{'answered':>10}{'not':>5}{'slowest':>9}{'recall':>8}"


@dataclass(frozen=True)
class _Fingerprint:
    """What all the records and originals are, in two hashes."""

    records: str
    originals: str
    files: int


def _fingerprint(backend: Backend) -> _Fingerprint:
    records, originals = hashlib.sha256(), hashlib.sha256()
    with backend.database.read() as connection:
        for table in ("images", "image_sources", "palette", "tags", "embeddings", "libraries", "counters"):
            for row in connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2"):  # noqa: S608 - our own names
                records.update(repr(tuple(row)).encode())
    keys = sorted(stored.key for stored in backend.objects.list("originals/"))
    for key in keys:
        with backend.objects.open(key) as stream:
            originals.update(key.encode() + hashlib.file_digest(stream, "sha256").digest())  # type: ignore[arg-type]
    return _Fingerprint(records.hexdigest(), originals.hexdigest(), len(keys))


def _draw(backend: Backend) -> list[str]:
    """Give every record an original and thumbnails; return the ids of some pictures."""
    chance = np.random.default_rng(SEED)
    with backend.database.write() as connection:
        rows = connection.exec_driver_sql('SELECT "row", id FROM images ORDER BY "row"').all()
        changes = []
        for row, _ in rows:
            picture = Image.fromarray(chance.integers(0, 256, (PICTURE_PX, PICTURE_PX, 3), np.uint8))
            original, thumbnail = io.BytesIO(), io.BytesIO()
            picture.save(original, "JPEG", quality=90)
            picture.save(thumbnail, "WEBP", quality=80, method=0)
            sha256 = hashlib.sha256(original.getvalue()).hexdigest()
            backend.objects.put(original_key("main", sha256), io.BytesIO(original.getvalue()), durable=False)
            for px in THUMBNAIL_SIZES:
                backend.objects.put(thumbnail_key("main", sha256, px), io.BytesIO(thumbnail.getvalue()), durable=False)
            changes.append((sha256, len(original.getvalue()), row))
        connection.exec_driver_sql('UPDATE images SET sha256 = ?, bytes = ? WHERE "row" = ?', changes)
    return [found for _, found in rows[:: max(1, len(rows) // PROBES)]][:PROBES]


def _engines(without: list[str], stack: ExitStack) -> dict[str, str]:
    """Start what the vectors are moved to; return the addresses by name."""
    engines = {}
    if "milvus" not in without:
        from milvus_server import MilvusServer  # noqa: PLC0415 - only where its wheel is installed

        milvus = MilvusServer()
        stack.callback(milvus.close)
        engines["milvus"] = milvus.url
    return engines | {"pgvector": "pgvector://"}


@dataclass
class _Asking:
    """A client that searches all the time. A context manager."""

    probes: list[str]
    exact: dict[str, list[str]] = field(default_factory=dict)
    unanswered: int = 0
    _url: str = ""
    _seconds: list[float] = field(default_factory=list)
    _found: list[float] = field(default_factory=list)
    _failed: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def turn_to(self, url: str) -> None:
        """Ask the server at `url` from now on."""
        self._url = url

    def learn(self) -> None:
        """Keep the answers of now as the right ones, and begin to ask."""
        with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
            self.exact = {probe: self._ask(client, probe) for probe in self.probes}
        self._thread.start()

    def during(self, name: str, environment: dict[str, str], *command: str) -> None:
        """Run a command and print what happened meanwhile."""
        self._seconds, self._found, self._failed = [], [], []
        began = time.perf_counter()
        done = subprocess.run(
            [PROGRAM, *command], env=environment | _inherited(), capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - began
        if done.returncode:
            print(done.stdout + done.stderr)
            raise SystemExit(f"{name} ended with status {done.returncode}")
        self.unanswered += len(self._failed)
        waited = WAITED.search(done.stdout)
        print(
            f"{name:26}{took:9.1f}{waited[1] if waited else '':>9}{len(self._seconds):10,}{len(self._failed):5}"
            f"{max(self._seconds, default=0):9.2f}{float(np.mean(self._found)) if self._found else 0:8.3f}",
            flush=True,
        )
        for failed in self._failed[:3]:
            print(f"    {failed}")

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.ident:
            self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
            while not self._ended.wait(PAUSE_SECONDS):
                probe = self.probes[len(self._seconds) % len(self.probes)]
                began = time.perf_counter()
                try:
                    found = self._ask(client, probe)
                except httpx.HTTPError as error:
                    self._failed.append(repr(error))
                    continue
                self._seconds.append(time.perf_counter() - began)
                self._found.append(len({*found} & {*self.exact[probe]}) / len(self.exact[probe]))

    def _ask(self, client: httpx.Client, probe: str) -> list[str]:
        answer = client.post(f"{self._url}/api/v1/search", json={"image_id": probe, "limit": NEIGHBORS})
        answer.raise_for_status()
        return [result["image"]["id"] for result in answer.json()["results"]]


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LIKENESS_")}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--without", action="append", default=[], choices=["milvus"], help="A server to leave out.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
