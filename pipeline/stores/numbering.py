"""The numbers that a database gives to new rows, carried to another one, so that no number is ever given twice.

Highest numbers are not enough: the row of a picture that was purged is never given to another.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.stores.database import Database, Writing
from pipeline.stores.tables import metadata


def carry_numbers(source: Database, target: Database, tables: Iterable[str]) -> None:
    """Let `target` go on numbering the rows of these tables where `source` is."""
    numbered = [metadata.tables[name] for name in tables if metadata.tables[name].autoincrement_column is not None]
    with source.read() as connection:
        last = [_last_number(connection, table) for table in numbered]
    with target.write(Writing.PASSING) as connection:
        for table, number in zip(numbered, last, strict=True):
            _set_last_number(connection, table, number)


def _last_number(connection: Connection, table: sa.Table) -> int:
    """Return the highest number that was ever given to a row, as far as the database remembers."""
    highest = connection.scalar(sa.select(sa.func.max(_key_column(table)))) or 0
    if connection.dialect.name == "sqlite":
        sequences = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
        remembered = connection.scalar(sa.select(sequences.c.seq).where(sequences.c.name == table.name))
    else:
        sequence = sa.text(_sequence(connection, table))
        last_value: sa.ColumnClause[int] = sa.column("last_value")
        given = sa.select(last_value).select_from(sequence).where(sa.column("is_called"))
        remembered = connection.scalar(given)
    return max(highest, remembered or 0)


def _set_last_number(connection: Connection, table: sa.Table, number: int) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(sa.func.setval(_sequence(connection, table), max(number, 1), number > 0)))
    elif table.dialect_options["sqlite"]["autoincrement"]:  # others go on behind the highest that is there
        name = {"name": table.name}
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), name)
        connection.execute(
            sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"), name | {"number": number}
        )


def _sequence(connection: Connection, table: sa.Table) -> str:
    found = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, _key_column(table).name)))
    return str(found)


def _key_column(table: sa.Table) -> sa.Column[int]:
    return next(iter(table.primary_key.columns))
