"""What moderators decide about pictures that are held or were reported.

All open cases of a picture are settled together, by one deed, in one transaction: who comes second is told what the
first has decided. What was left to the owners of a library, only they settle. Every deed is in the audit log, with who
and why; what was approved or removed can be taken back while the picture is there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline import banks, holding
from pipeline.access import FOR_OWNERS, GONE, check_reading
from pipeline.backend import Backend
from pipeline.errors import Conflict, ImageNotFound, NotAllowed
from pipeline.images import ImageRecord, ImageState, new_image_id
from pipeline.labels import clean_reason
from pipeline.moderation_queue import Case, by_row, check_moderating, decides
from pipeline.principals import Action, Principal
from pipeline.stores import records_cases, records_image_audit, records_images, records_judged, records_principals
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_cases import APPROVED, ESCALATED, HELD, REMOVED, REPORTED

REMOVED_WORDS = "A moderator has removed this picture."
NOT_YOURS = (
    "Some of these pictures are in libraries that you do not moderate, so nothing was done. Please leave those out."
)
NOT_YOUR_LIBRARY = (
    "You may look at this picture but not moderate it. The owners of its library can give you another role."
)
NOTHING_OPEN = "There is nothing to decide about {these} any more."
BEFORE_YOU = "{name} has {done} it already."
UNDONE = "This cannot be undone any more: it was undone already, or the pictures are gone."
WAITS_AGAIN = (
    "This cannot be undone: it was brought back meanwhile, and waits in the queue. Please decide about it there."
)
BROUGHT_BACK = "This cannot be undone: it was brought back meanwhile."
DELETED_SINCE = "This cannot be undone while it is in the trash. Please restore it first."
DONE_WORDS = {APPROVED: "approved", REMOVED: "removed"}


@dataclass(frozen=True)
class Preview:
    """What a deed would do: the pictures that it would be done to, and those that were settled meanwhile, by whom.

    `reports` and `held` are how many of the cases are reports, and how many of the pictures are held. `refused` are the
    pictures that are the owners' to decide on.
    """

    images: tuple[ImageRecord, ...]
    settled: tuple[tuple[ImageRecord, str], ...] = ()
    reports: int = 0
    held: int = 0
    refused: tuple[ImageRecord, ...] = ()


@dataclass(frozen=True)
class Settled:
    """What was done: to which pictures, which had been settled before, in which sentence, and how it is undone."""

    batch: str
    images: tuple[ImageRecord, ...]
    settled: tuple[tuple[ImageRecord, str], ...] = ()


@dataclass(frozen=True)
class _Chosen:
    """Pictures that somebody moderates, by whether there is anything to decide about them."""

    open: list[ImageRecord] = field(default_factory=list)
    cases: Mapping[int, list[Case]] = field(default_factory=dict)
    settled: list[tuple[ImageRecord, str]] = field(default_factory=list)
    refused: list[ImageRecord] = field(default_factory=list)


def hold(backend: Backend, image_ids: Sequence[str], principal: Principal, reason: str) -> list[ImageRecord]:
    """Hold pictures that one moderates until a decision is taken; return those that were not held before."""
    check_reading(principal)
    reason = clean_reason(reason)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        images = _moderated(connection, image_ids, principal)
        there = [image for image in images if image.deleted_at is None]
        if not there:
            raise ImageNotFound(GONE)
        fresh = [
            image
            for image in sorted(there, key=lambda image: image.row)
            if holding.hold(connection, image.row, reason=reason, by=principal)
        ]
        records_image_audit.add(connection, principal, Event.IMAGES_HELD, fresh, reason=reason)
    return fresh


def preview(backend: Backend, image_ids: Sequence[str], principal: Principal) -> Preview:
    """Return what approving, removing or escalating these pictures would be done to. Raises as these do."""
    check_reading(principal)
    with backend.database.read() as connection:
        chosen = _chosen(connection, image_ids, principal)
    theirs = [case for image in chosen.open for case in chosen.cases[image.row]]
    return Preview(
        images=tuple(chosen.open),
        settled=tuple(chosen.settled),
        reports=sum(case.kind == REPORTED for case in theirs),
        held=sum(image.state == ImageState.HELD for image in chosen.open),
        refused=tuple(chosen.refused),
    )


def approve(backend: Backend, image_ids: Sequence[str], principal: Principal, reason: str = "") -> Settled:
    """Let pictures go, or stay, as they are: what was held is found again, reports are settled.

    The hash of one that had been removed goes out of the bank that it was kept in.

    Raises NotAllowed when some of them are not moderated by `principal` or left to their owners, and Conflict when all
    of them have been settled, in words that say by whom.
    """
    reason = clean_reason(reason) if reason.strip() else ""

    def do(connection: Connection, images: list[ImageRecord], principal: Principal) -> None:
        for image in images:
            banks.forget(connection, image, principal)  # it may have been removed to stay so, and was restored
            holding.release(connection, image.row)
        records_judged.note_approved(connection, [image.row for image in images])
        records_image_audit.add(connection, principal, Event.IMAGES_APPROVED, images, reason=reason)

    return _settle(backend, image_ids, principal, APPROVED, reason, do)


def remove(
    backend: Backend, image_ids: Sequence[str], principal: Principal, reason: str, *, keep_hash: bool = False
) -> Settled:
    """Put pictures into the trash, from which only moderators bring them back; `keep_hash` lets them stay removed.

    Of a picture that was never analyzed there is no hash to keep. Raises as `approve`, and InvalidQuery without a
    reason.
    """
    reason = clean_reason(reason)

    def do(connection: Connection, images: list[ImageRecord], principal: Principal) -> None:
        kept = [banks.remember(connection, image, principal, reason=reason) for image in images if keep_hash]
        for image in images:
            holding.withhold(connection, image.row, REMOVED_WORDS)
        records_images.delete(connection, [image.row for image in images])
        records_image_audit.add(
            connection, principal, Event.IMAGES_REMOVED, images, reason=reason, hashes_kept=sum(kept)
        )

    return _settle(backend, image_ids, principal, REMOVED, reason, do)


def escalate(backend: Backend, image_ids: Sequence[str], principal: Principal, reason: str) -> Settled:
    """Leave pictures to the owners of their libraries. Raises as `approve`, and InvalidQuery without a reason."""
    reason = clean_reason(reason)
    check_reading(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        chosen = _decided(connection, image_ids, principal)
        rows = records_cases.escalate(connection, [image.row for image in chosen.open])
        images = [image for image in chosen.open if image.row in rows]
        if not images:
            raise Conflict("This has been left to the owners of its library already.")
        for image in images:
            records_cases.add(
                connection, image.row, ESCALATED, reason, reporter_id=principal.person_id, reporter=principal.name
            )
        records_image_audit.add(connection, principal, Event.IMAGES_ESCALATED, images, reason=reason)
    return Settled("", tuple(images), tuple(chosen.settled))


def undo(backend: Backend, batch: str, principal: Principal) -> list[ImageRecord]:
    """Take back what was approved or removed in one go, so that it waits again; return the pictures.

    Pictures that have been purged, or that somebody has brought back meanwhile, are left as they are. Raises
    NotAllowed, and Conflict when nothing is left to be undone.
    """
    check_reading(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        cases = by_row(records_cases.of_batch(connection, batch) if batch else [])
        images = _moderated(connection, [], principal, rows=sorted(cases))
        if any(not decides(principal, image, cases[image.row]) for image in images):
            raise NotAllowed(FOR_OWNERS)
        again = {case.image_row for case in records_cases.open_of(connection, list(cases))}
        kept = [image for image in images if image.row not in again]
        undone = [image for image in kept if _can_be_undone(image, cases[image.row][0])]
        if not undone:
            raise Conflict(_why_not_undone(images, kept))
        for image in undone:
            _undo(connection, image, cases[image.row], principal)
        records_image_audit.add(connection, principal, Event.MODERATION_UNDONE, undone)
        return records_images.get_by_rows(connection, [image.row for image in undone])


def _can_be_undone(image: ImageRecord, case: Case) -> bool:
    return (image.deleted_at is not None) == (case.outcome == REMOVED)


def _why_not_undone(images: Sequence[ImageRecord], not_waiting: Sequence[ImageRecord]) -> str:
    """Return why nothing of what was settled can be taken back; `not_waiting` are those not in the queue again."""
    if not images:
        return UNDONE
    if not not_waiting:
        return WAITS_AGAIN
    return BROUGHT_BACK if not_waiting[0].deleted_at is None else DELETED_SINCE


def _undo(connection: Connection, image: ImageRecord, theirs: Sequence[Case], principal: Principal) -> None:
    was_held, outcome = theirs[0].was_held, theirs[0].outcome
    records_cases.unsettle(connection, [case.id for case in theirs])
    if outcome == REMOVED:
        banks.forget(connection, image, principal)
        records_images.restore(connection, [image.row])
        if not was_held:
            holding.release(connection, image.row)
        return
    if outcome == APPROVED:
        records_judged.forget_approved(connection, image.row)
    if was_held:
        said = [case.reason for case in theirs if case.kind == HELD]
        holding.withhold(connection, image.row, said[0] if said else holding.REPORTED_WORDS)


def _settle(
    backend: Backend,
    image_ids: Sequence[str],
    principal: Principal,
    outcome: str,
    reason: str,
    do: Callable[[Connection, list[ImageRecord], Principal], None],
) -> Settled:
    check_reading(principal)
    batch = new_image_id()
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        chosen = _decided(connection, image_ids, principal)
        rows = [image.row for image in chosen.open]
        records_cases.settle(connection, rows, batch=batch, outcome=outcome, reason=reason, by=principal.name)
        do(connection, chosen.open, principal)
    return Settled(batch, tuple(chosen.open), tuple(chosen.settled))


def _decided(connection: Connection, image_ids: Sequence[str], principal: Principal) -> _Chosen:
    """Return the pictures about which something is to be decided now, by `principal`."""
    chosen = _chosen(connection, image_ids, principal)
    if chosen.refused:
        raise NotAllowed(FOR_OWNERS)
    if not chosen.open:
        words = NOTHING_OPEN.format(these="this picture" if len(set(image_ids)) == 1 else "these pictures")
        said = list(dict.fromkeys(sentence for _, sentence in chosen.settled))
        raise Conflict(" ".join([words, *said]) if len(said) == 1 else words)
    return chosen


def _chosen(connection: Connection, image_ids: Sequence[str], principal: Principal) -> _Chosen:
    images = sorted(_moderated(connection, image_ids, principal), key=lambda image: image.row)
    if not images:
        raise ImageNotFound(GONE)
    rows = [image.row for image in images]
    cases = by_row(records_cases.open_of(connection, rows))
    before = records_cases.last_settled(connection, rows)
    chosen = _Chosen(cases=cases)
    for image in images:
        if not cases[image.row] or image.deleted_at is not None:
            chosen.settled.append((image, _said_before(before.get(image.row))))
        elif decides(principal, image, cases[image.row]):
            chosen.open.append(image)
        else:
            chosen.refused.append(image)
    return chosen


def _said_before(case: Case | None) -> str:
    if case is None:
        return "Nobody has reported or held it, or it was deleted."
    return BEFORE_YOU.format(name=case.settled_by, done=DONE_WORDS[case.outcome])


def _moderated(
    connection: Connection, image_ids: Sequence[str], principal: Principal, *, rows: Sequence[int] = ()
) -> list[ImageRecord]:
    """Return pictures that exist for `principal`, deleted ones too, who moderates every one of them.

    Who has uploaded a picture may change it, and does not moderate it by that.
    """
    wanted = list(dict.fromkeys(image_ids))
    if rows:
        wanted = [image.id for image in records_images.get_by_rows(connection, rows)]
    images = records_images.get_present(connection, wanted, principal, deleted_too=True)
    if any(not principal.may(Action.CHANGE, image.library) for image in images):
        check_moderating(principal)
        raise NotAllowed(NOT_YOUR_LIBRARY if len(images) == 1 else NOT_YOURS)
    return images
