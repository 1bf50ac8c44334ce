"""Kill a worker, Redis and PostgreSQL in the middle of an import, and count what was lost.

    python bench/takeover.py [--dir FOLDER] [--pictures 1000] [--lease 30] [--forgetful] [--json]

Real servers, started from wheels: PostgreSQL with pgvector, an S3 server, Redis. Two Celery workers and a beat run,
and `likeness import` brings the pictures in. A worker that holds pictures is killed with SIGKILL, then Redis, then
PostgreSQL, whether or not what the worker held was taken over by then; each is started again. Afterwards every picture
must be there once. With --forgetful Redis forgets everything when it is killed. Without a folder pictures are drawn.
The exit status is 1 if anything is amiss.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from survival import PICTURES

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from celery_process import celery, kill  # noqa: E402 - the servers that the tests use
from pictures import picture_bytes  # noqa: E402
from real_servers import PostgresqlServer  # noqa: E402
from redis_server import RedisServer  # noqa: E402
from s3_server import S3Server  # noqa: E402

from pipeline.backend import Backend, open_backend  # noqa: E402
from pipeline.celery_broker import celery_application  # noqa: E402
from pipeline.errors import StoreUnavailable  # noqa: E402
from pipeline.images import ImageState  # noqa: E402
from pipeline.settings import read_settings  # noqa: E402
from pipeline.stores.tables import embeddings, image_sources, images  # noqa: E402

LIKENESS = (sys.executable, "-c", "from webapp.cli import main; main()")
PATIENCE_SECONDS = 900.0  # for anything that should happen; far above what it takes
POLL_SECONDS = 0.05
KILLS = {"worker": 0.10, "redis": 0.35, "postgresql": 0.55}  # the part of the pictures that is ready by then
STANDING_SECONDS = 2.0  # of the other workers at most, as one of them may hold what all wait for
TRIES = 50


@dataclass
class Report:
    """What was found. The counts of the last seven must be zero."""

    pictures: int
    different_files: int
    killed_at: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    held_by_the_killed_worker: int = 0
    most_messages: int = 0
    said: list[str] = field(default_factory=list)
    import_status: int = 0
    not_ready: int = 0
    missing: int = 0
    twice: int = 0
    sources_twice_or_missing: int = 0
    vectors_twice_or_missing: int = 0
    objects_twice_or_missing: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost or doubled."""
        return not any(list(asdict(self).values())[7:])


@dataclass(frozen=True)
class Servers:
    """The servers, and the environment in which `likeness` uses them."""

    postgresql: PostgresqlServer
    redis: RedisServer
    s3: S3Server
    environment: dict[str, str]


