"""Webhooks of saved searches: what is to be sent where, what is being tried, and what came of it.

A delivery is a batch of matches under one id. It is claimed before it is sent, with the time of the next try: whoever
dies while sending has used up one try, and another process takes it up when that time has come. Every function works
inside the caller's transaction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.stores.records_matches import NEVER
from pipeline.stores.tables import insert_into
from pipeline.stores.tables_people import people
from pipeline.stores.tables_searches import saved_matches, saved_searches, webhooks

MOST_IN_A_DELIVERY = 500  # matches; about 200 kB of JSON, what is more follows a minute later


@dataclass(frozen=True)
class Webhook:
    """Where the matches of a search are sent, and how that went. `is_waiting` is whether something is to be sent."""

    address: str
    delivered_at: datetime | None
    error: str
    attempts: int
    stopped: bool
    not_before: datetime
    is_waiting: bool


@dataclass(frozen=True)
class Attempt:
    """A delivery that is to be tried now, for the `number`-th time."""

    search: str
    delivery: str
    number: int
    address: str
    secret: str


_PENDING = sa.exists().where(saved_matches.c.search == webhooks.c.search, saved_matches.c.delivery.is_(None))
_IS_WAITING = sa.or_(webhooks.c.delivery.is_not(None), _PENDING)


def put(connection: Connection, search_id: str, address: str, secret: str, now: datetime) -> None:
    """Let matches be sent to `address` from now on; what another address has not taken yet, it gets."""
    before = connection.execute(sa.select(webhooks.c.delivery).where(webhooks.c.search == search_id)).first()
    mine = saved_matches.c.search == search_id
    if before is None:
        connection.execute(
            saved_matches.update().where(mine, saved_matches.c.delivery.is_(None)).values(delivery=NEVER)
        )
    elif before.delivery:
        untaken = (mine, saved_matches.c.delivery == before.delivery)
        connection.execute(saved_matches.update().where(*untaken).values(delivery=None))
    fresh = {
        "address": address,
        "secret": secret,
        "delivery": None,
        "attempts": 0,
        "not_before": now,
        "delivered_at": None,
        "error": "",
        "stopped": False,
    }
    added = insert_into(connection, webhooks).values(search=search_id, **fresh)
    connection.execute(added.on_conflict_do_update(index_elements=[webhooks.c.search], set_=fresh))


def get(connection: Connection, search_id: str) -> Webhook | None:
    """Return the webhook of a search, or None."""
    found = connection.execute(
        sa.select(
            webhooks.c.address,
            webhooks.c.delivered_at,
            webhooks.c.error,
            webhooks.c.attempts,
            webhooks.c.stopped,
            webhooks.c.not_before,
            _IS_WAITING,
        ).where(webhooks.c.search == search_id)
    ).first()
    return Webhook(*found) if found else None


def remove(connection: Connection, search_id: str) -> bool:
    """Send nothing any more; return whether there was a webhook."""
    return connection.execute(webhooks.delete().where(webhooks.c.search == search_id)).rowcount == 1


def try_again(connection: Connection, search_id: str, now: datetime) -> bool:
    """Let a webhook that was given up begin anew, now; return whether there is one."""
    fresh = {"stopped": False, "attempts": 0, "not_before": now}
    return connection.execute(webhooks.update().where(webhooks.c.search == search_id).values(fresh)).rowcount == 1


def is_any_due(connection: Connection, now: datetime) -> bool:
    """Whether something is to be sent now."""
    return connection.execute(_due(now)).first() is not None


def claim(connection: Connection, now: datetime, waits: tuple[float, ...]) -> Attempt | None:
    """Take what has been due for longest, so that nobody else sends it before its next try; None when nothing is due.

    `waits` are the seconds from each try to the next one.
    """
    found = connection.execute(_due(now).with_for_update(of=webhooks, skip_locked=True)).first()
    if found is None:
        return None
    delivery, number = found.delivery or str(uuid4()), found.attempts + 1
    if found.delivery is None:
        pending = (saved_matches.c.search == found.search, saved_matches.c.delivery.is_(None))
        batch = sa.select(saved_matches.c.id).where(*pending).order_by(saved_matches.c.id).limit(MOST_IN_A_DELIVERY)
        connection.execute(
            saved_matches.update().where(saved_matches.c.id.in_(batch.scalar_subquery())).values(delivery=delivery)
        )
    wait = waits[min(number, len(waits)) - 1]
    values = {"delivery": delivery, "attempts": number, "not_before": now + timedelta(seconds=wait)}
    connection.execute(webhooks.update().where(webhooks.c.search == found.search).values(values))
    return Attempt(found.search, delivery, number, found.address, found.secret)


def finish(connection: Connection, attempt: Attempt, now: datetime, pause_seconds: float, *, sent: bool) -> None:
    """Note that a delivery was taken, or that nothing of it was to be `sent`; the next one comes after a pause."""
    values: dict[str, object] = {"delivery": None, "attempts": 0}
    if sent:
        values |= {"delivered_at": now, "error": "", "not_before": now + timedelta(seconds=pause_seconds)}
    connection.execute(_this(attempt).values(values))


def fail(connection: Connection, attempt: Attempt, error: str, *, stopped: bool) -> None:
    """Note why a delivery was not taken, and with `stopped` that it is given up until somebody says otherwise."""
    connection.execute(_this(attempt).values(error=error, stopped=stopped))


def _this(attempt: Attempt) -> sa.Update:
    """Change the webhook, unless it has been set anew since, or another process has gone on with it."""
    mine = (webhooks.c.search == attempt.search, webhooks.c.delivery == attempt.delivery)
    return webhooks.update().where(*mine, webhooks.c.attempts == attempt.number)


def _due(now: datetime) -> sa.Select[tuple[str, str | None, int, str, str]]:
    active = sa.exists().where(people.c.id == saved_searches.c.owner, people.c.deactivated_at.is_(None))
    nobodys = saved_searches.c.owner.is_(None) & ~sa.exists().select_from(people)
    return (
        sa.select(webhooks.c.search, webhooks.c.delivery, webhooks.c.attempts, webhooks.c.address, webhooks.c.secret)
        .select_from(webhooks.join(saved_searches, saved_searches.c.id == webhooks.c.search))
        .where(
            webhooks.c.stopped.is_(False),
            webhooks.c.not_before <= now,
            saved_searches.c.paused.is_(False),
            sa.or_(active, nobodys),
            _IS_WAITING,
        )
        .order_by(webhooks.c.not_before)
        .limit(1)
    )
