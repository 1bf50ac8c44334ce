"""What the audit log says of pictures: one entry for each library in which something was done to some of them.

Works inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy.engine import Connection

from pipeline.images import ImageRecord
from pipeline.principals import Principal
from pipeline.stores import records_audit
from pipeline.stores.records_audit import Event

MOST_IDS = 100  # told in one entry; the number of all is in its subject
MOST_NAMES = 5


def add(
    connection: Connection, principal: Principal, event: Event, images: Sequence[ImageRecord], **detail: object
) -> None:
    """Append that `principal` did `event` to `images`, with what else is to be told; nothing when there are none."""
    by_library: dict[str, list[ImageRecord]] = defaultdict(list)
    for image in images:
        by_library[image.library].append(image)
    for library, theirs in by_library.items():
        records_audit.add(
            connection,
            principal,
            event,
            f"{len(theirs):,} {'picture' if len(theirs) == 1 else 'pictures'}",
            library=library,
            ids=[image.id for image in theirs[:MOST_IDS]],
            files=[image.filename for image in theirs[:MOST_NAMES]],
            **detail,
        )
