"""What servers need: shared vector engines, moves between stores, and JSONB on PostgreSQL."""

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
    ("audit_log", "detail"),
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
    if op.get_bind().dialect.name == "postgresql":
        for table, column in JSON_COLUMNS:
            op.alter_column(table, column, type_=JSONB(), postgresql_using=f"{column}::jsonb")
