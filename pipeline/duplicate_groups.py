"""Groups of duplicates: made from findings and decisions, and shown to somebody with what there is for them.

Every member is tied to the keeper of its group by a comparison of its own, never through a neighbor, and is in one
group only. Who sees a group sees only those of its images that exist for them; with fewer than two it does not exist.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pipeline.access import check_reading, library_ids, may, may_change_any, owners_alone
from pipeline.backend import Backend
from pipeline.errors import Conflict, GroupNotFound, GroupSettled, InvalidQuery
from pipeline.features.comparison import Comparison, Verdict
from pipeline.images import ImageRecord
from pipeline.keepers import Reason, suggest
from pipeline.principals import Action, Principal
from pipeline.stores import records_decisions, records_groups, records_images, records_regroup
from pipeline.stores.database import Connection
from pipeline.stores.records_decisions import APART
from pipeline.stores.records_groups import Shape, Wanted
from pipeline.stores.records_regroup import OPEN, SETTLED
from pipeline.stores.records_regroup import regroup as regroup  # noqa: PLC0414 - whoever changes findings has it from here

MOST_COUNTED = 10_000
"""Groups that are counted for a page; beyond, it says that there are more. Counting so many takes some 50 ms."""

REGROUPED_AT_ONCE = 500  # images whose groups are made anew in one transaction of `reconcile`
STATES: dict[str, bool | None] = {OPEN: True, SETTLED: False, "all": None}
TAKEN = "{name} is working on this group until {time} UTC. Please take another one, or come back later."
SETTLED_BY = "{name} has settled this group."
SETTLED_DELETING = "{name} has settled this group; pictures that are in the trash: {count}."
LINES_LOOKED_AT = 1000
"""Of the log, newest first, for who has settled a group that is gone: more than a day of a few people's work."""

GONE = "There is no such group of duplicates. It may have been settled, or its pictures deleted."
CURSOR = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WRONG_CURSOR = "cursor must be a value that `next` gave before."


@dataclass(frozen=True)
class Member:
    """A picture of a group, and the comparison of the group's keeper with it, in which the keeper is a.

    That of the keeper itself is None. `decision` is the last word on both, "implied" where both are duplicates of
    others that are, None while nobody has decided. `may_change` is whether who asks may delete and edit it.
    """

    image: ImageRecord
    comparison: Comparison | None
    decision: str | None
    may_change: bool

    @property
    def verdict(self) -> Verdict | None:
        """What it is to the keeper; None for the keeper itself."""
        return self.comparison.verdict if self.comparison else None


@dataclass(frozen=True)
class Group:
    """Pictures that are copies of one, the group's keeper first: the one that all others were compared with.

    `verdict` is the weakest of them, `state` open or settled. `suggested_keeper` is the id of the one that had better
    be kept, for `reasons`. `claimed_by` is the name of who works on it until `claimed_until`, if anybody does and who
    asks may change anything in it; `is_mine` whether that is who asks. `position`, from 1, is its place among `total`
    open ones, `total_is_more` where there are more than were counted; each None where nobody has counted.
    """

    id: str
    verdict: Verdict
    state: str
    members: tuple[Member, ...]
    suggested_keeper: str
    reasons: tuple[Reason, ...]
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    is_mine: bool = False
    position: int | None = None
    total: int | None = None
    total_is_more: bool = False

    @property
    def images(self) -> tuple[ImageRecord, ...]:
        """All pictures, the keeper first."""
        return tuple(member.image for member in self.members)

    @property
    def may_settle(self) -> bool:
        """Whether who asks may change two of its pictures at least."""
        return sum(member.may_change for member in self.members) >= records_groups.FEWEST


@dataclass(frozen=True)
class GroupPage:
    """A part of the queue, oldest first. `next` is the cursor of the next part, None at the end.

    `total` is how many groups there are, MOST_COUNTED where `total_is_more`; `position` is the place of the first one.
    """

    groups: tuple[Group, ...]
    next: str | None
    total: int
    total_is_more: bool
    position: int


@dataclass(frozen=True)
class ScenePair:
    """Two photos of one thing that were told apart: they are in no group."""

    a: ImageRecord
    b: ImageRecord
    comparison: Comparison


@dataclass(frozen=True)
class ScenePage:
    """A part of the list of such pairs. `next` is the cursor of the next part, None at the end."""

    pairs: tuple[ScenePair, ...]
    next: str | None


