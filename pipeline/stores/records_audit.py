"""The audit log: who did what, when, and from where. Rows are only ever added; triggers in the database see to it.

Every function works inside the caller's transaction.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.principals import Principal
from pipeline.stores import tables
from pipeline.stores.tables_people import audit_log

LONGEST_SUBJECT = 300


class Event(StrEnum):
    """What is recorded."""

    LOGGED_IN = "logged in"
    LOGIN_FAILED = "login failed"
    LOGGED_OUT = "logged out"
    SESSION_REVOKED = "session revoked"
    LOGIN_SLOWED = "login slowed down"
    PASSWORD_REFUSED = "wrong current password"  # noqa: S105
    PASSWORD_CHANGED = "password changed"  # noqa: S105 - no password
    TOKEN_MADE = "token made"  # noqa: S105
    TOKEN_REVOKED = "token revoked"  # noqa: S105
    PERSON_ADDED = "person added"
    PERSON_DEACTIVATED = "person deactivated"
    PERSON_ACTIVATED = "person activated"
    PERSON_LINKED = "account linked to single sign-on"
    PERSON_LINK_MADE = "link to set a password made"
    ADMINISTRATOR_CHANGED = "administrator changed"
    LIBRARY_MADE = "library made"
    LIBRARY_RENAMED = "library renamed"
    LIBRARY_DELETED = "library deleted"
    LIBRARY_RESTORED = "library restored"
    LIBRARY_PURGED = "library purged"
    MEMBER_ADDED = "member added"
    MEMBER_REMOVED = "member removed"
    MEMBER_LEFT = "member left"
    ROLE_CHANGED = "role changed"
    INVITATION_MADE = "invitation made"
    INVITATION_REVOKED = "invitation revoked"
    FEED_MADE = "feed address made"
    FEED_ENDED = "feed address ended"
    WEBHOOK_SET = "webhook set"
    WEBHOOK_REMOVED = "webhook removed"
    BANK_MADE = "bank made"
    BANK_CHANGED = "bank changed"
    BANK_PAUSED = "bank paused"
    BANK_RESUMED = "bank resumed"
    BANK_DELETED = "bank deleted"
    BANK_ENTRIES_ADDED = "entries of a bank added"
    BANK_ENTRIES_REMOVED = "entries of a bank removed"
    BANK_ENTRY_CHANGED = "entry of a bank changed"
    BANK_HELD = "pictures held that a bank found"
    IMAGES_DELETED = "pictures deleted"
    IMAGES_RESTORED = "pictures restored"
    IMAGES_PURGED = "pictures deleted for good"
    IMAGES_REPORTED = "picture reported"
    IMAGES_HELD = "pictures held"
    IMAGES_APPROVED = "pictures approved"
    IMAGES_REMOVED = "pictures removed by a moderator"
    IMAGES_ESCALATED = "pictures left to the owners"
    MODERATION_UNDONE = "moderation undone"
    DUPLICATES_SETTLED = "duplicates settled"
    DUPLICATES_UNDONE = "settling of duplicates undone"


@dataclass(frozen=True)
class Entry:
    """One thing that was done. `library` is the id of the library that it was done in, if it was done in one."""

    id: int
    at: datetime
    actor_id: str | None
    actor: str
    action: str
    library: str | None
    subject: str
    detail: Mapping[str, object]
    address: str


def add(
    connection: Connection,
    principal: Principal,
    event: Event,
    subject: str = "",
    *,
    library: str | None = None,
    **detail: object,
) -> None:
    """Append an entry: `principal` did `event` to `subject`, in the library with this id if it was done in one.

    Call it in the transaction of the deed itself: what is not recorded has not happened.
    """
    values = {
        "at": datetime.now(UTC),
        "actor_id": principal.person_id,
        "actor": principal.name,
        "action": event,
        "library": library,
        "subject": subject[:LONGEST_SUBJECT],
        "detail": detail,
        "address": principal.address,
    }
    connection.execute(audit_log.insert().values(values))


def has_since(connection: Connection, moment: datetime, event: Event, subject: str, *, address: str) -> bool:
    """Whether an entry like this was appended since `moment`."""
    like = (audit_log.c.action == event, audit_log.c.subject == subject, audit_log.c.address == address)
    return (
        connection.execute(sa.select(audit_log.c.id).where(audit_log.c.at > moment, *like).limit(1)).first() is not None
    )


def entries(
    connection: Connection,
    libraries: Collection[str] | None,
    *,
    before: int | None = None,
    offset: int = 0,
    limit: int,
) -> list[Entry]:
    """Return up to `limit` entries, newest first, of these libraries, or all with None; `before` is an entry's id."""
    statement = sa.select(audit_log).order_by(audit_log.c.id.desc()).limit(limit).offset(offset)
    if libraries is not None:
        # A library that was purged may have had the same id; what happened in it is not its successor's.
        lived = sa.exists().where(
            tables.libraries.c.id == audit_log.c.library, tables.libraries.c.created_at <= audit_log.c.at
        )
        statement = statement.where(audit_log.c.library.in_(libraries), lived)
    if before is not None:
        statement = statement.where(audit_log.c.id < before)
    return [Entry(**values) for values in connection.execute(statement).mappings()]
