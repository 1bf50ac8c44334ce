"""The tables, as SQLAlchemy Core describes them. Migrations make them; `records_*` read and write them."""

from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeDecorator

from pipeline.features.picture import COLOR_NAMES, Keyword

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # only INTEGER becomes SQLite's own row id


KEYWORD_DIGITS = 4  # as similarities are told

Json = sa.JSON().with_variant(JSONB, "postgresql")


class UtcTime(TypeDecorator[datetime]):
    """A moment, kept as UTC without a zone because SQLite knows none, and given back with the zone."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return value.replace(tzinfo=UTC) if value else None


def insert_into(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that can say what is done when another transaction was quicker: `on_conflict_do_…`."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def keywords_json(keywords: Iterable[Keyword]) -> list[list[object]]:
    """Return keywords as they are kept: pairs of a word and its cosine."""
    return [[keyword.word, round(keyword.similarity, KEYWORD_DIGITS)] for keyword in keywords]


def color_share_column(name: str) -> str:
    """Return the column that holds the share of a basic color."""
    return f"color_{name}"


counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

libraries = sa.Table(
    "libraries",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("deleted_at", UtcTime),
)
"""The tenants. Names need not be unique: two people who do not know of each other may both have a "family"."""

images = sa.Table(
    "images",
    metadata,
    sa.Column("row", RowId, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("library", sa.ForeignKey("libraries.id"), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, index=True),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("error_code", sa.String(40)),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("not_before", UtcTime, nullable=False),
    sa.Column("lease_until", UtcTime),
    sa.Column("lease_token", sa.String(32)),
    sa.Column("path", sa.Text),
    sa.Column("media_type", sa.String(40), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("taken_at", sa.DateTime),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("deleted_at", UtcTime),
    sa.Column("caption", sa.Text, nullable=False, server_default=""),
    sa.Column("exif", Json, nullable=False),
    sa.Column("encoder", sa.String(64)),
    sa.Column("analysis_version", sa.Integer),
    sa.Column("analyzed_at", UtcTime, index=True),
    sa.Column("category", sa.String(20)),
    sa.Column("category_scores", Json),
    sa.Column("keywords", Json),
    sa.Column("scheme", sa.String(10)),
    sa.Column("brightness", sa.Float),
    sa.Column("saturation", sa.Float),
    *(sa.Column(color_share_column(name), sa.Float) for name in COLOR_NAMES),
    sa.UniqueConstraint("library", "sha256"),
    sa.Index("ix_images_state_row", "state", "row"),  # the queue, oldest first, without sorting it
    sa.Index("ix_images_deleted_at", "deleted_at"),
    sa.Index("ix_images_library_row", "library", "row"),  # a library, newest first
    sa.Index("ix_images_created_at", "created_at").ddl_if(dialect="postgresql"),
    sqlite_autoincrement=True,  # a purged row number is never given to another image
)
"""`analyzed_at` is when an image became READY last, or a moderator approved one that never had; None for what the banks
of its library are to judge before it is shown (`principal_sql.UNJUDGED`)."""

image_sources = sa.Table(
    "image_sources",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("image_row", sa.ForeignKey("images.row", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("path", sa.Text, index=True),
    sa.Column("file_stamp", sa.String(64)),
    sa.Column("uploader", sa.String(36), index=True),
    sa.Column("created_at", UtcTime, nullable=False),
)
"""`uploader` is the id of a person; it is None for what came in without accounts or from the shell."""

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("image_row", sa.ForeignKey("images.row", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag", sa.String(100), primary_key=True, index=True),
)

image_words = sa.Table(
    "image_words",
    metadata,
    sa.Column("image_row", sa.ForeignKey("images.row", ondelete="CASCADE"), primary_key=True),
    sa.Column("library", sa.Text, nullable=False),
    sa.Column("caption", sa.Text, nullable=False),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("names", sa.Text, nullable=False),
    sa.Column("keywords", sa.Text, nullable=False),
)
"""The words by which a text finds an image (`pipeline.words`), parted by spaces: of its caption, its tags, the names of
its files, and its keywords. `library` is its id as such a word. The full-text index over all of these is kept by the
database itself: see `word_index`."""

palette = sa.Table(
    "palette",
    metadata,
    sa.Column("image_row", sa.ForeignKey("images.row", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("l", sa.Float, nullable=False, index=True),
    sa.Column("a", sa.Float, nullable=False),
    sa.Column("b", sa.Float, nullable=False),
    sa.Column("hex", sa.String(7), nullable=False),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("background", sa.Boolean),
)
"""`background` is NULL where an image was analyzed before it was looked for."""

encoders = sa.Table(
    "encoders",
    metadata,
    sa.Column("fingerprint", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("resting", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("claimed_row", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("claimed_at", UtcTime),
    sa.Column("begun_at", UtcTime),
    sa.Column("begun_with", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("ended_at", UtcTime),
    sa.Column("bands", Json),
    sa.Column("trouble", sa.Text),
    sa.Column("bands_images", sa.BigInteger),
    *(
        sa.Index(f"ix_encoders_one_{state}", "state", unique=True, sqlite_where=chosen, postgresql_where=chosen)
        for state, chosen in (("active", sa.text("state = 'active'")), ("building", sa.text("state = 'building'")))
    ),
)
"""`state` is active (its vectors are searched), building (they are being computed) or old (they are kept).

