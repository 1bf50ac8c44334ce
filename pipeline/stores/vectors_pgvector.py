"""Vectors in PostgreSQL, found by pgvector: the engine of the small server, which needs no second product.

`pgvector://` is the database of Likeness itself, `pgvector://user:password@host/name` another one. While vectors are
few, or a filter keeps few, all of them are compared; otherwise an HNSW graph is asked, and what it may have missed is
made up for by comparing all. A bulk of vectors is written first and gets its graph afterwards, in the background,
while searches compare all. What is not written here yet is compared in the database of Likeness.
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import StoreUnavailable
from pipeline.filters import Filter
from pipeline.settings import Settings
from pipeline.stores.database import Database
from pipeline.stores.exact_search import nearest_among
from pipeline.stores.following import Follower, Position
from pipeline.stores.protocols import Neighbor
from pipeline.stores.records_embeddings import Change, EncoderRow
from pipeline.stores.tables import LONGEST_ORIGIN
from pipeline.stores.vectors_behind import MOST_BEHIND, Rows, rows_behind
from pipeline.stores.vectors_pgvector_graph import GraphBuilder
from pipeline.stores.vectors_pgvector_server import DOWN, PgvectorServer, PlaceVanished, without_secrets
from pipeline.stores.vectors_pgvector_table import VectorTable, calm
from pipeline.stores.vectors_tending import Tender

Answer = TypeVar("Answer")

MOST_COMPARED = 5000
"""Vectors that a filter keeps up to which all of them are compared: it takes some 10 ms and misses none. A graph of
20,000 takes 5 ms where a filter keeps a tenth, but 15 ms where it keeps a hundredth."""

WAIT_SECONDS = 0.2  # for another process that brings the vectors on; what is missing then is compared elsewhere
WORK_SECONDS = 2.0  # that a search spends on bringing them on; the rest is done beside it
TURN_SECONDS = 1.0  # for another process, in the background
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
        self._tender = Tender("pgvector", self._tend_for_a_while)

    @property
    def is_shared(self) -> bool:
        """Yes."""
        return True

    def catch_up(self) -> int:
        """Bring in every change committed since; return how many there were."""
        position = self._established()
        applied = 0 if position.is_newest else self._follower.advance(self._apply, wait_seconds=FOREVER)
        if self._graphs.is_due(self._table(position.place)):
            self.tend()
        return applied

    def tend(self) -> None:
        """Begin to bring in, in the background, what is missing, and to build the graph that is due."""
        self._tender.begin()

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
        found, behind = self._on_place(lambda position: self._search(position, embedding, limit, where, rows))
        if not len(behind):
            return found
        named = np.array([neighbor.row for neighbor in found], np.int64)
        return self._among(embedding, limit, where, np.concatenate([named, behind]))

    def count(self) -> int:
        """Return how many vectors of visible images are held."""
        return self._on_place(self._count)

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
        self._tender.stop()
        self._graphs.stop()
        self._tender.close()
        self._server.close()

    def _search(
        self, position: Position, embedding: npt.NDArray[np.float32], limit: int, where: Filter, rows: Rows | None
    ) -> tuple[list[Neighbor], Rows]:
        """Return the nearest that the table at `position` has, and the rows that it does not have as they are now."""
        if rows is not None and len(rows) <= MOST_BEHIND and not position.is_newest:
            return [], rows
        behind = rows_behind(self._follower, position)
        if rows is not None:
            behind = np.intersect1d(behind, rows)
        table = self._table(position.place)
        with self._server.connection() as connection:
            calm(connection)
            conditions = table.conditions(where, rows)
            is_for_graph = self._is_for_graph(table, connection, conditions)
            if len(behind):
                conditions.append(table.is_none_of(behind))
            found = table.ask_graph(connection, embedding, limit, conditions) if is_for_graph else None
            if found is None:
                found = table.compare_all(connection, embedding, limit, conditions)
        return found, behind

    def _among(self, embedding: npt.NDArray[np.float32], limit: int, where: Filter, rows: Rows) -> list[Neighbor]:
        return nearest_among(self.database, self.encoder.fingerprint, embedding, limit, where=where, rows=rows)

    def _count(self, position: Position) -> int:
        with self._server.connection() as connection:
            return self._table(position.place).count(connection)

    def _is_for_graph(
        self, table: VectorTable, connection: Connection, conditions: list[sa.ColumnElement[bool]]
    ) -> bool:
        if table.name not in self._with_graph:
            if not table.has_graph(connection):
                return False
            self._with_graph.add(table.name)
        return not conditions or table.count(connection, conditions, most=MOST_COMPARED + 1) > MOST_COMPARED

    def _on_place(self, ask: Callable[[Position], Answer]) -> Answer:
        """Return what the table that answers now says; one that is gone is made and filled again."""
        try:
            return ask(self._brought_on())
        except PlaceVanished:
            self._established()
        try:
            return ask(self._brought_on())
        except PlaceVanished as error:
            raise StoreUnavailable(DOWN, detail=str(error)) from error

    def _brought_on(self) -> Position:
        """Bring the vectors on as far as the time of a search allows; return where they stand."""
        position = self._follower.position() or self._established()
        if position.is_newest:
            return position
        is_far = position.newest - position.change > MOST_BEHIND  # whoever is at it will be for a while
        wait_seconds = 0.0 if is_far else WAIT_SECONDS
        applied = self._follower.advance(self._apply, wait_seconds=wait_seconds, work_seconds=WORK_SECONDS)
        position = self._follower.position() or position
        if not position.is_newest or (applied and self._is_graph_due(position.place)):
            self.tend()
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

    def _tend_for_a_while(self) -> bool:
        """Do in the background what searches have no time for; return whether there is more of it."""
        position = self._follower.position() or self._established()
        try:
            if not position.is_newest:
                self._follower.advance(self._apply, wait_seconds=TURN_SECONDS, work_seconds=WORK_SECONDS)
                return True
            self._tend_graph(wait_seconds=0)
        except PlaceVanished:
            self._established()
            return True
        return False

    def _tend_graph(self, *, wait_seconds: float) -> None:
        position = self._follower.position()
        if position is None:
            return
        with self.database.exclusively(f"graph {position.place}", wait_seconds=wait_seconds) as held:
            if held:
                self._graphs.build(self._table(position.place), beside=True)
