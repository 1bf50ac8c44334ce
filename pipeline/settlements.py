"""Settling groups of duplicates: what is kept, what goes into the trash, what stays beside it, and what is merged.

All of it is one transaction with the decisions that are remembered, and what was done is kept with them, so that
`undo` takes everything back, whenever and by whichever process. Nothing is destroyed: deleting is into the trash.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from uuid import uuid4

from pipeline.access import check_deciding, check_reading
from pipeline.backend import Backend
from pipeline.claiming import take
from pipeline.deciding import clean_reason, known
from pipeline.duplicate_groups import Group, find_group
from pipeline.errors import Conflict, InvalidQuery
from pipeline.images import ImageRecord
from pipeline.merging import Merged, has_original, keep_original, libraries_of, merge
from pipeline.principals import Action, Principal
from pipeline.stores import (
    records_decisions,
    records_groups,
    records_image_audit,
    records_images,
    records_principals,
    records_regroup,
)
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_decisions import SETTLES_GROUP, Decision, NewDecision, pair_of

CHANGED = "This group has changed meanwhile: a picture of it was deleted, or is in another one. Please look again."
NO_FILE = "The file of the picture that you keep, {name}, is missing from the store, so nothing was deleted."
TWICE = "A picture can be kept, deleted, a variant or unrelated, but not two of these."
NOTHING = "Nothing was said of any picture. Please delete one, or keep both as variants or as unrelated."
IN_BOTH = "The same picture in both libraries, put there when its duplicates were settled."


NOT_MERGED = Merged()


@dataclass(frozen=True)
class Settlement:
    """What is to become of the pictures of a group, by their ids; of what is in none of these nothing is decided.

    The keeper stays. `deletes` are duplicates of it and go into the trash; with `merge` their captions, tags and
    libraries come to the keeper, with `merge_across` also captions and tags from another library. `variants` stay
    beside it for good, `unrelated` ones were no duplicates.
    """

    keeper_id: str
    deletes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    unrelated: tuple[str, ...] = ()
    merge: bool = True
    reason: str = ""
    merge_across: bool = False

    @property
    def others(self) -> tuple[str, ...]:
        """All but the keeper."""
        return (*self.deletes, *self.variants, *self.unrelated)


@dataclass(frozen=True)
class Settled:
    """What was done, as values and as a sentence. `batch` takes it back. `bytes` are those of what was deleted.

    `groups` were settled; `changed` ones were left alone because they are not as they were in the preview.
    """

    batch: str
    sentence: str
    groups: int = 1
    deleted: int = 0
    variants: int = 0
    unrelated: int = 0
    bytes: int = 0
    merged: Merged = NOT_MERGED
    changed: int = 0


def settle(backend: Backend, group_id: str, settlement: Settlement, principal: Principal) -> Settled:
    """Do with a group as `settlement` says, if nobody else has claimed it.

    Raises GroupNotFound, InvalidQuery for a settlement that contradicts itself, NotAllowed when not every picture of it
    may be changed, and Conflict when somebody else has the group, it has changed, or the keeper has lost its file.
    """
    check_reading(principal)
    settlement = _checked(settlement)
    with backend.database.read() as connection:
        keeper, deleted = _meant(connection, find_group(connection, group_id, principal), settlement, principal)
    prepare(backend, keeper, deleted, principal, merging=settlement.merge)
    batch = str(uuid4())
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        group = take(connection, group_id, principal)
        return carry_out(connection, backend, group, settlement, principal, batch)


def prepare(
    backend: Backend, keeper: ImageRecord, deleted: Sequence[ImageRecord], principal: Principal, *, merging: bool
) -> None:
    """Do what takes long before the transaction: look whether the keeper has its file, and copy it where it is needed.

    Raises Conflict when it has none, although others of the group would be deleted.
    """
    if not deleted:
        return
    if not has_original(backend, keeper):
        raise Conflict(NO_FILE.format(name=keeper.filename))
    if merging:
        for library in libraries_of(keeper, deleted, principal)[0]:
            keep_original(backend, keeper, library)


def carry_out(
    connection: Connection,
    backend: Backend,
    group: Group,
    settlement: Settlement,
    principal: Principal,
    batch: str,
) -> Settled:
    """Settle a group that `principal` has, in the caller's transaction."""
    keeper, deleted = _meant(connection, group, settlement, principal)
    by_id = {image.id: image for image in group.images}
    merged = NOT_MERGED
    if settlement.merge and deleted:
        merged = merge(connection, backend, keeper, deleted, principal, across=settlement.merge_across)
    records_images.delete(connection, [image.row for image in deleted])
    records_image_audit.add(connection, principal, Event.IMAGES_DELETED, deleted)
    records_image_audit.add(
        connection, principal, Event.DUPLICATES_SETTLED, [keeper, *(by_id[one] for one in settlement.others)]
    )
    records_groups.release_any(connection, group.id)
    new = _decisions(connection, group, settlement, merged)
    records_decisions.append(connection, principal, batch, new)
    records_regroup.regroup(connection, [image.row for image in group.images])
    return Settled(
        batch=batch,
        sentence=_sentence(keeper, deleted, settlement, merged),
        deleted=len(deleted),
        variants=len(settlement.variants),
        unrelated=len(settlement.unrelated),
        bytes=sum(image.bytes for image in deleted),
        merged=merged,
    )


