"""What comparisons of two images said: written when an image is checked, read for whoever may see both.

A finding is a fact between two rows of any libraries; who asks is told of it only when both images exist for them.
Every function works inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.comparison import Comparison, Verdict
from pipeline.images import ImageState
from pipeline.principals import Principal
from pipeline.stores.principal_sql import allowed
from pipeline.stores.records_fingerprints import CHECK_VERSION
from pipeline.stores.tables import images, insert_into
from pipeline.stores.tables_duplicates import pair_findings

KEPT = frozenset({Verdict.IDENTICAL, Verdict.REENCODED, Verdict.EDITED, Verdict.SAME_SCENE})
"""The verdicts that are kept; pictures that are but similar are as many as there are searches."""

ROWS_PER_QUERY = 500  # values in one IN (...), as `records_images` has them

_VISIBLE = (images.c.state == ImageState.READY) & images.c.deleted_at.is_(None)


@dataclass(frozen=True)
class Finding:
    """What was found of the image `row` and the `other`: `comparison` is of the first with the second."""

    row: int
    other: int
    comparison: Comparison


def write(connection: Connection, row: int, compared: Mapping[int, Comparison]) -> None:
    """Replace what was known of an image and those it was `compared` with, by row; what is but similar is forgotten.

    That none of them is purged meanwhile is for the caller to see to (`records_fingerprints.hold_images`).
    """
    for other in sorted(compared):
        if compared[other].verdict in KEPT:
            _put(connection, row, other, compared[other])
    _forget(connection, row, [other for other, one in compared.items() if one.verdict not in KEPT])


def _put(connection: Connection, row: int, other: int, comparison: Comparison) -> None:
    evidence = (comparison if row < other else comparison.turned_round()).as_json()
    values = {
        "verdict": comparison.verdict.value,
        "evidence": evidence,
        "version": CHECK_VERSION,
        "found_at": datetime.now(UTC),
    }
    pair = {"a_row": min(row, other), "b_row": max(row, other)}
    added = insert_into(connection, pair_findings).values(**pair, **values)
    connection.execute(added.on_conflict_do_update(index_elements=list(pair_findings.primary_key), set_=values))


def _forget(connection: Connection, row: int, others: Sequence[int]) -> None:
    smaller, larger = [other for other in others if other < row], [other for other in others if other > row]
    a, b = pair_findings.c.a_row, pair_findings.c.b_row
    if smaller:
        connection.execute(pair_findings.delete().where(b == row, a.in_(smaller)))
    if larger:
        connection.execute(pair_findings.delete().where(a == row, b.in_(larger)))


def get(connection: Connection, row: int, other: int) -> Comparison | None:
    """Return what the present check has found of two images; None where they were but similar, or not compared."""
    pair = (pair_findings.c.a_row == min(row, other), pair_findings.c.b_row == max(row, other))
    of_today = pair_findings.c.version == CHECK_VERSION
    evidence = connection.scalar(sa.select(pair_findings.c.evidence).where(*pair, of_today))
    if evidence is None:
        return None
    comparison = Comparison.from_json(evidence)
    return comparison if row < other else comparison.turned_round()


def others_of(connection: Connection, row: int, verdicts: Collection[Verdict] = KEPT) -> list[int]:
    """Return the rows of all images of which one of these was found beside the image, by any check, in order."""
    a, b = pair_findings.c.a_row, pair_findings.c.b_row
    said = pair_findings.c.verdict.in_(sorted(verdicts))
    asked = sa.union_all(sa.select(b).where(a == row, said), sa.select(a).where(b == row, said))
    return sorted(connection.scalars(asked))


def of_rows(connection: Connection, rows: Collection[int], principal: Principal) -> dict[int, list[Finding]]:
    """Return what was found of images, by row, beside all those that can be found and exist for `principal`.

    That `rows` exist for them is for the caller to know.
    """
    found: dict[int, list[Finding]] = defaultdict(list)
    a, b = pair_findings.c.a_row, pair_findings.c.b_row
    wanted = sorted(rows)
    for start in range(0, len(wanted), ROWS_PER_QUERY):
        part = wanted[start : start + ROWS_PER_QUERY]
        for own, other in ((a, b), (b, a)):
            seen = pair_findings.join(images, images.c.row == other)
            asked = sa.select(own, other, pair_findings.c.evidence).select_from(seen)
            asked = asked.where(own.in_(part), _VISIBLE, allowed(principal))
            for row, beside, evidence in connection.execute(asked):
                comparison = Comparison.from_json(evidence)
                comparison = comparison if row < beside else comparison.turned_round()
                found[row].append(Finding(row, beside, comparison))
    return dict(found)


def count_by_verdict(connection: Connection, library: str | None = None) -> dict[Verdict, int]:
    """Return how many pairs of images that can be found have each verdict; with `library` those that touch it."""
    first, second = images.alias("first"), images.alias("second")
    both = pair_findings.join(first, first.c.row == pair_findings.c.a_row)
    both = both.join(second, second.c.row == pair_findings.c.b_row)
    shown = [
        condition
        for image in (first, second)
        for condition in (image.c.state == ImageState.READY, image.c.deleted_at.is_(None))
    ]
    if library is not None:
        shown.append(sa.or_(first.c.library == library, second.c.library == library))
    counted = sa.select(pair_findings.c.verdict, sa.func.count()).select_from(both).where(*shown)
    found: dict[str, int] = dict(connection.execute(counted.group_by(pair_findings.c.verdict)).all())
    return {verdict: found[verdict.value] for verdict in Verdict if verdict.value in found}
