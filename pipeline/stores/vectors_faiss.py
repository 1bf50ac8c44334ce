"""Vectors in the process, searched by FAISS: the embedded default.

The index is a cache of the `embeddings` table. Every process follows the table by its change counter, so that
`serve`, `worker`, `import` and `search` on one data folder agree: the committed row is the put. A small library is
compared with exactly, and so is a large one where a filter keeps little of it; otherwise a graph names candidates,
which are then compared exactly. The graph is built in the background, and kept in a file between two starts.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.filters import Filter
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.protocols import Neighbor
from pipeline.stores.vectors_faiss_graph import GraphPlan
from pipeline.stores.vectors_faiss_keeper import DEAD_SHARE, GraphKeeper, Held
from pipeline.stores.vectors_faiss_slots import Found, Slots
from pipeline.stores.vectors_faiss_snapshot import SnapshotFile

CHANGES_PER_READ = 4096  # rows fetched at once: 4 MB of 512 float16 each
TIES = 16
"""Fetched beyond the limit, so that equal similarities at its edge are cut by row number, not by chance; where that
many are equal, the graph is not asked, and twice as many are fetched until one is not."""

LEAST_COMPACTED = 1024  # vectors below which dead ones cost nothing


class FaissVectors:
    """A VectorStore over the embeddings of one encoder, identified by its fingerprint.

    With a `folder`, what a large library needs is kept in a file there, so that a start is quick.
    """

    def __init__(
        self,
        database: Database,
        encoder: str,
        dimension: int,
        *,
        folder: Path | None = None,
        plan: GraphPlan | None = None,
    ) -> None:
        self.address = "faiss://"
        self.database = database
        self.encoder = encoder
        self.dimension = dimension
        self.folder = folder
        self.plan = plan or GraphPlan()
        self._held = Held(Slots(dimension))
        self._begun = False
        file = SnapshotFile(folder, encoder, dimension, self.plan) if folder else None
        self._keeper = GraphKeeper(self._held, self.plan, file, database, self._bring_on)

    @property
    def description(self) -> str:
        """How searches are answered now, in words, such as “exact, 1,234 vectors”."""
        with self._held.lock:
            slots, graph = self._held.slots, self._held.graph
            if graph is not None:
                return f"graph, {slots.live:,} vectors"
            if self._keeper.building:
                share = self._keeper.built / max(1, slots.live)
                return f"exact, {slots.live:,} vectors; a graph is being built, {share:.0%} are in it"
            return f"exact, {slots.live:,} vectors"

    @property
    def slots_held(self) -> int:
        """How many vectors take memory, those that were replaced or removed included."""
        with self._held.lock:
            return len(self._held.slots)

    @property
    def is_shared(self) -> bool:
        """No: every process has its own."""
        return False

    def catch_up(self) -> int:
        """Apply every change committed since the last one seen; return how many there were."""
        with self.database.read() as connection:
            newest = records_embeddings.last_change(connection)
        held = self._held
        if newest == held.slots.seen:
            return 0
        with held.lock:
            if not self._begun:
                self._keeper.begin()
                self._begun = True
            applied = self._bring_on(held.slots)
            self._compact()
        self._keeper.look()
        return applied

    def nearest(
        self,
        embedding: npt.NDArray[np.float32],
        limit: int,
        *,
        where: Filter,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[Neighbor]:
        """Return up to `limit` visible images that pass, most similar first, ties by row number."""
        if embedding.shape != (self.dimension,):
            raise ValueError(f"expected a vector of {self.dimension} numbers, got shape {embedding.shape}")
        self.catch_up()
        with self._held.lock:
            slots = self._held.slots
            mask = slots.mask(where, rows)
            passing = int(np.count_nonzero(mask))
            if not passing or limit <= 0:
                return []
            wanted = limit + TIES
            similarities, found = self._search(embedding, min(wanted, passing), mask)
            while wanted == len(similarities) and similarities[limit - 1] == similarities[-1]:
                wanted *= 2
                similarities, found = self._search(embedding, min(wanted, passing), mask)
            numbers = slots.columns.rows(found)
        order = np.lexsort((numbers, -similarities))[:limit]
        return [Neighbor(int(numbers[place]), float(similarities[place])) for place in order]

    def count(self) -> int:
        """Return how many vectors of visible images are held."""
        self.catch_up()
        with self._held.lock:
            return self._held.slots.columns.count_visible()

    def rebuild(self, on_progress: Callable[[int], None] | None = None) -> int:
        """Read the whole table again while the old index answers; return how many vectors of visible images there are.

        A library that is large enough for a graph has one, and its file, when this returns.
        """
        slots = Slots(self.dimension)
        self._bring_on(slots, on_progress)
        with self._held.lock:
            self._bring_on(slots, on_progress)
            self._keeper.begin_anew(slots)
            self._begun = True
        self._keeper.look()
        self._keeper.settle(None)
        return self.count()

    def check(self) -> None:
        """Return when the table can be read."""
        self.catch_up()

    def settle(self, timeout_seconds: float | None = None) -> bool:
        """Wait until nothing is left to be built or written in the background; return whether it came to that."""
        return self._keeper.settle(timeout_seconds)

    def close(self) -> None:
        """End the thread that builds, which takes a second at most."""
        self._keeper.close()

    def _bring_on(self, slots: Slots, on_progress: Callable[[int], None] | None = None) -> int:
        """Apply to `slots` what they have not seen; return how many changes there were."""
        with self.database.read() as connection:
            newest = records_embeddings.last_change(connection)
        applied = 0
        while changes := self._changes_after(slots.seen):
            slots.apply(changes)
            applied += len(changes)
            if on_progress:
                on_progress(len(changes))
        slots.seen = max(slots.seen, newest)  # the newest may be of another encoder, and is no news again
        return applied

    def _changes_after(self, number: int) -> list[records_embeddings.Change]:
        with self.database.read() as connection:
            return records_embeddings.changes_since(connection, self.encoder, number, CHANGES_PER_READ)

    def _search(self, embedding: npt.NDArray[np.float32], wanted: int, mask: npt.NDArray[np.bool_]) -> Found:
        """Return cosines and slots of the `wanted` nearest of `mask`: of all, or of the candidates of a graph."""
        slots, graph = self._held.slots, self._held.graph
        candidates = graph.candidates(embedding, wanted, mask[: len(graph)]) if graph is not None else None
        if graph is None or candidates is None:
            return slots.nearest(embedding, wanted, mask)
        newest = np.flatnonzero(mask[len(graph) :]) + len(graph)
        similarities, found = slots.nearest_among(embedding, wanted, np.concatenate([candidates, newest]))
        if np.any(similarities[TIES:] == similarities[:-TIES]):
            # So many equal vectors are linked to each other, and the walk may have met some of them only.
            return slots.nearest(embedding, wanted, mask)
        return similarities, found

    def _compact(self) -> None:
        """Drop dead slots when they are many, unless they belong to a graph, which is then built anew without them."""
        slots = self._held.slots
        many = len(slots) > LEAST_COMPACTED and slots.dead > DEAD_SHARE * len(slots)
        if many and not self._keeper.is_in_charge(slots):
            slots.keep(slots.held())
