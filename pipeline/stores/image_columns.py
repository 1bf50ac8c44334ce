"""What filters and sorts see of every image, as NumPy arrays: one a property, and pairs for what there are many of.

A value: bringing it on returns another one, so whoever reads needs no lock.
An image takes about 80 bytes, and 12 for each of its tags.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.picture import COLOR_NAMES
from pipeline.filters import NAMED_COLOR_SHARE
from pipeline.images import ImageState
from pipeline.stores import records_embeddings
from pipeline.stores.filter_sql import is_any_of
from pipeline.stores.tables import color_share_column, image_sources, images, tags

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

IMAGES_PER_READ = 20_000  # 10 MB while they are read

WORDS = ("library", "category", "scheme", "media_type")
"""The properties that are kept as the number of their word."""

TYPES: dict[str, str] = {
    "visible": "?",
    **dict.fromkeys(WORDS, "i4"),
    "colors": "i4",
    "brightness": "f8",  # as the database keeps them: a bound must fall on the same side here and there
    "saturation": "f8",
    "width": "i4",
    "height": "i4",
    "bytes": "i8",
    "created_at": "M8[us]",
    "taken_at": "M8[us]",
}
"""Every property with its type. In `colors` a bit is set for each of COLOR_NAMES that the picture is listed under."""


@dataclass(frozen=True)
class Pairs:
    """What an image may have several of: images by their rows, beside them the number of a word."""

    rows: Rows
    words: npt.NDArray[np.int32]

    def without(self, rows: Rows) -> "Pairs":
        """Return what is not of these images."""
        stays = ~np.isin(self.rows, rows)
        return Pairs(self.rows[stays], self.words[stays])

    def and_others(self, others: "Pairs") -> "Pairs":
        """Return both together."""
        return Pairs(np.concatenate([self.rows, others.rows]), np.concatenate([self.words, others.words]))


NO_PAIRS = Pairs(np.empty(0, np.int64), np.empty(0, np.int32))


class Words:
    """Words and their numbers, in the order in which they were met; none is ever forgotten."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, word: str | None) -> int:
        """Return the number of a word, which is a new one if it has not been met."""
        found = self._numbers.get(word or "")
        if found is None:
            found = len(self.all)
            self.all.append(word or "")  # before its number is known, so that no number is met that has no word
            self._numbers[word or ""] = found
        return found

    def numbers(self, words: Iterable[str | None]) -> list[int]:
        """Return the number of each word."""
        met = self._numbers
        return [met[word] if word in met else self.number(word) for word in words]

    def known(self, words: Sequence[str]) -> list[int]:
        """Return the numbers of those words that have been met."""
        return [self._numbers[word] for word in words if word in self._numbers]


