"""What of the pictures is listed, and in which order."""

from enum import StrEnum

from pipeline.images import ImageState

ONLY_READY = (ImageState.READY,)
"""The states of what searches find, and of what is listed unless others are asked for."""


class Sort(StrEnum):
    """An order, and what decides between equals: who came later, or with the oldest first who came earlier.

    BEST is by similarity to what was asked; where nothing was asked to compare with it is NEWEST, by when pictures
    came in. LARGEST is by pixels. Pictures of which no camera has said when it took them come last among the TAKEN.
    """

    BEST = "best"
    NEWEST = "newest"
    OLDEST = "oldest"
    LARGEST = "largest"
    TAKEN_NEWEST = "taken_newest"
    TAKEN_OLDEST = "taken_oldest"
