"""What a shared copy of the vectors does not have yet, for searches that cannot wait until it does.

Such rows are compared in the database, beside what the copy says, so that an answer is complete although the copy is
behind. When they are too many for that, a search says so; it never leaves them out.
"""

import numpy as np
import numpy.typing as npt

from pipeline.errors import StoreUnavailable
from pipeline.stores import copies, records_embeddings
from pipeline.stores.following import Follower, Position

MOST_BEHIND = 5000
"""Rows that a search compares besides what the copy has: 5 MB of 512 float16 each, a tenth of a second."""

BEING_FILLED = "The vector index is being filled ({held:,} of {all:,}). Please try again in a moment."

Rows = npt.NDArray[np.int64]


def rows_behind(follower: Follower, position: Position) -> Rows:
    """Return the rows with a change that a copy at `position` does not have.

    Raises StoreUnavailable, with how far the copy is, when there are more than MOST_BEHIND.
    """
    if position.is_newest:
        return np.empty(0, np.int64)
    encoder = follower.encoder
    with follower.database.read() as connection:
        rows = records_embeddings.rows_changed_after(connection, encoder, position.change, limit=MOST_BEHIND + 1)
        if len(rows) <= MOST_BEHIND:
            return np.array(rows, np.int64)
        held = copies.count_followed(connection, encoder, follower.address)
        everything = copies.count_rows(connection, encoder)
    raise StoreUnavailable(BEING_FILLED.format(held=held, all=everything), detail=follower.address)
