"""The shapes of the HTTP API for moderation."""

from typing import Literal

from pydantic import BaseModel, Field

from webapp.schemas import Image

CaseKind = Literal["held", "reported", "escalated"]


class Report(BaseModel):
    """Why a picture should be looked at, in up to 1,000 characters."""

    reason: str


class Case(BaseModel):
    """Why a picture waits, or waited. `by` is null where a bank or the server has held it; `bank` is the id of one.

    `settled_at` and what follows are null while it is open.
    """

    kind: CaseKind
    reason: str
    by: str | None
    bank: str | None
    opened_at: str
    settled_at: str | None
    settled_by: str | None
    outcome: Literal["approved", "removed"] | None
    outcome_reason: str | None


class Waiting(BaseModel):
    """A picture in the queue with its cases. `may_settle` is whether you decide about it.

    `batch` is given to undo what was settled in one go; null while it waits.
    """

    image: Image
    cases: list[Case]
    escalated: bool
    may_settle: bool
    batch: str | None


class Queue(BaseModel):
    """A part of the queue. `counts` are the pictures that wait in each part."""

    pictures: list[Waiting]
    counts: dict[str, int]
    next: str | None


class Holding(BaseModel):
    """Pictures, and why."""

    ids: list[str] = Field(min_length=1, max_length=1000)
    reason: str = ""


class Decision(Holding):
    """Pictures to decide about. With `preview` nothing is done, and the answer says what would be."""

    preview: bool = False


class Removal(Decision):
    """`keep_hash` lets the pictures stay removed: whoever uploads them again is refused."""

    keep_hash: bool = False


class Undoing(BaseModel):
    """What is taken back: the `batch` that a decision has answered."""

    batch: str


class LeftOut(BaseModel):
    """A picture that nothing was done to, because it was settled before."""

    id: str
    sentence: str


class Decided(BaseModel):
    """The ids of the pictures that it was done to, and those that it was not.

    `batch` undoes it; it is null where nothing can. Nothing was done where `preview` was asked for.
    """

    ids: list[str]
    settled_before: list[LeftOut]
    batch: str | None
    preview: bool = False
