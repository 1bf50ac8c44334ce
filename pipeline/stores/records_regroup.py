"""Making groups of duplicates from what was found and decided of pairs.

Groups are a copy that can be made again: a function of the findings that say two images are copies, of the last word
on each pair, and of which images there are. So doing it twice changes nothing, and only the images that hang together
with what has changed are looked at. Every function works inside the caller's transaction.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.comparison import COPIES, Verdict
from pipeline.images import ImageState, new_image_id
from pipeline.stores import records_decisions, stars
from pipeline.stores.database import in_turn
from pipeline.stores.filter_sql import is_any_of
from pipeline.stores.records_decisions import APART, pair_of
from pipeline.stores.stars import Star, Tie
from pipeline.stores.tables import images
from pipeline.stores.tables_duplicates import duplicate_groups, group_members, pair_findings

OPEN, SETTLED = "open", "settled"
IMPLIED = "implied"
"""What a finding has instead of a decision where both images were said to be duplicates of others that are."""

FEWEST_APART = 3  # images: two that are no copies, and one that is a copy of both
TURN = "groups of duplicates"
PAIR = pair_findings.c
IS_COPY = PAIR.verdict.in_(sorted(COPIES))
IS_LIVE = IS_COPY & (PAIR.decision.is_(None) | PAIR.decision.not_in(sorted(APART)))
"""Whether a finding may tie two images in a group."""

IS_THERE = images.c.deleted_at.is_(None) & images.c.state.in_([ImageState.READY, ImageState.WAITING])
"""Whether an image can be in a group. One that waits is being analyzed anew; until then nobody sees it there."""


def regroup(connection: Connection, rows: Collection[int]) -> None:
    """Make anew the groups that findings of these rows touch, decisions, or whether their images are there.

    Call it after the findings were written, and as the last thing of the transaction: until its end others who do the
    same wait. Images that are deleted, held or have failed are in no group.
    """
    rows = _with_findings(connection, rows)
    if not rows:
        return
    in_turn(connection, TURN)
    _note_decisions(connection, rows)
    area = _area(connection, rows)
    ties = _ties(connection, area)
    _note_implied(connection, area, ties)
    hidden = stars.implied(ties)
    ties = [Tie(tie.a, tie.b, tie.verdict, tie.decided or (tie.a, tie.b) in hidden) for tie in ties]
    before = _groups_of(connection, area)
    now = datetime.now(UTC)
    made = stars.stars(
        ties,
        apart=_apart(connection, ties),
        keepers_before=[group["keeper_row"] for group in before],
        claimed=[group["keeper_row"] for group in before if group["claimed_until"] and group["claimed_until"] > now],
        distances=lambda doubtful: _distances(connection, doubtful),
    )
    _write(connection, before, made, now)


def regroup_all(connection: Connection, after: int, limit: int) -> int | None:
    """Make anew the groups of up to `limit` images behind the row `after`; return the last one, None at the end."""
    places = (PAIR.a_row, PAIR.b_row, group_members.c.image_row, duplicate_groups.c.keeper_row)
    found: set[int] = set()
    for column in places:  # each by an index of its own: all of them together would be sorted once for each part
        found |= set(
            connection.scalars(sa.select(column).distinct().where(column > after).order_by(column).limit(limit))
        )
    rows = sorted(found)[:limit]
    regroup(connection, rows)
    return rows[-1] if rows else None


def tied_to(connection: Connection, rows: Collection[int]) -> set[int]:
    """Return the rows that findings tie to these; to be asked before images are purged, whose findings go with them."""
    array = _array(rows)
    theirs = set(connection.scalars(sa.select(PAIR.b_row).where(IS_COPY, is_any_of(array, PAIR.a_row))))
    return (theirs | set(connection.scalars(sa.select(PAIR.a_row).where(IS_COPY, is_any_of(array, PAIR.b_row))))) - set(
        rows
    )


def note_decisions_of(connection: Connection, pairs: Iterable[records_decisions.Pair]) -> None:
    """Make anew the groups that decisions on these pairs touch."""
    regroup(
        connection, sorted(records_decisions.rows_of(connection, {known for pair in pairs for known in pair}).values())
    )


# ---- Reading


def _array(rows: Collection[int]) -> Any:
    return np.array(sorted(rows), np.int64)


def _with_findings(connection: Connection, rows: Collection[int]) -> list[int]:
    """Return those of the rows that are in any finding, or in a group."""
    if not rows:
        return []
    array = _array(rows)
    found = set(connection.scalars(sa.select(PAIR.a_row).where(is_any_of(array, PAIR.a_row)).distinct()))
    found |= set(connection.scalars(sa.select(PAIR.b_row).where(is_any_of(array, PAIR.b_row)).distinct()))
    members, keepers = group_members.c.image_row, duplicate_groups.c.keeper_row
    found |= set(connection.scalars(sa.select(members).where(is_any_of(array, members))))
    found |= set(connection.scalars(sa.select(keepers).where(is_any_of(array, keepers))))
    return sorted(found)


def _note_decisions(connection: Connection, rows: Collection[int]) -> None:
    """Write the last word on each pair into the findings of these rows.

    Where a picture was deleted as a duplicate and both are there, it has come back, and the pair is open again.
    """
    array = _array(rows)
    a, b = images.alias(), images.alias()
    found = connection.execute(
        sa.select(
            PAIR.a_row,
            PAIR.b_row,
            PAIR.decision,
            (a.c.deleted_at.is_(None) & b.c.deleted_at.is_(None)).label("there"),
            a.c.sha256,
            a.c.library,
            b.c.sha256,
            b.c.library,
        )
        .join(a, a.c.row == PAIR.a_row)
        .join(b, b.c.row == PAIR.b_row)
        .where(is_any_of(array, PAIR.a_row) | is_any_of(array, PAIR.b_row))
    ).all()
    pairs = {(x, y): pair_of((a_sha, a_lib), (b_sha, b_lib)) for x, y, _, _, a_sha, a_lib, b_sha, b_lib in found}
    words = records_decisions.last_words(connection, pairs.values())
    changed = []
    for x, y, noted, there, *_ in found:
        word = words.get(pairs[x, y])
        said = None if word is None or (word.deleted_one and there) else word.decision
        if noted != said and not (noted == IMPLIED and said is None):
            changed.append((x, y, said))
    _set_decisions(connection, changed)


def _set_decisions(connection: Connection, changed: Sequence[tuple[int, int, str | None]]) -> None:
    if changed:
        connection.execute(
            pair_findings.update()
            .where(PAIR.a_row == sa.bindparam("_a"), PAIR.b_row == sa.bindparam("_b"))
            .values(decision=sa.bindparam("_said", type_=sa.String)),
            [{"_a": a, "_b": b, "_said": said} for a, b, said in changed],
        )


def _area(connection: Connection, rows: Collection[int]) -> set[int]:
    """Return the rows of images that hang together with these, by ties or by being in a group with them."""
    area: set[int] = set()
    edge = set(rows) | tied_to(connection, rows)
    while edge:
        area |= edge
        array = _array(edge)
        near = set(connection.scalars(sa.select(PAIR.b_row).where(IS_LIVE, is_any_of(array, PAIR.a_row))))
        near |= set(connection.scalars(sa.select(PAIR.a_row).where(IS_LIVE, is_any_of(array, PAIR.b_row))))
        near |= _together(connection, array)
        edge = near - area
    return area


def _together(connection: Connection, array: Any) -> set[int]:
    """Return everybody in the groups that these rows are in."""
    groups = set(
        connection.scalars(sa.select(group_members.c.group_id).where(is_any_of(array, group_members.c.image_row)))
    )
    groups |= set(
        connection.scalars(sa.select(duplicate_groups.c.id).where(is_any_of(array, duplicate_groups.c.keeper_row)))
    )
    found: set[int] = set()
    for part in _parts(sorted(groups)):
        members = sa.select(group_members.c.image_row).where(group_members.c.group_id.in_(part))
        keepers = sa.select(duplicate_groups.c.keeper_row).where(duplicate_groups.c.id.in_(part))
        found |= set(connection.scalars(members)) | set(connection.scalars(keepers))
    return found


def _ties(connection: Connection, area: Collection[int]) -> list[Tie]:
    """Return the ties between images of `area` that are there."""
    array = _array(area)
    there = set(connection.scalars(sa.select(images.c.row).where(IS_THERE, is_any_of(array))))
    found = connection.execute(
        sa.select(PAIR.a_row, PAIR.b_row, PAIR.verdict, PAIR.decision).where(IS_LIVE, is_any_of(array, PAIR.a_row))
    )
    return [
        Tie(a, b, Verdict(verdict), decided=decision is not None and decision != IMPLIED)
        for a, b, verdict, decision in found
        if a in there and b in there
    ]


def _apart(connection: Connection, ties: Collection[Tie]) -> set[tuple[int, int]]:
    """Return the pairs of the tied images that somebody has said not to be copies, found by a comparison or not."""
    rows = {row for tie in ties for row in (tie.a, tie.b)}
    if len(rows) < FEWEST_APART:
        return set()
    columns = (images.c.sha256, images.c.library, images.c.row)
    known = {
        (sha256, library): row
        for sha256, library, row in connection.execute(sa.select(*columns).where(is_any_of(_array(rows))))
    }
    pairs = ((known[one], known[other]) for one, other in records_decisions.apart_among(connection, known))
    return {(min(pair), max(pair)) for pair in pairs}


def _note_implied(connection: Connection, area: Collection[int], ties: Collection[Tie]) -> None:
    """Write into the findings which pairs need no decision of their own any more, or need one again."""
    should = stars.implied(ties)
    noted = {
        (a, b)
        for a, b in connection.execute(
            sa.select(PAIR.a_row, PAIR.b_row).where(PAIR.decision == IMPLIED, is_any_of(_array(area), PAIR.a_row))
        )
    }
    _set_decisions(connection, [(*pair, IMPLIED) for pair in sorted(should - noted)])
    _set_decisions(connection, [(*pair, None) for pair in sorted(noted - should)])


def _distances(connection: Connection, doubtful: Collection[Tie]) -> dict[tuple[int, int], float]:
    """Return how far the pictures of each tie are from each other: 1 less agreement, or else bits of PDQ of 256."""
    wanted = {(tie.a, tie.b) for tie in doubtful}
    found = connection.execute(
        sa.select(PAIR.a_row, PAIR.b_row, PAIR.evidence).where(is_any_of(_array({a for a, _ in wanted}), PAIR.a_row))
    )
    return {(a, b): _distance(evidence) for a, b, evidence in found if (a, b) in wanted}


def _distance(evidence: dict[str, Any]) -> float:
    if evidence.get("agreement") is not None:
        return 1.0 - float(evidence["agreement"])
    bits = evidence.get("hash_distance")
    return 0.0 if bits is None else float(bits) / 256


def _groups_of(connection: Connection, area: Collection[int]) -> list[Any]:
    wanted = is_any_of(_array(area), duplicate_groups.c.keeper_row)
    return list(connection.execute(sa.select(duplicate_groups).where(wanted)).mappings())


# ---- Writing


def _write(connection: Connection, before: Sequence[Any], made: Sequence[Star], now: datetime) -> None:
    """Make the groups `before` those that were `made`, touching only what is different."""
    stars_of = {star.keeper: star for star in made}
    kept = {group["keeper_row"]: group for group in before if group["keeper_row"] in stars_of}
    members = _members_of(connection, [group["id"] for group in before])
    should: dict[int, tuple[str, str, bool]] = {}
    changed = []
    for keeper, star in stars_of.items():
        group_id = kept[keeper]["id"] if keeper in kept else new_image_id()
        theirs = {tie.other(keeper): (group_id, str(tie.verdict), tie.decided) for tie in star.ties}
        should |= theirs
        facts: dict[str, object] = {"state": OPEN if star.is_open else SETTLED, "verdict": str(star.verdict)}
        if keeper not in kept:
            values = {"id": group_id, "keeper_row": keeper, "created_at": now, "changed_at": now, **facts}
            connection.execute(duplicate_groups.insert().values(values))
        elif theirs != {row: values for row, values in members.items() if values[0] == group_id}:
            changed.append(({"changed_at": now, **facts}, group_id))
    # What is in the wrong place goes before anything takes its place: an image is in one group only.
    gone = [row for row, values in members.items() if should.get(row) != values]
    for part in _parts(gone):
        connection.execute(group_members.delete().where(group_members.c.image_row.in_(part)))
    new = [row for row, values in should.items() if members.get(row) != values]
    if new:
        columns = ("group_id", "verdict", "decided")
        connection.execute(
            group_members.insert(),
            [{"image_row": row, **dict(zip(columns, should[row], strict=True))} for row in sorted(new)],
        )
    for facts, group_id in changed:
        connection.execute(duplicate_groups.update().where(duplicate_groups.c.id == group_id).values(facts))
    ended = [group["id"] for group in before if group["keeper_row"] not in stars_of]
    for part in _parts(ended):
        connection.execute(duplicate_groups.delete().where(duplicate_groups.c.id.in_(part)))


def _members_of(connection: Connection, groups: Sequence[str]) -> dict[int, tuple[str, str, bool]]:
    found: dict[int, tuple[str, str, bool]] = {}
    for part in _parts(groups):
        statement = sa.select(
            group_members.c.image_row, group_members.c.group_id, group_members.c.verdict, group_members.c.decided
        ).where(group_members.c.group_id.in_(part))
        found |= {row: (group, verdict, decided) for row, group, verdict, decided in connection.execute(statement)}
    return found


def _parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + 500] for start in range(0, len(values), 500))
