"""The palettes of all images as NumPy arrays: one slot an image, one plane for each of its swatches.

Arrays grow by appending, and a slot is never changed once it was given to a reader: an image whose palette changed gets
a new slot, and its old one is struck off in a new array of those that count. So a view that a search has taken stays as
it was while the next changes come in. An image takes 147 bytes, a million of them 147 MB.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.features.color_difference import NO_CELL, Cells, Floats, cells_of
from pipeline.features.palette import MAX_SWATCHES

Rows = npt.NDArray[np.int64]
Slots = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

PLANES = MAX_SWATCHES
FIRST_CAPACITY = 1024
MOST_STRUCK_OFF = 0.25  # part of the slots that are struck off before the rest is moved together

TYPES: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "cells": (np.uint16, ()),
    "lab": (np.float32, (3,)),
    "shares": (np.float64, ()),  # as told: a bound must fall on the same side here and there
    "background": (np.bool_, ()),
}
"""What a slot has in each plane: type, and shape of a value."""


@dataclass(frozen=True)
class Palettes:
    """The palettes of some images, (planes, images) each, `lab` with three values more; `rows` are whose they are.

    A swatch that is not there has the cell NO_CELL and no share. `counts` are the slots that have not been struck off.
    """

    rows: Rows
    counts: Flags
    cells: Cells
    lab: Floats
    shares: npt.NDArray[np.float64]
    background: Flags

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def empty(cls, number: int) -> Self:
        """Return the palettes of so many images in which no swatch is there."""
        planes: dict[str, npt.NDArray[Any]] = {
            name: np.zeros((PLANES, number, *shape), kind) for name, (kind, shape) in TYPES.items()
        }
        planes["cells"][:] = NO_CELL
        return cls(rows=np.zeros(number, np.int64), counts=np.ones(number, np.bool_), **planes)


def palettes_of(rows: Rows, lab: Floats, shares: npt.NDArray[np.float64], background: Flags) -> Palettes:
    """Return swatches, those of an image one behind the other, as palettes; more than PLANES of one are left out."""
    begins = np.append(True, rows[1:] != rows[:-1]) if len(rows) else np.empty(0, np.bool_)
    firsts = np.flatnonzero(begins)
    slots = np.cumsum(begins) - 1
    planes = np.arange(len(rows)) - firsts[slots]
    kept = planes < PLANES
    slots, planes = slots[kept], planes[kept]
    made = Palettes.empty(len(firsts))
    made.rows[:] = rows[firsts]
    for name, given in (("lab", lab), ("shares", shares), ("background", background), ("cells", cells_of(lab))):
        getattr(made, name)[planes, slots] = given[kept]
    return made


class SwatchColumns:
    """Grows by appending palettes. `view` may be read while others are appended, by one thread at a time."""

    def __init__(self) -> None:
        self._rows: Rows = np.empty(0, np.int64)
        self._counts: Flags = np.empty(0, np.bool_)
        self._planes: dict[str, npt.NDArray[Any]] = {
            name: np.empty((PLANES, 0, *shape), kind) for name, (kind, shape) in TYPES.items()
        }
        self._length = 0

    @classmethod
    def of(cls, palettes: Palettes) -> Self:
        """Return columns that begin with `palettes`, whose arrays are taken over."""
        made = cls()
        made._rows, made._counts, made._length = palettes.rows, palettes.counts, len(palettes)
        made._planes = {name: getattr(palettes, name) for name in TYPES}
        return made

    def view(self) -> Palettes:
        """Return all slots as they are now; they never change."""
        planes = {name: array[:, : self._length] for name, array in self._planes.items()}
        return Palettes(rows=self._rows[: self._length], counts=self._counts, **planes)

    def replace(self, changed: Rows, palettes: Palettes) -> None:
        """Strike off the images that `changed`, and append `palettes`, which those that are there still have now."""
        counts = self._counts & ~np.isin(self._rows[: self._length], changed)
        self._append(palettes)
        self._counts = np.append(counts, palettes.counts)
        if np.count_nonzero(self._counts) < (1 - MOST_STRUCK_OFF) * self._length:
            self._move_together()

    def _append(self, palettes: Palettes) -> None:
        end = self._length + len(palettes)
        if end > len(self._rows):
            self._resize(max(end, len(self._rows) + len(self._rows) // 2, FIRST_CAPACITY))
        self._rows[self._length : end] = palettes.rows
        for name, array in self._planes.items():
            array[:, self._length : end] = getattr(palettes, name)
        self._length = end

    def _resize(self, capacity: int) -> None:
        rows = np.empty(capacity, np.int64)
        rows[: self._length] = self._rows[: self._length]
        self._rows = rows
        for name, array in self._planes.items():
            grown = np.empty((PLANES, capacity, *array.shape[2:]), array.dtype)
            grown[:, : self._length] = array[:, : self._length]
            self._planes[name] = grown

    def _move_together(self) -> None:
        kept = np.flatnonzero(self._counts)
        self._rows = self._rows[kept]
        self._planes = {name: array[:, kept] for name, array in self._planes.items()}
        self._counts = np.ones(len(kept), np.bool_)
        self._length = len(kept)