@dataclass(frozen=True)
class ImageColumns:
    """The images in ascending order of their `rows`, and `arrays` of the same length by the names of TYPES.

    `seen` is the number of the last change that is in them. `words` is shared by all that come after one another.
    """

    seen: int
    rows: Rows
    arrays: dict[str, npt.NDArray[Any]]
    tags: Pairs = NO_PAIRS
    uploaders: Pairs = NO_PAIRS
    words: Words = field(default_factory=Words)

    def __len__(self) -> int:
        return len(self.rows)

    def places(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return where those of `rows` stand that are here, in the order given."""
        if not len(self.rows):
            return np.empty(0, np.int64)
        places = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        there: Rows = places[self.rows[places] == rows]
        return there

    def mask_of(self, rows: Rows) -> Mask:
        """Return for each image whether it is among `rows`."""
        mask = np.zeros(len(self.rows), np.bool_)
        mask[self.places(rows)] = True
        return mask


NOTHING_READ = -1  # before every change there can be


def no_columns() -> ImageColumns:
    """Return what is known before anything was read."""
    return ImageColumns(NOTHING_READ, np.empty(0, np.int64), {name: np.empty(0, kind) for name, kind in TYPES.items()})


def brought_on(held: ImageColumns, connection: Connection, newest: int) -> ImageColumns:
    """Return `held` with every change until the number `newest`."""
    if held.seen == NOTHING_READ:
        return _read_all(connection, newest, held.words)
    for start in range(held.seen, newest, IMAGES_PER_READ):
        end = min(start + IMAGES_PER_READ, newest)
        changed = records_embeddings.rows_changed_between(start, end)
        rows = np.unique(np.array(list(connection.scalars(changed)), np.int64))
        if len(rows):
            there, arrays = _read(connection, is_any_of(rows), held.words)
            held = _merged(_without(held, rows, there), there, arrays)
            held = replace(
                held,
                tags=held.tags.without(rows).and_others(_tags(connection, rows, held.words)),
                uploaders=held.uploaders.without(rows).and_others(_uploaders(connection, rows, held.words)),
            )
    return replace(held, seen=newest)


def _read_all(connection: Connection, newest: int, words: Words) -> ImageColumns:
    parts = list(_parts(connection, words))
    held = no_columns()
    rows = np.concatenate([held.rows, *(part[0] for part in parts)])
    arrays = {name: np.concatenate([empty, *(part[1][name] for part in parts)]) for name, empty in held.arrays.items()}
    return ImageColumns(
        newest, rows, arrays, _tags(connection, None, words), _uploaders(connection, None, words), words
    )


def _parts(connection: Connection, words: Words) -> Iterator[tuple[Rows, dict[str, npt.NDArray[Any]]]]:
    """Read every analyzed image; one that is still waiting comes with the change that its analysis makes."""
    last = 0
    while True:
        some = (
            sa.select(images.c.row)
            .where(images.c.row > last, images.c.state == ImageState.READY)
            .order_by(images.c.row)
            .limit(IMAGES_PER_READ)
        )
        rows, arrays = _read(connection, images.c.row.in_(some.scalar_subquery()), words)
        if not len(rows):
            return
        yield rows, arrays
        last = int(rows[-1])


def _read(
    connection: Connection, condition: sa.ColumnElement[bool], words: Words
) -> tuple[Rows, dict[str, npt.NDArray[Any]]]:
    columns = images.c
    # Times as the driver gives them: NumPy reads a hundred thousand at once in the time of a few thousand datetimes.
    plain = sa.String() if connection.dialect.name == "sqlite" else sa.DateTime()
    bits = [
        sa.case((columns[color_share_column(name)] >= NAMED_COLOR_SHARE, 1 << place), else_=0)
        for place, name in enumerate(COLOR_NAMES)
    ]
    colors: sa.ColumnElement[int] = sa.literal_column("0")
    for bit in bits:
        colors = colors + bit
    selected: dict[str, sa.ColumnElement[Any]] = {
        "visible": (columns.state == ImageState.READY) & columns.deleted_at.is_(None),
        "colors": colors,
        "created_at": sa.type_coerce(columns.created_at, plain),
        "taken_at": sa.type_coerce(columns.taken_at, plain),
    }
    asked = sa.select(columns.row, *(selected[name] if name in selected else columns[name] for name in TYPES))
    found = connection.execute(asked.where(condition).order_by(columns.row)).all()
    values = list(zip(*found, strict=True)) or [()] * (1 + len(TYPES))
    arrays = {}
    for name, column in zip(TYPES, values[1:], strict=True):
        numbers = words.numbers(column) if name in WORDS else column
        arrays[name] = np.array(numbers, TYPES[name])
    return np.array(values[0], np.int64), arrays


def _tags(connection: Connection, changed: Rows | None, words: Words) -> Pairs:
    return _pairs(connection, tags.c.tag, tags.c.image_row, changed, words)


def _uploaders(connection: Connection, changed: Rows | None, words: Words) -> Pairs:
    """Return who brought each image, everybody once."""
    columns = image_sources.c
    return _pairs(connection, columns.uploader, columns.image_row, changed, words)


def _pairs(
    connection: Connection,
    word: sa.Column[str],
    row: sa.Column[int],
    changed: Rows | None,
    words: Words,
) -> Pairs:
    # A word with all its images in one text: a row for each pair takes ten times as long to come.
    listed = sa.func.aggregate_strings(sa.cast(row, sa.String), ",")
    asked = sa.select(word, listed).where(word.is_not(None)).group_by(word)
    found = connection.execute(asked if changed is None else asked.where(is_any_of(changed, row))).all()
    rows = [np.unique(np.array(their_rows.split(","), np.int64)) for _, their_rows in found]
    numbers = np.array(words.numbers(met for met, _ in found), np.int32)
    times = np.array([len(their_rows) for their_rows in rows], np.int64)
    return Pairs(np.concatenate([NO_PAIRS.rows, *rows]), np.repeat(numbers, times))


def _without(held: ImageColumns, changed: Rows, there: Rows) -> ImageColumns:
    """Return `held` with those images hidden that have changed so much that they are not there any more."""
    gone = np.setdiff1d(changed, there, assume_unique=True)
    if not len(gone):
        return held
    visible = held.arrays["visible"].copy()
    visible[held.places(gone)] = False
    return replace(held, arrays=held.arrays | {"visible": visible})


def _merged(held: ImageColumns, rows: Rows, arrays: dict[str, npt.NDArray[Any]]) -> ImageColumns:
    """Return `held` with images that have changed or come in, which are in ascending order."""
    places = held.places(rows)
    is_known = np.isin(rows, held.rows[places], assume_unique=True)
    all_rows = np.concatenate([held.rows, rows[~is_known]])
    merged = {}
    for name, array in held.arrays.items():
        grown = np.concatenate([array, arrays[name][~is_known]])
        grown[places] = arrays[name][is_known]
        merged[name] = grown
    if np.any(all_rows[1:] < all_rows[:-1]):
        order = np.argsort(all_rows, kind="stable")
        all_rows, merged = all_rows[order], {name: array[order] for name, array in merged.items()}
    return replace(held, rows=all_rows, arrays=merged)
