"""What filters see of images, as NumPy arrays beside an index in the process: a filter becomes a mask over its slots.

One array a column, because a filter reads few columns and all of their values.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.filters import Filter
from pipeline.stores.records_embeddings import Change

FIRST_CAPACITY = 1024
TYPES: dict[str, type[np.generic]] = {
    "row": np.int64,
    "change": np.int64,
    "visible": np.bool_,
    "library": np.int32,
    "category": np.int32,
    "scheme": np.int32,
    "brightness": np.float64,  # as the database keeps them: a bound must fall on the same side here and there
    "saturation": np.float64,
    "width": np.int32,
    "height": np.int32,
    "created_at": np.float64,
}
BEGINNING = datetime.fromtimestamp(0, UTC)


class FilterColumns:
    """Grows by appending; slot n belongs to the n-th change that was appended."""

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {
            name: np.zeros(FIRST_CAPACITY, kind) for name, kind in TYPES.items()
        }
        self._length = 0
        self._codes: dict[str, int] = {}

    def append(self, changes: Sequence[Change]) -> None:
        """Add a slot for each change."""
        end = self._length + len(changes)
        if end > len(self._arrays["row"]):
            self._grow(max(end, 2 * self._length, FIRST_CAPACITY))
        columns = zip(*(self._values(change) for change in changes), strict=True)
        for array, values in zip(self._arrays.values(), columns, strict=True):
            array[self._length : end] = values
        self._length = end

    def replace(self, slot: int, change: Change) -> None:
        """Let a slot stand for what `change` says."""
        for array, value in zip(self._arrays.values(), self._values(change), strict=True):
            array[slot] = value

    def hide(self, slot: int) -> None:
        """Let no filter pass this slot any more."""
        self._arrays["visible"][slot] = False

    def keep(self, slots: npt.NDArray[np.int64]) -> None:
        """Drop all slots but these, which are numbered anew in this order."""
        self._arrays = {name: array[slots] for name, array in self._arrays.items()}
        self._length = len(slots)

    def rows(self, slots: npt.NDArray[np.int64] | slice = slice(None)) -> npt.NDArray[np.int64]:
        """Return the row numbers of slots, or of all."""
        return self._arrays["row"][: self._length][slots]

    def changes(self) -> npt.NDArray[np.int64]:
        """Return the number of the change that each slot stands for."""
        return self._column("change")

    def copies(self) -> tuple[dict[str, npt.NDArray[Any]], list[str]]:
        """Return copies of all columns, by name, and the words that stand in them as their place in the list."""
        return {name: self._column(name).copy() for name in TYPES}, list(self._codes)

    @classmethod
    def of(cls, arrays: dict[str, npt.NDArray[Any]], words: Sequence[str]) -> Self:
        """Return what `copies` told of; the arrays are taken over."""
        made = cls()
        made._arrays = arrays
        made._length = len(arrays["row"])
        made._codes = {word: code for code, word in enumerate(words)}
        return made

    def count_visible(self) -> int:
        """Return how many slots stand for visible images."""
        return int(np.count_nonzero(self._column("visible")))

    def mask(self, where: Filter, rows: npt.NDArray[np.int64] | None) -> npt.NDArray[np.bool_]:
        """Return for each slot whether its image is visible, passes `where`, and is among `rows` if they are given."""
        mask: npt.NDArray[np.bool_] = self._column("visible").copy()
        if where.without_libraries:
            hidden = [self._codes[word] for word in where.without_libraries if word in self._codes]
            mask &= ~np.isin(self._column("library"), hidden)
        for name, words in (
            ("library", where.libraries),
            ("category", where.categories or None),
            ("scheme", where.schemes or None),
        ):
            if words is not None:
                codes = [self._codes[word] for word in words if word in self._codes]
                mask &= np.isin(self._column(name), codes)
        for name, minimum, maximum in (
            ("brightness", where.min_brightness, where.max_brightness),
            ("saturation", where.min_saturation, where.highest_saturation),
            ("width", where.min_width, where.max_width),
            ("height", where.min_height, where.max_height),
            ("created_at", _timestamp(where.created_after), _timestamp(where.created_before)),
        ):
            if minimum is not None:
                mask &= self._column(name) >= minimum
            if maximum is not None:
                mask &= self._column(name) <= maximum
        if rows is not None:
            mask &= np.isin(self._column("row"), rows)
        return mask

    def _grow(self, capacity: int) -> None:
        for name, array in self._arrays.items():
            grown = np.zeros(capacity, array.dtype)
            grown[: len(array)] = array
            self._arrays[name] = grown

    def _column(self, name: str) -> npt.NDArray[Any]:
        return self._arrays[name][: self._length]

    def _values(self, change: Change) -> tuple[object, ...]:
        """Return the values of a change, in the order of TYPES."""
        return (
            change.row,
            change.number,
            change.visible,
            self._code(change.library),
            self._code(change.category),
            self._code(change.scheme),
            change.brightness or 0.0,
            change.saturation or 0.0,
            change.width or 0,
            change.height or 0,
            (change.created_at or BEGINNING).timestamp(),
        )

    def _code(self, word: str | None) -> int:
        return self._codes.setdefault(word or "", len(self._codes))


def _timestamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
