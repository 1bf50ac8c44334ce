"""Whether the banks were asked about an image since it came in or came back, or a moderator has approved it.

`images.analyzed_at` tells it; `principal_sql.UNJUDGED` says what follows. Every function works inside the caller's
transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy.engine import Connection

from pipeline.images import ImageRecord, ImageState
from pipeline.principals import Action, Principal
from pipeline.stores import records_banks, records_embeddings
from pipeline.stores.records_images import AT_ONCE, ROWS_PER_QUERY
from pipeline.stores.tables import images


def judge_again(connection: Connection, library: str, rows: Sequence[int]) -> None:
    """Let images that have come back wait for the banks, if their library has any that may hold or refuse them.

    What is held stays so.
    """
    if records_banks.is_any_acting(connection, library, datetime.now(UTC)):
        _analyze_as_new(connection, rows)


def judge_brought_back(connection: Connection, principal: Principal, brought: Iterable[ImageRecord]) -> None:
    """Do so with those images that `principal` has brought back and does not moderate.

    A moderator's word stands above the banks.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    for image in brought:
        if not principal.may(Action.CHANGE, image.library):
            rows[image.library].append(image.row)
    for library, theirs in rows.items():
        judge_again(connection, library, theirs)


def _analyze_as_new(connection: Connection, rows: Sequence[int]) -> None:
    """Let those of the images that are ready be analyzed as if they, and those that wait or failed, never had been.

    Until it is done they are found by nobody, and held back where a bank may hold or refuse them.
    """
    for start in range(0, len(rows), ROWS_PER_QUERY):
        theirs = images.c.row.in_(rows[start : start + ROWS_PER_QUERY])
        waiting = {"state": ImageState.WAITING, "attempts": 0, "not_before": AT_ONCE}
        connection.execute(images.update().where(theirs, images.c.state == ImageState.READY).values(waiting))
        connection.execute(images.update().where(theirs, images.c.state != ImageState.HELD).values(analyzed_at=None))
    records_embeddings.touch_analyzed(connection, rows)


def note_approved(connection: Connection, rows: Sequence[int]) -> None:
    """Write down that a moderator has looked at the images, so that those need not be judged before they are shown."""
    for start in range(0, len(rows), ROWS_PER_QUERY):
        never = (images.c.row.in_(rows[start : start + ROWS_PER_QUERY]), images.c.analyzed_at.is_(None))
        connection.execute(images.update().where(*never).values(analyzed_at=datetime.now(UTC)))


def forget_approved(connection: Connection, row: int) -> None:
    """Take back `note_approved` of an image that was never analyzed."""
    never = (images.c.row == row, images.c.state != ImageState.HELD, images.c.encoder.is_(None))
    connection.execute(images.update().where(*never).values(analyzed_at=None))
