"""Changing the encoder of a filled database: how far the next one is, whether it rests, and what its cosines mean."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON().with_variant(JSONB(), "postgresql")
    op.add_column("encoders", sa.Column("resting", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("encoders", sa.Column("claimed_row", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("encoders", sa.Column("claimed_at", sa.DateTime()))
    op.add_column("encoders", sa.Column("begun_at", sa.DateTime()))
    op.add_column("encoders", sa.Column("begun_with", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("encoders", sa.Column("ended_at", sa.DateTime()))
    op.add_column("encoders", sa.Column("bands", json))
    # Two processes that decide at the same time leave one encoder that is searched, and one that is being filled.
    for state in ("active", "building"):
        chosen = sa.text(f"state = '{state}'")
        op.create_index(
            f"ix_encoders_one_{state}", "encoders", ["state"], unique=True, sqlite_where=chosen, postgresql_where=chosen
        )
