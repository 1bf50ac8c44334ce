"""Which images have the words of a question, best first.

The order is made here and not by the database, so that it is the same on each: images that have more of the words come
first, a rare word counts more than a common one, one of a text that weighs more too, a caption or a tag more than the
name of a file, and of equals the newest comes first. How rare a word is, is counted among what may be found, so that
the order tells nothing of other libraries.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.filters import Filter
from pipeline.stores.filter_sql import VISIBLE, conditions
from pipeline.stores.swatch_columns import Rows
from pipeline.stores.tables import images
from pipeline.stores.word_index import Within, has, source
from pipeline.words import Asked, words_of

LOOKED_THROUGH = 1000
"""Images looked at for each word, the newest that have it. Where more have it, those are looked for besides that have a
rarer word of the question too, and those that have all of its common ones."""

LOOKED_THROUGH_DEEP = 20_000
"""The same for those who page to where the first look ends, and nothing but words ranks. Nobody pages deeper."""

FIELD_WEIGHTS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (1.0, ("caption", "tags")),
    (0.5, ("names",)),
    (0.2, ("keywords",)),
)
"""What a word counts by where it stands: written by a person, called so by somebody or a camera, or read off the
picture by an encoder."""

BEGINNING_WEIGHT = 0.5  # what a longer word counts that the last word of the question begins

SCORE_DIGITS = 6  # what is nearer is equal: additions of the same numbers may be rounded in another order

Ints = npt.NDArray[np.int64]


class Ranked(NamedTuple):
    """An image that has words of a question, and what part of the question these are, 0 to 1: rare ones are more."""

    row: int
    share: float


@dataclass(frozen=True)
class _Look:
    """What is looked for at once: the word of this number in some fields, with any of each of those `beside` it."""

    number: int
    one: Asked
    weight: float
    fields: tuple[str, ...]
    beside: tuple[tuple[Asked, ...], ...] = ()


@dataclass(frozen=True)
class _Seen:
    """The newest images that a look found, as an array of rows. There may be more when they are `is_cut`."""

    look: _Look
    rows: Ints
    is_cut: bool


def rank(
    connection: Connection,
    asked: Sequence[Asked],
    where: Filter,
    *,
    colored: Rows | None = None,
    look_through: int = LOOKED_THROUGH,
) -> list[Ranked]:
    """Return the visible images that pass `where` and have any of the words, best first.

    `colored` are the rows that have the colors of the filter, needed when it asks for any. For each word, the newest
    `look_through` images are considered.
    """
    if not asked or where.libraries == ():
        return []
    passing = (VISIBLE, *conditions(where, colored))
    within = Within(where.libraries, tuple(word for tag in where.tags for word in words_of(tag)))
    seen = _look_for(connection, _every_word(asked), within, passing, look_through)
    seen += _look_for(connection, _common_words(asked, seen), within, passing, look_through)
    return _ranked(seen, np.array([one.weight for one in asked]))


def _every_word(asked: Sequence[Asked]) -> list[_Look]:
    looks = []
    for number, one in enumerate(asked):
        for weight, fields in FIELD_WEIGHTS:
            looks.append(_Look(number, replace(one, is_beginning=False), weight, fields))
            if one.is_beginning:
                looks.append(_Look(number, one, weight * BEGINNING_WEIGHT, fields))
    return looks


def _common_words(asked: Sequence[Asked], seen: Sequence[_Seen]) -> list[_Look]:
    """Return how to look again for words that more images have than were looked through."""
    cut = [one.look for one in seen if one.is_cut]
    common = sorted({look.number for look in cut})
    rare = tuple(one for number, one in enumerate(asked) if number not in common)
    beside_rare = [replace(look, beside=(rare,)) for look in cut if rare]
    all_of_them = tuple((asked[number],) for number in common)
    return beside_rare + [replace(look, beside=all_of_them) for look in cut if len(common) > 1]


def _look_for(
    connection: Connection,
    looks: Sequence[_Look],
    within: Within,
    passing: Sequence[sa.ColumnElement[bool]],
    most: int,
) -> list[_Seen]:
    if not looks:
        return []
    table, row = source(connection)
    parts = [
        sa.select(sa.literal_column(str(place)).label("place"), row.label("row"))
        .select_from(table.join(images, images.c.row == row))
        .where(has(table, look.fields, look.one, look.beside, within), *passing)
        .order_by(row.desc())
        .limit(most)
        .subquery()
        for place, look in enumerate(looks)
    ]
    found: list[list[int]] = [[] for _ in looks]
    for place, image_row in connection.execute(sa.union_all(*(sa.select(part) for part in parts))):
        found[place].append(image_row)
    return [_Seen(look, np.array(rows, np.int64), len(rows) >= most) for look, rows in zip(looks, found, strict=True)]


def _ranked(seen: Sequence[_Seen], counting: npt.NDArray[np.float64]) -> list[Ranked]:
    """Return the rows of all looks, best first; `counting` is what each word of the question counts, (words,)."""
    if not any(len(one.rows) for one in seen):
        return []
    rows, places = np.unique(np.concatenate([one.rows for one in seen]), return_inverse=True)
    weights = np.zeros((len(rows), len(counting)))
    start = 0
    for one in seen:
        at = places[start : start + len(one.rows)]
        weights[at, one.look.number] = np.maximum(weights[at, one.look.number], one.look.weight)
        start += len(one.rows)
    having = np.count_nonzero(weights, axis=0)
    rarity = np.log1p(len(rows) / np.maximum(having, 1))
    rarity[having == 0] = rarity[having > 0].mean()  # a word that no image has is missing from each, and no rarity
    telling = rarity * counting
    shares = np.round(weights @ (telling / telling.sum()), SCORE_DIGITS)
    return [Ranked(int(rows[place]), float(shares[place])) for place in np.lexsort((-rows, -shares))]
