"""The first tables."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "encoders",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_encoders")),
    )
    op.create_table(
        "libraries",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_libraries")),
    )
    op.create_table(
        "query_pictures",
        sa.Column("key", sa.String(length=43), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("encoder", sa.String(length=64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_query_pictures")),
    )
    op.create_index(op.f("ix_query_pictures_created_at"), "query_pictures", ["created_at"], unique=False)
    op.create_table(
        "upload_cards",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("batch", sa.String(length=43), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("image_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_cards")),
    )
    op.create_index(op.f("ix_upload_cards_batch"), "upload_cards", ["batch"], unique=False)
    op.create_index(op.f("ix_upload_cards_created_at"), "upload_cards", ["created_at"], unique=False)
    op.create_table(
        "embeddings",
        sa.Column("image_row", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("encoder", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=20), server_default="whole", nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["encoder"], ["encoders.fingerprint"], name=op.f("fk_embeddings_encoder")),
        sa.PrimaryKeyConstraint("image_row", "encoder", "region", name=op.f("pk_embeddings")),
    )
    op.create_index("ix_embeddings_change", "embeddings", ["encoder", "change"], unique=False)
    op.create_table(
        "frozen_results",
        sa.Column("key", sa.String(length=43), nullable=False),
        sa.Column("filter_digest", sa.String(length=64), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("similarities", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key"], ["query_pictures.key"], name=op.f("fk_frozen_results_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", "filter_digest", name=op.f("pk_frozen_results")),
    )
    op.create_table(
        "images",
        sa.Column("row", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("library", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(), nullable=False),
        sa.Column("lease_until", sa.DateTime(), nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("caption", sa.Text(), server_default="", nullable=False),
        sa.Column("exif", sa.JSON(), nullable=False),
        sa.Column("encoder", sa.String(length=64), nullable=True),
        sa.Column("analysis_version", sa.Integer(), nullable=True),
        sa.Column("analyzed_at", sa.DateTime(), nullable=True),
        sa.Column("category", sa.String(length=20), nullable=True),
        sa.Column("category_scores", sa.JSON(), nullable=True),
        sa.Column("scheme", sa.String(length=10), nullable=True),
        sa.Column("brightness", sa.Float(), nullable=True),
        sa.Column("saturation", sa.Float(), nullable=True),
        sa.Column("color_black", sa.Float(), nullable=True),
        sa.Column("color_white", sa.Float(), nullable=True),
        sa.Column("color_gray", sa.Float(), nullable=True),
        sa.Column("color_red", sa.Float(), nullable=True),
        sa.Column("color_orange", sa.Float(), nullable=True),
        sa.Column("color_yellow", sa.Float(), nullable=True),
        sa.Column("color_green", sa.Float(), nullable=True),
        sa.Column("color_blue", sa.Float(), nullable=True),
        sa.Column("color_purple", sa.Float(), nullable=True),
        sa.Column("color_pink", sa.Float(), nullable=True),
        sa.Column("color_brown", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["library"], ["libraries.name"], name=op.f("fk_images_library")),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_images")),
        sa.UniqueConstraint("id", name=op.f("uq_images_id")),
        sa.UniqueConstraint("library", "sha256", name=op.f("uq_images_library_sha256")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_images_deleted_at", "images", ["deleted_at"], unique=False)
    op.create_index(op.f("ix_images_analyzed_at"), "images", ["analyzed_at"], unique=False)
    op.create_index(op.f("ix_images_sha256"), "images", ["sha256"], unique=False)
    op.create_index("ix_images_state_row", "images", ["state", "row"], unique=False)
    op.create_table(
        "image_sources",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("image_row", ROW_ID, nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("file_stamp", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_row"], ["images.row"], name=op.f("fk_image_sources_image_row"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_sources")),
    )
    op.create_index(op.f("ix_image_sources_image_row"), "image_sources", ["image_row"], unique=False)
    op.create_index(op.f("ix_image_sources_path"), "image_sources", ["path"], unique=False)
    op.create_table(
        "palette",
        sa.Column("image_row", ROW_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("l", sa.Float(), nullable=False),
        sa.Column("a", sa.Float(), nullable=False),
        sa.Column("b", sa.Float(), nullable=False),
        sa.Column("hex", sa.String(length=7), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["image_row"], ["images.row"], name=op.f("fk_palette_image_row"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_row", "position", name=op.f("pk_palette")),
    )
    op.create_index(op.f("ix_palette_l"), "palette", ["l"], unique=False)
    op.create_table(
        "tags",
        sa.Column("image_row", ROW_ID, nullable=False),
        sa.Column("tag", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["image_row"], ["images.row"], name=op.f("fk_tags_image_row"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_row", "tag", name=op.f("pk_tags")),
    )
    op.create_index(op.f("ix_tags_tag"), "tags", ["tag"], unique=False)
    op.bulk_insert(sa.table("counters", sa.column("name"), sa.column("value")), [{"name": "change", "value": 0}])
    op.bulk_insert(
        sa.table("libraries", sa.column("name"), sa.column("created_at")),
        [{"name": "main", "created_at": datetime.now(UTC).replace(tzinfo=None)}],
    )
