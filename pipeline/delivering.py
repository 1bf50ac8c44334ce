"""Telling webhooks what saved searches have found: at least once, in batches, signed, and tried again for a day.

A delivery has an id that stays the same over all tries, so that a receiver that was told twice can know it. What is in
it is what the owner of the search may see when it is sent. Every try is written down before it is made.
"""

import hashlib
import hmac
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from pipeline.backend import Backend
from pipeline.errors import ReceiverUnavailable
from pipeline.saved_searches import owner_now
from pipeline.settings import Settings
from pipeline.stores import records_matches, records_searches, records_webhooks
from pipeline.stores.database import Database, Writing
from pipeline.stores.records_matches import Match
from pipeline.stores.records_searches import SavedSearch
from pipeline.stores.records_webhooks import MOST_IN_A_DELIVERY, Attempt
from pipeline.webhook_sending import GONE, Allowed, host_of, send

log = logging.getLogger(__name__)

PAUSE_SECONDS = 60.0  # between two deliveries of one search: what is found meanwhile comes together
FIRST_WAIT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 6 * 3600.0
MOST_TRIES = 12
WAITS = tuple(min(FIRST_WAIT_SECONDS * 2.0**number, LONGEST_WAIT_SECONDS) for number in range(MOST_TRIES))
"""Seconds from each try to the next: one minute, doubled, at most six hours; twelve tries take about twenty hours."""

SIDE_BY_SIDE = 4
"""Deliveries of one round: one receiver that does not answer keeps few others waiting, and whoever stops waits no
longer than one of them may take."""

SIGNATURE_HEADER = "Likeness-Signature"
DELIVERY_HEADER = "Likeness-Delivery"
EVENT_HEADER = "Likeness-Event"
EVENT = "matches"

GIVEN_UP = "{error} It was tried {tries} times and is given up; nothing more is sent until you let it be tried again."
WANTS_NO_MORE = "The receiver answered that it wants no more of this (status 410), so nothing more is sent."


def is_any_due(database: Database, settings: Settings) -> bool:
    """Whether something is to be sent now."""
    if not settings.webhooks:
        return False
    with database.read() as connection:
        return records_webhooks.is_any_due(connection, datetime.now(UTC))


def deliver_due(backend: Backend) -> int:
    """Send what is due, up to `SIDE_BY_SIDE` deliveries; return how many were tried."""
    if not is_any_due(backend.database, backend.settings):
        return 0
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="webhook") as pool:
        return sum(pool.map(lambda _: deliver_one(backend), range(SIDE_BY_SIDE)))


def deliver_one(backend: Backend) -> bool:
    """Try what has been due for longest; return whether there was anything."""
    with backend.database.write(Writing.BESIDE) as connection:
        attempt = records_webhooks.claim(connection, datetime.now(UTC), WAITS)
    if attempt is None:
        return False
    body = _body(backend, attempt)
    if body is not None:
        try:
            _send(backend, attempt, body)
        except ReceiverUnavailable as error:
            _fail(backend, attempt, error)
            return True
    with backend.database.write(Writing.BESIDE) as connection:
        now = datetime.now(UTC)
        records_webhooks.finish(connection, attempt, now, PAUSE_SECONDS, sent=body is not None)
    return True


def signature(secret: str, moment: int, body: bytes) -> str:
    """Return what the signature header says: a moment in seconds since 1970, and HMAC-SHA256 of it, a dot and the body.

    The moment is signed as well, so that a receiver can refuse what somebody has recorded and sends again.
    """
    signed = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={signed.hexdigest()}"


def _send(backend: Backend, attempt: Attempt, body: bytes) -> None:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Likeness",
        EVENT_HEADER: EVENT,
        DELIVERY_HEADER: attempt.delivery,
        SIGNATURE_HEADER: signature(attempt.secret, int(datetime.now(UTC).timestamp()), body),
    }
    send(attempt.address, body, headers, allowed=Allowed(backend.settings.webhook_allow))
    log.info("told a webhook", extra={"host": host_of(attempt.address), "delivery": attempt.delivery})


def _fail(backend: Backend, attempt: Attempt, error: ReceiverUnavailable) -> None:
    wants_no_more, is_last = error.detail == str(GONE), attempt.number >= MOST_TRIES
    sentence = error.user_message
    if wants_no_more:
        sentence = WANTS_NO_MORE
    elif is_last:
        sentence = GIVEN_UP.format(error=sentence, tries=attempt.number)
    log.info("a webhook was not taken: %s", error, extra={"host": host_of(attempt.address)})
    with backend.database.write(Writing.BESIDE) as connection:
        records_webhooks.fail(connection, attempt, sentence, stopped=wants_no_more or is_last)


# ---- What is told


def _body(backend: Backend, attempt: Attempt) -> bytes | None:
    """Return what is sent, or None when there is nothing that the owner of the search may still see."""
    with backend.database.read() as connection:
        search = records_searches.by_id(connection, attempt.search)
        owner = owner_now(connection, search) if search else None
        if search is None or owner is None:
            return None
        matches = records_matches.visible(
            connection, search.id, owner, delivery=attempt.delivery, limit=MOST_IN_A_DELIVERY
        )
    if not matches:
        return None
    return json.dumps(_told(backend.settings.public_url, search, attempt.delivery, matches)).encode()


def _told(public_url: str, search: SavedSearch, delivery: str, matches: list[Match]) -> dict[str, Any]:
    return {
        "event": EVENT,
        "delivery": delivery,
        "search": {"id": search.id, "name": search.name},
        "matches": [
            {
                "image_id": match.image.id,
                "url": f"{public_url}/images/{match.image.id}",
                "filename": match.image.filename,
                "library": match.image.library_name,
                "matched_at": match.matched_at.isoformat(),
                "similarity": None if match.similarity is None else round(match.similarity, 4),
                "strength": match.strength,
            }
            for match in reversed(matches)
        ],
    }
