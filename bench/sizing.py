"""What a picture takes: rows and indexes in PostgreSQL, vectors in pgvector, thumbnails; and what the processes take.

    python bench/sizing.py FOLDER [--pictures 800] [--vectors 20000]

PostgreSQL with pgvector is started from a wheel, the pictures are imported, and a server answers one search. A graph is
built over random vectors, since there is none below 10,000. Indexes of a small table are fuller or emptier than those
of a large one, so take many pictures for figures to multiply; docs/deploy.md does so.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx2 as httpx
import psutil
import sqlalchemy as sa
from served import MemoryWatch, Server, serving

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from real_servers import PostgresqlServer  # the server that the tests use

PROGRAM = Path(sys.executable).with_name("likeness")
WORTH_TELLING = 100.0  # bytes a picture; tables that take less have as many rows as there are people
PATIENCE_SECONDS = 300.0
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".avif", ".tif", ".tiff", ".bmp"})
TABLES = sa.text(
    "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC"
)

GRAPH = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    "SET LOCAL maintenance_work_mem = '256MB'",
    "SELECT setseed(0.5)",
    "CREATE TABLE vectors (embedding halfvec(512))",
    """
    INSERT INTO vectors SELECT l2_normalize(array_agg(random() - 0.5)::vector(512)::halfvec(512))
    FROM generate_series(1, :vectors * 512) AS n GROUP BY n % :vectors
    """,
    "CREATE INDEX graph ON vectors USING hnsw (embedding halfvec_ip_ops) WITH (m = 16, ef_construction = 200)",
)
"""As pipeline/stores/vectors_pgvector_table.py makes it, over random vectors of unit length."""


def measure(folder: Path, pictures: int, vectors: int) -> None:
    """Import up to `pictures` files of `folder` and print what they take, and what a graph over `vectors` takes."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    chosen = files[:: max(1, len(files) // pictures)][:pictures]
    server = PostgresqlServer()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _import_and_tell(chosen, server.new_database(), Path(scratch))
            _build_and_tell(vectors, server.new_database())
        finally:
            server.close()


def _import_and_tell(files: list[Path], url: str, data: Path) -> None:
    settings = {"LIKENESS_DATA": str(data), "LIKENESS_DATABASE_URL": url, "LIKENESS_VECTORS_URL": "pgvector://"}
    links = data / "links"
    links.mkdir()
    for number, file in enumerate(files):
        (links / f"{number}{file.suffix}").write_bytes(file.read_bytes())
    started = time.perf_counter()
    command = [PROGRAM, "import", links]
    with (
        subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.DEVNULL) as process,
        MemoryWatch(Server("", psutil.Process(process.pid))) as importing,
    ):
        status = process.wait()
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit("The import failed.")
    with serving(data, **settings) as server, MemoryWatch(server) as watch:
        httpx.post(f"{server.url}/api/v1/search", json={"text": "dog"}, timeout=PATIENCE_SECONDS).raise_for_status()
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        count = connection.scalar(sa.text("SELECT count(*) FROM images WHERE state = 'ready'"))
        tables = connection.execute(TABLES).all()
    engine.dispose()
    print(f"{count} pictures, {sum(map(_size, files)) / len(files) / 1000:.1f} kB each, imported in {seconds:.0f} s")
    print("\n| in PostgreSQL | bytes a picture: rows | indexes |\n| --- | --- | --- |")
    for name, rows, indexes in tables:
        if (rows + indexes) / count > WORTH_TELLING:
            print(f"| {name} | {rows / count:,.0f} | {indexes / count:,.0f} |")
    total = sum(rows + indexes for _, rows, indexes in tables) / count
    print(f"| all | {total:,.0f} together | |")
    print("\n| thumbnails | bytes each |\n| --- | --- |")
    for px, sizes in sorted(_thumbnails(data / "objects").items()):
        print(f"| {px} px | {sum(sizes) / len(sizes):,.0f} |")
    print(f"\nMemory at most: {importing.peak_mib:.0f} MiB that analyzed, {watch.peak_mib:.0f} MiB that answered")


def _build_and_tell(vectors: int, url: str) -> None:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    started = time.perf_counter()
    with engine.begin() as connection:
        for statement in GRAPH:
            connection.execute(sa.text(statement), {"vectors": vectors} if ":vectors" in statement else {})
        size = connection.scalar(sa.text("SELECT pg_relation_size('graph')")) / vectors
    engine.dispose()
    print(f"A graph over {vectors:,} vectors takes {size:,.0f} bytes a vector ({time.perf_counter() - started:.0f} s)")


def _thumbnails(objects: Path) -> dict[int, list[int]]:
    found = defaultdict(list)
    for path in (objects / "thumbnails").rglob("*.webp"):
        found[int(path.stem.rpartition("-")[2])].append(_size(path))
    return found


def _size(path: Path) -> int:
    return path.stat().st_size


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=800)
    parser.add_argument("--vectors", type=int, default=20_000)
    arguments = parser.parse_args()
    measure(arguments.folder, arguments.pictures, arguments.vectors)
