"""One table of vectors in PostgreSQL: its columns and indexes, how it is filled, and the statements that search it.

The vectors are `halfvec`, float16 as in the `embeddings` table: nothing is lost and half the memory is needed. Those
that are found are compared in single precision, so that every engine tells the same similarity. Vectors have unit
length, so the inner product is the cosine. Only visible images are in it.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from pgvector import HalfVector
from pgvector.sqlalchemy import HALFVEC, VECTOR
from psycopg import sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection

from pipeline.filters import Filter
from pipeline.stores.protocols import Neighbor
from pipeline.stores.records_embeddings import Change

MOST_GRAPH_DIMENSIONS = 4000  # what pgvector can put into a graph of halfvec; longer ones are compared one by one
TIES = 16
"""Fetched from the graph beyond the limit, so that equal similarities at its edge are cut by row number; where more
are equal, all are compared."""

LEAST_CANDIDATES = 100
"""`hnsw.ef_search` for short lists: of 20,000 clustered vectors of 512 numbers, 0.99 of the true ten are then found
under filters that keep from a hundredth to nine tenths."""

MOST_CANDIDATES = 1000  # the largest `hnsw.ef_search` there is; longer lists are continued by iterative scans
SCANNED_PER_WANTED = 200
"""Vectors an iterative scan may visit for each that is wanted, so that a filter that keeps a percent fills the list."""

LEAST_SCANNED = 20_000  # the default of `hnsw.max_scan_tuples`
BEGINNING = datetime.fromtimestamp(0, UTC)

COPIED_TYPES = ("int8", "bytea", "text", "text", "text", "float8", "float8", "int4", "int4", "timestamptz")
"""How psycopg sends the columns in binary; the bytes of a halfvec are its own binary form."""

Numbers = npt.NDArray[np.int64]


class VectorTable:
    """The table `name` for vectors of `dimension` numbers."""

    def __init__(self, name: str, dimension: int) -> None:
        self.name = name
        self.dimension = dimension
        self.graph_name = f"{name}_graph"
        self.table = sa.Table(
            name,
            sa.MetaData(),
            sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("embedding", HALFVEC(dimension), nullable=False),
            sa.Column("library", sa.Text, nullable=False, index=True),
            sa.Column("category", sa.Text, nullable=False, index=True),
            sa.Column("scheme", sa.Text, nullable=False, index=True),
            sa.Column("brightness", sa.Double, nullable=False, index=True),
            sa.Column("saturation", sa.Double, nullable=False, index=True),
            sa.Column("width", sa.Integer, nullable=False, index=True),
            sa.Column("height", sa.Integer, nullable=False, index=True),
            sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, index=True),
        )
        self._copy = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier(name))

    def is_there(self, connection: Connection) -> bool:
        """Whether the table is there, with its vectors: dropping the extension takes only their column away."""
        found = connection.execute(
            sa.text(
                "SELECT 1 FROM pg_attribute"
                " WHERE attrelid = to_regclass(:name) AND attname = 'embedding' AND NOT attisdropped"
            ),
            {"name": f'"{self.name}"'},
        )
        return found.first() is not None

    def put(self, connection: Connection, changes: Sequence[Change]) -> None:
        """Bring changes, oldest first, into the table: visible images are written, the others removed."""
        # Two processes at once, one of which has lost its turn without knowing: one after the other, and no conflict.
        key = int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:8], "big", signed=True)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        latest = {change.row: change for change in changes}
        connection.execute(self.table.delete().where(self._is_any_of(list(latest))))
        driver = connection.connection.driver_connection
        if driver is None:
            raise RuntimeError("a connection that is open has no driver")
        with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.set_types(COPIED_TYPES)
            for change in latest.values():
                if change.visible and change.vector:
                    copy.write_row(_values(change))

    def count(self, connection: Connection, conditions: Sequence[sa.ColumnElement[bool]] = (), *, most: int = 0) -> int:
        """Return how many vectors meet the conditions; no more are counted than `most`, unless that is 0."""
        counted = sa.select(sa.literal(1)).select_from(self.table).where(*conditions)
        limited = (counted.limit(most) if most else counted).subquery()
        return int(connection.execute(sa.select(sa.func.count()).select_from(limited)).scalar_one())

    def conditions(self, where: Filter, rows: Numbers | None) -> list[sa.ColumnElement[bool]]:
        """Return what `where` asks of the columns here, and that the row is among `rows` if they are given."""
        columns = self.table.c
        found: list[sa.ColumnElement[bool]] = []
        if where.without_libraries:
            found.append(columns.library.not_in(where.without_libraries))
        for column, words in (
            (columns.library, where.libraries),
            (columns.category, where.categories or None),
            (columns.scheme, where.schemes or None),
        ):
            if words is not None:
                found.append(column.in_(words))
        for column, minimum, maximum in (
            (columns.brightness, where.min_brightness, where.max_brightness),
            (columns.saturation, where.min_saturation, where.highest_saturation),
            (columns.width, where.min_width, where.max_width),
            (columns.height, where.min_height, where.max_height),
            (columns.created_at, where.created_after, where.created_before),
        ):
            if minimum is not None:
                found.append(column >= minimum)
            if maximum is not None:
                found.append(column <= maximum)
        if rows is not None:
            found.append(self._is_any_of(rows.tolist()))
        return found

    def is_none_of(self, rows: Numbers) -> sa.ColumnElement[bool]:
        """Return the condition that a row is not among `rows`."""
        return self.table.c.row != sa.all_(sa.bindparam(None, rows.tolist(), ARRAY(sa.BigInteger)))

    def compare_all(
        self,
        connection: Connection,
        embedding: npt.NDArray[np.float32],
        limit: int,
        conditions: Sequence[sa.ColumnElement[bool]],
    ) -> list[Neighbor]:
        """Return the nearest among all that meet the conditions, having compared each of them."""
        columns = self.table.c
        distance = self._distance(columns.embedding, embedding)
        asked = sa.select(columns.row, -distance).where(*conditions).order_by(distance, columns.row).limit(limit)
        return [Neighbor(row, similarity) for row, similarity in connection.execute(asked)]

    def ask_graph(
        self,
        connection: Connection,
        embedding: npt.NDArray[np.float32],
        limit: int,
        conditions: Sequence[sa.ColumnElement[bool]],
    ) -> list[Neighbor] | None:
        """Return the nearest that the graph leads to; None when it may have missed some at the end of the list."""
        wanted = limit + TIES
        connection.execute(
            sa.select(
                _set("hnsw.ef_search", min(MOST_CANDIDATES, max(LEAST_CANDIDATES, 2 * wanted))),
                _set("hnsw.iterative_scan", "relaxed_order"),
                _set("hnsw.max_scan_tuples", max(LEAST_SCANNED, SCANNED_PER_WANTED * wanted)),
                _set("enable_sort", "off"),  # sorting what a filter keeps looks cheaper to the planner than it is
            )
        )
        columns = self.table.c
        query = sa.cast(sa.bindparam("half", embedding, HALFVEC(self.dimension)), HALFVEC(self.dimension))
        near = (
            sa.select(columns.row, columns.embedding)
            .where(*conditions)
            .order_by(columns.embedding.max_inner_product(query))
            .limit(wanted)
            .subquery()
        )
        distance = self._distance(near.c.embedding, embedding)
        found = connection.execute(sa.select(near.c.row, -distance).order_by(distance, near.c.row)).all()
        if len(found) < limit or (len(found) == wanted and found[limit - 1][1] == found[-1][1]):
            return None
        return [Neighbor(row, similarity) for row, similarity in found[:limit]]

    def has_graph(self, connection: Connection) -> bool:
        """Whether there is a graph that can be asked; one that was begun and not finished is none."""
        asked = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
        return bool(connection.execute(asked, {"name": f'"{self.graph_name}"'}).scalar())

    def make_graph(self, connection: Connection, *, m: int, ef_construction: int, beside: bool) -> None:
        """Build the graph; `beside` others that write meanwhile, which takes longer and allows no transaction."""
        how = "CONCURRENTLY " if beside else ""
        connection.exec_driver_sql(
            f'CREATE INDEX {how}"{self.graph_name}" ON "{self.name}" USING hnsw (embedding halfvec_ip_ops)'
            f" WITH (m = {int(m)}, ef_construction = {int(ef_construction)})"
        )

    def drop_graph(self, connection: Connection) -> None:
        """Drop a graph that is no good."""
        connection.exec_driver_sql(f'DROP INDEX IF EXISTS "{self.graph_name}"')

    def _distance(
        self, column: sa.ColumnElement[object], embedding: npt.NDArray[np.float32]
    ) -> sa.ColumnElement[float]:
        query = sa.cast(sa.bindparam("query", embedding, VECTOR(self.dimension)), VECTOR(self.dimension))
        distance: sa.ColumnElement[float] = sa.cast(column, VECTOR(self.dimension)).max_inner_product(query)
        return distance

    def _is_any_of(self, rows: list[int]) -> sa.ColumnElement[bool]:
        """Return whether a row is among `rows`, sent as one value: a list of parameters has a limit."""
        return self.table.c.row == sa.any_(sa.bindparam(None, rows, ARRAY(sa.BigInteger)))


def calm(connection: Connection) -> None:
    """Keep the planner from what costs more than it gains here: compiling statements, and plans for any parameters."""
    connection.execute(sa.select(_set("jit", "off"), _set("plan_cache_mode", "force_custom_plan")))


def _set(name: str, value: object) -> sa.ColumnElement[str]:
    """Return a setting of PostgreSQL that holds until the end of the transaction."""
    return sa.func.set_config(name, str(value), True)


def _values(change: Change) -> tuple[object, ...]:
    """Return the values of a change in the order of the columns; what is not known is as `FilterColumns` has it."""
    return (
        change.row,
        HalfVector(np.frombuffer(change.vector or b"", np.float16)).to_binary(),
        change.library or "",
        change.category or "",
        change.scheme or "",
        change.brightness or 0.0,
        change.saturation or 0.0,
        change.width or 0,
        change.height or 0,
        change.created_at or BEGINNING,
    )
