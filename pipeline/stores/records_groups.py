"""Groups of duplicates as somebody sees them: without the images that do not exist for them.

A group exists for a principal when two of its images do that are tied to each other. Where its keeper does not, that
is any two; otherwise one of them is the keeper. Whether it is open, and what it is, is judged from those ties alone, so
that nobody learns of images that they may not see, not by counts either. Every function works inside the caller's
transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.sql.util import ClauseAdapter

from pipeline.features.comparison import COPIES, Comparison, Verdict
from pipeline.principals import Action, Principal
from pipeline.stores.filter_sql import VISIBLE, is_any_of
from pipeline.stores.principal_sql import allowed, changeable
from pipeline.stores.records_decisions import APART
from pipeline.stores.records_regroup import IS_LIVE, OPEN
from pipeline.stores.tables import images
from pipeline.stores.tables_duplicates import duplicate_groups, group_members, pair_findings

GROUP = duplicate_groups.c
FEWEST = 2  # images that make a group

IS_ONE_SCENE = pair_findings.c.verdict == sa.literal_column(f"'{Verdict.SAME_SCENE}'")
"""As `ix_pair_findings_same_scene` has it: with a parameter in its place SQLite would not use that index."""


@dataclass(frozen=True)
class Wanted:
    """Which groups are asked for. `is_open` False: those on which everything is decided; None: both.

    `verdict` is that of the weakest tie; `library` has one of the tied images. `others_than` leaves out what somebody
    else has claimed until after `now`. `may_settle` leaves out those of which two pictures may not be changed.
    """

    is_open: bool | None = True
    verdict: Verdict | None = None
    library: str | None = None
    others_than: str | None = None
    now: datetime | None = None
    may_settle: bool = False


@dataclass(frozen=True)
class Shape:
    """A group with the rows of it that somebody may see, its keeper first; `claimed_by` whatever the time is."""

    id: str
    keeper: int
    rows: tuple[int, ...]
    claimed_by: str | None
    claimed_name: str | None
    claimed_until: datetime | None


@dataclass(frozen=True)
class Finding:
    """What was found of two images, of the first with the second; `decision` as the table has it."""

    a: int
    b: int
    comparison: Comparison
    decision: str | None

    def seen_from(self, row: int) -> Comparison:
        """Return the comparison of the image `row` with the other one."""
        return self.comparison if row == self.a else self.comparison.turned_round()


# ---- Which groups


def list_ids(
    connection: Connection, principal: Principal, wanted: Wanted, *, after: str | None = None, limit: int
) -> list[str]:
    """Return up to `limit` ids of groups that exist for `principal`, the oldest first, those behind the id `after`."""
    statement = _statement(principal, wanted).order_by(GROUP.id).limit(limit)
    return list(connection.scalars(statement if after is None else statement.where(after < GROUP.id)))


def count(connection: Connection, principal: Principal, wanted: Wanted, *, before: str | None = None, most: int) -> int:
    """Return how many groups exist for `principal`, those before the id `before` if given; `most` are counted."""
    statement = _statement(principal, wanted)
    if before is not None:
        statement = statement.where(before > GROUP.id)
    return connection.scalar(sa.select(sa.func.count()).select_from(statement.limit(most).subquery())) or 0


def exists(connection: Connection, principal: Principal, group_id: str, wanted: Wanted) -> bool:
    """Whether a group is among those asked for."""
    return connection.execute(_statement(principal, wanted).where(GROUP.id == group_id)).first() is not None


def _statement(principal: Principal, wanted: Wanted) -> sa.Select[tuple[str]]:
    statement = sa.select(GROUP.id)
    if wanted.is_open:
        statement = statement.where(GROUP.state == OPEN)  # what is open for anybody is open for whoever sees all
    undecided = _is_tied(principal, undecided=True)
    if wanted.is_open is not None:
        statement = statement.where(undecided if wanted.is_open else ~undecided)
    if wanted.is_open is not True:
        statement = statement.where(_is_tied(principal))
    if wanted.verdict is not None:
        weaker = [verdict for verdict in COPIES if wanted.verdict.is_closer_than(verdict)]
        statement = statement.where(_is_tied(principal, verdicts=[wanted.verdict]))
        if weaker:
            statement = statement.where(~_is_tied(principal, verdicts=weaker))
    if wanted.library is not None:
        statement = statement.where(_is_tied(principal, library=wanted.library))
    if wanted.others_than is not None:
        free = (
            GROUP.claimed_by.is_(None) | (GROUP.claimed_by == wanted.others_than) | (GROUP.claimed_until < wanted.now)
        )
        statement = statement.where(free)
    if wanted.may_settle and principal.libraries(Action.CHANGE) is not None:
        statement = statement.where(_has_two_to_change(principal))
    return statement


def _has_two_to_change(principal: Principal) -> sa.ColumnElement[bool]:
    """Return whether `principal` may change two images of the group of the outer statement.

    Where they do not see its keeper, these may be tied to none that they see: whoever takes a group looks again.
    """
    x, y = group_members.alias(), group_members.alias()
    theirs = [x.c.group_id == GROUP.id, _may_change(x.c.image_row, principal, x)]
    other = [y.c.group_id == x.c.group_id, y.c.image_row > x.c.image_row, _may_change(y.c.image_row, principal, y)]
    keeper = _may_change(GROUP.keeper_row, principal, duplicate_groups)
    return (keeper & _is_any([duplicate_groups], *theirs)) | _is_any([duplicate_groups], *theirs, _is_any([x], *other))


def _is_tied(
    principal: Principal,
    *,
    undecided: bool = False,
    verdicts: Sequence[Verdict] = (),
    library: str | None = None,
) -> sa.ColumnElement[bool]:
    """Return whether two images that `principal` sees are tied in the group of the outer statement, like this."""
    x, y = group_members.alias(), group_members.alias()
    with_keeper = [x.c.group_id == GROUP.id, _is_seen(x.c.image_row, principal, x)]
    tie = [pair_findings.c.a_row == x.c.image_row, pair_findings.c.b_row == y.c.image_row, IS_LIVE]
    other = [y.c.group_id == x.c.group_id, y.c.image_row > x.c.image_row, _is_seen(y.c.image_row, principal, y)]
    if undecided:
        with_keeper.append(x.c.decided.is_(False))
        tie.append(pair_findings.c.decision.is_(None))
    if verdicts:
        with_keeper.append(x.c.verdict.in_(verdicts))
        tie.append(pair_findings.c.verdict.in_(verdicts))
    if library is not None:
        here = _is_seen(x.c.image_row, principal, x, library)
        with_keeper.append(here | _is_seen(GROUP.keeper_row, principal, duplicate_groups, library))
        other.append(here | _is_seen(y.c.image_row, principal, y, library))
    tied = _is_any([x], *other, _is_any([x, y], *tie))
    without_keeper = [x.c.group_id == GROUP.id, _is_seen(x.c.image_row, principal, x), tied]
    keeper = _is_seen(GROUP.keeper_row, principal, duplicate_groups)
    return (keeper & _is_any([duplicate_groups], *with_keeper)) | (
        ~keeper & _is_any([duplicate_groups], *without_keeper)
    )


def _is_any(outer: Sequence[sa.FromClause], *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Return whether any row passes, looked for anew for each row of the `outer` statements.

    It is EXISTS in other words. With that one, planners begin with all images or findings that there are.
    """
    first: sa.Select[tuple[int]] = (
        sa.select(sa.literal_column("1")).where(*conditions).limit(sa.literal_column("1")).correlate(*outer)
    )
    return first.scalar_subquery().is_not(None)


