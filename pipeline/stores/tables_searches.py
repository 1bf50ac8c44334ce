"""The tables of saved searches: what was asked, what has come in, what of it matched, and where that is sent."""

import sqlalchemy as sa

from pipeline.stores.tables import Json, RowId, UtcTime, images, metadata, query_pictures
from pipeline.stores.tables_people import people

arrivals = sa.Table(
    "arrivals",
    metadata,
    sa.Column(
        "image_row", sa.ForeignKey(images.c.row, ondelete="CASCADE"), primary_key=True, autoincrement=False, type_=RowId
    ),
    sa.Column("number", sa.BigInteger, nullable=False, index=True),
)
"""When each image was analyzed for the first time, in numbers of the change counter: whoever has seen number n has
seen all that came before. It never changes again, so an image comes in once, however often it is analyzed, restored or
embedded by another encoder. 0 is for those that were there before this was written down."""

saved_searches = sa.Table(
    "saved_searches",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("owner", sa.ForeignKey(people.c.id, ondelete="CASCADE"), index=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("fields", Json, nullable=False),
    sa.Column("query", Json, nullable=False),
    sa.Column("picture_key", sa.ForeignKey(query_pictures.c.key), index=True),
    sa.Column("vector", sa.LargeBinary),
    sa.Column("encoder", sa.String(64)),
    sa.Column("by_picture", sa.Boolean, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("feed_hash", sa.String(64), unique=True),
    sa.Column("feed_made_at", UtcTime),
    sa.Column("created_at", UtcTime, nullable=False),
)
"""`fields` are those of the address of the search, `query` is what was read from them. `vector` is float32 of unit
length by `encoder`, None without a question. `seen` is the number of the last arrival that was compared. `owner` is
None where there are no accounts."""

saved_matches = sa.Table(
    "saved_matches",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("search", sa.ForeignKey(saved_searches.c.id, ondelete="CASCADE"), nullable=False),
    sa.Column("image_row", sa.ForeignKey(images.c.row, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("similarity", sa.Float),
    sa.Column("strength", sa.String(10)),
    sa.Column("matched_at", UtcTime, nullable=False),
    sa.Column("delivery", sa.String(36)),
    sa.UniqueConstraint("search", "image_row"),
    sa.Index("ix_saved_matches_search_delivery", "search", "delivery"),
    sqlite_autoincrement=True,
)
"""`delivery` is what a webhook was told the match with, None while it waits to be told, "" when it never will be."""

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("search", sa.ForeignKey(saved_searches.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("secret", sa.String(64), nullable=False),
    sa.Column("delivery", sa.String(36)),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("not_before", UtcTime, nullable=False, index=True),
    sa.Column("delivered_at", UtcTime),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("stopped", sa.Boolean, nullable=False),
)
"""Where new matches are sent. `secret` is kept as it is, because it signs. `delivery` is what is being told, tried
`attempts` times; nothing is tried before `not_before`. `error` is what came of the last try, "" when it was taken."""
