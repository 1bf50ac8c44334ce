"""Which palettes have the colors of a filter, and in which order: cheap bounds first, then the exact distance.

A color is first compared with the cells of CIELAB, some 60,000, and each swatch looks up how near its cell can be. Only
palettes that these bounds do not rule out are compared by CIEDE2000, those with the lowest bound first, until nothing
else can come before what a page shows. That is the order of a plain loop over all palettes; where more than
MOST_COMPARED are in doubt, nearly so.
"""

import threading
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.features.color import hex_to_lab
from pipeline.features.color_difference import NO_CELL, Floats, differences, nearest_in_cells
from pipeline.features.palette_fit import FARTHEST, ROUNDING, AskedPalette, asked_palette, palette_distances
from pipeline.filters import Filter
from pipeline.stores.swatch_columns import PLANES, Flags, Palettes, Rows, Slots

REACH = np.float32(12.0)
"""CIEDE2000 within which a swatch may be the color that is asked for, where bounds are taken; any value is right, and
this one, about the distance of two swatches of one picture, rules out most."""

MOST_COMPARED = 60_000
"""Palettes compared before what was found is taken for the best: a quarter of a second of one processor. Only among
millions are there more whose bounds leave a doubt, and then the best ten are still found (docs/measurements.md)."""

FIRST_COMPARED = 2048  # palettes compared at once to begin with; twice as many each time that these were not enough


def slots_with(palettes: Palettes, where: Filter) -> Slots:
    """Return the slots, ascending, in which every one of `where.colors` has its share within the tolerance."""
    kept: Flags = palettes.counts.copy()
    for color in where.colors:
        wanted = hex_to_lab(color)
        bounds = nearest_in_cells(tuple(wanted.tolist()))
        totals = np.zeros(len(palettes))
        has = np.zeros(len(palettes), np.bool_)
        for plane in range(PLANES):
            near = bounds[palettes.cells[plane]] <= where.color_tolerance
            if where.ignore_background:
                near &= ~palettes.background[plane]
            slots = np.flatnonzero(near & kept)
            close = slots[differences(palettes.lab[plane, slots], wanted) <= where.color_tolerance]
            totals[close] += _shares(palettes, close, where)[plane]
            has[close] = True
        kept &= has & (totals >= where.color_share)
    return np.flatnonzero(kept)


def asked_of(where: Filter) -> AskedPalette:
    """Return the colors that `where` asks for, ready to be compared."""
    return asked_palette(
        where.asked_colors,
        tolerance=where.color_tolerance,
        least_share=where.color_share,
        needs_all=bool(where.palette),  # plain colors narrow by a rule of their own, in `slots_with`
    )


def ranking_of(palettes: Palettes, where: Filter) -> "Ranking":
    """Return the palettes that have what `where` asks for, in the order in which they fit it."""
    among = slots_with(palettes, where) if where.colors else np.flatnonzero(palettes.counts)
    limit = where.color_tolerance if where.palette else np.inf
    return Ranking(palettes, where, asked_of(where), among, limit)


