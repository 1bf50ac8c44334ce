"""What was found beside a picture that was just sent, and what its sender makes of that.

The picture is in already, so keeping it is doing nothing; what can be said is that the one that is there is used
instead, that both are wanted, or that they have nothing to do with each other. That is remembered for the pair where
they may change both; where they may only do away with their own picture, nothing is said of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from pipeline import deciding, duplicate_checking
from pipeline.access import GONE, check_deciding, check_reading, may
from pipeline.backend import Backend
from pipeline.deciding import known
from pipeline.duplicate_checking import copies_of_many
from pipeline.duplicate_groups import check_unclaimed, group_of_pair
from pipeline.errors import ImageNotFound, InvalidQuery
from pipeline.features.comparison import Comparison
from pipeline.images import ImageRecord
from pipeline.labels import clean_reason
from pipeline.merging import merged_words
from pipeline.principals import Action, Principal
from pipeline.stores import (
    records_decisions,
    records_groups,
    records_image_audit,
    records_images,
    records_principals,
    records_regroup,
)
from pipeline.stores.records_audit import Event
from pipeline.stores.records_decisions import Decision, NewDecision, pair_of

waiting_for_check = duplicate_checking.waiting_for_check

USED_INSTEAD = "The one that was there is used instead."


@dataclass(frozen=True)
class Beside:
    """A picture beside one that was just sent, and how they compare: the new one is a.

    `decision` is the last word on the two with its `reason`, "" where nobody has said anything. `came_back` is the one
    that had been deleted as a duplicate of the other, if that was the last word: it is none now that both are there.
    `may_use` is whether the new one may be done away with, `may_decide` whether something can be said of both.
    """

    image: ImageRecord
    comparison: Comparison
    decision: str
    reason: str
    came_back: ImageRecord | None
    may_use: bool
    may_decide: bool


@dataclass(frozen=True)
class Used:
    """The new picture, which is in the trash now, and the one that is used; `merged` is whether that got its words.

    `batch` is what takes it back, "" where restoring the new one is all there is to that.
    """

    new: ImageRecord
    existing: ImageRecord
    merged: bool
    batch: str


def found_beside(backend: Backend, images: Sequence[ImageRecord], principal: Principal) -> dict[int, list[Beside]]:
    """Return by row what was found beside pictures, the closest first; those beside which nothing was are left out.

    What `principal` may not see is not among it.
    """
    found = copies_of_many(backend, images, principal)
    by_row = {image.row: image for image in images}
    pairs = {pair_of(known(by_row[row]), known(other)) for row, beside in found.items() for other, _ in beside}
    with backend.database.read() as connection:
        words = records_decisions.last_words(connection, pairs)

    def beside(image: ImageRecord, other: ImageRecord, comparison: Comparison) -> Beside:
        word = words.get(pair_of(known(image), known(other)))
        came_back = None
        if word and word.deleted_one:
            came_back = other if word.kept == known(image) else image
        may_use = may(principal, Action.CHANGE, image)
        return Beside(
            image=other,
            comparison=comparison,
            decision=word.decision if word and not came_back else "",
            reason=word.reason if word and not came_back else "",
            came_back=came_back,
            may_use=may_use,
            may_decide=may_use and may(principal, Action.CHANGE, other),
        )

    return {
        row: [beside(by_row[row], other, comparison) for other, comparison in others] for row, others in found.items()
    }


def use_existing(backend: Backend, new_id: str, existing_id: str, principal: Principal) -> Used:
    """Put the new picture into the trash; the one that is there gets its caption and tags, where they may be changed.

    Raises ImageNotFound, InvalidQuery for one picture twice, and NotAllowed when the new one is not theirs to delete,
    and Conflict while somebody else works on its group.
    """
    check_reading(principal)
    if new_id == existing_id:
        raise InvalidQuery("These are the same picture. Please name two.")
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        images = {image.id: image for image in records_images.get_present(connection, [new_id, existing_id], principal)}
        if len(images) < 2:  # noqa: PLR2004 - a pair
            raise ImageNotFound(GONE)
        new, existing = images[new_id], images[existing_id]
        check_deciding(connection, [new], principal, Action.CHANGE)
        group = records_groups.groups_of_rows(connection, [new.row]).get(new.row)
        check_unclaimed(connection, group, principal)
        batch, merged = "", may(principal, Action.CHANGE, existing)
        if merged:
            words, batch = merged_words(existing, [new]), str(uuid4())
            tags = (*existing.tags, *words.tags) if words.tags else None
            caption = words.caption if words.caption != existing.caption else None
            records_images.edit(connection, existing.row, caption=caption, new_tags=tags)
            keeper = {
                "id": existing.id,
                "caption": None if caption is None else [existing.caption, caption],
                "tags": list(words.tags),
            }
            detail = {"did": "deleted", "image": new.id, "keeper": keeper}
            if group is not None and group == group_of_pair(connection, new, existing):
                detail["group"] = group
            pair = pair_of(known(new), known(existing))
            said = NewDecision(pair, Decision.DUPLICATE, known(existing), USED_INSTEAD, detail)
        records_images.delete(connection, [new.row])
        records_image_audit.add(connection, principal, Event.IMAGES_DELETED, [new])
        if merged:
            records_decisions.append(connection, principal, batch, [said])
            records_regroup.note_decisions_of(connection, [pair])
    return Used(new, existing, merged, batch)


def keep_both(
    backend: Backend, new_id: str, existing_id: str, principal: Principal, *, variant: bool, reason: str = ""
) -> None:
    """Remember that both pictures are wanted: as variants of one, or, for a `reason`, as two that only look alike.

    Raises as `deciding.decide`, and InvalidQuery without a reason where one is needed.
    """
    if variant:
        deciding.decide(backend, new_id, existing_id, Decision.VARIANT, principal, reason)
    else:
        deciding.decide(backend, new_id, existing_id, Decision.UNRELATED, principal, clean_reason(reason))
