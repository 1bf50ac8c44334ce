"""Keeping a graph over the slots of a process: built, brought on and renewed in the background, while searches go on.

Searches hold the lock of `Held`; the keeper takes it only for moments: to copy vectors out, to let the graph grow by a
few nodes, to put a new one in its place. Building takes minutes for a million vectors; until it is done, searches
compare with every vector.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import faiss
import numpy as np
import numpy.typing as npt

from pipeline.errors import StoreUnavailable
from pipeline.stores.database import Database
from pipeline.stores.vectors_faiss_graph import TRAINED_ON, Graph, GraphPlan
from pipeline.stores.vectors_faiss_slots import Slots
from pipeline.stores.vectors_faiss_snapshot import SnapshotFile

log = logging.getLogger(__name__)

BUILT_AT_ONCE = 1000
"""Vectors given to a graph that nobody searches yet; a second's work at a million, and as long takes closing."""

GROWN_AT_ONCE = 16
"""Vectors given to the graph that is searched; the searches wait for them, about ten milliseconds."""

DEAD_SHARE = 0.25
"""The part of the slots that may be dead before they are numbered anew; a search pays for them."""

CHANGED_SHARE = 0.05
"""The part of the vectors that may have changed since the file was written; a start reads them from the table."""

THREAD = "graph of vectors"
NICENESS = 5  # of the thread that builds: it gets a third of what searches and analyses get when both want all
TURN_SECONDS = 1.0  # between two looks whether another process has written its file
SEED = 20261120