class Ranking:
    """The slots `among` which to look, by their distance from what is asked, up to `limit`: found as far as needed.

    May be used from several threads at once.
    """

    def __init__(self, palettes: Palettes, where: Filter, asked: AskedPalette, among: Slots, limit: float) -> None:
        self._palettes = palettes
        self._where = where
        self._asked = asked
        self._limit = limit
        bounds = self._bounds(among)
        possible = np.flatnonzero((bounds <= limit) & np.isfinite(bounds))
        order = possible[np.argsort(bounds[possible], kind="stable")]
        self._waiting, self._bound_of_waiting = among[order], bounds[order]
        self._compared = 0
        self._pending: tuple[Slots, Floats] = (np.empty(0, np.int64), np.empty(0, np.float32))
        self._rows: list[Rows] = []
        self._found = 0
        self._lock = threading.Lock()

    def first(self, number: int) -> Rows:
        """Return the rows of the `number` that fit best, best first and newest first among equals, or all there are."""
        with self._lock:
            while self._found < number and self._compared < len(self._waiting):
                self._compare()
            self._rows = [np.concatenate([*self._rows, np.empty(0, np.int64)])]
            return self._rows[0][:number]

    def all(self) -> Rows:
        """Return the rows of all."""
        return self.first(len(self._waiting) + 1)

    def _compare(self) -> None:
        """Compare some more; those nearer than the lowest bound that is left have found their place.

        Beyond MOST_COMPARED so has everything, and what is found later stands behind it.
        """
        end = self._compared + max(FIRST_COMPARED, self._compared)
        slots = self._waiting[self._compared : end]
        palettes = self._palettes
        shares = _shares(palettes, slots, self._where).astype(np.float32)
        found = palette_distances(self._asked, palettes.lab[:, slots], shares)
        kept = found <= self._limit
        slots = np.concatenate([self._pending[0], slots[kept]])
        distances = np.concatenate([self._pending[1], found[kept]])
        self._compared = min(end, len(self._waiting))
        left = self._bound_of_waiting[self._compared :]
        enough = not len(left) or self._compared >= MOST_COMPARED
        settled = np.ones(len(slots), np.bool_) if enough else distances < left[0]
        rows = palettes.rows[slots[settled]]
        self._rows.append(rows[np.lexsort((-rows, distances[settled]))])
        self._found += len(rows)
        self._pending = slots[~settled], distances[~settled]

    def _bounds(self, among: Slots) -> Floats:
        """Return for each slot a distance that its palette is not nearer than.

        What swatches within REACH cannot give of a color costs REACH at least, the rest what its nearest swatch costs.
        It is infinite where those that may be near enough have too little of a color, twice ROUNDING allowed for.
        """
        palettes = self._palettes
        total = np.zeros(len(among), np.float32)
        cells = palettes.cells[:, among]
        shares = _shares(palettes, among, self._where).astype(np.float32)
        if self._where.ignore_background:
            cells[palettes.background[:, among]] = NO_CELL
        asked = self._asked
        each = zip(asked.lab, asked.weight, asked.demand, asked.least, strict=True)
        for color, weight, demand, least in each:
            bounds = np.minimum(nearest_in_cells(tuple(color.tolist())), np.float32(FARTHEST))
            nearest = np.full(len(among), FARTHEST, np.float32)
            within = np.zeros(len(among), np.float32)
            near_enough = np.zeros(len(among), np.float32)
            for plane in range(PLANES):
                here = bounds[cells[plane]]
                np.minimum(nearest, here, out=nearest)
                within += shares[plane] * (here < REACH)
                near_enough += shares[plane] * (here <= asked.near)
            given = np.minimum(within / demand, 1)
            total += weight * np.maximum(nearest, given * np.minimum(nearest, REACH) + (1 - given) * REACH)
            total[near_enough < least * np.float32(1 - 2 * ROUNDING)] = np.inf
        return total * np.float32(1 - ROUNDING)


def without_background(shares: npt.NDArray[np.float64], background: Flags) -> npt.NDArray[np.float64]:
    """Return the shares of palettes, (swatches, …), without the background; the others then add up to 1."""
    kept = np.where(background, 0.0, shares)
    return np.asarray(kept / np.maximum(kept.sum(axis=0), np.finfo(np.float64).tiny))


def _shares(palettes: Palettes, slots: Slots, where: Filter) -> npt.NDArray[np.float64]:
    shares = palettes.shares[:, slots]
    return without_background(shares, palettes.background[:, slots]) if where.ignore_background else shares


def asked_alone(where: Filter) -> Filter:
    """Return what `where` says of colors, and nothing else: what a ranking depends on."""
    return replace(
        Filter(),
        colors=where.colors,
        palette=where.palette,
        color_tolerance=where.color_tolerance,
        color_share=where.color_share,
        ignore_background=where.ignore_background,
    )