def _checked(settlement: Settlement) -> Settlement:
    """Return a settlement with a clean reason. Raises InvalidQuery for one that contradicts itself or says nothing."""
    everybody = (settlement.keeper_id, *settlement.others)
    if len(set(everybody)) < len(everybody):
        raise InvalidQuery(TWICE)
    if not settlement.others:
        raise InvalidQuery(NOTHING)
    clean = clean_reason(settlement.reason)
    return replace(settlement, reason=clean)


def _meant(
    connection: Connection, group: Group, settlement: Settlement, principal: Principal
) -> tuple[ImageRecord, list[ImageRecord]]:
    """Return the keeper and what is to be deleted, all of which `principal` may change."""
    by_id = {image.id: image for image in group.images}
    everybody = (settlement.keeper_id, *settlement.others)
    if any(image_id not in by_id for image_id in everybody):
        raise Conflict(CHANGED)
    check_deciding(connection, [by_id[image_id] for image_id in everybody], principal, Action.CHANGE)
    return by_id[settlement.keeper_id], [by_id[image_id] for image_id in settlement.deletes]


def _decisions(connection: Connection, group: Group, settlement: Settlement, merged: Merged) -> list[NewDecision]:
    """Return what is to be remembered: of the keeper with each other picture, and of those that stay beside it.

    The first one tells what became of the keeper itself.
    """
    by_id = {image.id: image for image in group.images}
    keeper = by_id[settlement.keeper_id]
    said = [
        *((image_id, Decision.DUPLICATE) for image_id in settlement.deletes),
        *((image_id, Decision.VARIANT) for image_id in settlement.variants),
        *((image_id, Decision.UNRELATED) for image_id in settlement.unrelated),
    ]
    new = []
    for image_id, decision in said:
        detail: dict[str, object] = {}
        if decision is Decision.DUPLICATE:
            detail = {"did": "deleted", "image": image_id}
        new.append(_new(keeper, by_id[image_id], decision, settlement, detail))
    stay = [(by_id[image_id], decision) for image_id, decision in said if decision is not Decision.DUPLICATE]
    found = records_groups.findings(connection, [image.row for image, _ in stay]) if len(stay) > 1 else []
    tied = {(finding.a, finding.b) for finding in found if finding.comparison.verdict.is_copy}
    for (one, first), (other, second) in combinations(stay, 2):
        both_strange = first is second is Decision.UNRELATED  # which may be duplicates of each other
        if not both_strange and (min(one.row, other.row), max(one.row, other.row)) in tied:
            decision = Decision.VARIANT if first is second else Decision.UNRELATED
            new.append(_new(one, other, decision, settlement, {}))
    for copy in merged.copies:
        detail = {"did": "restored" if copy.restored else "copied", "image": copy.image.id}
        pair = pair_of(known(keeper), known(copy.image))
        new.append(NewDecision(pair, Decision.VARIANT, reason=IN_BOTH, detail=detail))
    keeper_now = {
        "id": keeper.id,
        "caption": [merged.caption_before, merged.words.caption] if merged.has_new_caption else None,
        "tags": list(merged.words.tags),
    }
    first_detail = {**(new[0].detail or {}), "group": group.id, "keeper": keeper_now}
    if _is_whole(group, settlement):
        first_detail[SETTLES_GROUP] = True
    new[0] = NewDecision(new[0].pair, new[0].decision, new[0].kept, new[0].reason, first_detail)
    return new


def _is_whole(group: Group, settlement: Settlement) -> bool:
    """Whether nothing is left to decide in the group after this."""
    first, *others = group.members
    left = {first.image.id, *(member.image.id for member in others if member.decision is None)}
    return left <= {settlement.keeper_id, *settlement.others}


def _new(
    keeper: ImageRecord, other: ImageRecord, decision: Decision, settlement: Settlement, detail: dict[str, object]
) -> NewDecision:
    kept = known(keeper) if decision is Decision.DUPLICATE else None
    return NewDecision(pair_of(known(keeper), known(other)), decision, kept, settlement.reason, detail)


def _sentence(keeper: ImageRecord, deleted: Sequence[ImageRecord], settlement: Settlement, merged: Merged) -> str:
    """Return what was done, for the person who did it."""
    parts = []
    if deleted:
        parts.append(f"Pictures moved to the trash: {len(deleted):,}; {keeper.filename} is kept.")
    if settlement.variants:
        parts.append(f"Pictures kept as variants: {len(settlement.variants):,}.")
    if settlement.unrelated:
        parts.append(f"Pictures remembered as unrelated: {len(settlement.unrelated):,}.")
    if merged.words.left_out:
        parts.append(f"Captions and tags that found no room: {merged.words.left_out:,}.")
    if merged.refused:
        parts.append(f"The picture could not be added to {', '.join(merged.refused)}.")
    return " ".join(parts)
