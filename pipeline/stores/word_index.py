"""The full-text index over the words of images: FTS5 on SQLite, a tsvector with a GIN index on PostgreSQL.

Both hold the words of `image_words` as they are and follow that table by themselves, through triggers and a generated
column, whoever writes to it: what was copied from another database is found as well. Neither takes words apart, folds
or weighs them; `pipeline.words` has done the one, and `word_search` does the other, so that both databases find the
same. The library is in the index as well, so that what one library has is found without going through all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.words import Asked

FIELDS = ("caption", "tags", "names", "keywords")

MARKS = dict(zip(FIELDS, "CTNK", strict=True))
"""What a word begins with in the tsvector, by its field: 'Cdog' for a dog in a caption. Words have no capital letters.
PostgreSQL's own marks, its weights, are not in a GIN index: every image with a common word would be looked at."""

LIBRARY_MARK = "L"

_SQLITE = (
    # `ascii` parts at spaces and leaves all other letters of ours alone. Which field has a word is kept, its place not.
    (
        "CREATE VIRTUAL TABLE word_index USING fts5({columns}, content='image_words', content_rowid='image_row', "
        "tokenize='ascii', detail='column', columnsize=0)"
    ),
    (
        "CREATE TRIGGER word_index_insert AFTER INSERT ON image_words BEGIN "
        "INSERT INTO word_index(rowid, {columns}) VALUES (new.image_row, {new}); END"
    ),
    (
        "CREATE TRIGGER word_index_delete AFTER DELETE ON image_words BEGIN "
        "INSERT INTO word_index(word_index, rowid, {columns}) VALUES ('delete', old.image_row, {old}); END"
    ),
    (
        "CREATE TRIGGER word_index_update AFTER UPDATE ON image_words BEGIN "
        "INSERT INTO word_index(word_index, rowid, {columns}) VALUES ('delete', old.image_row, {old}); "
        "INSERT INTO word_index(rowid, {columns}) VALUES (new.image_row, {new}); END"
    ),
)

_POSTGRESQL = (
    "ALTER TABLE image_words ADD COLUMN index tsvector GENERATED ALWAYS AS ({vector}) STORED",
    "CREATE INDEX ix_image_words_index ON image_words USING gin (index) WITH (fastupdate = off)",
)

_OF_COLUMN = """CASE {column} WHEN '' THEN '' ELSE '''{mark}' || replace({column}, ' ', ''' ''{mark}') || ''' ' END"""
"""The words of a column as PostgreSQL writes a tsvector: 'Cdog' 'Cbeach'. Its own parser of texts is passed by, which
goes by the language that the server was set up for."""


def library_word(library: str) -> str:
    """Return the id of a library as a word: its bytes in hexadecimal digits."""
    return library.encode().hex()


def statements(dialect: str) -> list[str]:
    """Return what makes the index of a database of this kind, over a table that is there."""
    if dialect == "sqlite":
        columns = ("library", *FIELDS)
        lists = {"columns": columns, "new": [f"new.{name}" for name in columns], "old": [f"old.{c}" for c in columns]}
        filled = {name: ", ".join(parts) for name, parts in lists.items()}
        return [statement.format(**filled) for statement in _SQLITE]
    columns_marked = {"library": LIBRARY_MARK, **MARKS}
    vector = " || ".join(_OF_COLUMN.format(column=column, mark=mark) for column, mark in columns_marked.items())
    return [statement.format(vector=f"({vector})::tsvector") for statement in _POSTGRESQL]


def source(connection: Connection) -> tuple[sa.FromClause, sa.ColumnElement[int]]:
    """Return what is searched, and its column that has the row of an image."""
    if connection.dialect.name == "sqlite":
        table = sa.table("word_index", sa.column("rowid", sa.BigInteger), sa.column("word_index", sa.Text))
        return table, table.c.rowid
    table = sa.table("image_words", sa.column("image_row", sa.BigInteger), sa.column("index", sa.Text))
    return table, table.c.image_row


@dataclass(frozen=True)
class Within:
    """What narrows a look in the index itself: one of the `libraries`, if not None, and words that the tags must have.

    It narrows and does not decide: the conditions of the filter are asked besides.
    """

    libraries: tuple[str, ...] | None = None
    tag_words: tuple[str, ...] = ()


def has(
    table: sa.FromClause, fields: Sequence[str], one: Asked, beside: Sequence[Sequence[Asked]], within: Within
) -> sa.ColumnElement[bool]:
    """Return whether any of `fields` has the word, and any field one of each of those `beside` it.

    Words have nothing in them that could end the quotes in which they are sent.
    """
    libraries = [library_word(library) for library in within.libraries or ()]
    tagged = [[Asked(word, word, 0)] for word in within.tag_words]
    if "word_index" in table.c:
        parts = [_fts(fields, [one]), *(_fts(FIELDS, any_of) for any_of in beside)]
        parts += [_fts(("library",), [Asked(library, library, 0) for library in libraries])] if libraries else []
        parts += [_fts(("tags",), any_of) for any_of in tagged]
        return table.c.word_index.op("MATCH", is_comparison=True)(sa.literal(" AND ".join(parts), sa.Text))
    parts = [_ts(fields, [one]), *(_ts(FIELDS, any_of) for any_of in beside)]
    parts += [f"({' | '.join(LIBRARY_MARK + library for library in libraries)})"] if libraries else []
    parts += [_ts(("tags",), any_of) for any_of in tagged]
    # As a part of the statement: how it is best run depends on how common the words are.
    text = sa.bindparam(None, " & ".join(parts), sa.Text, unique=True, literal_execute=True)
    return table.c.index.op("@@", is_comparison=True)(sa.cast(text, _TsQuery()))


def _fts(fields: Sequence[str], any_of: Sequence[Asked]) -> str:
    """Return a question to FTS5: {caption tags} : ("dog" OR "cat"*)."""
    words = [f'"{one.word}"' for one in any_of] + [f'"{one.beginning}"*' for one in any_of if one.is_beginning]
    return f"{{{' '.join(fields)}}} : ({' OR '.join(words)})"


def _ts(fields: Sequence[str], any_of: Sequence[Asked]) -> str:
    """Return a question to a tsvector: ('Cdog' | 'Tdog' | 'Ccat':* | 'Tcat':*)."""
    words = [f"'{MARKS[field]}{one.word}'" for one in any_of for field in fields]
    words += [f"'{MARKS[field]}{one.beginning}':*" for one in any_of if one.is_beginning for field in fields]
    return f"({' | '.join(words)})"


class _TsQuery(sa.types.UserDefinedType[str]):
    """A question to a tsvector."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        return "tsquery"
