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
    columns = pair_findings.c
    array = np.array(sorted(rows), np.int64)
    meant = (
        columns.verdict.in_([str(verdict) for verdict in NEARLY_THE_SAME]),
        columns.decision.is_(None) | columns.decision.not_in(sorted(APART)),
    )
    sides = [
        sa.select(own.label("own"), other.label("other"), columns.verdict).where(*meant, is_any_of(array, own))
        for own, other in ((columns.a_row, columns.b_row), (columns.b_row, columns.a_row))
    ]
    near = sa.union_all(*sides).subquery()
    asked = (
        sa.select(near.c.own, near.c.other, near.c.verdict, images.c.sha256, images.c.library)
        .join(images, images.c.row == near.c.other)
        .where(VISIBLE, *conditions(where, colored))
        .order_by(near.c.other)
    )
    found: dict[int, list[Other]] = defaultdict(list)
    for own, other, verdict, sha256, library in connection.execute(asked):
        found[own].append(Other(other, Verdict(verdict), (sha256, library)))
    return dict(found)


def apart_among(connection: Connection, others: Mapping[int, Collection[Other]]) -> set[tuple[int, int]]:
    """Return the pairs of rows, the smaller first, that are no copies of one another although one picture is of both.

    Only those are looked at that lie beside one picture together.
    """
    known = {other.known: other.row for theirs in others.values() if len(theirs) > 1 for other in theirs}
    if not known:
        return set()
    pairs = ((known[one], known[other]) for one, other in records_decisions.apart_among(connection, known))
    return {(min(pair), max(pair)) for pair in pairs}
