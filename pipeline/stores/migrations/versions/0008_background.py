"""On how many pictures the background of cosines was measured, so that it is measured anew when there are many more."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("encoders", sa.Column("bands_images", sa.BigInteger()))
