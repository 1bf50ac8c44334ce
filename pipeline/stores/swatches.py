"""The colors of all images in memory: which images have those that are asked for, and which fit them best.

Like the index of vectors this is a cache in the process that follows the database by its change number: a palette is
written in the transaction that writes the embedding of its image. How palettes are kept is told in `swatch_columns`,
how they are compared in `swatch_ranking`, and what a start reads instead of the table in `swatch_file`.
"""

import itertools
import logging
import threading
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import StoreUnavailable
from pipeline.filters import Filter
from pipeline.stores import records_embeddings, swatch_file
from pipeline.stores.database import Database
from pipeline.stores.recent import Recent
from pipeline.stores.swatch_columns import Palettes, Rows, SwatchColumns, palettes_of
from pipeline.stores.swatch_ranking import Ranking, asked_alone, ranking_of, slots_with
from pipeline.stores.tables import palette

log = logging.getLogger(__name__)

CHANGES_PER_READ = 20_000  # about 100,000 swatches, 20 MB while they are read
ANSWERS_KEPT = 4  # a page asks for its results, its counts and its next tiles one after another
LEAST_FOR_FILE = 20_000  # images from which on a file is written; fewer are read from the table in half a second
OUTDATED = 0.2  # part of the images that were read from the table, beyond which a new file is written

CLOSED = "This process is ending. Please try again."

_VALUES = 6  # that a swatch is read as


class SwatchTable:
    """Every palette of every image. May be used from several threads at once. `folder` is for its file, if any."""

    def __init__(self, database: Database, folder: Path | None = None) -> None:
        self.database = database
        self._path = folder / "palettes" if folder else None
        self._lock = threading.Lock()
        self._seen = 0
        self._columns = SwatchColumns()
        self._rankings: Recent[Filter, Ranking] = Recent(ANSWERS_KEPT)
        self._passing: Recent[Filter, Rows] = Recent(ANSWERS_KEPT)
        self._read_from_table = 0  # images, since there was a file of all
        self._warming: threading.Thread | None = None
        self._closed = threading.Event()

    def rows_with(self, where: Filter) -> Rows | None:
        """Return the sorted rows of images that have the colors of `where`; None when it asks for none.

        They have every one of `colors` with its share, or fit `palette`. Hidden images are among them. The array is
        read-only. Raises StoreUnavailable when the database does not answer.
        """
        if not where.has_colors:
            return None
        asked = asked_alone(where)
        seen, palettes = self._newest()
        rows = self._passing.get(seen, asked)
        if rows is None:
            found = self.ranking(where).all() if where.palette else palettes.rows[slots_with(palettes, where)]
            rows = np.sort(found)
            rows.setflags(write=False)
            self._passing.put(seen, asked, rows)
        return rows

    def ranking(self, where: Filter) -> Ranking:
        """Return the images that have the colors of `where`, best first; hidden ones are among them.

        Raises ValueError when it asks for no colors, and StoreUnavailable when the database does not answer.
        """
        if not where.has_colors:
            raise ValueError("there are no colors to rank images by")
        asked = asked_alone(where)
        seen, palettes = self._newest()
        known = self._rankings.get(seen, asked)
        if known is None:
            known = ranking_of(palettes, asked)
            self._rankings.put(seen, asked, known)
        return known

    def warm(self) -> threading.Thread:
        """Begin to read in the background what the first search for a color would wait for; return what does it."""
        self._warming = threading.Thread(target=self._warm, name="palettes", daemon=True)
        self._warming.start()
        return self._warming

    def close(self) -> None:
        """End what is being read in the background."""
        self._closed.set()
        if self._warming:
            self._warming.join()

    def _warm(self) -> None:
        try:
            self._newest()
        except StoreUnavailable as error:
            log.warning("the colors of the images cannot be read yet, a search will: %s", error)
            return
        with self._lock:
            palettes, seen, number = self._columns.view(), self._seen, self._read_from_table
        total = int(np.count_nonzero(palettes.counts))
        if self._path is None or total < LEAST_FOR_FILE or number < OUTDATED * total:
            return
        try:
            swatch_file.write(self._path, seen, palettes)
        except OSError as error:
            log.warning("the file of the palettes cannot be written, the next start will read the table: %s", error)
            return
        with self._lock:
            self._read_from_table = 0

    def _newest(self) -> tuple[int, Palettes]:
        """Return the number of the last change, and all palettes as the database has them after it."""
        with self._lock:
            self._catch_up()
            return self._seen, self._columns.view()

    def _catch_up(self) -> None:
        with self.database.read() as connection:
            newest = records_embeddings.last_change(connection)
            if newest == self._seen:
                return
            if self._seen == 0:
                self._begin(connection, newest)
            for start in range(self._seen, newest, CHANGES_PER_READ):
                changed, palettes = _changed(connection, start, min(start + CHANGES_PER_READ, newest))
                self._columns.replace(changed, palettes)
                self._read_from_table += len(changed)
        self._seen = newest

    def _begin(self, connection: Connection, newest: int) -> None:
        """Read everything, from the file or else from the table."""
        if self._path and (found := swatch_file.read(self._path, connection, _of_rows)):
            self._seen, palettes = found
            self._columns = SwatchColumns.of(palettes)
            return
        last = connection.scalar(sa.select(sa.func.max(palette.c.image_row))) or 0
        columns = SwatchColumns()
        nobody = np.empty(0, np.int64)
        for start in range(0, last, CHANGES_PER_READ):
            here = (palette.c.image_row > start) & (palette.c.image_row <= start + CHANGES_PER_READ)
            columns.replace(nobody, _read(connection, here))
            if self._closed.is_set():
                raise StoreUnavailable(CLOSED)
        self._columns, self._seen = columns, newest
        self._read_from_table = len(columns.view())


def _changed(connection: Connection, after: int, until: int) -> tuple[Rows, Palettes]:
    """Return the rows of the images that changed after one number and until another, and the palettes they have now."""
    changed = records_embeddings.rows_changed_between(after, until)
    rows = np.array(list(connection.scalars(changed)), np.int64)
    return rows, _read(connection, palette.c.image_row.in_(changed))


def _of_rows(connection: Connection, rows: Rows) -> Palettes:
    return _read(connection, palette.c.image_row.in_(rows.tolist()))


def _read(connection: Connection, which: sa.ColumnElement[bool]) -> Palettes:
    """Return palettes, in ascending order of rows."""
    columns = palette.c
    found = connection.execute(
        sa.select(
            columns.image_row,
            columns.l,
            columns.a,
            columns.b,
            columns.share,
            sa.func.coalesce(columns.background, sa.false()),
        )
        .where(which)
        .order_by(columns.image_row, columns.position)
    )
    # As one stream of numbers: NumPy asks a Row for its length and items, one by one, a hundred times as slowly.
    values = np.fromiter(itertools.chain.from_iterable(found), np.float64).reshape(-1, _VALUES)
    return palettes_of(
        rows=values[:, 0].astype(np.int64),
        lab=values[:, 1:4].astype(np.float32),
        shares=values[:, 4],
        background=values[:, 5].astype(np.bool_),
    )
