"""All images in memory as filters, facets and sorts see them: which pass, in which order, how many of each kind.

Like the index of vectors this is a cache in the process that follows the database by its change number, which grows
with every commit that touches what filters see. Nothing is found here that the database does not have; what was hidden
a moment ago is left out by whoever reads the records.
"""

import threading
from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa

from pipeline.filters import Filter
from pipeline.sorting import Sort
from pipeline.stores import facets, image_columns, image_masks, records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.facets import Facets
from pipeline.stores.image_columns import ImageColumns, Rows
from pipeline.stores.image_masks import Given
from pipeline.stores.recent import Recent
from pipeline.stores.tables_people import people

ANSWERS_KEPT = 4  # a search asks for the same rows to rank, to look for words and to judge: 8 MB each for a million


@dataclass(frozen=True)
class _Passing:
    """The rows that pass a filter, where `colored` had been given."""

    colored: Rows | None
    rows: Rows


class ImageTable:
    """What is known of every image. May be used from several threads at once.

    Every method raises StoreUnavailable when the database does not answer. `colored`, where a method takes it, are the
    rows that have the colors of the filter (`SwatchTable.rows_with`), None when it asks for none.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._columns = image_columns.no_columns()
        self._passing: Recent[tuple[Filter, Sort | None], _Passing] = Recent(ANSWERS_KEPT)

    def catch_up(self) -> None:
        """Read what was committed since; the first time it is everything, a second for 100,000 images."""
        self._caught_up()

    def rows(self, where: Filter, *, colored: Rows | None, sort: Sort | None = None) -> Rows:
        """Return the rows of all visible images that pass `where`, in ascending order or in that of `sort`.

        The array is read-only.
        """
        given = self._given(where, colored)
        columns = self._caught_up()
        asked = (where, sort)
        known = None if where.uploaders else self._passing.get(columns.seen, asked)  # people can get another name
        if known is not None and known.colored is colored:
            return known.rows
        places = np.flatnonzero(image_masks.passing(columns, where, given))
        rows = columns.rows[places if sort is None else _in_order(columns, places, sort)]
        rows.setflags(write=False)
        self._passing.put(columns.seen, asked, _Passing(colored, rows))
        return rows

    def sorted(self, rows: Rows, sort: Sort) -> Rows:
        """Return those of `rows` that are here in the order of `sort`."""
        columns = self._caught_up()
        return columns.rows[_in_order(columns, columns.places(rows), sort)]

    def count(
        self, where: Filter, *, colored: Rows | None, within: Filter | None = None, among: Rows | None = None
    ) -> Facets:
        """Count what each value of a filter would keep; see `facets.count`.

        Without `within` the libraries of `where` are those that may be seen. Uploaders are told by their names.
        """
        given = self._given(where, colored)
        columns = self._caught_up()
        counted = facets.count(columns, where, given, within=within or where, among=among)
        return replace(counted, uploader=self._by_name(counted.uploader))

    def _by_name(self, counts: dict[str, int]) -> dict[str, int]:
        if not counts:
            return {}
        with self.database.read() as connection:
            found = connection.execute(sa.select(people.c.id, people.c.name).where(people.c.id.in_(list(counts))))
            names = dict(found.all())
        return {names[person_id]: number for person_id, number in counts.items() if person_id in names}

    def _given(self, where: Filter, colored: Rows | None) -> Given:
        if where.has_colors and colored is None:
            raise ValueError("the rows that have the colors of this filter are missing")
        if not where.uploaders:
            return Given(colored)
        with self.database.read() as connection:
            ids = list(connection.scalars(sa.select(people.c.id).where(people.c.name.in_(where.uploaders))))
        return Given(colored, ids)

    def _caught_up(self) -> ImageColumns:
        with self._lock:
            with self.database.read() as connection:
                newest = records_embeddings.last_change(connection)
                if newest != self._columns.seen:
                    self._columns = image_columns.brought_on(self._columns, connection, newest)
            return self._columns


def _in_order(columns: ImageColumns, places: Rows, sort: Sort) -> Rows:
    """Return the places, which are of images, in an order."""
    rows = columns.rows[places]
    if sort is Sort.OLDEST:
        return places[np.argsort(rows)]
    if sort is Sort.LARGEST:
        return places[np.lexsort((-rows, -image_masks.pixels(columns)[places]))]
    if sort in {Sort.TAKEN_NEWEST, Sort.TAKEN_OLDEST}:
        is_newest = sort is Sort.TAKEN_NEWEST
        taken = columns.arrays["taken_at"][places]
        moments = taken.astype(np.int64)
        unknown = np.isnat(taken)
        return places[np.lexsort((-rows if is_newest else rows, -moments if is_newest else moments, unknown))]
    return places[np.argsort(-rows)]
