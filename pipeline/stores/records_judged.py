"""Whether the banks were asked about an image since it came in or came back, or a moderator has approved it.

`images.analyzed_at` tells it; `principal_sql.UNJUDGED` says what follows. Every function works inside the caller's
transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.engine import Connection

from pipeline.images import ImageState
from pipeline.stores import records_embeddings
from pipeline.stores.records_images import AT_ONCE, ROWS_PER_QUERY
from pipeline.stores.tables import images


def analyze_as_new(connection: Connection, rows: Sequence[int]) -> None:
    """Let those of the images that are ready, or wait already, be analyzed as if they never had been.

    Until it is done they are found by nobody, and held back where a bank may hold or refuse them.
    """
    for start in range(0, len(rows), ROWS_PER_QUERY):
        theirs = images.c.row.in_(rows[start : start + ROWS_PER_QUERY])
        waiting = {"state": ImageState.WAITING, "attempts": 0, "not_before": AT_ONCE}
        connection.execute(images.update().where(theirs, images.c.state == ImageState.READY).values(waiting))
        connection.execute(images.update().where(theirs, images.c.state == ImageState.WAITING).values(analyzed_at=None))
    records_embeddings.touch_analyzed(connection, rows)


def note_approved(connection: Connection, rows: Sequence[int]) -> None:
    """Write down that a moderator has looked at the images, so that those need not be judged before they are shown."""
    for start in range(0, len(rows), ROWS_PER_QUERY):
        never = (images.c.row.in_(rows[start : start + ROWS_PER_QUERY]), images.c.analyzed_at.is_(None))
        connection.execute(images.update().where(*never).values(analyzed_at=datetime.now(UTC)))
