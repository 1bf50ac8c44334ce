"""What waits for moderators, and what they have settled, as those who moderate a library see it.

Whoever may change every picture of a library moderates it. What was left to the owners of a library, only they decide.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.access import visible
from pipeline.backend import Backend
from pipeline.errors import NotAllowed
from pipeline.filters import Filter
from pipeline.images import ImageRecord
from pipeline.principals import Action, Principal
from pipeline.stores import records_case_queue, records_cases, records_images
from pipeline.stores.database import Connection
from pipeline.stores.records_case_queue import Place

Case = records_cases.Case
Tab = records_case_queue.Tab

NO_MODERATOR = "You moderate no library. Its owners can give you another role."


@dataclass(frozen=True)
class Waiting:
    """A picture in the queue with its cases, oldest first: all open ones, or those that were settled in one go.

    `may_settle` is whether who asks decides about it.
    """

    id: str
    image: ImageRecord
    cases: tuple[Case, ...]
    may_settle: bool

    @property
    def is_escalated(self) -> bool:
        """Whether the owners of its library are to decide."""
        return any(case.escalated for case in self.cases)


@dataclass(frozen=True)
class QueuePage:
    """A part of the queue; `next_cursor` is where the next begins, None at the end."""

    entries: tuple[Waiting, ...]
    next_cursor: str | None


def may_moderate(principal: Principal) -> bool:
    """Whether there is a library that `principal` moderates."""
    return principal.libraries(Action.CHANGE) != frozenset()


def check_moderating(principal: Principal) -> None:
    """Raise NotAllowed for who moderates no library."""
    if not may_moderate(principal):
        raise NotAllowed(NO_MODERATOR)


def count_waiting(backend: Backend, principal: Principal) -> dict[Tab, int]:
    """Return how many pictures are in each part of the queue that waits; nothing for who moderates no library."""
    if not may_moderate(principal):
        return {}
    where = Filter().seen_by(principal, Action.CHANGE)
    waiting = [tab for tab in Tab if tab is not Tab.SETTLED]
    with backend.database.read() as connection:
        return {
            tab: records_case_queue.count_images(connection, records_case_queue.Asked(tab, where)) for tab in waiting
        }


def count_own(backend: Backend, principal: Principal) -> int:
    """Return how many pictures wait for a decision that `principal` may take."""
    if not may_moderate(principal):
        return 0
    moderated = Filter().seen_by(principal, Action.CHANGE)
    owned = Filter().seen_by(principal, Action.MANAGE)
    asked = [(Tab.HELD, moderated), (Tab.REPORTED, moderated), (Tab.ESCALATED, owned)]
    with backend.database.read() as connection:
        counts = (
            records_case_queue.count_images(connection, records_case_queue.Asked(tab, where)) for tab, where in asked
        )
        return sum(counts)


def queue(
    backend: Backend,
    principal: Principal,
    tab: Tab,
    *,
    library: str = "",
    reason: str = "",
    who: str = "",
    cursor: str | None = None,
    limit: int,
) -> QueuePage:
    """Return up to `limit` pictures of a part of the queue, oldest first, or what was settled last first.

    `library` is a name or id; `reason` and `who` are parts of what was said and of the name of who said or settled it.
    `cursor` is what an earlier page gave. Raises NotAllowed for who moderates no library.
    """
    check_moderating(principal)
    where = visible(backend, Filter(libraries=(library,) if library else None), principal, Action.CHANGE)
    asked = records_case_queue.Asked(tab, where, reason, who)
    with backend.database.read() as connection:
        found = records_case_queue.places(connection, asked, behind=cursor, limit=limit + 1)
        shown = found[:limit]
        images = {
            image.row: image for image in records_images.get_by_rows(connection, [one.image_row for one in shown])
        }
        theirs = _cases_at(connection, tab, shown)
    entries = tuple(
        _waiting(principal, place, images[place.image_row], theirs[place])
        for place in shown
        if place.image_row in images
    )
    return QueuePage(entries, shown[-1].case if len(found) > limit else None)


def waiting_of(backend: Backend, image: ImageRecord, principal: Principal) -> tuple[Case, ...]:
    """Return the open cases of a picture for its moderators, oldest first; nothing for anybody else."""
    if not principal.may(Action.CHANGE, image.library):
        return ()
    with backend.database.read() as connection:
        return tuple(records_cases.open_of(connection, [image.row]))


def has_reported(backend: Backend, image: ImageRecord, principal: Principal) -> bool:
    """Whether `principal` has reported a picture and nobody has looked at that yet."""
    with backend.database.read() as connection:
        return records_cases.has_reported(connection, image.row, principal.person_id)


def _waiting(principal: Principal, place: Place, image: ImageRecord, theirs: Sequence[Case]) -> Waiting:
    return Waiting(place.case, image, tuple(theirs), decides(principal, image, theirs))


def _cases_at(connection: Connection, tab: Tab, shown: Sequence[Place]) -> dict[Place, list[Case]]:
    if tab is Tab.SETTLED:
        batches = {place.batch: records_cases.of_batch(connection, place.batch or "") for place in shown}
        return {place: [one for one in batches[place.batch] if one.image_row == place.image_row] for place in shown}
    by_id = by_row(records_cases.open_of(connection, [place.image_row for place in shown]))
    return {place: by_id[place.image_row] for place in shown}


def decides(principal: Principal, image: ImageRecord, theirs: Collection[Case]) -> bool:
    """Whether `principal` decides about a picture with these cases."""
    action = Action.MANAGE if any(case.escalated for case in theirs) else Action.CHANGE
    return principal.may(action, image.library)


def by_row(found: Sequence[Case]) -> dict[int, list[Case]]:
    """Return cases by the rows of their images."""
    grouped: dict[int, list[Case]] = defaultdict(list)
    for case in found:
        grouped[case.image_row].append(case)
    return grouped
