"""The words of captions, tags, file names and keywords, and a full-text index over them."""

import sqlalchemy as sa
from alembic import op

from pipeline.stores import records_words, word_index

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    text = sa.Text(collation="C") if connection.dialect.name == "postgresql" else sa.Text()
    op.create_table(
        "image_words",
        sa.Column("image_row", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        *(sa.Column(field, text, nullable=False) for field in ("library", *word_index.FIELDS)),
        sa.ForeignKeyConstraint(
            ["image_row"], ["images.row"], name=op.f("fk_image_words_image_row"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image_row", name=op.f("pk_image_words")),
    )
    for statement in word_index.statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
    records_words.refresh(connection, list(connection.scalars(sa.text("SELECT row FROM images ORDER BY row"))))
