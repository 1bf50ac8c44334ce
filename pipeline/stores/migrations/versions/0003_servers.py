"""What servers need: shared vector engines, moves between stores, and on PostgreSQL JSONB and one order of text."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON_COLUMNS = (
    ("images", "exif"),
    ("images", "category_scores"),
    ("tokens", "scopes"),
)


def upgrade() -> None:
    op.create_table(
        "vector_copies",
        sa.Column("address", sa.String(300), nullable=False),
        sa.Column("encoder", sa.String(64), nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["encoder"], ["encoders.fingerprint"], name=op.f("fk_vector_copies_encoder")),
        sa.PrimaryKeyConstraint("address", "encoder", name=op.f("pk_vector_copies")),
    )
    op.create_table(
        "moves",
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "origin", name=op.f("pk_moves")),
    )
    op.create_index("ix_images_library_row", "images", ["library", "row"])
    if op.get_bind().dialect.name == "postgresql":
        # SQLite, which knows nothing of how many rows pass, would use it for a range that nearly all are in.
        op.create_index("ix_images_created_at", "images", ["created_at"])
        for table, column in JSON_COLUMNS:
            op.alter_column(table, column, type_=JSONB(), postgresql_using=f"{column}::jsonb")
        _order_text_by_code_points()


def _order_text_by_code_points() -> None:
    """Let text be compared as SQLite and Python do, whatever language the server was set up for.

    Names stand in the same order on every server then, and indexes of text outlive an upgrade of its operating system.
    """
    inspector = sa.inspect(op.get_bind())
    for table in inspector.get_table_names():
        texts = [each for each in inspector.get_columns(table) if isinstance(each["type"], sa.String)]
        changes = [f'ALTER COLUMN "{each["name"]}" TYPE {each["type"].compile()} COLLATE "C"' for each in texts]
        if changes:
            op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
