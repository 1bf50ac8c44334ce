"""The colors of all images in memory, searched by CIEDE2000: which images have a color, and enough of it.

Like the index of vectors this is a cache in the process that follows the database by its change number: a palette is
written in the transaction that writes the embedding of its image.
"""

import threading

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.color import ciede2000, hex_to_lab
from pipeline.filters import Filter
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.tables import palette

Rows = npt.NDArray[np.int64]

CHANGES_PER_READ = 20_000  # about 100,000 swatches, 20 MB while they are read
LIGHTNESS_PER_DELTA_E = 1.75
"""In CIEDE2000 a difference of lightness is divided by at most 1.75 (S_L at L* = 0 or 100), so colors within a
tolerance t differ by at most 1.75 t in L*; only those are compared. Sharma, Wu, Dalal 2005, equation 15."""


class SwatchTable:
    """Every swatch of every image: row, CIELAB color, share. May be used from several threads at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._seen = 0
        self._rows = np.empty(0, np.int64)
        self._lab = np.empty((0, 3), np.float32)
        self._shares = np.empty(0, np.float64)  # as told: a bound must fall on the same side here and there

    def rows_with(self, where: Filter) -> Rows | None:
        """Return the sorted rows of images in which every color of `where` has its share; None when none is asked.

        Hidden images are among them. Raises StoreUnavailable when the database does not answer.
        """
        if not where.colors:
            return None
        with self._lock:
            self._catch_up()
            rows, lab, shares = self._rows, self._lab, self._shares  # replaced as a whole, never changed in place
        kept: Rows | None = None
        for color in where.colors:
            found = _rows_of_color(rows, lab, shares, hex_to_lab(color), where)
            kept = found if kept is None else np.intersect1d(kept, found, assume_unique=True)
        return kept

    def _catch_up(self) -> None:
        with self.database.read() as connection:
            newest = records_embeddings.last_change(connection)
            if newest == self._seen:
                return
            changed, fresh = [], []
            for start in range(self._seen, newest, CHANGES_PER_READ):
                images_changed, swatches = _read(connection, start, min(start + CHANGES_PER_READ, newest))
                changed.append(images_changed)
                fresh.append(swatches)
        added = np.concatenate(fresh)
        stays = ~np.isin(self._rows, np.concatenate(changed))
        self._rows = np.concatenate([self._rows[stays], added[:, 0].astype(np.int64)])
        self._lab = np.concatenate([self._lab[stays], added[:, 1:4].astype(np.float32)])
        self._shares = np.concatenate([self._shares[stays], added[:, 4]])
        self._seen = newest


def _read(connection: Connection, after: int, until: int) -> tuple[Rows, npt.NDArray[np.float64]]:
    """Return the rows of the images that changed after one number and until another, and their swatches."""
    changed = records_embeddings.rows_changed_between(after, until)
    rows = np.array(list(connection.scalars(changed)), np.int64)
    found = connection.execute(
        sa.select(palette.c.image_row, palette.c.l, palette.c.a, palette.c.b, palette.c.share).where(
            palette.c.image_row.in_(changed)
        )
    )
    # Through plain tuples: NumPy asks a Row for its length and items, one by one, a hundred times as slowly.
    return rows, np.array([tuple(swatch) for swatch in found], np.float64).reshape(-1, 5)


def _rows_of_color(
    rows: Rows,
    lab: npt.NDArray[np.float32],
    shares: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.float32],
    where: Filter,
) -> Rows:
    near = np.abs(lab[:, 0] - wanted[0]) <= where.color_tolerance * LIGHTNESS_PER_DELTA_E
    close = np.flatnonzero(near)
    close = close[ciede2000(lab[close], wanted) <= where.color_tolerance]
    found, places = np.unique(rows[close], return_inverse=True)
    totals = np.bincount(places, weights=shares[close], minlength=len(found))
    enough: Rows = found[totals >= where.color_share]
    return enough
