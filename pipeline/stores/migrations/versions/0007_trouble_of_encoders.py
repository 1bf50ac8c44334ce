"""Why a change of encoder rests, and the pictures that an encoder could not embed, quickly found."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("encoders", sa.Column("trouble", sa.Text()))
    unreadable = sa.text("region = 'unreadable'")
    op.create_index(
        "ix_embeddings_unreadable",
        "embeddings",
        ["encoder", "region"],
        sqlite_where=unreadable,
        postgresql_where=unreadable,
    )
