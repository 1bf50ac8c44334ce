"""Keeping an image back until a moderator has looked at it, and letting it go.

A held image is shown to nobody but the moderators of its library; those who have sent it are told that it is held, and
why. Searches, counts and indexes follow its state as they follow deletion, through the change number. What its analysis
has found stays, so an image that is released is found again at once; one that was held before it was analyzed, or
missed a change of encoder meanwhile, waits for analysis.

Works inside the caller's transaction, which takes several images in ascending order of their rows.
"""

from pipeline.images import ImageState
from pipeline.principals import Principal
from pipeline.stores import (
    records_arrivals,
    records_cases,
    records_embeddings,
    records_fingerprints,
    records_images,
    records_regroup,
)
from pipeline.stores.database import Connection
from pipeline.stores.tables import images

HELD_CODE = "held"
"""The `error_code` of a held image, whose `error` says why for those who have sent it."""

REPORTED_WORDS = "It was reported, and waits until a moderator has looked at it."


def hold(
    connection: Connection,
    row: int,
    *,
    reason: str,
    kind: str = records_cases.HELD,
    bank: str | None = None,
    by: Principal | None = None,
) -> bool:
    """Hold an image and open a case that says why, for its moderators and its uploader; return whether it is new.

    `by` is who wants it, None for the server itself, and `bank` the id of the bank that it was found in. An image that
    is held already gets no second case of the same reason. Whoever analyzes it at this moment loses it.
    """
    is_new = withhold(connection, row, reason)
    known = {(case.kind, case.reason) for case in records_cases.open_of(connection, [row])}
    if (kind, reason) not in known:
        who = (by.person_id, by.name) if by else (None, "")
        records_cases.add(connection, row, kind, reason, reporter_id=who[0], reporter=who[1], bank=bank)
    return is_new


def withhold(connection: Connection, row: int, reason: str) -> bool:
    """Hold an image that has its cases already; return whether it was not held before. It may be deleted."""
    held = {"state": ImageState.HELD, "error": reason, "error_code": HELD_CODE}
    free = {"lease_token": None, "lease_until": None}
    changed = images.update().where(images.c.row == row, images.c.state != ImageState.HELD).values(**held, **free)
    if not connection.execute(changed).rowcount:
        return False
    records_arrivals.withdraw(connection, row)
    records_embeddings.touch_analyzed(connection, [row])
    records_regroup.regroup(connection, [row])
    return True


def release(connection: Connection, row: int) -> bool:
    """Let an image go that is held, to be found again or to be analyzed; return whether it was held.

    Its cases are the business of who calls.
    """
    active = records_embeddings.active_encoder(connection)
    is_analyzed = active is not None and records_embeddings.get_vector(connection, row, active.fingerprint) is not None
    state = ImageState.READY if is_analyzed else ImageState.WAITING
    fresh = {"error": None, "error_code": None, "attempts": 0, "not_before": records_images.AT_ONCE}
    held = (images.c.row == row, images.c.state == ImageState.HELD)
    deleted = connection.scalar(
        images.update().where(*held).values(state=state, **fresh).returning(images.c.deleted_at.is_not(None))
    )
    if deleted is None:
        return False
    records_fingerprints.check_again(connection, [row])  # what came in meanwhile was not compared with it
    records_embeddings.touch_analyzed(connection, [row])
    if is_analyzed:
        records_arrivals.note(connection, row, records_embeddings.last_change(connection))
    records_regroup.regroup(connection, [row])
    return True
