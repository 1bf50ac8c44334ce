"""Which colors of a picture are its background; unknown of what was analyzed before."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("palette", sa.Column("background", sa.Boolean()))
