"""Which pictures are nearly the same as others, as far as they are in a result: what stacks of tiles are made from.

Every function works inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.comparison import Verdict
from pipeline.filters import Filter
from pipeline.stores import records_decisions
from pipeline.stores.filter_sql import VISIBLE, conditions, is_any_of
from pipeline.stores.records_decisions import APART, Known
from pipeline.stores.swatch_columns import Rows
from pipeline.stores.tables import images
from pipeline.stores.tables_duplicates import pair_findings

NEARLY_THE_SAME = (Verdict.IDENTICAL, Verdict.REENCODED)
"""The verdicts with which two pictures are nearly the same, the closest first. An edit is something to see: a crop, a
caption or other colors may be just what somebody looks for, so what was edited is a tile of its own."""


@dataclass(frozen=True)
class Other:
    """A picture that is nearly the same as another one; `known` is how decisions know it."""

    row: int
    verdict: Verdict
    known: Known


def others_of(
    connection: Connection, rows: Collection[int], where: Filter, *, colored: Rows | None = None
) -> dict[int, list[Other]]:
    """Return row -> the visible pictures that pass `where` and are nearly the same as it, in ascending order.

    Each was compared with the picture itself. Those of which somebody has said that they are variants, or unrelated,
    are left out: both are wanted. That `rows` exist for who asks is for the caller to know.
    """
    near = _near(connection, rows)
    beside = np.array(sorted({other for _, other, _ in near}), np.int64)
    if not len(beside):
        return {}
    # Asked in one statement with the findings, SQLite would begin with all images that there are.
    asked = sa.select(images.c.row, images.c.sha256, images.c.library)
    passing = asked.where(VISIBLE, is_any_of(beside), *conditions(where, colored))
    known = {row: (sha256, library) for row, sha256, library in connection.execute(passing)}
    found: dict[int, list[Other]] = defaultdict(list)
    for own, other, verdict in near:
        if other in known:
            found[own].append(Other(other, verdict, known[other]))
    return dict(found)


def _near(connection: Connection, rows: Collection[int]) -> list[tuple[int, int, Verdict]]:
    """Return the pairs of one of `rows` and another that is nearly the same, in ascending order of the other."""
    columns = pair_findings.c
    array = np.array(sorted(rows), np.int64)
    meant = (
        columns.verdict.in_([str(verdict) for verdict in NEARLY_THE_SAME]),
        columns.decision.is_(None) | columns.decision.not_in(sorted(APART)),
    )
    sides = [
        sa.select(own, other, columns.verdict).where(*meant, is_any_of(array, own))
        for own, other in ((columns.a_row, columns.b_row), (columns.b_row, columns.a_row))
    ]
    found = connection.execute(sa.union_all(*sides))
    return sorted(((own, other, Verdict(verdict)) for own, other, verdict in found), key=lambda pair: pair[1])


def apart_among(connection: Connection, others: Mapping[int, Collection[Other]]) -> set[tuple[int, int]]:
    """Return the pairs of rows, the smaller first, that are no copies of one another although one picture is of both.

    Only those are looked at that lie beside one picture together.
    """
    known = {other.known: other.row for theirs in others.values() if len(theirs) > 1 for other in theirs}
    if not known:
        return set()
    pairs = ((known[one], known[other]) for one, other in records_decisions.apart_among(connection, known))
    return {(min(pair), max(pair)) for pair in pairs}
