"""The tables of duplicates and moderation: hashes, what was found of pairs, what people decided, banks, reports."""

import sqlalchemy as sa

from pipeline.stores.tables import Json, RowId, UtcTime, images, metadata


def _image_row(**options: object) -> sa.Column[int]:
    reference = sa.ForeignKey(images.c.row, ondelete="CASCADE")
    return sa.Column("image_row", RowId, reference, **options)  # type: ignore[arg-type]


fingerprints = sa.Table(
    "fingerprints",
    metadata,
    _image_row(primary_key=True, autoincrement=False),
    sa.Column("whole", sa.LargeBinary, nullable=False),
    sa.Column("trimmed", sa.LargeBinary, nullable=False),
    sa.Column("quality", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("checked", sa.Integer),
    sa.Column("lease_until", UtcTime),
    sa.Column("lease_token", sa.String(32)),
    sa.Index("ix_fingerprints_checked_image_row", "checked", "image_row"),
)
"""What `features.fingerprint` says of each analyzed image. `whole` is its PDQ hash (32 bytes), `trimmed` the eight of
its orientations without borders (256 bytes), `quality` is PDQ's, 0 to 100. `version` is that of the code that made
them. `checked` is the version of the check for duplicates that has seen the image, NULL until one has; whoever checks
it holds it until `lease_until`."""

ONE_SCENE = sa.text("verdict = 'same-scene'")

pair_findings = sa.Table(
    "pair_findings",
    metadata,
    sa.Column("a_row", RowId, sa.ForeignKey(images.c.row, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("b_row", RowId, sa.ForeignKey(images.c.row, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("verdict", sa.String(12), nullable=False),
    sa.Column("evidence", Json, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("found_at", UtcTime, nullable=False),
    sa.Column("decision", sa.String(12)),
    sa.Index("ix_pair_findings_b_row", "b_row"),
    sa.Index("ix_pair_findings_same_scene", "a_row", "b_row", sqlite_where=ONE_SCENE, postgresql_where=ONE_SCENE),
    sa.CheckConstraint("a_row < b_row", name="ordered"),
)
"""What the comparison of two images said, if it was more than `similar`: `a_row` < `b_row`. `evidence` is a Comparison
as JSON, of a with b. A copy that can be made again; what people decide is in `pair_decisions`. `decision` repeats the
last word of these for the pair, or is `implied` where both are duplicates of others that are; `regroup` writes it."""

duplicate_groups = sa.Table(
    "duplicate_groups",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("keeper_row", RowId, sa.ForeignKey(images.c.row, ondelete="CASCADE"), nullable=False, unique=True),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("verdict", sa.String(12), nullable=False),
    sa.Column("claimed_by", sa.String(64)),
    sa.Column("claimed_name", sa.String(100)),
    sa.Column("claimed_until", UtcTime),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Index("ix_duplicate_groups_state_id", "state", "id"),
)
"""Groups of copies of one picture, the `keeper`; `state` is open or settled, `verdict` the weakest of its members.
Whoever reviews a group has it until `claimed_until`. A group is made again from findings and decisions; its id stays
while its keeper does."""

group_members = sa.Table(
    "group_members",
    metadata,
    _image_row(primary_key=True, autoincrement=False),
    sa.Column("group_id", sa.ForeignKey(duplicate_groups.c.id, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("verdict", sa.String(12), nullable=False),
    sa.Column("decided", sa.Boolean, nullable=False),
)
"""Who is in a group beside its keeper, each tied to the keeper itself by a finding with this verdict. `decided` is
whether somebody has said so of both."""

pair_decisions = sa.Table(
    "pair_decisions",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("a_sha256", sa.String(64), nullable=False),
    sa.Column("a_library", sa.String(64), nullable=False),
    sa.Column("b_sha256", sa.String(64), nullable=False),
    sa.Column("b_library", sa.String(64), nullable=False),
    sa.Column("decision", sa.String(12), nullable=False),
    sa.Column("kept", sa.String(1)),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", Json, nullable=False),
    sa.Column("batch", sa.String(36), nullable=False, index=True),
    sa.Column("actor_id", sa.String(36)),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Index("ix_pair_decisions_a", "a_sha256", "b_sha256"),
    sa.Index("ix_pair_decisions_b", "b_sha256"),
    sa.Index("ix_pair_decisions_actor_id_at", "actor_id", "at"),
    sqlite_autoincrement=True,
)
"""Append-only: what people said of two images, known by library and bytes, so that it holds when they are analyzed or
uploaded anew; the smaller (sha256, library) is a. The last word on a pair counts. `decision` is duplicate, variant,
unrelated, or withdrawn, which takes the one before back. `kept` is "a" or "b" where one of them was to be kept. What
was decided in one go has one `batch`. `detail` says what else was done, so that it can be undone."""

banks = sa.Table(
    "banks",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("library", sa.ForeignKey("libraries.id")),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("action", sa.String(10), nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("max_distance", sa.Integer, nullable=False),
    sa.Column("ratio", sa.Float, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("paused", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("created_by", sa.String(36)),
)
"""Named sets of known pictures. `library` is the one whose uploads are compared, None for all. `kind` is known or good:
what is good is never flagged. `action` at upload is allow, warn, hold or refuse, with `sentence`. `max_distance` is in
bits of PDQ; `ratio`, 0 to 1, is the part of the uploads that it acts on. `paused` says why it rests."""

bank_entries = sa.Table(
    "bank_entries",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("bank", sa.ForeignKey(banks.c.id, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("quality", sa.Integer),
    sa.Column("sha256", sa.String(64), index=True),
    sa.Column("thumbnail", sa.LargeBinary),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("added_at", UtcTime, nullable=False),
    sa.Column("added_by", sa.String(36)),
    sa.Column("matched_until", RowId, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
"""Known pictures as PDQ hashes of 32 bytes. Images up to the row `matched_until` have been compared with the entry."""

bank_matches = sa.Table(
    "bank_matches",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("bank", sa.ForeignKey(banks.c.id, ondelete="CASCADE"), nullable=False),
    sa.Column("entry", RowId, sa.ForeignKey(bank_entries.c.id, ondelete="CASCADE"), nullable=False, index=True),
    _image_row(nullable=False, index=True),
    sa.Column("distance", sa.Integer, nullable=False),
    sa.Column("action", sa.String(10), nullable=False),
    sa.Column("matched_at", UtcTime, nullable=False),
    sa.UniqueConstraint("entry", "image_row"),
    sa.Index("ix_bank_matches_bank_matched_at", "bank", "matched_at"),
    sqlite_autoincrement=True,
)
"""Which image looked like which entry, and what was done: the action, or `shadow` where the ratio spared it."""

moderation_cases = sa.Table(
    "moderation_cases",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    _image_row(nullable=False, index=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("reporter_id", sa.String(36)),
    sa.Column("reporter", sa.String(100), nullable=False),
    sa.Column("bank", sa.String(36)),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("escalated", sa.Boolean, nullable=False),
    sa.Column("settled_at", UtcTime),
    sa.Column("settled_by", sa.String(100), nullable=False),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("outcome_reason", sa.Text, nullable=False),
    sa.Index("ix_moderation_cases_state_id", "state", "id"),
)
"""What waits for a moderator: an image that was `held` or `reported`, why, and what became of it."""