def main() -> int:
    """Run the measurement and print what was found."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped
    with tempfile.TemporaryDirectory(prefix="likeness-takeover-") as folder:
        pictures = _gather(options.dir, options.pictures, Path(folder) / "pictures")
        with _servers(Path(folder), options) as servers:
            report = measure(pictures, servers, log=options.log)
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        for name, value in asdict(report).items():
            print(f"{name.replace('_', ' '):<28} {value}")
    return 0 if report.is_clean else 1


def measure(pictures: Path, servers: Servers, *, log: Path | None) -> Report:
    """Import `pictures`, killing on the way what there is; return what was found afterwards."""
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(pictures.iterdir())]
    report = Report(len(hashes), len(set(hashes)))
    with ExitStack() as stack:
        watching = stack.enter_context(_watching(servers.environment))
        beside = stack.enter_context(ThreadPoolExecutor(1))
        is_over = threading.Event()
        stack.callback(is_over.set)  # so that nothing is waited for beside an error here
        output = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        start = ("worker", "--loglevel", "info")
        victim = stack.enter_context(celery(*start, "-n", "first@%h", environment=servers.environment, log=output))
        second = stack.enter_context(celery(*start, "-n", "second@%h", environment=servers.environment, log=output))
        stack.enter_context(celery("beat", "--pidfile=", environment=servers.environment, log=output))
        _time_until(lambda: _are_listening(servers, 2))
        importing = subprocess.Popen(
            [*LIKENESS, "import", str(pictures)], env=servers.environment, stderr=subprocess.PIPE, text=True
        )
        stack.callback(importing.kill)
        started = time.monotonic()
        _reach(watching, "worker", report, servers)
        held, silent = _kill_while_it_holds_pictures(victim, [second, importing], watching)
        report.held_by_the_killed_worker = len(held)
        stack.enter_context(celery(*start, "-n", "third@%h", environment=servers.environment, log=output))
        taking_over = beside.submit(_time_until, lambda: is_over.is_set() or _ready(watching, held) == len(held))
        for name, server in (("redis", servers.redis), ("postgresql", servers.postgresql)):
            _reach(watching, name, report, servers)
            down = time.monotonic()
            server.kill()
            server.start()
            report.seconds[f"{name} was down"] = round(time.monotonic() - down, 1)
        report.seconds["from the death of a worker until all it held was ready"] = round(
            taking_over.result() - silent, 1
        )
        said = importing.communicate(timeout=PATIENCE_SECONDS)[1]
        report.seconds["the whole import"] = round(time.monotonic() - started, 1)
        report.said = [line for line in said.splitlines() if "WARNING" not in line]
        report.import_status = importing.returncode
        _examine(report, watching, hashes)
    return report


def _are_listening(servers: Servers, number: int) -> bool:
    """Whether so many Celery workers answer."""
    application = celery_application(read_settings(queue_url=servers.redis.url))
    return len(application.control.ping(timeout=1.0)) >= number


def _kill_while_it_holds_pictures(
    worker: subprocess.Popen[bytes], others: list[subprocess.Popen[Any]], watching: Backend
) -> tuple[list[int], float]:
    """Kill `worker` with pictures in its hands; return their rows and when that was.

    What is claimed while the others stand still is claimed by nobody else.
    """
    for _ in range(TRIES):
        for other in others:
            other.send_signal(signal.SIGSTOP)
        before, stopped = set(_claims(watching).items()), time.monotonic()
        held: list[int] = []
        while not held and time.monotonic() - stopped < STANDING_SECONDS:
            held = [row for row, token in _claims(watching).items() if (row, token) not in before]
        if held:
            kill(worker)
        killed = time.monotonic()
        for other in others:
            other.send_signal(signal.SIGCONT)
        if held:
            return held, killed
        time.sleep(POLL_SECONDS)
    raise TimeoutError("the worker was never seen with pictures in its hands")


def _claims(watching: Backend) -> dict[int, str]:
    """Return the rows that are claimed now, each with the token of the claim."""
    claimed = sa.select(images.c.row, images.c.lease_token).where(images.c.lease_token.is_not(None))
    with watching.database.read() as connection:
        return dict(connection.execute(claimed).all())


def _ready(watching: Backend, rows: list[int] | None = None) -> int:
    is_asked = sa.true() if rows is None else images.c.row.in_(rows)
    count = sa.select(sa.func.count()).select_from(images).where(images.c.state == ImageState.READY, is_asked)
    with watching.database.read() as connection:
        return int(connection.execute(count).scalar_one())


def _reach(watching: Backend, name: str, report: Report, servers: Servers) -> None:
    """Return when so many pictures are ready as is the time to kill what is called `name`."""

    def is_reached() -> bool:
        report.most_messages = max(report.most_messages, servers.redis.messages())
        return _ready(watching) >= KILLS[name] * report.different_files

    _time_until(is_reached)
    report.killed_at[name] = _ready(watching)


def _examine(report: Report, watching: Backend, hashes: list[str]) -> None:
    with watching.database.read() as connection:
        there = list(connection.execute(sa.select(images.c.sha256)).scalars())
        waiting = sa.select(sa.func.count()).select_from(images).where(images.c.state != ImageState.READY)
        report.not_ready = int(connection.execute(waiting).scalar_one())
        sources = int(connection.execute(sa.select(sa.func.count()).select_from(image_sources)).scalar_one())
        vectors = int(connection.execute(sa.select(sa.func.count()).select_from(embeddings)).scalar_one())
    report.missing = len(set(hashes) - set(there))
    report.twice = len(there) - len(set(there))
    report.sources_twice_or_missing = abs(sources - len(hashes))
    watching.vectors.catch_up()
    report.vectors_twice_or_missing = abs(vectors - len(there)) + abs(watching.vectors.count() - len(there))
    report.objects_twice_or_missing = abs(len(list(watching.objects.list(""))) - 3 * len(there))


@contextmanager
def _servers(folder: Path, options: argparse.Namespace) -> Iterator[Servers]:
    with ExitStack() as stack:
        postgresql = PostgresqlServer()
        stack.callback(postgresql.close)
        redis = RedisServer(durable=not options.forgetful)
        stack.callback(redis.close)
        s3 = S3Server()
        stack.callback(s3.close)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LIKENESS_")}
        ours = {
            "DATA": str(folder / "data"),
            "DATABASE_URL": postgresql.new_database(),
            "OBJECTS_URL": s3.url("pictures"),
            "VECTORS_URL": "pgvector://",
            "QUEUE_URL": redis.url,
            "LEASE_SECONDS": str(options.lease),
            "BATCH_SIZE": str(options.batch),
            "RETRY_SECONDS": str(options.retry),
        } | ({"MODELS": str(options.models)} if options.models else {})
        environment = clean | {f"LIKENESS_{name}": value for name, value in ours.items()}
        yield Servers(postgresql, redis, s3, environment)


@contextmanager
def _watching(environment: dict[str, str]) -> Iterator[Backend]:
    prefix = "LIKENESS_"
    values = {name.removeprefix(prefix).lower(): value for name, value in environment.items() if prefix in name}
    with open_backend(read_settings(**values)) as backend:
        yield backend


def _time_until(is_so: Callable[[], bool]) -> float:
    """Return the time, on the monotonic clock, at which `is_so`; a database that is down is asked again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if is_so():
                return time.monotonic()
        except StoreUnavailable:
            pass
        time.sleep(POLL_SECONDS)
    raise TimeoutError("what was waited for did not happen")


def _gather(folder: Path | None, number: int, target: Path) -> Path:
    """Put so many pictures into `target`: copies of files anywhere below `folder`, or drawn ones."""
    target.mkdir()
    if folder is None:
        for seed in range(number):
            (target / f"{seed:05}.png").write_bytes(picture_bytes("noise", size=(320, 240), seed=seed))
        return target
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file())
    chosen = np.random.default_rng(0).choice(len(found), min(number, len(found)), replace=False)
    for place, index in enumerate(sorted(chosen.tolist())):
        (target / f"{place:05}{found[index].suffix.lower()}").write_bytes(found[index].read_bytes())
    return target


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill a worker, Redis and PostgreSQL during an import.")
    parser.add_argument("--dir", type=Path, help="pictures, in folders as deep as you like; drawn if not given")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--lease", type=float, default=30.0, help="seconds, as in LIKENESS_LEASE_SECONDS")
    parser.add_argument("--batch", type=int, default=8, help="pictures, as in LIKENESS_BATCH_SIZE")
    parser.add_argument("--retry", type=float, default=5.0, help="seconds, as in LIKENESS_RETRY_SECONDS")
    parser.add_argument("--forgetful", action="store_true", help="let Redis keep nothing on disk")
    parser.add_argument("--models", type=Path, help="folder of model files, if they are kept anywhere")
    parser.add_argument("--log", type=Path, help="file for what the workers say")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