# ---- Showing


def list_groups(
    backend: Backend,
    principal: Principal,
    *,
    state: str = OPEN,
    verdict: Verdict | None = None,
    library: str | None = None,
    cursor: str | None = None,
    limit: int,
) -> GroupPage:
    """Return up to `limit` groups in a state (open, settled or all), with a verdict, in a library, a name or an id.

    Raises InvalidQuery for another state, or what cannot be a cursor.
    """
    check_reading(principal)
    if state not in STATES:
        raise InvalidQuery("state must be open, settled or all.")
    if cursor is not None and not CURSOR.fullmatch(cursor):
        raise InvalidQuery(WRONG_CURSOR)
    if library:
        meant = library_ids(backend, [library], principal)
        library = meant[0] if len(meant) == 1 else library
    wanted = Wanted(STATES[state], verdict, library or None)
    with backend.database.read() as connection:
        ids = records_groups.list_ids(connection, principal, wanted, after=cursor, limit=limit + 1)
        groups = groups_of(connection, principal, ids[:limit])
        total = records_groups.count(connection, principal, wanted, most=MOST_COUNTED + 1)
        first = ids[0] if ids else cursor
        before = records_groups.count(connection, principal, wanted, before=first, most=MOST_COUNTED) if cursor else 0
    return GroupPage(
        groups=tuple(groups),
        next=ids[limit - 1] if len(ids) > limit else None,
        total=min(total, MOST_COUNTED),
        total_is_more=total > MOST_COUNTED,
        position=before + 1,
    )


def get_group(backend: Backend, group_id: str, principal: Principal) -> Group:
    """Return a group with its place among the open ones. Raises GroupNotFound, also where others may see it."""
    check_reading(principal)
    with backend.database.read() as connection:
        group = find_group(connection, group_id, principal)
        total = records_groups.count(connection, principal, Wanted(), most=MOST_COUNTED + 1)
        before = records_groups.count(connection, principal, Wanted(), before=group_id, most=MOST_COUNTED)
    return replace(group, position=before + 1, total=min(total, MOST_COUNTED), total_is_more=total > MOST_COUNTED)


def groups_with(backend: Backend, images: Sequence[ImageRecord], principal: Principal) -> dict[int, str]:
    """Return row -> id of the group that each of the images is in, where that exists for `principal`."""
    with backend.database.read() as connection:
        known = records_groups.groups_of_rows(connection, [image.row for image in images])
        seen = {shape.id: shape for shape in records_groups.shapes(connection, principal, sorted(set(known.values())))}
    return {row: group for row, group in known.items() if group in seen and row in seen[group].rows}


def list_same_scene(backend: Backend, principal: Principal, *, cursor: str | None = None, limit: int) -> ScenePage:
    """Return up to `limit` pairs that show one scene and are no copies, on which nobody has decided."""
    check_reading(principal)
    with backend.database.read() as connection:
        after = None if cursor is None else _place(connection, cursor, principal)
        found = records_groups.same_scene(connection, principal, after=after, limit=limit + 1)
        shown = found[:limit]
        rows = sorted({row for pair in shown for row in (pair.a, pair.b)})
        images = {image.row: image for image in records_images.get_by_rows(connection, rows)}
    pairs = tuple(ScenePair(images[pair.a], images[pair.b], pair.comparison) for pair in shown)
    return ScenePage(pairs, f"{pairs[-1].a.id}:{pairs[-1].b.id}" if len(found) > limit else None)


def _place(connection: Connection, cursor: str, principal: Principal) -> tuple[int, int]:
    """Return the rows of the pair that a cursor names."""
    ids = cursor.split(":")
    if len(ids) != 2 or not all(CURSOR.fullmatch(image_id) for image_id in ids):  # noqa: PLR2004 - a pair
        raise InvalidQuery(WRONG_CURSOR)
    pair = records_images.get_present(connection, ids, principal, deleted_too=True)
    if len(pair) != 2:  # noqa: PLR2004
        raise InvalidQuery("What cursor names has been deleted meanwhile. Please begin anew.")
    return pair[0].row, pair[1].row


# ---- Within a transaction


def find_group(connection: Connection, group_id: str, principal: Principal) -> Group:
    """Return a group as `principal` sees it. Raises GroupNotFound; GroupSettled where they may read who did that."""
    found = groups_of(connection, principal, [group_id])
    if not found:
        raise _settled_by(connection, group_id, principal) or GroupNotFound(GONE)
    return found[0]


