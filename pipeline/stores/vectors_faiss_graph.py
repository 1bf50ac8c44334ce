"""A graph over the slots of a process, for libraries too large to compare with every vector.

HNSW (Malkov and Yashunin, 2018) over vectors of 8 bits a number, so that it takes little memory. What it finds are
candidates: whoever asks compares them exactly. Node n is slot n. Nothing here locks; a graph that grows must not be
searched meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

TRAINED_ON = 20_000  # vectors looked at to learn between which values each number lies

LONGER = 4
"""Times as many nodes the next walk keeps in view, when one met too few that pass; all walks together then cost a third
more than the last."""


@dataclass(frozen=True)
class GraphPlan:
    """From which size on there is a graph, how it is built, and when it is asked.

    The figures behind the defaults are those of `bench/faiss_graph.py`, in decision 7.
    """

    neighbors: int = 16
    """M: edges a node has on each level; twice as many on the lowest."""

    ef_construction: int = 200
    """Candidates looked at when a node is linked."""

    least_vectors: int = 100_000
    """Vectors from which on a graph is built; to compare with fewer takes less than ten milliseconds."""

    least_candidates: int = 64
    """Candidates compared exactly, at least; twice as many as are asked for otherwise."""

    walked_per_candidate: float = 4.0
    """Nodes the walk keeps in view (ef) for each candidate that passes the filter, if every one did."""

    compared_per_walked: float = 40.0
    """Vectors that are compared exactly in the time in which the walk keeps one more node in view."""

    longest_tail: int = 1024
    """Newest vectors that are compared exactly beside the graph, in a tenth of a millisecond, before they join it."""

    in_background: bool = True
    """Whether a thread builds; otherwise whoever catches up waits for it, as tests do."""


class Graph:
    """Links between slots 0 to `len(graph)`."""

    def __init__(self, index: faiss.IndexHNSWSQ, plan: GraphPlan) -> None:
        self.plan = plan
        self._index = index
        self._index.hnsw.efConstruction = plan.ef_construction

    @classmethod
    def trained(cls, sample: npt.NDArray[np.float32], plan: GraphPlan) -> "Graph":
        """Return an empty graph for vectors like those of `sample`, (vectors, dimension)."""
        kind = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexHNSWSQ(
            sample.shape[1],
            kind,  # type: ignore[arg-type] # its stub wants the quantizer, the library its kind
            plan.neighbors,
            faiss.METRIC_INNER_PRODUCT,
        )
        index.train(sample)
        return cls(index, plan)

    @classmethod
    def read(cls, read: Callable[[int], bytes], plan: GraphPlan) -> "Graph":
        """Return the graph that `write` wrote. What is read must be whole: nothing is checked."""
        reader = faiss.PyCallbackIOReader(read)  # type: ignore[attr-defined] # not in its stub
        return cls(faiss.read_index(reader), plan)  # type: ignore[arg-type] # of the kind that was written

    def write(self, write: Callable[[bytes], object]) -> None:
        """Hand the graph to `write`, piece by piece. It may be searched meanwhile."""
        writer = faiss.PyCallbackIOWriter(write)  # type: ignore[attr-defined] # not in its stub
        faiss.write_index(self._index, writer)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: npt.NDArray[np.float32]) -> None:
        """Link the vectors of the next slots."""
        self._index.add(vectors)

    def candidates(
        self, embedding: npt.NDArray[np.float32], wanted: int, mask: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int64] | None:
        """Return slots of `mask` among which the `wanted` nearest are likely to be, nearest first by their 8 bits.

        `mask` has an entry for each node. None when to compare with all that passes costs less. The walk takes no
        notice of the filter, which is put to what it found, so that it finds as well with a filter as without one:
        a walk that keeps only what passes also keeps what it met by chance, far from the question, when what is near
        does not pass. Then the walk is longer here, until comparing costs less.
        """
        passing = int(np.count_nonzero(mask))
        number = min(passing, max(self.plan.least_candidates, 2 * wanted))
        if not number:
            return np.empty(0, np.int64)
        query = np.ascontiguousarray(embedding, np.float32)[None, :]
        walked = int(self.plan.walked_per_candidate * number * len(self) / passing)
        while walked * self.plan.compared_per_walked < passing:
            walked = min(walked, len(self))
            parameters = faiss.SearchParametersHNSW(efSearch=walked)  # type: ignore[attr-defined] # not in its stub
            met = self._index.search(query, walked, params=parameters)[1][0]
            found: npt.NDArray[np.int64] = met[met >= 0]
            found = found[mask[found]][:number]
            if len(found) == number:
                return found
            if walked == len(self):
                return None
            walked *= LONGER
        return None
