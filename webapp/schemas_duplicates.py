"""The shapes of the HTTP API for groups of duplicates and what is decided on them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from webapp.schemas import Image

ALLOWED_IDS = 1000  # pictures named in one settlement; groups have a few


class Reason(BaseModel):
    """Why a picture had better be kept: a fact, whether no other one has it, and the fact in words with its value."""

    fact: str
    only: bool
    text: str


class Edit(BaseModel):
    """What was done to picture `of`, a or b, or either where nobody can know; a is the keeper.

    See `features.comparison` for `amount` and `box`.
    """

    kind: str
    of: Literal["a", "b", "either"]
    amount: float | None
    box: list[float] | None


class Comparison(BaseModel):
    """What the keeper (a) and another picture (b) of its group are to each other, and why."""

    verdict: str
    edits: list[Edit]
    transform: list[float] | None
    box_in_a: list[float] | None
    box_in_b: list[float] | None
    mirrored: bool
    degrees: float | None
    inliers: int | None
    agreement: float | None
    hash_distance: int | None
    similarity: float | None


class Member(BaseModel):
    """A picture of a group. `comparison` and `verdict` are null for the keeper, with which all others were compared.

    `decision` is the last word on both: duplicate, implied (both are duplicates of others that are), or null.
    """

    id: str
    verdict: str | None
    decision: str | None
    may_change: bool
    comparison: Comparison | None


class Group(BaseModel):
    """Pictures that are copies of one; the first of `images` is the one that all others were compared with."""

    id: str
    verdict: str
    state: Literal["open", "settled"]
    images: list[Image]
    members: list[Member]
    suggested_keeper: str
    reasons: list[Reason]
    claimed_by: str | None
    claimed_until: str | None
    claimed_by_you: bool
    position: int | None = None
    total: int | None = None


class GroupList(BaseModel):
    """A part of the queue, oldest first. `total` groups pass the filters, or more where `total_is_more`."""

    groups: list[Group]
    next: str | None
    total: int
    total_is_more: bool
    position: int


class ScenePair(BaseModel):
    """Two photos of one thing, which are no duplicates."""

    a: Image
    b: Image
    comparison: Comparison


class SceneList(BaseModel):
    pairs: list[ScenePair]
    next: str | None


class NewSettlement(BaseModel):
    """What becomes of the pictures of a group, by their ids; nothing is decided on those in none of these.

    `delete` are moved to the trash; with `merge` their captions, tags and libraries come to the keeper. Captions and
    tags from another library than the keeper's only come with `merge_across` as well: all who see the keeper read them.
    """

    keeper: str
    delete: list[str] = Field([], max_length=ALLOWED_IDS)
    variants: list[str] = Field([], max_length=ALLOWED_IDS)
    unrelated: list[str] = Field([], max_length=ALLOWED_IDS)
    merge: bool = True
    merge_across: bool = False
    reason: str = ""


class Settled(BaseModel):
    """What was done. `batch` takes it back; `changed` groups were not as they were in the preview and left alone."""

    batch: str
    message: str
    groups: int
    deleted: int
    variants: int
    unrelated: int
    bytes: int
    tags_merged: int
    caption_merged: bool
    copies: list[str]
    changed: int


class NewDecision(BaseModel):
    """What two pictures, by their ids, are to each other."""

    a: str
    b: str
    decision: Literal["duplicate", "variant", "unrelated"]
    reason: str = ""


class Decided(BaseModel):
    """What is remembered of two pictures; `batch` takes it back."""

    a: str
    b: str
    decision: str
    batch: str


class Batch(BaseModel):
    batch: str = Field(max_length=64)


class Undone(BaseModel):
    """What was taken back. `gone` pictures had been purged; `changed` things were changed since and stay so."""

    message: str
    decisions: int
    restored: list[str]
    gone: int
    changed: int


class DecidedPicture(BaseModel):
    sha256: str
    library: str
    library_id: str
    id: str | None
    filename: str | None


class LogLine(BaseModel):
    """A line of the log; `decision` may be withdrawn as well, which takes back what `withdraws` said of the pair."""

    time: str
    who: str
    decision: str
    kept: Literal["a", "b"] | None
    what_was_done: str
    reason: str
    a: DecidedPicture
    b: DecidedPicture
    withdraws: str | None
    batch: str


class Log(BaseModel):
    decisions: list[LogLine]
    next: str | None


class Preview(BaseModel):
    """What settling all identical groups would do; `expected` is sent back to do exactly this."""

    groups: int
    pictures: int
    bytes: int
    captions: int
    tags: int
    more: bool
    examples: list[Group]
    expected: str


class ExpectedPreview(BaseModel):
    expected: str = Field(max_length=20_000)
    reason: str = ""


Described = dict[str, Any]
"""One of these as plain values."""