def _settled_by(connection: Connection, group_id: str, principal: Principal) -> GroupSettled | None:
    """Return who has settled a group, as far as that is in the part of the log which `principal` may read."""
    if not may_change_any(principal):
        return None
    readable = records_decisions.readable_by(connection, principal)
    lines = records_decisions.entries(connection, readable, limit=LINES_LOOKED_AT)
    withdrawn = {line.withdraws for line in lines}
    last = next((line for line in lines if line.detail.get("group") == group_id and line.id not in withdrawn), None)
    if last is None:
        return None
    deleted = sum(line.batch == last.batch and line.detail.get("did") == "deleted" for line in lines)
    sentence = SETTLED_DELETING if deleted else SETTLED_BY
    return GroupSettled(sentence.format(name=last.actor, count=f"{deleted:,}"))


def group_of_pair(connection: Connection, a: ImageRecord, b: ImageRecord) -> str | None:
    """Return the id of the group that both images are in, whoever may see it; None where there is none."""
    groups = records_groups.groups_of_rows(connection, [a.row, b.row])
    return groups.get(a.row) if groups.get(a.row) == groups.get(b.row) else None


def check_unclaimed(connection: Connection, group_id: str | None, principal: Principal) -> None:
    """Raise Conflict where somebody else is working on a group of which `principal` may change a picture.

    They need not see two pictures of it, as they do where it exists for them. None is no group.
    """
    held = None if group_id is None else records_groups.claim_of(connection, group_id, datetime.now(UTC))
    if held and held.who != claimant(principal):
        raise taken_by(held.name, held.until)


def taken_by(name: str | None, until: datetime) -> Conflict:
    """Return the error for a group that somebody else has."""
    return Conflict(TAKEN.format(name=name or "Somebody", time=f"{until:%H:%M}"))


def groups_of(connection: Connection, principal: Principal, group_ids: Sequence[str]) -> list[Group]:
    """Return those of the groups that exist for `principal`, in the order asked."""
    shapes = records_groups.shapes(connection, principal, group_ids)
    rows = sorted({row for shape in shapes for row in shape.rows})
    images = {image.row: image for image in records_images.get_by_rows(connection, rows)}
    pairs = {(pair.a, pair.b): pair for pair in records_groups.findings(connection, rows)}
    changeable = {row for row, image in images.items() if may(principal, Action.CHANGE, image)}
    changeable -= owners_alone(connection, list(images.values()), principal)
    return [_group(shape, images, pairs, principal, changeable) for shape in shapes]


def _group(
    shape: Shape,
    images: Mapping[int, ImageRecord],
    pairs: Mapping[tuple[int, int], records_groups.Finding],
    principal: Principal,
    changeable: Collection[int],
) -> Group:
    keeper, *others = shape.rows
    members = [Member(images[keeper], None, None, keeper in changeable)]
    for row in others:
        pair = pairs[min(keeper, row), max(keeper, row)]
        decision = None if pair.decision in APART else pair.decision
        image = images[row]
        members.append(Member(image, pair.seen_from(keeper), decision, row in changeable))
    verdicts = [member.verdict for member in members if member.verdict is not None]
    suggestion = suggest([member.image for member in members], [member.comparison for member in members])
    claimed = shape.claimed_until is not None and shape.claimed_until > datetime.now(UTC)
    told = claimed and any(member.may_change for member in members)
    return Group(
        id=shape.id,
        verdict=next(verdict for verdict in reversed(Verdict) if verdict in verdicts),
        state=OPEN if any(member.decision is None for member in members[1:]) else SETTLED,
        members=tuple(members),
        suggested_keeper=suggestion.image.id,
        reasons=suggestion.reasons,
        claimed_by=shape.claimed_name if told else None,
        claimed_until=shape.claimed_until if told else None,
        is_mine=told and shape.claimed_by == claimant(principal),
    )


def claimant(principal: Principal) -> str:
    """Return how a claim knows who has it."""
    return principal.person_id or principal.name


# ---- Repairing


def regroup_all(backend: Backend) -> None:
    """Make all groups anew, some at a time; where nothing was wrong nothing is written."""
    last: int | None = 0
    while last is not None:
        with backend.database.write() as connection:
            last = records_regroup.regroup_all(connection, last, REGROUPED_AT_ONCE)
