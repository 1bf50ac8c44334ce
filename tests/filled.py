"""Tables with something in them that is written once for a module of tests, and copied for each of them.

A module names what its tests begin with: `sqlite_template, postgresql_template = filled_with(write)`.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from real_servers import PostgresqlServer
from sqlalchemy.engine import Connection

from pipeline.images import ImageRecord
from pipeline.stores import records_images
from pipeline.stores.database import Database
from pipeline.stores.tables import images


def filled_with(write: Callable[[Connection], object]) -> tuple[Any, Any]:
    """Return the fixtures `sqlite_template` and `postgresql_template` of a module, filled by `write`."""

    @pytest.fixture(scope="module")
    def sqlite_template(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("filled") / "likeness.db"
        shutil.copyfile(empty_database, path)
        _fill(f"sqlite:///{path}", write)
        return path

    @pytest.fixture(scope="module")
    def postgresql_template(postgresql: PostgresqlServer, empty_postgresql: str) -> Iterator[str]:
        url = postgresql.new_database(empty_postgresql)
        yield _fill(url, write)
        postgresql.drop_database(url)

    return sqlite_template, postgresql_template


def _fill(url: str, write: Callable[[Connection], object]) -> str:
    database = Database(url)
    with database.write() as connection:
        write(connection)
    database.close()
    return database.url.database or ""


def all_images(database: Database) -> list[ImageRecord]:
    """Return the records of all images, deleted ones too, in the order in which they were added."""
    with database.read() as connection:
        rows = connection.execute(sa.select(images.c.row).order_by(images.c.row)).scalars().all()
        return records_images.get_by_rows(connection, rows)
