"""Making the tables of one database equal to those of another, whichever kind each of them is.

Both sides of a table are read in the order of its primary key and compared row by row: what is missing is inserted,
what differs is updated, what is too many is deleted. So a copy that was interrupted is gone on with by making it
again, and one that finds nothing to do has proved that both are equal, to the last bit of a number.

What belongs to a place and not to the data is left behind: how far the vector engines have followed, and the moves.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeEngine

from pipeline.errors import Conflict
from pipeline.stores.database import Database, Writing
from pipeline.stores.postgresql import storable
from pipeline.stores.tables import Json, UtcTime, metadata, moves, vector_copies
from pipeline.stores.tables_duplicates import pair_decisions
from pipeline.stores.tables_people import audit_log

BATCH_ROWS = 1000  # rows written in one transaction and told at once; 2 MB of embeddings with 1,024 numbers

LEFT_BEHIND = (vector_copies, moves)

APPEND_ONLY = {audit_log: "The audit log", pair_decisions: "The log of decisions on duplicates"}
"""Tables in which the database refuses changes: what is there and not here shows that it was used."""

Row = tuple[Any, ...]
Told = Callable[[int], None]
"""Is told how many more rows of the source have been compared."""


@dataclass
class Difference:
    """How many rows of a table were written, and how many there are. `cleaned` ones had what the target cannot keep."""

    table: str
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    cleaned: int = 0

    @property
    def is_none(self) -> bool:
        """Whether both sides were equal."""
        return not (self.inserted or self.updated or self.deleted)


@dataclass(frozen=True)
class _Shape:
    """A table as it is copied: without what turns values into those the program works with."""

    table: sa.Table

    @cached_property
    def plain(self) -> sa.TableClause:
        return sa.table(self.table.name, *(sa.column(c.name, _plain(c.type)) for c in self.table.columns))

    @cached_property
    def keys(self) -> list[str]:
        """The columns of the primary key."""
        return [column.name for column in self.table.primary_key.columns]

    @cached_property
    def identity(self) -> list[str]:
        """The primary key and whatever else no two rows may have in common."""
        uniques = [c for c in self.table.constraints if isinstance(c, sa.UniqueConstraint)]
        others = {column.name for constraint in uniques for column in constraint.columns} - set(self.keys)
        return [*self.keys, *sorted(others)]

    @cached_property
    def texts(self) -> list[int]:
        """The positions of what may hold characters that not every database keeps."""
        columns = enumerate(self.table.columns)
        return [at for at, c in columns if isinstance(c.type, sa.String | sa.JSON) and c.name not in self.identity]

    def key_of(self, names: Sequence[str]) -> Callable[[Row], Any]:
        """Return what reads the primary key from a row of the columns `names`."""
        return itemgetter(*(list(names).index(key) for key in self.keys))


def copied_tables() -> list[str]:
    """Return the names of the tables that are copied, each behind those that it refers to."""
    return [shape.table.name for shape in _shapes()]


def count_rows(connection: Connection) -> int:
    """Return how many rows there are to copy."""
    counts = (sa.select(sa.func.count()).select_from(shape.table) for shape in _shapes())
    return sum(connection.scalar(count) or 0 for count in counts)


def is_empty(connection: Connection) -> bool:
    """Whether nobody has put anything into this database; a start alone leaves it empty, with its first library."""
    lasting = ("images", "embeddings", "people", "audit_log", "pair_decisions")
    return not any(connection.execute(sa.select(metadata.tables[name]).limit(1)).first() for name in lasting)


def equalize(
    source: Database, target: Database, *, only: Iterable[str] | None = None, tell: Told | None = None
) -> list[Difference]:
    """Make the tables of `target` equal to those of `source`, or `only` some; return what was different.

    Each table is compared with one consistent view of the source. What was committed stays when this is interrupted.
    Raises Conflict when the target holds what cannot have come from the source, or cannot keep a record.
    """
    wanted = None if only is None else set(only)
    shapes = [shape for shape in _shapes() if wanted is None or shape.table.name in wanted]
    with source.read() as reading:
        deleted = {shape.table.name: _prune(reading, target, shape) for shape in reversed(shapes) if _is_tied(shape)}
        differences = []
        for shape in shapes:
            difference = _equalize_table(reading, target, shape, tell or (lambda _: None))
            difference.deleted += deleted.get(shape.table.name, 0)
            differences.append(difference)
    return differences


def _shapes() -> list[_Shape]:
    return [_Shape(table) for table in metadata.sorted_tables if table not in LEFT_BEHIND]


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type that gives what is stored: moments without a zone, and null only as the NULL of SQL."""
    if isinstance(kind, UtcTime):
        return sa.DateTime()
    if isinstance(kind, sa.JSON):
        plain = sa.JSON(none_as_null=True)
        return plain.with_variant(JSONB(none_as_null=True), "postgresql") if kind is Json else plain
    return kind


def _is_tied(shape: _Shape) -> bool:
    """Whether rows that are too many are in the way of others, so that they must go before any is written."""
    referenced = {key.column.table for table in metadata.tables.values() for key in table.foreign_keys}
    holds = any(not key.ondelete for key in shape.table.foreign_keys)
    return shape.table in referenced or holds or shape.identity != shape.keys


# ---- Comparing


def _read(connection: Connection, shape: _Shape, names: Sequence[str]) -> Iterator[Row]:
    """Yield the columns `names` of every row in the order of the primary key, the same one on every database."""
    columns = [shape.plain.c[name] for name in names]
    order: list[sa.ColumnElement[Any]] = [shape.plain.c[key] for key in shape.keys]
    if connection.dialect.name != "sqlite":  # which knows no rules of a language
        order = [sa.collate(key, "C") if isinstance(key.type, sa.String) else key for key in order]
    found = connection.execute(sa.select(*columns).order_by(*order), execution_options={"yield_per": BATCH_ROWS})
    for part in found.partitions():
        yield from map(tuple, part)


