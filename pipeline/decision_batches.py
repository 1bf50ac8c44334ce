"""What was decided in one go, newest first: the log by batches, as a person looks through it and takes something back.

It is read by those who may change pictures in the libraries of both; see `decision_export`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.backend import Backend
from pipeline.decision_export import WRONG_CURSOR, check_log, name_of
from pipeline.errors import InvalidQuery
from pipeline.images import ImageRecord
from pipeline.principals import Principal
from pipeline.stores import records_decisions, records_images
from pipeline.stores.database import Connection
from pipeline.stores.records_decisions import Known, Logged

LINES_LOOKED_AT = 8
"""Lines of a batch whose pictures are looked up; settling all identical ones has thousands."""


@dataclass(frozen=True)
class DecidedBatch:
    """What `who` decided in one go. `decisions` are how many there are of each: duplicate, variant, unrelated.

    `images` are some of the pictures that have not been deleted for good, those in the trash included; `kept` is the
    one that all others were duplicates of, first among them, None where there is no such one. `is_undone`: it was taken
    back. `is_whole`: all of it may be read, without which it cannot be undone.
    """

    batch: str
    at: datetime
    who: str
    reason: str
    decisions: Mapping[str, int]
    images: tuple[ImageRecord, ...]
    kept: ImageRecord | None
    is_undone: bool
    is_whole: bool


@dataclass(frozen=True)
class BatchPage:
    """A part of the list. `next` is the cursor of the next part, None at the end."""

    batches: tuple[DecidedBatch, ...]
    next: str | None


def list_batches(backend: Backend, principal: Principal, *, cursor: str | None = None, limit: int) -> BatchPage:
    """Return up to `limit` batches, newest first. Raises NotAllowed for whoever moderates nothing, and InvalidQuery."""
    check_log(principal)
    with backend.database.read() as connection:
        readable = records_decisions.readable_by(connection, principal)
        before = None if cursor is None else records_decisions.last_of_batch(connection, cursor, readable)
        if cursor is not None and before is None:
            raise InvalidQuery(WRONG_CURSOR)
        found = records_decisions.batches(connection, readable, before=before, limit=limit + 1)
        shown = found[:limit]
        counts = records_decisions.count_lines(connection, shown, readable)
        whole = records_decisions.count_lines(connection, shown, None)
        lines = {
            batch: records_decisions.first_of_batch(connection, batch, readable, limit=LINES_LOOKED_AT)
            for batch in shown
        }
        # All that stands of a batch is taken back at once, so that its first line tells.
        undone = records_decisions.withdrawn_among(connection, [of_it[0] for of_it in lines.values()])
        images = _images(connection, [line for of_it in lines.values() for line in of_it])
    batches = tuple(
        _batch(lines[batch], counts[batch], images, undone, is_whole=counts[batch] == whole[batch]) for batch in shown
    )
    return BatchPage(batches, shown[-1] if len(found) > limit else None)


def _images(connection: Connection, lines: Sequence[Logged]) -> dict[Known, ImageRecord]:
    rows = records_decisions.rows_of(connection, {picture for line in lines for picture in line.pair})
    found = records_images.get_by_rows(connection, sorted(rows.values()))
    return {(image.sha256, image.library): image for image in found}


def _batch(
    lines: Sequence[Logged],
    decisions: Mapping[str, int],
    images: Mapping[Known, ImageRecord],
    undone: Collection[int],
    *,
    is_whole: bool,
) -> DecidedBatch:
    first = lines[0]
    kept = {line.kept for line in lines if line.kept is not None}
    only = next(iter(kept)) if len(kept) == 1 and len(lines) == sum(decisions.values()) else None
    pictures = dict.fromkeys((*((only,) if only else ()), *(picture for line in lines for picture in line.pair)))
    return DecidedBatch(
        batch=first.batch,
        at=first.at,
        who=name_of(first),
        reason=first.reason,
        decisions=decisions,
        images=tuple(images[picture] for picture in pictures if picture in images),
        kept=images.get(only) if only else None,
        is_undone=first.id in undone,
        is_whole=is_whole,
    )
