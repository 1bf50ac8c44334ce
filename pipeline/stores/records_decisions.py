"""What people decided of pairs of images: appended, never changed, and known by library and bytes.

So it holds when an image is analyzed anew, purged and uploaded again, or seen by another encoder. Every function works
inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from pipeline.principals import Action, Principal
from pipeline.stores.tables import images, libraries
from pipeline.stores.tables_duplicates import pair_decisions

PICTURES_PER_QUERY = 500  # values in one IN (...), as `records_images` has them

Known = tuple[str, str]
"""An image as decisions know it: its SHA-256 and the id of its library."""

Pair = tuple[Known, Known]
"""Two of them, the smaller first."""


class Decision(StrEnum):
    """What somebody says of two pictures."""

    DUPLICATE = "duplicate"
    """One of them is enough."""
    VARIANT = "variant"
    """Made from one picture, and both are wanted."""
    UNRELATED = "unrelated"
    """Not the same picture at all."""


WITHDRAWN = "withdrawn"
"""What the log has instead of a decision where one is taken back; `detail` names its number."""

SETTLES_GROUP = "settles"
"""What the detail of a decision has where nothing was left to decide in a group after it, once for each group."""

APART = frozenset({Decision.VARIANT, Decision.UNRELATED})
"""Decisions after which two pictures are in no group together."""


@dataclass(frozen=True)
class Logged:
    """One line of the log. `pair` is the smaller picture first; `kept` is the one that was to be kept, if any.

    `decision` is one of Decision, or WITHDRAWN. `batch` is what was decided in one go.
    """

    id: int
    at: datetime
    pair: Pair
    decision: str
    kept: Known | None
    reason: str
    detail: Mapping[str, Any]
    batch: str
    actor_id: str | None
    actor: str

    @property
    def deleted_one(self) -> bool:
        """Whether one of the two went into the trash with it. When both are there, it says nothing of them any more."""
        return self.decision == Decision.DUPLICATE and self.detail.get("did") == "deleted"

    @property
    def withdraws(self) -> int | None:
        """The number of the line that this one takes back."""
        return self.detail.get("withdraws") if self.decision == WITHDRAWN else None


def pair_of(one: Known, other: Known) -> Pair:
    """Return two pictures as the pair they are, whichever is named first."""
    return (one, other) if one <= other else (other, one)


@dataclass(frozen=True)
class NewDecision:
    """A decision to be appended; `detail` says what else was done to the second picture."""

    pair: Pair
    decision: str
    kept: Known | None = None
    reason: str = ""
    detail: Mapping[str, Any] | None = None


def append(connection: Connection, principal: Principal, batch: str, new: Sequence[NewDecision]) -> None:
    """Append decisions of `principal`, all made in one go."""
    now = datetime.now(UTC)
    values = [
        {
            "at": now,
            "a_sha256": one.pair[0][0],
            "a_library": one.pair[0][1],
            "b_sha256": one.pair[1][0],
            "b_library": one.pair[1][1],
            "decision": str(one.decision),
            "kept": None if one.kept is None else "a" if one.kept == one.pair[0] else "b",
            "reason": one.reason,
            "detail": dict(one.detail or {}),
            "batch": batch,
            "actor_id": principal.person_id,
            "actor": principal.name,
        }
        for one in new
    ]
    if values:
        connection.execute(pair_decisions.insert(), values)


def last_words(connection: Connection, pairs: Iterable[Pair]) -> dict[Pair, Logged]:
    """Return the last word on each of the pairs on which there is one; what was withdrawn is none."""
    wanted = set(pairs)
    lines = _lines_of(connection, {known[0] for pair in wanted for known in pair})
    return _last_of(line for line in lines if line.pair in wanted)


def apart_among(connection: Connection, pictures: Collection[Known]) -> set[Pair]:
    """Return the pairs of these pictures whose last word is that they are no duplicates."""
    lines = _lines_of(connection, {sha256 for sha256, _ in pictures})
    words = _last_of(line for line in lines if line.pair[0] in pictures and line.pair[1] in pictures)
    return {pair for pair, word in words.items() if word.decision in APART}


def _last_of(said: Iterable[Logged]) -> dict[Pair, Logged]:
    """Return the last word on each pair that is left standing by lines in the order in which they were written."""
    lines: dict[Pair, list[Logged]] = defaultdict(list)
    for line in said:
        lines[line.pair].append(line)
    found = {}
    for pair, theirs in lines.items():
        withdrawn = {line.withdraws for line in theirs}
        standing = [line for line in theirs if line.decision != WITHDRAWN and line.id not in withdrawn]
        if standing:
            found[pair] = standing[-1]
    return found


def _lines_of(connection: Connection, shas: Collection[str]) -> Iterable[Logged]:
    """Yield what was said of two pictures among these, first things first for each pair."""
    wanted = sorted(shas)
    for start in range(0, len(wanted), PICTURES_PER_QUERY):
        part = wanted[start : start + PICTURES_PER_QUERY]
        found = connection.execute(
            sa.select(pair_decisions).where(pair_decisions.c.a_sha256.in_(part)).order_by(pair_decisions.c.id)
        )
        yield from (_line(values) for values in found.mappings() if values["b_sha256"] in shas)


def of_batch(connection: Connection, batch: str) -> list[Logged]:
    """Return what was decided in one go, first things first."""
    found = connection.execute(
        sa.select(pair_decisions).where(pair_decisions.c.batch == batch).order_by(pair_decisions.c.id)
    )
    return [_line(values) for values in found.mappings()]


def withdrawn_among(connection: Connection, lines: Sequence[Logged]) -> set[int]:
    """Return the numbers of those of the lines that have been taken back."""
    pairs = {line.pair for line in lines}
    shas = {known[0] for pair in pairs for known in pair}
    return {line.withdraws for line in _lines_of(connection, shas) if line.withdraws is not None}


def entries(
    connection: Connection, readable: Collection[str] | None, *, before: int | None = None, limit: int
) -> list[Logged]:
    """Return up to `limit` lines, newest first, of pairs with both pictures in these libraries; None for all.

    `before` is the number of a line. What was decided in a library that was purged is not told of its successor.
    """
    statement = sa.select(pair_decisions).where(*_read_in(readable)).order_by(pair_decisions.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(pair_decisions.c.id < before)
    return [_line(values) for values in connection.execute(statement).mappings()]


def readable_by(connection: Connection, principal: Principal) -> frozenset[str] | None:
    """Return the libraries whose decisions `principal` may read, as `entries` wants them; None for all."""
    readable = principal.libraries(Action.CHANGE)
    if readable is None and principal.hidden:
        return frozenset(connection.scalars(sa.select(libraries.c.id))) - principal.hidden
    return readable


def batches(
    connection: Connection, readable: Collection[str] | None, *, before: int | None = None, limit: int
) -> list[str]:
    """Return up to `limit` batches in which something was decided on such pairs (see `entries`), newest first.

    `before` is the number of the last line of one of them.
    """
    last = sa.func.max(pair_decisions.c.id)
    statement = sa.select(pair_decisions.c.batch).where(pair_decisions.c.decision != WITHDRAWN, *_read_in(readable))
    statement = statement.group_by(pair_decisions.c.batch).order_by(last.desc()).limit(limit)
    if before is not None:
        statement = statement.having(last < before)
    return list(connection.scalars(statement))


def last_of_batch(connection: Connection, batch: str, readable: Collection[str] | None) -> int | None:
    """Return the number of the last line of a batch on such pairs, None where there is none."""
    of_batch = (pair_decisions.c.batch == batch, pair_decisions.c.decision != WITHDRAWN)
    last: int | None = connection.scalar(
        sa.select(sa.func.max(pair_decisions.c.id)).where(*of_batch, *_read_in(readable))
    )
    return last


def first_of_batch(connection: Connection, batch: str, readable: Collection[str] | None, *, limit: int) -> list[Logged]:
    """Return up to `limit` lines of a batch on such pairs, first things first."""
    statement = sa.select(pair_decisions).where(pair_decisions.c.batch == batch, *_read_in(readable))
    found = connection.execute(statement.order_by(pair_decisions.c.id).limit(limit))
    return [_line(values) for values in found.mappings()]


def count_lines(
    connection: Connection, wanted: Collection[str], readable: Collection[str] | None
) -> dict[str, dict[str, int]]:
    """Return batch -> decision -> how often it was said in it of such pairs."""
    counts: dict[str, dict[str, int]] = {batch: {} for batch in wanted}
    columns = (pair_decisions.c.batch, pair_decisions.c.decision)
    statement = sa.select(*columns, sa.func.count()).where(columns[0].in_(sorted(wanted)), *_read_in(readable))
    for batch, decision, number in connection.execute(statement.group_by(*columns)):
        counts[batch][decision] = number
    return counts


def _read_in(readable: Collection[str] | None) -> list[sa.ColumnElement[bool]]:
    """Return what is true of lines on pairs with both pictures in these libraries; None for all."""
    if readable is None:
        return []
    conditions: list[sa.ColumnElement[bool]] = []
    for column in (pair_decisions.c.a_library, pair_decisions.c.b_library):
        lived = sa.exists().where(libraries.c.id == column, libraries.c.created_at <= pair_decisions.c.at)
        conditions += [column.in_(sorted(readable)), lived]
    return conditions


def count_settled(connection: Connection, actor_id: str | None, since: datetime) -> int:
    """Return how many groups somebody has settled since a moment, less those that they took back.

    The line with which a group was settled has SETTLES_GROUP in its detail, and so has the one that takes it back.
    """
    theirs = (pair_decisions.c.actor_id.is_not_distinct_from(actor_id), pair_decisions.c.at >= since)
    settles = pair_decisions.c.detail[SETTLES_GROUP].as_boolean()
    taken_back = pair_decisions.c.decision == WITHDRAWN
    lines = sa.select(sa.func.count()).select_from(pair_decisions).where(*theirs, settles)
    made = connection.scalar(lines.where(~taken_back)) or 0
    undone = connection.scalar(lines.where(taken_back)) or 0
    return max(0, made - undone)


def rows_of(connection: Connection, pictures: Iterable[Known]) -> dict[Known, int]:
    """Return the row of each of the pictures that there is an image of, deleted or not."""
    wanted = set(pictures)
    found: dict[Known, int] = {}
    shas = sorted({sha256 for sha256, _ in wanted})
    for start in range(0, len(shas), PICTURES_PER_QUERY):
        part = shas[start : start + PICTURES_PER_QUERY]
        statement = sa.select(images.c.row, images.c.sha256, images.c.library).where(images.c.sha256.in_(part))
        found |= {(sha256, library): row for row, sha256, library in connection.execute(statement)}
    return {known: row for known, row in found.items() if known in wanted}


def _line(values: RowMapping) -> Logged:
    pair = ((values["a_sha256"], values["a_library"]), (values["b_sha256"], values["b_library"]))
    return Logged(
        id=values["id"],
        at=values["at"],
        pair=pair,
        decision=values["decision"],
        kept=None if values["kept"] is None else pair[values["kept"] == "b"],
        reason=values["reason"],
        detail=values["detail"],
        batch=values["batch"],
        actor_id=values["actor_id"],
        actor=values["actor"],
    )
