"""The words that images are found by, kept in step with their captions, tags, file names and keywords.

Every function works inside the caller's transaction. Whoever changes one of the four calls `refresh` in the transaction
of the change, with the rows of the images held. The index over the words follows by itself (`word_index`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.stores.tables import image_sources, image_words, images, insert_into, tags
from pipeline.stores.word_index import FIELDS, library_word
from pipeline.words import words_of, words_of_name

ROWS_PER_QUERY = 500  # images whose words are made anew with one journey to the database


def refresh(connection: Connection, rows: Sequence[int]) -> None:
    """Make the words of these images anew from what is written of them now."""
    for start in range(0, len(rows), ROWS_PER_QUERY):
        part = rows[start : start + ROWS_PER_QUERY]
        told = connection.execute(
            sa.select(images.c.row, images.c.library, images.c.caption, images.c.keywords).where(images.c.row.in_(part))
        ).all()
        labels = _lists(connection, tags.c.image_row, tags.c.tag, part)
        names = _lists(connection, image_sources.c.image_row, image_sources.c.filename, part)
        values = [
            {
                "image_row": row,
                "library": library_word(library),
                "caption": _joined(words_of(caption)),
                "tags": _joined(word for tag in sorted(labels[row]) for word in words_of(tag)),
                "names": _joined(word for name in names[row] for word in words_of_name(name)),
                "keywords": _joined(word for keyword, _ in keywords or () for word in words_of(keyword)),
            }
            for row, library, caption, keywords in told
        ]
        if values:
            connection.execute(_put(connection), values)


def _put(connection: Connection) -> sa.Insert:
    statement = insert_into(connection, image_words)
    fresh = {field: statement.excluded[field] for field in FIELDS}
    is_other = sa.or_(*(image_words.c[field] != value for field, value in fresh.items()))
    return statement.on_conflict_do_update(index_elements=["image_row"], set_=fresh, where=is_other)


def _lists(
    connection: Connection, row: sa.ColumnElement[int], text: sa.ColumnElement[str], rows: Sequence[int]
) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for image_row, value in connection.execute(sa.select(row, text).where(row.in_(rows)).order_by(row, text)):
        found[image_row].append(value)
    return found


def _joined(words: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(words))


def words_by_field(connection: Connection, rows: Sequence[int]) -> dict[int, dict[str, list[str]]]:
    """Return the words of a few images, by row and then by field."""
    found = connection.execute(sa.select(image_words).where(image_words.c.image_row.in_(rows))).mappings()
    return {values["image_row"]: {field: values[field].split() for field in FIELDS} for values in found}