def _is_seen(
    row: sa.ColumnElement[int], principal: Principal, of: sa.FromClause, library: str | None = None
) -> sa.ColumnElement[bool]:
    """Return whether `principal` sees the image that a column of the table `of` names, in a library if given."""
    here = [] if library is None else [images.c.library == library]
    return _is_any([of], images.c.row == row, VISIBLE, allowed(principal), *here)


def _may_change(row: sa.ColumnElement[int], principal: Principal, of: sa.FromClause) -> sa.ColumnElement[bool]:
    """Return whether `principal` sees, and may change, the image that a column of the table `of` names."""
    return _is_any([of], images.c.row == row, VISIBLE, allowed(principal), changeable(principal))


# ---- What is in them


def shapes(connection: Connection, principal: Principal, group_ids: Sequence[str]) -> list[Shape]:
    """Return those of the groups that exist for `principal`, with the rows that do, in the order asked.

    Without its keeper, the one of them that is tied to most is it, by what is undecided first.
    """
    groups = {
        group["id"]: group
        for group in connection.execute(sa.select(duplicate_groups).where(GROUP.id.in_(group_ids))).mappings()
    }
    rows: dict[str, set[int]] = {group_id: {group["keeper_row"]} for group_id, group in groups.items()}
    members = sa.select(group_members.c.group_id, group_members.c.image_row)
    for group_id, row in connection.execute(members.where(group_members.c.group_id.in_(list(groups)))):
        rows[group_id].add(row)
    everybody = np.array(sorted(row for theirs in rows.values() for row in theirs), np.int64)
    visible = sa.select(images.c.row).where(VISIBLE, allowed(principal), is_any_of(everybody))
    there = set(connection.scalars(visible))
    found = []
    for group_id in group_ids:
        if group_id in groups:
            shape = _shape(connection, groups[group_id], rows[group_id] & there)
            if shape is not None:
                found.append(shape)
    return found