def _compare(ours: Iterable[Row], theirs: Iterator[Row], key: Callable[[Row], Any]) -> Iterator[tuple[str, Row]]:
    """Yield what makes `theirs` equal to `ours`: ("insert" or "update", our row) or ("delete", their row)."""
    other = next(theirs, None)
    for row in ours:
        if other == row:
            other = next(theirs, None)
            continue
        while other is not None and key(other) < key(row):
            yield "delete", other
            other = next(theirs, None)
        if other is None or key(other) != key(row):
            yield "insert", row
            continue
        if other != row:
            yield "update", row
        other = next(theirs, None)
    while other is not None:
        yield "delete", other
        other = next(theirs, None)


def _prune(reading: Connection, target: Database, shape: _Shape) -> int:
    """Delete what the source does not have, or has with another identity; return how many rows."""
    names = shape.identity
    key = shape.key_of(names)
    with target.read() as there:
        changes = _compare(_read(reading, shape, names), _read(there, shape, names), key)
        doomed = (row for change, row in changes if change != "insert")
        return sum(_delete(target, shape, list(batch), key) for batch in _batches(doomed))


def _equalize_table(reading: Connection, target: Database, shape: _Shape, tell: Told) -> Difference:
    difference = Difference(shape.table.name)
    names = list(shape.plain.c.keys())
    key = shape.key_of(names)
    ours = _told(_read(reading, shape, names), difference, tell)
    if reading.dialect.name == "sqlite" and not target.is_sqlite:
        ours = _storable(ours, shape, difference)
    with target.read() as there:
        changes = _compare(ours, _read(there, shape, names), key)
        for batch in _batches(changes):
            rows = {kind: [row for change, row in batch if change == kind] for kind in ("delete", "update", "insert")}
            if shape.table in APPEND_ONLY and (rows["delete"] or rows["update"]):
                raise Conflict(
                    f"{APPEND_ONLY[shape.table]} there has entries that the one here does not have, so that database "
                    "has been used for something else. Please name an empty one."
                )
            difference.deleted += _delete(target, shape, rows["delete"], key)
            _write(target, shape, names, rows["update"], rows["insert"])
            difference.updated += len(rows["update"])
            difference.inserted += len(rows["insert"])
    return difference


def _told(rows: Iterator[Row], difference: Difference, tell: Told) -> Iterator[Row]:
    untold = 0
    for row in rows:
        yield row
        difference.rows += 1
        untold += 1
        if untold == BATCH_ROWS:
            tell(untold)
            untold = 0
    tell(untold)


def _storable(rows: Iterator[Row], shape: _Shape, difference: Difference) -> Iterator[Row]:
    """Yield the rows as PostgreSQL keeps them, and count those that it cannot keep as they are."""
    for row in rows:
        kept = row
        for at in shape.texts:
            if (value := storable(row[at])) != row[at]:
                kept = (*kept[:at], value, *kept[at + 1 :])
        difference.cleaned += kept is not row
        yield kept


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


# ---- Writing


def _delete(target: Database, shape: _Shape, rows: Sequence[Row], key: Callable[[Row], Any]) -> int:
    if not rows:
        return 0
    keys = [key(row) if len(shape.keys) > 1 else (key(row),) for row in rows]
    statement = shape.plain.delete().where(*(shape.plain.c[name] == sa.bindparam(f"_{name}") for name in shape.keys))
    with target.write(Writing.PASSING) as connection:
        connection.execute(
            statement, [{f"_{name}": part for name, part in zip(shape.keys, k, strict=True)} for k in keys]
        )
    return len(rows)


def _write(
    target: Database, shape: _Shape, names: Sequence[str], updated: Sequence[Row], inserted: Sequence[Row]
) -> None:
    try:
        _write_together(target, shape, names, updated, inserted)
    except sa.exc.DataError:
        for row in updated:
            _write_alone(target, shape, names, row, is_new=False)
        for row in inserted:
            _write_alone(target, shape, names, row, is_new=True)


def _write_together(
    target: Database, shape: _Shape, names: Sequence[str], updated: Sequence[Row], inserted: Sequence[Row]
) -> None:
    with target.write(Writing.PASSING) as connection:
        if updated:
            _update(connection, shape, names, updated)
        if inserted:
            connection.execute(shape.plain.insert(), [dict(zip(names, row, strict=True)) for row in inserted])


def _write_alone(target: Database, shape: _Shape, names: Sequence[str], row: Row, *, is_new: bool) -> None:
    """Write one row of those of which one cannot be kept, and raise Conflict if it is this one."""
    try:
        _write_together(target, shape, names, [] if is_new else [row], [row] if is_new else [])
    except sa.exc.DataError as error:
        reason = str(error.orig).splitlines()[0]
        raise Conflict(
            f"The other database cannot keep the row {shape.key_of(names)(row)} of the table {shape.table.name} "
            f"({reason}). Nothing has changed here. Please report this.",
            detail=str(error.orig),
        ) from error


def _update(connection: Connection, shape: _Shape, names: Sequence[str], rows: Sequence[Row]) -> None:
    others = [name for name in names if name not in shape.keys]
    connection.execute(
        shape.plain.update()
        .where(*(shape.plain.c[name] == sa.bindparam(f"_{name}") for name in shape.keys))
        .values({name: sa.bindparam(f"_{name}", type_=shape.plain.c[name].type) for name in others}),
        [{f"_{name}": value for name, value in zip(names, row, strict=True)} for row in rows],
    )
