"""Saying of two pictures what they are to each other, once and for good: the last word on a pair is remembered.

A decision belongs to the pair, whichever picture is named first, and to its bytes: it holds when they are analyzed
anew, purged and uploaded again, or compared by newer code. Nothing is ever removed from the log.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

from pipeline.access import GONE, check_action, check_reading
from pipeline.backend import Backend
from pipeline.duplicate_groups import check_unclaimed, group_of_pair
from pipeline.errors import ImageNotFound, InvalidQuery
from pipeline.images import ImageRecord
from pipeline.labels import clean_caption
from pipeline.principals import Action, Principal
from pipeline.stores import records_decisions, records_images, records_principals, records_regroup
from pipeline.stores.database import Connection
from pipeline.stores.records_decisions import Decision, Known, Logged, NewDecision, Pair, pair_of

LONGEST_REASON = 500  # characters


@dataclass(frozen=True)
class Decided:
    """What was said of two pictures, and the `batch` by which it can be taken back."""

    a: ImageRecord
    b: ImageRecord
    decision: Decision
    batch: str


def known(image: ImageRecord) -> Known:
    """Return an image as decisions know it."""
    return image.sha256, image.library


def decide(backend: Backend, a_id: str, b_id: str, decision: str, principal: Principal, reason: str = "") -> Decided:
    """Remember what `principal` says of two pictures; what they have said last already is not said twice.

    Raises InvalidQuery for something else than a Decision or for one picture twice, ImageNotFound, and NotAllowed when
    they may not change both, and Conflict while somebody else works on the group that both are in.
    """
    check_reading(principal)
    said = _decision(decision)
    reason = clean_reason(reason)
    if a_id == b_id:
        raise InvalidQuery("These are the same picture. Please name two.")
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        images = records_images.get_present(connection, [a_id, b_id], principal)
        if len(images) < 2:  # noqa: PLR2004 - a pair
            raise ImageNotFound(GONE)
        check_action(images, principal, Action.CHANGE)
        a, b = images
        pair = pair_of(known(a), known(b))
        word = last_word(connection, [pair]).get(pair)
        if (
            word
            and not word.deleted_one
            and (word.decision, word.actor_id, word.reason) == (said, principal.person_id, reason)
        ):
            return Decided(a, b, said, word.batch)
        group = group_of_pair(connection, a, b)
        check_unclaimed(connection, group, principal)
        batch = str(uuid4())
        detail = None if group is None else {"group": group}
        records_decisions.append(connection, principal, batch, [NewDecision(pair, said, reason=reason, detail=detail)])
        records_regroup.regroup(connection, [a.row, b.row])
    return Decided(a, b, said, batch)


def last_word(connection: Connection, pairs: Iterable[Pair]) -> dict[Pair, Logged]:
    """Return the last word on each of the pairs on which there is one, by pairs that `pair_of` made."""
    return records_decisions.last_words(connection, pairs)


def clean_reason(reason: str) -> str:
    """Return a reason without control characters. Raises InvalidQuery when it is too long."""
    text = clean_caption(reason)
    if len(text) > LONGEST_REASON:
        raise InvalidQuery(f"A reason can have {LONGEST_REASON} characters; this one has {len(text):,}.")
    return text


def _decision(text: str) -> Decision:
    try:
        return Decision(text)
    except ValueError as error:
        raise InvalidQuery("decision must be duplicate, variant or unrelated.") from error
