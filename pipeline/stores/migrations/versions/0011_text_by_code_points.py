"""Text that came in after version 0003 is compared by code points as well, as SQLite and Python do."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OTHERS = sa.text(
    "SELECT table_name, column_name, character_maximum_length FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying') "
    "AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'alembic_version'"
)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table, column, length in connection.execute(OTHERS).all():
        kind = "TEXT" if length is None else f"VARCHAR({length})"
        op.execute(f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE {kind} COLLATE "C"')
