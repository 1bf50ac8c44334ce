"""Vectors in PostgreSQL, found by pgvector: the engine of the small server, which needs no second product.

`pgvector://` is the database of Likeness itself, `pgvector://user:password@host/name` another one. While vectors are
few, or a filter keeps few, all of them are compared; otherwise an HNSW graph is asked, and what it may have missed is
made up for by comparing all. A bulk of vectors is written first and gets its graph afterwards, in the background,
while searches compare all.
"""

import hashlib
import logging
import secrets
import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import LikenessError, StoreUnavailable
from pipeline.filters import Filter
from pipeline.settings import Settings
from pipeline.stores.database import Database
from pipeline.stores.following import Follower, Position
from pipeline.stores.protocols import Neighbor
from pipeline.stores.records_embeddings import Change, EncoderRow
from pipeline.stores.tables import LONGEST_ORIGIN
from pipeline.stores.vectors_pgvector_graph import GraphBuilder
from pipeline.stores.vectors_pgvector_server import DOWN, PgvectorServer, PlaceVanished, without_secrets
from pipeline.stores.vectors_pgvector_table import VectorTable, calm

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

MOST_COMPARED = 5000
"""Vectors that a filter keeps up to which all of them are compared: it takes some 10 ms and misses none. A graph of
20,000 takes 5 ms where a filter keeps a tenth, but 15 ms where it keeps a hundredth."""

WAIT_SECONDS = 2.0  # for another process that brings the vectors on; with the time to work still below five
WORK_SECONDS = 2.0  # that a search spends on bringing them on; the rest is done beside it
FOREVER = float("inf")


