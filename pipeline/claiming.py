"""Working through the queue of duplicates: who has which group, and which one is next.

Whoever reviews a group has it for CLAIM_MINUTES; pages claim it again while somebody works on it. What nobody renews
falls free by itself, so a browser that was closed, or a server that was restarted, keeps nothing from others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.access import NOT_MODERATING, check_reading, may_change_any
from pipeline.backend import Backend
from pipeline.duplicate_groups import MOST_COUNTED, Group, claimant, find_group, taken_by
from pipeline.errors import Conflict, GroupNotFound, NotAllowed
from pipeline.features.comparison import Verdict
from pipeline.principals import Principal
from pipeline.stores import records_decisions, records_groups, records_principals
from pipeline.stores.database import Connection, Writing
from pipeline.stores.records_groups import Wanted

CLAIM_MINUTES = 10
"""For which a group is somebody's: longer than looking at one takes, and nobody waits long for who has left."""

CLAIM = timedelta(minutes=CLAIM_MINUTES)
SITTING = timedelta(hours=12)
"""What somebody has settled within this time counts as done in "37 of 214"."""

TRIES = 20  # groups that are looked for at once, to be tried while others claim what was found


@dataclass(frozen=True)
class Progress:
    """How many groups somebody has settled in this sitting, and how many are left; `left_is_more` than were counted."""

    done: int
    left: int
    left_is_more: bool

    @property
    def position(self) -> int:
        """The number of the group that is looked at now: 37 of 214."""
        return self.done + 1

    @property
    def total(self) -> int:
        """How many there were at the beginning of the sitting and have come since."""
        return self.done + self.left


def claim(backend: Backend, group_id: str, principal: Principal) -> Group:
    """Take a group for CLAIM_MINUTES, or keep it for so long again; return it.

    Raises GroupNotFound, NotAllowed for whoever may not change two of its pictures, and Conflict with the name of who
    has it.
    """
    check_reading(principal)
    with backend.database.write(Writing.BESIDE) as connection:
        principal = records_principals.current(connection, principal)
        return take(connection, group_id, principal)


def take(connection: Connection, group_id: str, principal: Principal) -> Group:
    """Do so within the caller's transaction; `principal` is who they are now."""
    group = find_group(connection, group_id, principal)
    check_may_settle(group)
    now = datetime.now(UTC)
    if not records_groups.claim(connection, group_id, claimant(principal), principal.name, now, CLAIM):
        group = find_group(connection, group_id, principal)
        raise taken_by(group.claimed_by, group.claimed_until or now)
    return find_group(connection, group_id, principal)


def release(backend: Backend, group_id: str, principal: Principal) -> None:
    """Let a group go for others; one that somebody else has, or that is not there, stays as it is."""
    check_moderating(principal)
    with backend.database.write(Writing.BESIDE) as connection:
        principal = records_principals.current(connection, principal)
        records_groups.release(connection, group_id, claimant(principal))


def next_group(
    backend: Backend,
    principal: Principal,
    after: str | None = None,
    *,
    verdict: Verdict | None = None,
    library: str | None = None,
) -> Group | None:
    """Claim and return the first open group behind the id `after` that nobody else has; None when there is none.

    At the end it goes on with what was passed over before. Raises NotAllowed for who may change pictures nowhere.
    """
    check_moderating(principal)
    now = datetime.now(UTC)
    wanted = Wanted(True, verdict, library, others_than=claimant(principal), now=now, may_settle=True)
    for group_id in _all_behind(backend, principal, wanted, after):
        try:
            return claim(backend, group_id, principal)
        except (Conflict, NotAllowed, GroupNotFound):  # taken, or gone, since it was found; or only to be looked at
            continue
    return None


def _all_behind(backend: Backend, principal: Principal, wanted: Wanted, after: str | None) -> Iterator[str]:
    """Yield all ids of such groups once, those behind `after` first, a few at a time."""
    for start, end in ((after, None), (None, after)) if after is not None else ((None, None),):
        place: str | None = start
        while True:
            with backend.database.read() as connection:
                found = records_groups.list_ids(connection, principal, wanted, after=place, limit=TRIES)
            yield from (group_id for group_id in found if end is None or group_id <= end)
            if len(found) < TRIES or (end is not None and found[-1] > end):
                break
            place = found[-1]


def progress(backend: Backend, principal: Principal) -> Progress:
    """Return how far `principal` has come: what they have settled, and what is open that they may settle."""
    check_reading(principal)
    since = datetime.now(UTC) - SITTING
    with backend.database.read() as connection:
        done = records_decisions.count_settled(connection, principal.person_id, since)
        left = records_groups.count(connection, principal, Wanted(may_settle=True), most=MOST_COUNTED + 1)
    return Progress(done, min(left, MOST_COUNTED), left > MOST_COUNTED)


def left_of(
    backend: Backend, principal: Principal, *, verdict: Verdict | None, library: str | None
) -> tuple[int, bool]:
    """Return how many open groups with a verdict, in a library, `principal` may settle, and whether there are more."""
    check_reading(principal)
    wanted = Wanted(verdict=verdict, library=library, may_settle=True)
    with backend.database.read() as connection:
        left = records_groups.count(connection, principal, wanted, most=MOST_COUNTED + 1)
    return min(left, MOST_COUNTED), left > MOST_COUNTED


def check_may_settle(group: Group) -> None:
    """Raise NotAllowed unless who asked for the group may change two pictures of it at least."""
    if not group.may_settle:
        raise NotAllowed(NOT_MODERATING)


def check_moderating(principal: Principal) -> None:
    """Raise NotAllowed for who may change pictures nowhere."""
    check_reading(principal)
    if not may_change_any(principal):
        raise NotAllowed(NOT_MODERATING)
