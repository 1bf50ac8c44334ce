"""Stacks: what is nearly the same as a picture of a result lies under it, and is no tile of its own.

Only pages stack. A result stays what it is, a ranking of pictures, and a page begins at a place in it that is counted
as without stacks, so that what is compared between two pages shifts nothing over their border. Which picture is on top
depends on those before it alone, never on where a page ends.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.access import GONE, get_image, visible
from pipeline.backend import Backend
from pipeline.errors import ImageNotFound
from pipeline.filters import Filter
from pipeline.images import ImageRecord
from pipeline.principals import Principal
from pipeline.stores import records_images, records_stacks
from pipeline.stores.records_stacks import NEARLY_THE_SAME, Other

SPARE = 60
"""Places that are looked at beyond those of a page, for what lies under others; where they do not do, twice as many."""

MOST_LOOKED_AT = 1000
"""Places of one page, or twice as many as it may have tiles. Where so many lie under others the page has fewer tiles,
and the next one goes on behind them."""


@dataclass(frozen=True)
class Slice:
    """The part of a ranking that is one page.

    `tiles` are its rows, best first, and `beneath` has for those with a stack how many lie under them, on whatever
    page these would have been. `before` is how many tiles the pages before have, `next_place` the place in the ranking
    at which the next page begins. `ranked` are the rows that were looked at, from the top on.
    """

    tiles: list[int]
    before: int
    next_place: int
    has_more: bool
    ranked: list[int]
    beneath: Mapping[int, int] = field(default_factory=dict)


def sliced(rows_up_to: Callable[[int], list[int]], *, offset: int, limit: int) -> Slice:
    """Return a page on which nothing is stacked. `rows_up_to` gives that many rows from the top on, or all."""
    rows = rows_up_to(offset + limit + 1)
    end = offset + limit
    return Slice(rows[offset:end], offset, end, len(rows) > end, rows)


def stacked(
    backend: Backend,
    where: Filter,
    rows_up_to: Callable[[int], list[int]],
    *,
    offset: int,
    limit: int,
    among: Collection[int] | None = None,
    leave_out: Collection[int] = (),
) -> Slice:
    """Return the page that begins at the place `offset`: up to `limit` tiles, and under each what is nearly the same.

    `where` has been narrowed to what somebody sees; only what passes it is stacked and counted, and of that what is
    `among` the result, where not everything that passes is in it, and not in `leave_out`.
    """
    colored = backend.swatches.rows_with(where)
    others: dict[int, list[Other]] = {}
    looked_at, needed = 0, limit + 1 + SPARE
    while True:
        rows = rows_up_to(offset + needed)
        with backend.database.read() as connection:
            found = records_stacks.others_of(connection, rows[looked_at:], where, colored=colored)
            for row, theirs in found.items():
                others[row] = [
                    other for other in theirs if (among is None or other.row in among) and other.row not in leave_out
                ]
            apart = records_stacks.apart_among(connection, others)
        stacks = stacks_of(rows, {row: [other.row for other in theirs] for row, theirs in others.items()}, apart)
        tops = [place for place, row in enumerate(rows) if row in stacks]
        before = sum(place < offset for place in tops)
        is_all = len(rows) < offset + needed
        if len(tops) - before > limit or is_all or needed >= max(MOST_LOOKED_AT, 2 * limit):
            break
        looked_at, needed = len(rows), 2 * needed
    here = tops[before : before + limit]
    goes_on = len(tops) > before + limit
    return Slice(
        tiles=[rows[place] for place in here],
        before=before,
        next_place=tops[before + limit] if goes_on else len(rows),
        has_more=goes_on or not is_all,
        ranked=rows,
        beneath={rows[place]: len(stacks[rows[place]]) for place in here if stacks[rows[place]]},
    )


def stacks_of(
    rows: Sequence[int], others: Mapping[int, Collection[int]], apart: Collection[tuple[int, int]] = ()
) -> dict[int, list[int]]:
    """Return the rows that are tiles, in their order, each with the rows that lie under it, in ascending order.

    Pure. What lies under a tile was compared with that one itself (`others`), so nothing chains, and lies under the
    first of those that it could lie under. It may stand anywhere behind, or not be among `rows` yet. Of two that are
    `apart`, the smaller first, the one that came first lies under a tile that is nearly the same as both.
    """
    under: set[int] = set()
    stacks: dict[int, list[int]] = {}
    for row in rows:
        if row in under:
            continue
        taken: list[int] = []
        for other in sorted(others.get(row, ())):
            is_free = other not in under and other not in stacks
            if is_free and not any((before, other) in apart for before in taken):
                taken.append(other)
        stacks[row] = taken
        under.update(taken)
    return stacks


@dataclass(frozen=True)
class Stack:
    """A picture and those that lie under it, a part of them: `total` is how many there are, the picture itself too."""

    top: ImageRecord
    under: tuple[ImageRecord, ...]
    total: int


def get_stack(
    backend: Backend, image_id: str, where: Filter, principal: Principal, *, limit: int, offset: int = 0
) -> Stack:
    """Return an image and what is nearly the same as it and passes `where`, the closest first, then the oldest.

    Raises ImageNotFound for what does not exist for `principal` or is kept back, and what a filter raises.
    """
    image = get_image(backend, image_id, principal)
    if image.is_kept_back:
        raise ImageNotFound(GONE)
    seen = visible(backend, where, principal)
    colored = backend.swatches.rows_with(seen)
    with backend.database.read() as connection:
        others = records_stacks.others_of(connection, [image.row], seen, colored=colored).get(image.row, [])
        apart = records_stacks.apart_among(connection, {image.row: others})
        under = stacks_of([image.row], {image.row: [other.row for other in others]}, apart)[image.row]
        closest = sorted(
            (other for other in others if other.row in under), key=lambda other: NEARLY_THE_SAME.index(other.verdict)
        )
        rows = [other.row for other in closest[offset : offset + limit]]
        return Stack(image, tuple(records_images.get_by_rows(connection, rows)), len(under) + 1)
