"""The tables of people: accounts, sessions, tokens, links, members of libraries, and what they did."""

import sqlalchemy as sa

from pipeline.stores.tables import Json, RowId, UtcTime, metadata

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("email", sa.String(254), index=True),
    sa.Column("password_hash", sa.String(200)),
    sa.Column("oidc_subject", sa.String(500), unique=True),
    sa.Column("administrator", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("deactivated_at", UtcTime),
)
"""`name` is what is typed to log in, in lower case. `oidc_subject` is issuer and subject with a space between."""

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("person_id", sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("secret_hash", sa.String(64), nullable=False),
    sa.Column("previous_hash", sa.String(64)),
    sa.Column("confirmed_at", UtcTime),
    sa.Column("rotated_at", UtcTime, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("last_used_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False, index=True),
    sa.Column("address", sa.String(45), nullable=False),
    sa.Column("browser", sa.String(200), nullable=False),
)
"""A revoked session is a row that is gone. `confirmed_at` is when the secret that replaced `previous_hash` was first
used; until then the previous one is good as well."""

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("person_id", sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("last_used_at", UtcTime),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("person_id", sa.ForeignKey("people.id", ondelete="CASCADE")),
    sa.Column("library", sa.ForeignKey("libraries.id", ondelete="CASCADE"), index=True),
    sa.Column("role", sa.String(10)),
    sa.Column("created_by", sa.ForeignKey("people.id", ondelete="CASCADE")),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False, index=True),
)
"""Links that work once: a used one is a row that is gone. `kind` is first-run, password or invitation."""

members = sa.Table(
    "members",
    metadata,
    sa.Column("library", sa.ForeignKey("libraries.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("person_id", sa.ForeignKey("people.id", ondelete="CASCADE"), primary_key=True, index=True),
    sa.Column("role", sa.String(10), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)

login_failures = sa.Table(
    "login_failures",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(64), nullable=False, index=True),
    sa.Column("address", sa.String(45), nullable=False, index=True),
    sa.Column("at", UtcTime, nullable=False, index=True),
)

server_secrets = sa.Table(
    "server_secrets",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(100), nullable=False),
)
"""Keys that all processes of an installation share, made once."""

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime, nullable=False, index=True),
    sa.Column("actor_id", sa.String(36)),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("library", sa.String(64), index=True),
    sa.Column("subject", sa.String(300), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),  # not JSONB, so that an entry reads in the order it was written
    sa.Column("address", sa.String(45), nullable=False),
    sqlite_autoincrement=True,
)
"""Append-only: triggers refuse to change or remove a row. Names are kept as they were; nothing here is a reference,
so that the log outlives what it tells of."""
