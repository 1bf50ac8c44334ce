"""Every engine beside the exact answer, with graphs that are walked: what it finds, and what filters keep.

Where few vectors pass a filter, engines compare them all and their graphs are not asked. Here they begin so early to
ask them that they do under every filter, a hundredth of the vectors included.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from command import wait_until
from many_vectors import ManyVectors, write_many
from random_records import FIRST_DAY

from pipeline.filters import Filter
from pipeline.stores import vectors_milvus, vectors_pgvector
from pipeline.stores.vectors_faiss_graph import Graph
from pipeline.stores.vectors_milvus_collection import Collections
from pipeline.stores.vectors_pgvector_table import VectorTable

COUNT = 10_000
QUERIES = 30
LIMIT = 10
LEAST_RECALL = 0.97
SEED = 4

Keeps = Callable[[dict[str, np.ndarray]], np.ndarray]

SHARES: dict[str, tuple[Filter, Keeps]] = {
    "all": (Filter(), lambda seen: np.ones(COUNT, bool)),  # noqa: ARG005
    "half": (Filter(max_brightness=0.5), lambda seen: seen["brightness"] <= 0.5),
    "a twentieth": (
        Filter(min_brightness=0.5, max_brightness=0.55),
        lambda seen: (seen["brightness"] >= 0.5) & (seen["brightness"] <= 0.55),
    ),
    "a hundredth": (Filter(max_brightness=0.01), lambda seen: seen["brightness"] <= 0.01),
}


ASKING = {
    "faiss_graph_vectors": (Graph, "candidates"),
    "pgvector_vectors": (VectorTable, "ask_graph"),
    "milvus_vectors": (Collections, "nearest"),
    "milvus_lite_vectors": (Collections, "nearest"),
}
"""What asks the graph of an engine; it returns None where that leads nowhere."""


@pytest.fixture
def engine(request) -> str:
    return request.node.callspec.params["vectors"]


@pytest.fixture
def answers(engine, monkeypatch) -> Counter[str]:
    """Count the answers of graphs, which are asked whenever a filter keeps more than so few."""
    monkeypatch.setattr(vectors_pgvector, "MOST_COMPARED", 20)
    monkeypatch.setattr(vectors_milvus, "EXACT_ROWS", 20)
    counted: Counter[str] = Counter()
    if engine in ASKING:
        owner, name = ASKING[engine]
        ask = getattr(owner, name)

        def counting(*args, **options):
            answer = ask(*args, **options)
            counted[engine] += answer is not None
            return answer

        monkeypatch.setattr(owner, name, counting)
    return counted


@pytest.fixture
def many(vectors, engine, shelf, request) -> ManyVectors:
    """Ten thousand vectors, in the tables and in the engine, whose graph is built."""
    written = write_many(shelf.backend.database, shelf.encoder, shelf.dimension, COUNT, QUERIES, SEED)
    assert vectors.catch_up() == COUNT
    if engine == "milvus_vectors":
        request.getfixturevalue("milvus").wait_for_graphs(vectors)
    if engine == "pgvector_vectors":
        vectors.settle()
    return written


def test_an_engine_finds_what_comparing_with_every_vector_finds(vectors, engine, many, answers):
    found = {}
    for share, narrowed in SHARES.items():
        answers.clear()
        found[share] = recall(vectors, many, *narrowed)
        if engine in ASKING:
            assert answers[engine] >= QUERIES, share
    if engine == "pgvector_vectors":
        wait_until(lambda: walks(vectors) >= QUERIES * len(SHARES))

    assert {share: value for share, value in found.items() if value < LEAST_RECALL} == {}
    for where, keeps in random_filters():
        kept = many.rows[keeps(many.columns)]
        answer = vectors.nearest(many.queries[0], 20, where=where)
        similarities = [neighbor.similarity for neighbor in answer]
        assert {neighbor.row for neighbor in answer} <= set(kept.tolist()), where
        assert len({neighbor.row for neighbor in answer}) == len(answer) == min(20, len(kept)), where
        assert similarities == sorted(similarities, reverse=True)
    some = np.random.default_rng(SEED).choice(many.rows, 6000, replace=False)
    expected = many.nearest(many.queries[1], LIMIT, lambda seen: np.isin(many.rows, some))  # noqa: ARG005
    answer = vectors.nearest(many.queries[1], LIMIT, where=Filter(), rows=some)
    assert len({neighbor.row for neighbor in answer} & set(expected)) >= LIMIT - 1
    assert vectors.count() == COUNT


def recall(vectors, many: ManyVectors, where: Filter, keeps: Keeps) -> float:
    """Return the part of the true nearest that is found, over all questions."""
    hits = 0
    for query in many.queries:
        found = {neighbor.row for neighbor in vectors.nearest(query, LIMIT, where=where)}
        hits += len(found & set(many.nearest(query, LIMIT, keeps)))
    return hits / (LIMIT * len(many.queries))


def walks(vectors) -> int:
    """Return how often PostgreSQL has walked a graph, by its own account, which connections give when they end."""
    vectors._server._engine.dispose()
    with vectors._server.connection() as connection:
        asked = "SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes WHERE indexrelname LIKE 'vectors%graph'"
        return connection.execute(sa.text(asked)).scalar_one()


def random_filters() -> list[tuple[Filter, Keeps]]:
    """Return filters of every kind, with what they say in NumPy; numbers lie on values that occur."""
    day: Any = FIRST_DAY
    return [
        (Filter(libraries=("private",)), lambda seen: seen["library"] == "private"),
        (Filter(without_libraries=("main",)), lambda seen: seen["library"] != "main"),
        (
            Filter(libraries=("main", "attic", 'no "such" \\ one'), without_libraries=("attic",)),
            lambda seen: seen["library"] == "main",
        ),
        (
            Filter(categories=("animal", "food"), schemes=("warm",)),
            lambda seen: np.isin(seen["category"], ("animal", "food")) & (seen["scheme"] == "warm"),
        ),
        (
            Filter(min_saturation=0.3, max_saturation=0.7),
            lambda seen: (seen["saturation"] >= 0.3) & (seen["saturation"] <= 0.7),
        ),
        (
            Filter(min_width=3900, min_height=3800),
            lambda seen: (seen["width"] >= 3900) & (seen["height"] >= 3800),
        ),
        (
            Filter(created_after=day.replace(day=3), created_before=day.replace(day=4)),
            lambda seen: (seen["created_at"] >= day.replace(day=3)) & (seen["created_at"] <= day.replace(day=4)),
        ),
        (Filter(libraries=("main",), min_brightness=2.0), lambda seen: np.zeros(len(seen["library"]), bool)),
    ]
