"""The vector engines side by side: how long a search takes, and how much of the truth it finds.

    python bench/engines.py [ADDRESS...] [--vectors 20000] [--searches 200] [--rest 10]

Each ADDRESS is what LIKENESS_VECTORS_URL would be, such as milvus://127.0.0.1:19530, pgvector://user@host/database or
milvus:///tmp/lite.db; FAISS in the process always takes part. The vectors lie around two thousand centers, some of
them crowded, and are written as analyzed images into a database of their own. Searches are for the ten nearest, one
after another, without a filter and with filters that keep 50, 5 and 1 %; the truth is NumPy over all that pass. What
an engine keeps at its address from this run is left there.

The time of filling is that of building the graph as well, where an engine says when it is built. Milvus does not;
it gets `--rest` seconds.
"""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.filters import Filter
from pipeline.reindexing import Settling
from pipeline.settings import read_settings
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.opening import open_vectors
from pipeline.stores.protocols import VectorStore
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.tables import counters, embeddings, images

DIMENSION = 512
NEIGHBORS = 10
BATCH = 5000  # rows written at once
CENTERS = 2000
MANIFOLD = 40  # dimensions in which the centers differ, as those of pictures do in few of many
SPREAD = 0.4  # of a vector around its center, within the manifold
NOISE = 0.3  # in every dimension
SHARES = (1.0, 0.5, 0.05, 0.01)  # of the images, that filters keep
SEED = 1


def main() -> None:
    """Print a line for each engine and filter."""
    options = _options()
    rng = np.random.default_rng(SEED)
    drawn = _draw(rng, options.vectors + options.searches)
    vectors, queries = drawn[: options.vectors], drawn[options.vectors :]
    brightness = rng.permutation(options.vectors) / options.vectors  # so that a bound keeps exactly its share
    encoder = EncoderRow(f"bench{time.time_ns():x}", "bench", DIMENSION)
    print(f"{options.vectors:,} vectors of {DIMENSION} numbers, {options.searches} searches a line")
    print(f"{'milliseconds':36}{'kept':>6}{'p50':>9}{'p99':>9}{'recall@10':>11}{'filled in s':>13}")
    with TemporaryDirectory(prefix="likeness-engines-") as folder:
        database = Database(f"sqlite:///{folder}/likeness.db")
        _write(database, encoder, vectors, brightness)
        truth = [_truth(vectors, queries, brightness < share) for share in SHARES]
        for address in ("faiss://", *options.addresses):
            engine = open_vectors(address, database, encoder, read_settings(data=Path(folder)))
            started = time.perf_counter()
            engine.catch_up()
            if isinstance(engine, Settling):
                engine.settle()
            filled = time.perf_counter() - started
            time.sleep(options.rest if "milvus" in address else 0)
            for share, expected in zip(SHARES, truth, strict=True):
                _row(engine, queries, share, expected, filled)
            engine.close()
        database.close()


def _row(engine: VectorStore, queries: np.ndarray, share: float, expected: list[set[int]], filled: float) -> None:
    where = Filter() if share == 1 else Filter(max_brightness=float(np.nextafter(share, 0)))
    engine.nearest(queries[0], NEIGHBORS, where=where)  # what is opened or read at first is no part of a search
    taken, hits = [], 0
    for query, known in zip(queries, expected, strict=True):
        started = time.perf_counter()
        found = engine.nearest(query, NEIGHBORS, where=where)
        taken.append((time.perf_counter() - started) * 1000)
        hits += len(known & {neighbor.row for neighbor in found})
    half, most = np.percentile(taken, (50, 99))
    recall = hits / (NEIGHBORS * len(queries))
    name = engine.address.split("@")[-1][:35]
    print(f"{name:36}{share:>6.0%}{half:9.2f}{most:9.2f}{recall:11.3f}{filled:13.1f}", flush=True)


def _draw(rng: np.random.Generator, count: int) -> np.ndarray:
    axes = rng.normal(size=(MANIFOLD, DIMENSION))
    centers = rng.normal(size=(CENTERS, MANIFOLD))
    crowds = 1 / np.arange(1, CENTERS + 1)  # a few centers have many vectors
    chosen = rng.choice(CENTERS, size=count, p=crowds / crowds.sum())
    near = (centers[chosen] + SPREAD * rng.normal(size=(count, MANIFOLD))) @ axes
    near += NOISE * rng.normal(size=near.shape)
    return (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)


def _truth(vectors: np.ndarray, queries: np.ndarray, kept: np.ndarray) -> list[set[int]]:
    rows = np.flatnonzero(kept)
    held = vectors[rows].astype(np.float16).astype(np.float32)
    return [set((rows[np.argsort(-(held @ query))[:NEIGHBORS]] + 1).tolist()) for query in queries]


def _write(database: Database, encoder: EncoderRow, vectors: np.ndarray, brightness: np.ndarray) -> None:
    """Write `vectors` as the embeddings of as many analyzed images, whose row numbers begin with 1."""
    database.migrate()
    now = datetime.now(UTC)
    image = {"library": "main", "state": "ready", "not_before": now, "created_at": now, "exif": {}, "bytes": 1}
    image |= {"media_type": "image/jpeg", "width": 640, "height": 480, "scheme": "warm", "category": "animal"}
    with database.write() as connection:
        records_embeddings.activate_encoder(connection, encoder)
        for start in range(0, len(vectors), BATCH):
            places = range(start, min(start + BATCH, len(vectors)))
            connection.execute(
                images.insert(),
                [
                    image
                    | {"row": place + 1, "id": str(place), "sha256": str(place), "brightness": float(brightness[place])}
                    for place in places
                ],
            )
            connection.execute(
                embeddings.insert(),
                [
                    {"image_row": place + 1, "encoder": encoder.fingerprint, "region": records_embeddings.WHOLE}
                    | {"change": place + 1, "vector": vectors[place].astype(np.float16).tobytes()}
                    for place in places
                ],
            )
        connection.execute(counters.update().where(counters.c.name == "change").values(value=len(vectors)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("addresses", nargs="*", metavar="ADDRESS")
    parser.add_argument("--vectors", type=int, default=20_000)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--rest", type=float, default=10.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
