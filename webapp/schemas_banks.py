"""The shapes of the HTTP API for banks of known pictures."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from webapp.schemas import LONGEST_LIST, Image

Action = Literal["allow", "warn", "hold", "refuse"]
Kind = Literal["known", "good", "removed"]
Distance = Annotated[int, Field(ge=0, le=63, description="Bits of 256 that may differ.")]
Ratio = Annotated[float, Field(ge=0, le=1, description="The part of the uploads that it acts on.")]


class Bank(BaseModel):
    """A bank. `library` is the id of its library, null for one of the whole server.

    `level` is the name of `max_distance`: exact, strict, normal, loose, or null for a number of one's own. `paused`
    says why it rests, null when it does not. `comparing` entries have not been compared yet with what is there.
    """

    id: str
    library: str | None
    name: str
    kind: Kind
    action: Action
    sentence: str
    max_distance: int
    level: str | None
    ratio: float
    expires_at: str | None
    notes: str
    paused: str | None
    guarded: bool
    keeps_thumbnails: bool
    created_at: str
    entries: int
    comparing: int


class BankList(BaseModel):
    banks: list[Bank]


class NewBank(BaseModel):
    """`library` is an id or a name, null for the whole server. A bank of `good` pictures always allows."""

    name: str
    library: str | None = None
    kind: Kind = "known"
    action: Action = "hold"
    sentence: str = ""
    max_distance: Distance = 31
    ratio: Ratio = 1.0
    expires_at: str | None = None
    notes: str = ""
    guarded: bool = True
    keeps_thumbnails: bool = True


class BankPatch(BaseModel):
    """What can be changed; what is left out stays. `expires_at` "" is never; `paused` lets it rest or act again."""

    name: str | None = None
    action: Action | None = None
    sentence: str | None = None
    max_distance: Distance | None = None
    ratio: Ratio | None = None
    expires_at: str | None = None
    notes: str | None = None
    guarded: bool | None = None
    keeps_thumbnails: bool | None = None
    paused: bool | None = None


class Entry(BaseModel):
    """A known picture. `hash` is PDQ in 64 hexadecimal digits, `quality` PDQ's, 0 to 100, null if it was not told."""

    id: int
    hash: str
    quality: int | None
    sha256: str | None
    origin: str
    notes: str
    expires_at: str | None
    added_at: str
    compared: bool


class EntryList(BaseModel):
    """A page of entries, newest first; `next` is the cursor of the next page, or null at the end."""

    entries: list[Entry]
    next: int | None


class NewHash(BaseModel):
    hash: str
    quality: Annotated[int | None, Field(ge=0, le=100)] = None
    notes: str = ""


class NewEntries(BaseModel):
    """Hashes, or ids of images that are here, whose hashes are kept; or both."""

    hashes: Annotated[list[NewHash], Field(max_length=10_000)] = []
    images: Annotated[list[str], Field(max_length=LONGEST_LIST)] = []
    notes: str = ""


class RefusedLine(BaseModel):
    line: int
    reason: str


class AddedEntries(BaseModel):
    """How many were added, how many were there already, and which lines could not be used (up to a thousand)."""

    added: int
    known: int
    refused: list[RefusedLine]
    refused_count: int


class EntryPatch(BaseModel):
    """What can be set of an entry; what is left out stays. `expires_at` null is never."""

    notes: str = ""
    expires_at: str | None = None


class Match(BaseModel):
    """An image that looked like an entry. `done` is the action, or good, spared, shadow, paused, found."""

    id: int
    entry: int
    distance: int
    done: str
    matched_at: str
    image: Image


class MatchList(BaseModel):
    matches: list[Match]
    next: int | None


class NearEntry(BaseModel):
    """An entry near a picture; `is_match` where it is near enough."""

    entry: int
    distance: int
    is_match: bool


class TriedOut(BaseModel):
    """What a bank would do with a picture: `done` is null when nothing is near enough."""

    done: str | None
    sentence: str
    quality: int
    nearest: list[NearEntry]


class Holdable(BaseModel):
    """How many pictures that are here can be held, of those that the bank has matched, and some of them."""

    number: int
    examples: list[Image]


class HoldRequest(BaseModel):
    """`number` is that of the look before: when there are more or fewer by now, nothing is held (409)."""

    number: int


class Held(BaseModel):
    held: int
