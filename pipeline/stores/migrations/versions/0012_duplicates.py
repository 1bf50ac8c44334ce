"""Duplicates and moderation: hashes, findings, groups, decisions, banks, cases."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
APPEND_ONLY = "decisions are append-only"

TEXTS = sa.text(
    "SELECT table_name, column_name, character_maximum_length FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying') "
    "AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'alembic_version'"
)


def upgrade() -> None:
    _make_hashes()
    _make_groups()
    _make_decisions()
    _make_banks()
    _make_cases()
    _compare_by_code_points()


def _make_hashes() -> None:
    op.create_table(
        "fingerprints",
        sa.Column("image_row", ROW, autoincrement=False, nullable=False),
        sa.Column("whole", sa.LargeBinary(), nullable=False),
        sa.Column("trimmed", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("checked", sa.Integer()),
        sa.Column("lease_until", sa.DateTime()),
        sa.Column("lease_token", sa.String(32)),
        sa.ForeignKeyConstraint(
            ["image_row"], ["images.row"], name=op.f("fk_fingerprints_image_row"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image_row", name=op.f("pk_fingerprints")),
    )
    op.create_index("ix_fingerprints_checked_image_row", "fingerprints", ["checked", "image_row"])
    op.create_table(
        "pair_findings",
        sa.Column("a_row", ROW, autoincrement=False, nullable=False),
        sa.Column("b_row", ROW, autoincrement=False, nullable=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("found_at", sa.DateTime(), nullable=False),
        sa.Column("decision", sa.String(12)),
        sa.CheckConstraint("a_row < b_row", name="ordered"),
        sa.ForeignKeyConstraint(["a_row"], ["images.row"], name=op.f("fk_pair_findings_a_row"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["b_row"], ["images.row"], name=op.f("fk_pair_findings_b_row"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("a_row", "b_row", name=op.f("pk_pair_findings")),
    )
    op.create_index("ix_pair_findings_b_row", "pair_findings", ["b_row"])
    one_scene = sa.text("verdict = 'same-scene'")
    op.create_index(
        "ix_pair_findings_same_scene",
        "pair_findings",
        ["a_row", "b_row"],
        sqlite_where=one_scene,
        postgresql_where=one_scene,
    )


def _make_groups() -> None:
    op.create_table(
        "duplicate_groups",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("keeper_row", ROW, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("claimed_by", sa.String(64)),
        sa.Column("claimed_name", sa.String(100)),
        sa.Column("claimed_until", sa.DateTime()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["keeper_row"], ["images.row"], name=op.f("fk_duplicate_groups_keeper_row"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_groups")),
        sa.UniqueConstraint("keeper_row", name=op.f("uq_duplicate_groups_keeper_row")),
    )
    op.create_index("ix_duplicate_groups_state_id", "duplicate_groups", ["state", "id"])
    op.create_table(
        "group_members",
        sa.Column("image_row", ROW, autoincrement=False, nullable=False),
        sa.Column("group_id", sa.String(36), nullable=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("decided", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["duplicate_groups.id"], name=op.f("fk_group_members_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["image_row"], ["images.row"], name=op.f("fk_group_members_image_row"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image_row", name=op.f("pk_group_members")),
    )
    op.create_index(op.f("ix_group_members_group_id"), "group_members", ["group_id"])


def _make_decisions() -> None:
    op.create_table(
        "pair_decisions",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("a_sha256", sa.String(64), nullable=False),
        sa.Column("a_library", sa.String(64), nullable=False),
        sa.Column("b_sha256", sa.String(64), nullable=False),
        sa.Column("b_library", sa.String(64), nullable=False),
        sa.Column("decision", sa.String(12), nullable=False),
        sa.Column("kept", sa.String(1)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("batch", sa.String(36), nullable=False),
        sa.Column("actor_id", sa.String(36)),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pair_decisions")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pair_decisions_a", "pair_decisions", ["a_sha256", "b_sha256"])
    op.create_index("ix_pair_decisions_b", "pair_decisions", ["b_sha256"])
    op.create_index("ix_pair_decisions_actor_id_at", "pair_decisions", ["actor_id", "at"])
    op.create_index(op.f("ix_pair_decisions_batch"), "pair_decisions", ["batch"])
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER pair_decisions_no_{event.lower()} BEFORE {event} ON pair_decisions "
                f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
            )
        op.execute(  # INSERT OR REPLACE removes a row without the trigger above
            "CREATE TRIGGER pair_decisions_no_replace BEFORE INSERT ON pair_decisions "
            "WHEN EXISTS (SELECT 1 FROM pair_decisions WHERE id = NEW.id) "
            "BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END"
        )
    else:
        op.execute(
            "CREATE FUNCTION pair_decisions_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{APPEND_ONLY}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER pair_decisions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pair_decisions "
            "FOR EACH STATEMENT EXECUTE FUNCTION pair_decisions_refuse()"
        )


def _make_banks() -> None:
    op.create_table(
        "banks",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("library", sa.String(64)),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("max_distance", sa.Integer(), nullable=False),
        sa.Column("ratio", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.DateTime()),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("paused", sa.Text()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("created_by", sa.String(36)),
        sa.ForeignKeyConstraint(["library"], ["libraries.id"], name=op.f("fk_banks_library")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_banks")),
    )
    op.create_table(
        "bank_entries",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("bank", sa.String(36), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Integer()),
        sa.Column("sha256", sa.String(64)),
        sa.Column("thumbnail", sa.LargeBinary()),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime()),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("added_by", sa.String(36)),
        sa.Column("matched_until", ROW, server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["bank"], ["banks.id"], name=op.f("fk_bank_entries_bank"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_entries")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_bank_entries_bank"), "bank_entries", ["bank"])
    op.create_index(op.f("ix_bank_entries_sha256"), "bank_entries", ["sha256"])
    op.create_table(
        "bank_matches",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("bank", sa.String(36), nullable=False),
        sa.Column("entry", ROW, nullable=False),
        sa.Column("image_row", ROW, nullable=False),
        sa.Column("distance", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("matched_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["bank"], ["banks.id"], name=op.f("fk_bank_matches_bank"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["entry"], ["bank_entries.id"], name=op.f("fk_bank_matches_entry"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["image_row"], ["images.row"], name=op.f("fk_bank_matches_image_row"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_matches")),
        sa.UniqueConstraint("entry", "image_row", name=op.f("uq_bank_matches_entry_image_row")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bank_matches_bank_matched_at", "bank_matches", ["bank", "matched_at"])
    op.create_index(op.f("ix_bank_matches_entry"), "bank_matches", ["entry"])
    op.create_index(op.f("ix_bank_matches_image_row"), "bank_matches", ["image_row"])


def _make_cases() -> None:
    op.create_table(
        "moderation_cases",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("image_row", ROW, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reporter_id", sa.String(36)),
        sa.Column("reporter", sa.String(100), nullable=False),
        sa.Column("bank", sa.String(36)),
        sa.Column("opened_at", sa.DateTime(), nullable=False),
        sa.Column("escalated", sa.Boolean(), nullable=False),
        sa.Column("settled_at", sa.DateTime()),
        sa.Column("settled_by", sa.String(100), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("outcome_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_row"], ["images.row"], name=op.f("fk_moderation_cases_image_row"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moderation_cases")),
    )
    op.create_index(op.f("ix_moderation_cases_image_row"), "moderation_cases", ["image_row"])
    op.create_index("ix_moderation_cases_state_id", "moderation_cases", ["state", "id"])


def _compare_by_code_points() -> None:
    """On PostgreSQL texts are compared by code points, as SQLite and Python do."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table, column, length in connection.execute(TEXTS).all():
        kind = "TEXT" if length is None else f"VARCHAR({length})"
        op.execute(f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE {kind} COLLATE "C"')
