"""What the database takes: images claimed and completed a second by several processes, and the part of a search.

    python bench/queueing.py [--images 1000] [--processes 2] [--threads 4] [--repeat 200]

On SQLite, and on a PostgreSQL server of its own in a temporary folder, reached through a socket: there once with one
writer at a time (ALONE), and once with writers beside each other. Nothing is decoded; a row is claimed, and its
features, palette and embedding are written. The part of a search are its reading transactions: the rows that pass a
filter by a tag, and the records of a page of 48. The start of the processes is counted, so take many images. Compare
the rows with each other; alone they tell of this machine, and most of all of how fast its disk confirms a write.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from fakes import GridEncoder  # noqa: E402
from real_servers import PostgresqlServer  # noqa: E402

from pipeline.filters import Filter  # noqa: E402
from pipeline.stores import records_embeddings, records_images, records_listing  # noqa: E402
from pipeline.stores.database import Database  # noqa: E402
from pipeline.stores.records_embeddings import EncoderRow  # noqa: E402
from pipeline.stores.records_images import NewImage  # noqa: E402

PAGE = 48
TAGS = 20  # so that a filter by one keeps a twentieth
BATCH = 500  # images written in one transaction


def main() -> None:
    options = _options()
    print(f"{options.images:,} images, {options.processes} processes of {options.threads} threads")
    print(f"{'':38}{'a second':>10}{'times':>8}{'search ms':>12}{'times':>8}")
    first: tuple[float, float] | None = None
    for name, writing, opened in (
        ("SQLite", "ALONE", sqlite),
        ("PostgreSQL, one writer at a time", "ALONE", postgresql),
        ("PostgreSQL, writers beside each other", "BESIDE", postgresql),
    ):
        with opened() as url:
            database = Database(url)
            fill(database, options.images)
            rate = work_off(url, writing, options) if options.images else 0.0
            search = median(search_part(database) for _ in range(options.repeat))
            database.close()
        first = first or (rate, search)
        print(f"{name:38}{rate:10,.0f}{rate / first[0]:8.2f}{search * 1000:12.2f}{search / first[1]:8.2f}")


@contextmanager
def sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="likeness-queueing-") as folder:
        yield f"sqlite:///{folder}/likeness.db"


@contextmanager
def postgresql() -> Iterator[str]:
    server = PostgresqlServer()
    try:
        yield server.new_database()
    finally:
        server.close()


def fill(database: Database, number: int) -> None:
    """Make the tables, and images in them that wait."""
    database.migrate()
    with database.write() as connection:
        encoder = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)
        records_embeddings.activate_encoder(connection, encoder)
    for start in range(0, number, BATCH):
        with database.write() as connection:
            for place in range(start, min(start + BATCH, number)):
                new = NewImage("main", f"{place:064x}", 1000, "image/png", 640, 480, f"{place}.png")
                row = records_images.add(connection, new)[0].row
                records_images.add_tags(connection, [row], [f"tag {place % TAGS}"])


def work_off(url: str, writing: str, options: argparse.Namespace) -> float:
    """Return how many images were claimed and completed a second, each by one thread alone."""
    command = [sys.executable, ROOT / "tests" / "queue_process.py", url, str(options.threads), writing]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:2])}
    started = time.perf_counter()
    working = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(options.processes)]
    told = [process.communicate()[0].split() for process in working]
    seconds = time.perf_counter() - started
    rows = [row for part in told for row in part]
    assert (len(rows), len(set(rows))) == (options.images, options.images)
    return options.images / seconds


def search_part(database: Database) -> float:
    """Return how many seconds the reading transactions of a search take."""
    started = time.perf_counter()
    with database.read() as connection:
        records_embeddings.last_change(connection)
    with database.read() as connection:
        rows = records_listing.visible_rows(connection, Filter(libraries=("main",), tags=("tag 3",)))
    with database.read() as connection:
        records_images.get_by_rows(connection, rows[:PAGE])
    return time.perf_counter() - started


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=200, help="how often the part of a search is measured")
    return parser.parse_args()


if __name__ == "__main__":
    main()
