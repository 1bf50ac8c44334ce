"""What the page of an image shows of reports and of being held; see `pages`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """One reason why a picture waits: what it is in words, who said it, and when (in words, and for machines)."""

    what: str
    reason: str
    who: str
    at: str
    datetime: str


@dataclass(frozen=True)
class Watch:
    """What the page of an image says of its moderation.

    `may_report` is whether to offer that, `has_reported` that it was done; `may_hold` and `may_settle` are for its
    moderators, who see why it waits. `problem` is the sentence for a report that was refused, with the `typed` reason.
    """

    may_report: bool = False
    has_reported: bool = False
    may_hold: bool = False
    may_settle: bool = False
    told: tuple[Told, ...] = ()
    problem: str = ""
    typed: str = ""
