"""Saved searches: what has come in, what of it matched, and where that is sent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    row = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    json = sa.JSON().with_variant(JSONB(), "postgresql")
    op.create_table(
        "arrivals",
        sa.Column("image_row", row, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["image_row"], ["images.row"], name=op.f("fk_arrivals_image_row"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_row", name=op.f("pk_arrivals")),
    )
    # Whatever has been analyzed before is not new, also when it is analyzed again.
    op.execute("INSERT INTO arrivals (image_row, number) SELECT row, 0 FROM images WHERE analyzed_at IS NOT NULL")
    op.create_index(op.f("ix_arrivals_number"), "arrivals", ["number"])
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(36)),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("fields", json, nullable=False),
        sa.Column("query", json, nullable=False),
        sa.Column("picture_key", sa.String(43)),
        sa.Column("vector", sa.LargeBinary()),
        sa.Column("encoder", sa.String(64)),
        sa.Column("by_picture", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("feed_hash", sa.String(64)),
        sa.Column("feed_made_at", sa.DateTime()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["owner"], ["people.id"], name=op.f("fk_saved_searches_owner"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["picture_key"], ["query_pictures.key"], name=op.f("fk_saved_searches_picture_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_searches")),
        sa.UniqueConstraint("feed_hash", name=op.f("uq_saved_searches_feed_hash")),
    )
    op.create_index(op.f("ix_saved_searches_owner"), "saved_searches", ["owner"])
    op.create_index(op.f("ix_saved_searches_picture_key"), "saved_searches", ["picture_key"])
    op.create_table(
        "saved_matches",
        sa.Column("id", row, autoincrement=True, nullable=False),
        sa.Column("search", sa.String(36), nullable=False),
        sa.Column("image_row", row, nullable=False),
        sa.Column("similarity", sa.Float()),
        sa.Column("strength", sa.String(10)),
        sa.Column("matched_at", sa.DateTime(), nullable=False),
        sa.Column("delivery", sa.String(36)),
        sa.ForeignKeyConstraint(
            ["search"], ["saved_searches.id"], name=op.f("fk_saved_matches_search"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["image_row"], ["images.row"], name=op.f("fk_saved_matches_image_row"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_matches")),
        sa.UniqueConstraint("search", "image_row", name=op.f("uq_saved_matches_search_image_row")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_saved_matches_image_row"), "saved_matches", ["image_row"])
    op.create_index("ix_saved_matches_search_delivery", "saved_matches", ["search", "delivery"])
    op.create_table(
        "webhooks",
        sa.Column("search", sa.String(36), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("delivery", sa.String(36)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(), nullable=False),
        sa.Column("delivered_at", sa.DateTime()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["search"], ["saved_searches.id"], name=op.f("fk_webhooks_search"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("search", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_not_before"), "webhooks", ["not_before"])