While building, workers take images in the order of their rows: those up to `claimed_row` have been taken, last at
`claimed_at`; since `begun_at`, or since it rested last, when `begun_with` had theirs. `ended_at` is when it became old.
`bands` say from which cosine on a hit is strong or possible, when that was measured in this database, and
`bands_images` how many pictures could be seen then. `trouble` is the sentence about a model that failed, because of
which its filling rests."""

embeddings = sa.Table(
    "embeddings",
    metadata,
    sa.Column("image_row", RowId, primary_key=True, autoincrement=False),
    sa.Column("encoder", sa.ForeignKey("encoders.fingerprint"), primary_key=True),
    sa.Column("region", sa.String(20), primary_key=True, server_default="whole"),
    sa.Column("change", sa.BigInteger, nullable=False),
    sa.Column("vector", sa.LargeBinary),
    sa.Index("ix_embeddings_change", "encoder", "change"),
    sa.Index(
        "ix_embeddings_unreadable",
        "encoder",
        "region",  # always the same, and what lets SQLite prefer it
        sqlite_where=sa.text("region = 'unreadable'"),
        postgresql_where=sa.text("region = 'unreadable'"),
    ),
)
"""float16 vectors. `change` grows with every commit that touches the row or what filters see of its image, so that
an index can follow the table. A row without a vector says that the image is gone; it outlives the image."""

query_pictures = sa.Table(
    "query_pictures",
    metadata,
    sa.Column("key", sa.String(43), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("encoder", sa.String(64), nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("thumbnail", sa.LargeBinary, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False, index=True),
)

frozen_results = sa.Table(
    "frozen_results",
    metadata,
    sa.Column("key", sa.ForeignKey("query_pictures.key", ondelete="CASCADE"), primary_key=True),
    sa.Column("filter_digest", sa.String(64), primary_key=True),
    sa.Column("rows", sa.LargeBinary, nullable=False),
    sa.Column("similarities", sa.LargeBinary, nullable=False),
)

upload_cards = sa.Table(
    "upload_cards",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("batch", sa.String(43), nullable=False, index=True),
    sa.Column("uploader", sa.String(36)),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("image_id", sa.String(36)),
    sa.Column("created_at", UtcTime, nullable=False, index=True),
)

vector_copies = sa.Table(
    "vector_copies",
    metadata,
    sa.Column("address", sa.String(300), primary_key=True),
    sa.Column("encoder", sa.ForeignKey("encoders.fingerprint"), primary_key=True),
    sa.Column("place", sa.String(64), nullable=False),
    sa.Column("change", sa.BigInteger, nullable=False),
    sa.Column("written_at", UtcTime, nullable=False),
)
"""How far the vector engines that processes share have followed the embeddings: one row an engine and encoder.

`address` is without a password, `place` the collection or table that answers now, `change` the last change that is in
it, `written_at` when it was last written to."""

LONGEST_ORIGIN = 300  # characters; what is longer is cut, also where it is compared

moves = sa.Table(
    "moves",
    metadata,
    sa.Column("kind", sa.String(10), primary_key=True),
    sa.Column("origin", sa.String(LONGEST_ORIGIN), primary_key=True),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("moved_at", UtcTime, nullable=False),
)
"""Where what lay at `origin` lies now. A `database` that has moved refuses lasting changes; an `arrival` says that it
is being filled from the installation `target`. `objects` have once moved and are in the store whose id is `origin`, at
the address `target`; changes are refused to whoever keeps them in another one. See `charge`.

Whoever is told to use `vectors` at `origin` uses those at `target`, which may have a password in it."""