class PgvectorVectors:
    """A VectorStore over the embeddings of `encoder` in `database`, kept in PostgreSQL at `url`."""

    def __init__(self, url: str, database: Database, encoder: EncoderRow, settings: Settings) -> None:
        self.database = database
        self.encoder = encoder
        self._server = PgvectorServer(url, database, connections=settings.database_connections)
        self.address = self._server.address
        self._follower = Follower(database, encoder.fingerprint, self.address[:LONGEST_ORIGIN])
        home = hashlib.sha256(without_secrets(database.url).encode()).hexdigest()[:8]
        self._prefix = f"vectors_{encoder.fingerprint[:12]}_{home}_"  # no other installation has tables of this name
        self._graphs = GraphBuilder(self._server, settings)
        self._tables: dict[str, VectorTable] = {}
        self._with_graph: set[str] = set()
        self._tending = threading.Lock()
        self._tender: threading.Thread | None = None
        self._closed = False

    @property
    def is_shared(self) -> bool:
        """Yes."""
        return True

    def catch_up(self) -> int:
        """Bring in every change committed since; return how many there were."""
        position = self._established()
        applied = 0 if position.is_newest else self._follower.advance(self._apply, wait_seconds=FOREVER)
        if self._graphs.is_due(self._table(position.place)):
            self._tend()
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
        if embedding.shape != (self.encoder.dimension,):
            raise ValueError(f"expected a vector of {self.encoder.dimension} numbers, got shape {embedding.shape}")
        if limit <= 0 or (rows is not None and not len(rows)):
            return []
        return self._on_place(lambda table, connection: self._search(table, connection, embedding, limit, where, rows))

    def count(self) -> int:
        """Return how many vectors of visible images are held."""
        return self._on_place(VectorTable.count)

    def rebuild(self, on_progress: Callable[[int], None] | None = None) -> int:
        """Fill a new table and build its graph while the old one answers; return how many vectors it holds."""
        with self.database.exclusively(f"rebuild {self.address} {self.encoder.fingerprint}", wait_seconds=FOREVER):
            old = self._established().place
            self._drop_all_but(old)
            new = self._make()
            try:
                self._follower.fill(new, self._apply, on_progress, settle=self._finish)
            except BaseException:
                self._drop(new)
                raise
            self._drop(old)
        return self.count()

    def settle(self) -> None:
        """Bring in everything and build the graph if one is due; return when it is built."""
        self.catch_up()
        self._tend_graph(wait_seconds=FOREVER)

    def check(self) -> None:
        """Return when PostgreSQL answers."""
        with self._server.connection() as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        """Stop what goes on in the background and close connections of our own; a graph that is being built is lost."""
        with self._tending:
            self._closed = True
            tender = self._tender
        self._graphs.stop()
        if tender:
            tender.join()
        self._server.close()

    def _search(
        self,
        table: VectorTable,
        connection: Connection,
        embedding: npt.NDArray[np.float32],
        limit: int,
        where: Filter,
        rows: npt.NDArray[np.int64] | None,
    ) -> list[Neighbor]:
        calm(connection)
        conditions = table.conditions(where, rows)
        if self._is_for_graph(table, connection, conditions):
            found = table.ask_graph(connection, embedding, limit, conditions)
            if found is not None:
                return found
        return table.compare_all(connection, embedding, limit, conditions)

    def _is_for_graph(
        self, table: VectorTable, connection: Connection, conditions: list[sa.ColumnElement[bool]]
    ) -> bool:
        if table.name not in self._with_graph:
            if not table.has_graph(connection):
                return False
            self._with_graph.add(table.name)
        return not conditions or table.count(connection, conditions, most=MOST_COMPARED + 1) > MOST_COMPARED

    def _on_place(self, ask: Callable[[VectorTable, Connection], Answer]) -> Answer:
        """Return what the table that answers now says; one that is gone is made and filled again."""
        try:
            return self._ask(ask)
        except PlaceVanished:
            self._established()
        try:
            return self._ask(ask)
        except PlaceVanished as error:
            raise StoreUnavailable(DOWN, detail=str(error)) from error

    def _ask(self, ask: Callable[[VectorTable, Connection], Answer]) -> Answer:
        position = self._caught_up(wait_seconds=WAIT_SECONDS)
        with self._server.connection() as connection:
            return ask(self._table(position.place), connection)

    def _caught_up(self, *, wait_seconds: float) -> Position:
        """Bring the vectors on as far as the time of a search allows; return where they stand."""
        position = self._follower.position() or self._established()
        if position.is_newest:
            return position
        applied = self._follower.advance(self._apply, wait_seconds=wait_seconds, work_seconds=WORK_SECONDS)
        position = self._follower.position() or position
        if applied and (not position.is_newest or self._is_graph_due(position.place)):
            self._tend()
        return position

    def _apply(self, place: str, changes: list[Change]) -> None:
        with self._server.writing() as connection:
            self._table(place).put(connection, changes)

    def _finish(self, place: str) -> None:
        self._graphs.build(self._table(place), beside=False)

    def _established(self) -> Position:
        return self._follower.establish(self._is_there, self._make)

    def _is_there(self, place: str) -> bool:
        with self._server.connection() as connection:
            return self._table(place).is_there(connection)

    def _make(self) -> str:
        """Make an empty table and return its name."""
        place = self._prefix + secrets.token_hex(4)
        self._server.ensure_extension()
        with self._server.writing() as connection:
            self._table(place).table.create(connection)
        return place

    def _drop(self, place: str) -> None:
        with self._server.writing() as connection:
            self._table(place).table.drop(connection, checkfirst=True)

    def _drop_all_but(self, kept: str) -> None:
        """Drop the tables that interrupted rebuilds have left."""
        listed = sa.text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename ^@ :prefix")
        with self._server.connection() as connection:
            names = list(connection.scalars(listed, {"prefix": self._prefix}))
        for name in names:
            if name != kept:
                self._drop(name)

    def _table(self, place: str) -> VectorTable:
        return self._tables.setdefault(place, VectorTable(place, self.encoder.dimension))

    def _is_graph_due(self, place: str) -> bool:
        return place not in self._with_graph and self._graphs.is_due(self._table(place))

    def _tend(self) -> None:
        """Do in the background what searches have no time for."""
        with self._tending:
            if not self._closed and (self._tender is None or not self._tender.is_alive()):
                self._tender = threading.Thread(target=self._tend_now, name="pgvector", daemon=True)
                self._tender.start()

    def _tend_now(self) -> None:
        try:
            while not self._closed and not self._caught_up(wait_seconds=FOREVER).is_newest:
                pass
            self._tend_graph(wait_seconds=0)
        except (LikenessError, PlaceVanished) as error:
            if not self._closed:
                log.warning("the vectors in PostgreSQL could not be brought on in the background: %s", error)

    def _tend_graph(self, *, wait_seconds: float) -> None:
        position = self._follower.position()
        if position is None or self._closed:
            return
        with self.database.exclusively(f"graph {position.place}", wait_seconds=wait_seconds) as held:
            if held:
                self._graphs.build(self._table(position.place), beside=True)