@dataclass
class Held:
    """What a process holds. `lock` is held by whoever looks at the rest or changes it."""

    slots: Slots
    graph: Graph | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class GraphKeeper:
    """Sees to it that `held` has a graph when it is large enough. `catch_up` brings slots of its own up to date."""

    def __init__(
        self,
        held: Held,
        plan: GraphPlan,
        file: SnapshotFile | None,
        database: Database,
        bring_on: Callable[[Slots], int],
    ) -> None:
        self.held = held
        self.plan = plan
        self.file = file
        self.database = database
        self.built = 0
        self.building = False
        self._bring_on = bring_on
        self._written_at = 0
        self._closing = threading.Event()
        self._condition = threading.Condition()  # guards what follows
        self._wanted = False
        self._busy = False
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """See whether there is something to do, and have it done. Called after changes, without the lock."""
        with self.held.lock:
            if self.held.graph is not None and self.held.slots.live < self.plan.least_vectors // 2:
                self.held.graph = None  # so small again that comparing with all is as quick, and exact
            needed = self._needs_graph() or self._has_long_tail()
        if not needed or self._closing.is_set():
            return
        if not self.plan.in_background:
            self._keep()
            return
        with self._condition:
            self._wanted = True
            self._condition.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
                self._thread.start()

    def is_in_charge(self, slots: Slots) -> bool:
        """Whether dead slots are left to the keeper, because they belong to a graph or will soon."""
        return self.held.graph is not None or slots.live >= self.plan.least_vectors

    def begin(self) -> None:
        """Take what the file holds instead of nothing. Called once, with the lock."""
        if self.file is None:
            return
        with self.database.read() as connection:
            found = self.file.read(connection)
        if found is not None:
            self.held.slots, self.held.graph = found
            self._written_at = found[0].seen

    def begin_anew(self, slots: Slots) -> None:
        """Let `slots` be what is held, and forget the graph and the file. Called with the lock."""
        self.held.slots, self.held.graph = slots, None
        if self.file is not None:
            self.file.remove()

    def settle(self, timeout_seconds: float | None) -> bool:
        """Wait until nothing is left to do in the background, or it was closed; return whether it came to that."""
        with self._condition:
            return self._condition.wait_for(self._is_settled, timeout_seconds)

    def close(self) -> None:
        """End the thread, after the few vectors it is at."""
        self._closing.set()
        with self._condition:
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._is_wanted():
            try:
                self._keep()
            except StoreUnavailable as error:
                log.warning("the graph of the vector index waits for the database: %s", error)
                self._closing.wait(TURN_SECONDS)
                with self._condition:
                    self._wanted = True
            finally:
                with self._condition:
                    self._busy = False
                    self._condition.notify_all()

    def _is_settled(self) -> bool:
        return self._closing.is_set() or not (self._wanted or self._busy)

    def _is_wanted(self) -> bool:
        with self._condition:
            self._condition.wait_for(lambda: self._wanted or self._closing.is_set())
            self._wanted, self._busy = False, not self._closing.is_set()
            return self._busy

    def _keep(self) -> None:
        while not self._closing.is_set():
            with self.held.lock:
                needs_graph, grows = self._needs_graph(), self._has_long_tail()
            if needs_graph:
                self._provide()
            elif grows:
                self._grow()
                self._write_if_due()
            else:
                return

    def _needs_graph(self) -> bool:
        slots, graph = self.held.slots, self.held.graph
        if graph is None:
            return slots.live >= self.plan.least_vectors
        return slots.dead > DEAD_SHARE * len(slots)

    def _has_long_tail(self) -> bool:
        return self.held.graph is not None and len(self.held.slots) - len(self.held.graph) > self.plan.longest_tail

    def _provide(self) -> None:
        """Take the graph that another process has written, or build one and write it."""
        with ExitStack() as stack:
            if not self._has_turn(stack):
                self._closing.wait(TURN_SECONDS)
            elif not self._take() and self._build_last():
                self._write()

    def _has_turn(self, stack: ExitStack) -> bool:
        """Whether this process may build and write, until `stack` ends; without a file there is nothing to wait for."""
        if self.file is None:
            return True
        try:
            return stack.enter_context(self.file.turn())
        except (OSError, StoreUnavailable) as error:
            log.warning("the vector index cannot be kept in a file: %s", error)
            self.file = None
            return True

    def _take(self) -> bool:
        if self.file is None or self.held.graph is not None:
            return False
        with self.database.read() as connection:
            found = self.file.read(connection)
        if found is None or found[0].seen <= self._written_at:
            return False
        slots, graph = found
        self._written_at = slots.seen
        self._bring_on(slots)
        with self.held.lock:
            self._bring_on(slots)  # what came just now, so that nothing that was found is missed
            self.held.slots, self.held.graph = slots, graph
        return True

    def _build_last(self) -> bool:
        """Build in a thread that everybody else goes before. Not so what grows: searches wait for that."""
        with ThreadPoolExecutor(1, thread_name_prefix=THREAD, initializer=_go_last) as builder:
            return builder.submit(self._build).result()

    def _build(self) -> bool:
        """Build a graph over the slots that are not dead, and let them be numbered as its nodes are."""
        started = time.monotonic()
        with self.held.lock:
            slots, numbering, first = self.held.slots, self.held.slots.numbering, len(self.held.slots)
            nodes = slots.held()
            sample = np.random.default_rng(SEED).permutation(nodes)[:TRAINED_ON]
            vectors = slots.vectors(np.sort(sample))
        graph = Graph.trained(vectors, self.plan)
        del vectors
        self.building = True
        try:
            for begin in range(0, len(nodes), BUILT_AT_ONCE):
                self.built = begin
                with self.held.lock:
                    if self._closing.is_set() or slots.numbering != numbering or self.held.slots is not slots:
                        return False
                    vectors = slots.vectors(nodes[begin : begin + BUILT_AT_ONCE])
                graph.add(vectors)
        finally:
            self.building = False
        with self.held.lock:
            if slots.numbering != numbering or self.held.slots is not slots:
                return False
            self._number_anew(slots, nodes, first)
            self.held.graph = graph
        log.info("a graph over %d vectors was built in %.0f s", len(graph), time.monotonic() - started)
        return True

    def _number_anew(self, slots: Slots, nodes: npt.NDArray[np.int64], first: int) -> None:
        """Let slot n be node n, and what came while the graph was built follow; what died meanwhile stays, dead."""
        if len(nodes) < first:
            held = slots.held()
            slots.keep(np.concatenate([nodes, held[held >= first]]))

    def _grow(self) -> None:
        while not self._closing.is_set():
            started = time.monotonic()
            with self.held.lock:
                slots, graph = self.held.slots, self.held.graph
                if graph is None or len(graph) == len(slots):
                    return
                nodes = np.arange(len(graph), min(len(graph) + GROWN_AT_ONCE, len(slots)))
                graph.add(slots.vectors(nodes))
            self._closing.wait(time.monotonic() - started)  # as long as they waited, the searches go first

    def _write_if_due(self) -> None:
        with self.held.lock:
            due = self.held.slots.seen - self._written_at > CHANGED_SHARE * self.held.slots.live
        if due:
            with ExitStack() as stack:
                if self._has_turn(stack):
                    self._write()

    def _write(self) -> None:
        with self.held.lock:
            slots, graph = self.held.slots, self.held.graph
        if self.file is None or graph is None:
            return
        self._written_at = slots.seen
        try:
            self.file.write(slots, graph, self.held.lock)
        except OSError as error:
            log.warning("the vector index cannot be kept in a file: %s", error)


def _go_last() -> None:
    """Let this thread use half of the processors, and only what nobody else wants of them."""
    faiss.omp_set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    if sys.platform == "linux":  # where a thread has a niceness of its own, which the threads it starts inherit
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