def _shape(connection: Connection, group: RowMapping, rows: set[int]) -> Shape | None:
    keeper = group["keeper_row"]
    if keeper not in rows:
        keeper, rows = _other_keeper(connection, rows)
    if len(rows) < FEWEST:
        return None
    return Shape(
        group["id"],
        keeper,
        (keeper, *sorted(rows - {keeper})),
        group["claimed_by"],
        group["claimed_name"],
        group["claimed_until"],
    )


def _other_keeper(connection: Connection, rows: set[int]) -> tuple[int, set[int]]:
    """Return the row that most of these are tied to, and those that are, itself among them."""
    ties = [
        pair for pair in findings(connection, rows) if pair.comparison.verdict.is_copy and pair.decision not in APART
    ]
    with_whom: dict[int, set[int]] = {row: {row} for row in rows}
    undecided = dict.fromkeys(rows, 0)
    for tie in ties:
        for row, other in ((tie.a, tie.b), (tie.b, tie.a)):
            with_whom[row].add(other)
            undecided[row] += tie.decision is None
    if not ties:
        return 0, set()
    keeper = min(rows, key=lambda row: (-undecided[row], -len(with_whom[row]), row))
    return keeper, with_whom[keeper]


def groups_of_rows(connection: Connection, rows: Sequence[int]) -> dict[int, str]:
    """Return row -> id of its group for those of the images that are in one, whoever may see it."""
    array = np.array(sorted(rows), np.int64)
    members = sa.select(group_members.c.image_row, group_members.c.group_id)
    keepers = sa.select(GROUP.keeper_row, GROUP.id)
    found = dict(connection.execute(members.where(is_any_of(array, group_members.c.image_row))).all())
    return found | dict(connection.execute(keepers.where(is_any_of(array, GROUP.keeper_row))).all())


def findings(connection: Connection, rows: Collection[int]) -> list[Finding]:
    """Return everything that was found of any two of these images."""
    array = np.array(sorted(rows), np.int64)
    columns = pair_findings.c
    found = connection.execute(
        sa.select(columns.a_row, columns.b_row, columns.evidence, columns.decision)
        .where(is_any_of(array, columns.a_row), is_any_of(array, columns.b_row))
        .order_by(columns.a_row, columns.b_row)
    )
    return [Finding(a, b, Comparison.from_json(evidence), decision) for a, b, evidence, decision in found]


def same_scene(
    connection: Connection, principal: Principal, *, after: tuple[int, int] | None, limit: int
) -> list[Finding]:
    """Return up to `limit` pairs of one scene whose images exist for `principal`, those behind a pair of rows."""
    columns = pair_findings.c
    seen = VISIBLE & allowed(principal)
    one, other = images.alias(), images.alias()
    statement = (
        sa.select(columns.a_row, columns.b_row, columns.evidence, columns.decision)
        .join(one, one.c.row == columns.a_row)
        .join(other, other.c.row == columns.b_row)
        .where(IS_ONE_SCENE, columns.decision.is_(None))
        .where(ClauseAdapter(one).traverse(seen), ClauseAdapter(other).traverse(seen))
        .order_by(columns.a_row, columns.b_row)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(sa.tuple_(columns.a_row, columns.b_row) > sa.tuple_(*after))
    return [Finding(a, b, Comparison.from_json(seen), said) for a, b, seen, said in connection.execute(statement)]


# ---- Claims


@dataclass(frozen=True)
class Claim:
    """That `who`, called `name`, has a group `until` then."""

    who: str
    name: str | None
    until: datetime


def claim_of(connection: Connection, group_id: str, now: datetime) -> Claim | None:
    """Return who has a group at the moment; None where nobody has."""
    statement = sa.select(GROUP.claimed_by, GROUP.claimed_name, GROUP.claimed_until)
    held = connection.execute(statement.where(GROUP.id == group_id, GROUP.claimed_until > now)).first()
    return Claim(*held) if held and held[0] is not None else None


def claim(connection: Connection, group_id: str, who: str, name: str, now: datetime, lasting: timedelta) -> bool:
    """Let `who` have a group for so long from `now`, unless somebody else has it; return whether they do."""
    free = GROUP.claimed_by.is_(None) | (GROUP.claimed_by == who) | (GROUP.claimed_until <= now)
    values = {"claimed_by": who, "claimed_name": name, "claimed_until": now + lasting}
    return bool(connection.execute(duplicate_groups.update().where(GROUP.id == group_id, free).values(values)).rowcount)


def release(connection: Connection, group_id: str, who: str) -> bool:
    """Let a group go that `who` has; return whether they had it."""
    values = {"claimed_by": None, "claimed_name": None, "claimed_until": None}
    held = (GROUP.id == group_id, GROUP.claimed_by == who)
    return bool(connection.execute(duplicate_groups.update().where(*held).values(values)).rowcount)


def release_any(connection: Connection, group_id: str) -> None:
    """Let a group go, whoever has it: it has been settled."""
    values = {"claimed_by": None, "claimed_name": None, "claimed_until": None}
    connection.execute(duplicate_groups.update().where(GROUP.id == group_id).values(values))
