"""What the review desk does with groups of duplicates, in one place: taking one, settling it, taking that back.

Who takes what is in `claiming`, what settling does in `settlements`, its opposite in `undoing`, and settling many at
once in `settling_identical`.
"""

from pipeline.claiming import CLAIM_MINUTES, Progress, check_may_settle, claim, left_of, next_group, progress, release
from pipeline.settlements import Settled, Settlement, settle
from pipeline.settling_identical import Preview, preview_identical, settle_identical
from pipeline.undoing import Undone, undo

__all__ = [
    "CLAIM_MINUTES",
    "Preview",
    "Progress",
    "Settled",
    "Settlement",
    "Undone",
    "check_may_settle",
    "claim",
    "left_of",
    "next_group",
    "preview_identical",
    "progress",
    "release",
    "settle",
    "settle_identical",
    "undo",
]
