"""The embedded vector index beside comparing with everything: milliseconds, recall, memory, and what starting costs.

    python bench/faiss_graph.py [--vectors 100000] [--searches 500] [--seed 1]

Made-up embeddings of 512 numbers: 2,000 clusters, a few of them large (Zipf), on a manifold of 40 dimensions, with
noise. The questions are drawn as the embeddings are and are not among them. Everything goes the way of the product:
rows in an SQLite database, read by `FaissVectors`, filters as a search gives them. What is compared with is the same
class with its graph turned off, which is exact. A filter on the width keeps a share by chance; a filter on the category
keeps clusters, once those that the question is among and once others, which is what a graph finds hardest.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.filters import Filter
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.protocols import Neighbor
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.tables import counters, embeddings, images
from pipeline.stores.vectors_faiss import FaissVectors
from pipeline.stores.vectors_faiss_graph import GraphPlan

DIMENSION = 512
MANIFOLD = 40  # dimensions in which the clusters lie
CLUSTERS = 2000
SPREAD = 0.5  # of a cluster, in parts of the distance between clusters
NOISE = 0.15  # in all dimensions, in parts of the length of an embedding on the manifold
CATEGORIES = 10  # groups of clusters; each keeps about a tenth, some much more
WIDTHS = 100_000  # a filter that keeps widths below a bound keeps that share
SHARES = (0.5, 0.2, 0.1, 0.05, 0.01, 0.001)
ENCODER = "bench"
BATCH = 5000  # rows written at once
DEEP = 1000  # results asked for at once when someone pages far
EXACT = GraphPlan(least_vectors=1 << 60)


@dataclass(frozen=True)
class Drawn:
    """Embeddings as float32 of unit length, and the cluster of each."""

    vectors: np.ndarray
    clusters: np.ndarray


class Space:
    """Where embeddings are drawn from."""

    def __init__(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        self.axes = (chance.normal(size=(MANIFOLD, DIMENSION)) / np.sqrt(DIMENSION)).astype(np.float32)
        self.centers = chance.normal(size=(CLUSTERS, MANIFOLD)).astype(np.float32)
        self.weights = 1 / np.arange(1, CLUSTERS + 1)
        self.weights /= self.weights.sum()

    def draw(self, number: int, chance: np.random.Generator) -> Drawn:
        clusters = chance.choice(CLUSTERS, number, p=self.weights)
        spread = chance.standard_normal((number, MANIFOLD), np.float32) * SPREAD
        vectors = (self.centers[clusters] + spread) @ self.axes
        length = np.sqrt(MANIFOLD / DIMENSION)
        vectors += chance.standard_normal((number, DIMENSION), np.float32) * (NOISE * length)
        return Drawn(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), clusters)


def main() -> None:
    """Print what was measured, a line each."""
    options = _options()
    space = Space(options.seed)
    asked = space.draw(options.searches, np.random.default_rng(options.seed + 1))
    with TemporaryDirectory(prefix="likeness-graph-") as folder:
        database = Database(f"sqlite:///{folder}/likeness.db")
        say("written into the database", _timed(lambda: fill(database, space, options)))
        measure(database, Path(folder) / "index", asked, options.vectors)
        database.close()


def measure(database: Database, folder: Path, asked: Drawn, number: int) -> None:
    """Build, ask, and start again."""
    memory = _resident()
    exact = FaissVectors(database, ENCODER, DIMENSION, plan=EXACT)
    say("read from the table", _timed(exact.catch_up))
    say("memory, exact", (_resident() - memory) / number, "bytes a vector")
    plan = GraphPlan(least_vectors=1)
    built = FaissVectors(database, ENCODER, DIMENSION, folder=folder, plan=plan)
    started = time.perf_counter()
    built.catch_up()
    meanwhile = while_building(built, asked)
    say("read and graph built and written", time.perf_counter() - started)
    say("searches meanwhile, p50", float(np.percentile(meanwhile, 50)), f"ms, p99 {np.percentile(meanwhile, 99):.1f}")
    built.close()
    [file] = folder.glob("*.faiss")
    say("file", file.stat().st_size / number, "bytes a vector")
    del built
    memory = _resident()
    graph = FaissVectors(database, ENCODER, DIMENSION, folder=folder, plan=plan)
    say("started from the file", _timed(graph.catch_up))
    say("memory, with a graph", (_resident() - memory) / number, "bytes a vector")
    print(f"now: {graph.description}")
    print("\nmilliseconds by the clock, and in brackets of the processor:")
    print(f"{'':30}{'exact p50':>18}{'p99':>18}{'graph p50':>18}{'p99':>18}{'recall':>9}{'worst':>7}")
    for name, where, limit in questions():
        compare(name, exact, graph, asked, where, limit)
    graph.close()


def while_building(vectors: FaissVectors, asked: Drawn) -> list[float]:
    """Ask until the graph is there; return the milliseconds of each search."""
    taken = []
    while not vectors.settle(0.05):
        query = asked.vectors[len(taken) % len(asked.vectors)]
        taken.append(_timed(lambda query=query: vectors.nearest(query, 10, where=Filter())) * 1000)
    return taken or [0.0]


def questions() -> Iterator[tuple[str, Callable[[int], Filter], int]]:
    """Yield names, filters by the cluster a question is among, and limits."""
    yield "no filter", lambda _cluster: Filter(), 10
    for share in SHARES:
        bound = int(share * WIDTHS)
        yield f"{share:.1%} by chance", lambda _cluster, bound=bound: Filter(min_width=WIDTHS - bound), 10
    yield "the category it is among", lambda cluster: Filter(categories=(_category(cluster),)), 10
    yield "a category it is not among", lambda cluster: Filter(categories=(_category(cluster + 1),)), 10
    yield "every category but its own", _others, 10
    yield f"no filter, {DEEP} results", lambda _cluster: Filter(), DEEP
    yield f"20 % by chance, {DEEP} results", lambda _cluster: Filter(min_width=int(0.8 * WIDTHS)), DEEP


def compare(
    name: str,
    exact: FaissVectors,
    graph: FaissVectors,
    asked: Drawn,
    where: Callable[[int], Filter],
    limit: int,
) -> None:
    """Print a line: how long both take, and how much of the exact answer the graph finds."""
    times: dict[FaissVectors, list[tuple[float, float]]] = {exact: [], graph: []}
    recalls = []
    few = len(asked.vectors) if limit < DEEP else max(1, len(asked.vectors) // 5)
    for query, cluster in zip(asked.vectors[:few], asked.clusters[:few], strict=True):
        answers: dict[FaissVectors, Sequence[Neighbor]] = {}
        for vectors in (exact, graph):
            begun, worked = time.perf_counter(), time.thread_time()
            answers[vectors] = vectors.nearest(query, limit, where=where(int(cluster)))
            times[vectors].append((time.perf_counter() - begun, time.thread_time() - worked))
        expected = {neighbor.row for neighbor in answers[exact]}
        found = {neighbor.row for neighbor in answers[graph]}
        recalls.append(len(expected & found) / max(1, len(expected)))
    figures = "".join(_percentiles(times[vectors]) for vectors in (exact, graph))
    print(f"{name:30}{figures}{np.mean(recalls):9.4f}{min(recalls):7.2f}", flush=True)


def _percentiles(taken: list[tuple[float, float]]) -> str:
    """Return p50 and p99 in milliseconds, by the clock and, in brackets, of this thread on its processor."""
    clock, processor = np.percentile(np.array(taken) * 1000, (50, 99), axis=0).T
    return "".join(f"{one:9.2f} ({other:7.2f})" for one, other in zip(clock, processor, strict=True))


def fill(database: Database, space: Space, options: argparse.Namespace) -> None:
    """Write the embeddings of as many analyzed images."""
    database.migrate()
    now = datetime.now(UTC)
    image = {"library": "main", "state": "ready", "not_before": now, "created_at": now, "exif": {}, "bytes": 1}
    image |= {"media_type": "image/jpeg", "height": 480, "scheme": "warm"}
    chance = np.random.default_rng(options.seed + 2)
    with database.write() as connection:
        records_embeddings.activate_encoder(connection, EncoderRow(ENCODER, "bench", DIMENSION))
    for start in range(0, options.vectors, BATCH):
        drawn = space.draw(min(BATCH, options.vectors - start), chance)
        widths = chance.integers(0, WIDTHS, len(drawn.vectors))
        rows = range(start + 1, start + 1 + len(drawn.vectors))
        halves = drawn.vectors.astype(np.float16)
        with database.write() as connection:
            connection.execute(
                images.insert(),
                [
                    image
                    | {"row": row, "id": str(row), "sha256": str(row), "width": int(width), "category": _category(c)}
                    for row, width, c in zip(rows, widths, drawn.clusters, strict=True)
                ],
            )
            connection.execute(
                embeddings.insert(),
                [
                    {"image_row": row, "encoder": ENCODER, "region": records_embeddings.WHOLE, "change": row}
                    | {"vector": half.tobytes()}
                    for row, half in zip(rows, halves, strict=True)
                ],
            )
            connection.execute(counters.update().values(value=rows[-1]))


def say(name: str, value: float, unit: str = "s") -> None:
    """Print a figure."""
    print(f"{name:34}{value:10.2f} {unit}", flush=True)


def _category(cluster: int) -> str:
    return str(cluster % CATEGORIES)


def _others(cluster: int) -> Filter:
    return Filter(categories=tuple(str(name) for name in range(CATEGORIES) if name != cluster % CATEGORIES))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _resident() -> float:
    """Return the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return float(pages * resource.getpagesize())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--vectors", type=int, default=100_000, help="embeddings in the library")
    parser.add_argument("--searches", type=int, default=500, help="questions of each kind")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
