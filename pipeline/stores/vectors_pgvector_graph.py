"""Building the HNSW graph of a table of vectors: when one is due, with how much memory, and how it is stopped."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.settings import Settings
from pipeline.stores.vectors_pgvector_server import PgvectorServer
from pipeline.stores.vectors_pgvector_table import MOST_GRAPH_DIMENSIONS, VectorTable

log = logging.getLogger(__name__)

LEAST_INDEXED = 10_000
"""Vectors from which on there is a graph. Comparing so many, of 512 numbers each, takes some 15 ms."""

BYTES_A_NEIGHBOR = 48  # of memory while a graph is built, for each of the M neighbors of a vector
BYTES_A_VECTOR = 256
MOST_BYTES = 1 << 30
"""Memory that building a graph asks for at most, unless the server allows more by itself; some 500,000 vectors of 512
numbers fit in, and with more it takes several times as long."""

SHARED_MEMORY_TOO_SMALL = "53100"
"""What PostgreSQL says when /dev/shm, 64 MB in a container by default, cannot be shared by processes that build."""


class GraphBuilder:
    """Builds the graphs of the tables on one server, each once; `stop` ends what it is at."""

    def __init__(self, server: PgvectorServer, settings: Settings) -> None:
        self._server = server
        self._m = settings.hnsw_m
        self._ef_construction = settings.hnsw_ef_construction
        self._lock = threading.Lock()
        self._is_stopped = False
        self._building: psycopg.Connection[object] | None = None

    def is_due(self, table: VectorTable) -> bool:
        """Whether a table has no graph and so many vectors that it should have one."""
        if table.dimension > MOST_GRAPH_DIMENSIONS:
            return False
        with self._server.connection() as connection:
            return not table.has_graph(connection) and table.count(connection, most=LEAST_INDEXED) >= LEAST_INDEXED

    def build(self, table: VectorTable, *, beside: bool) -> None:
        """Build the graph if it is due; `beside` others that write to the table, which takes longer.

        At most one process may do so at a time: what an interrupted one has left is removed.
        """
        if not self.is_due(table):
            return
        started = time.monotonic()
        with self._server.connection() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # it is used for this alone and closed afterwards, with its settings
            rows = table.count(connection)
            table.drop_graph(connection)
            _allow(connection, rows * (2 * table.dimension + BYTES_A_NEIGHBOR * self._m + BYTES_A_VECTOR))
            with self._stoppable(connection) as goes_on:
                if goes_on:
                    self._build_in_parallel(connection, table, beside=beside)
            connection.exec_driver_sql(f'ANALYZE "{table.name}"')
        log.info("the graph of %s vectors was built in %.0f s", rows, time.monotonic() - started)

    def stop(self) -> None:
        """End what is being built, and build nothing more."""
        with self._lock:
            self._is_stopped = True
            if self._building:
                self._building.cancel()

    def _build_in_parallel(self, connection: Connection, table: VectorTable, *, beside: bool) -> None:
        try:
            table.make_graph(connection, m=self._m, ef_construction=self._ef_construction, beside=beside)
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != SHARED_MEMORY_TOO_SMALL:
                raise
            table.drop_graph(connection)
            connection.exec_driver_sql("SET max_parallel_maintenance_workers = 0")
            table.make_graph(connection, m=self._m, ef_construction=self._ef_construction, beside=beside)

    @contextmanager
    def _stoppable(self, connection: Connection) -> Iterator[bool]:
        """Let `stop` end what `connection` does in the block; give whether it was not stopped before."""
        with self._lock:
            goes_on = not self._is_stopped
            self._building = connection.connection.driver_connection
        try:
            yield goes_on
        finally:
            with self._lock:
                self._building = None


def _allow(connection: Connection, needed: int) -> None:
    """Let this connection take the memory it needs, within bounds, and as long as it takes."""
    asked = "SELECT pg_size_bytes(current_setting('maintenance_work_mem'))"
    allowed = max(connection.exec_driver_sql(asked).scalar_one(), min(needed, MOST_BYTES))
    connection.exec_driver_sql(f"SET maintenance_work_mem = '{allowed // 1024}kB'")
    connection.exec_driver_sql("SET statement_timeout = 0")
