"""What the pages of moderation show: one frozen dataclass a page, as in `webapp.pages`."""

from dataclasses import dataclass

from webapp.pages import Emptiness, Shell, Tile
from webapp.pages_watch import Told


@dataclass(frozen=True)
class QueueEntry:
    """A picture in the queue. `state` says in words whether others see it; `library` is where it is.

    `may_settle` is whether to offer what decides. What was settled has an `outcome`, and `undo_url` where it can be
    taken back, with everything that was settled in the same go.
    """

    id: str
    tile: Tile
    told: tuple[Told, ...]
    state: str
    library: str
    may_settle: bool
    is_escalated: bool = False
    outcome: Told | None = None
    undo_url: str = ""


@dataclass(frozen=True)
class TabLink:
    """A part of the queue with its address; `count` is how many pictures wait there, "" where nothing does."""

    label: str
    url: str
    count: str
    chosen: bool


@dataclass(frozen=True)
class ModerationPage:
    """`/moderation`. `tab` is the part that is shown; `library`, `reason` and `who` what it is narrowed to.

    `libraries` are those to choose from (id, label). `veiled` is whether pictures are blurred until they are revealed.
    `here` is the address of this page, `next_url` that of the next pictures, `first_url` that of the first ones where
    these are not. `may_settle` is whether there is anything here to decide about.
    """

    shell: Shell
    tab: str
    tabs: tuple[TabLink, ...]
    entries: tuple[QueueEntry, ...]
    libraries: tuple[tuple[str, str], ...]
    library: str
    reason: str
    who: str
    veiled: bool
    here: str
    next_url: str | None
    first_url: str
    empty: Emptiness | None
    may_settle: bool


@dataclass(frozen=True)
class DeedPage:
    """The page that shows what would happen before it does. `deed` is approve, remove or escalate.

    `left_out` are sentences about pictures to which it is not done. `offers_hash` is whether removed pictures can be
    remembered so that they stay removed.
    """

    shell: Shell
    deed: str
    question: str
    consequences: tuple[str, ...]
    left_out: tuple[str, ...]
    tiles: tuple[Tile, ...]
    button: str
    needs_reason: bool
    offers_hash: bool
    veiled: bool
    back_url: str
    reason: str = ""
    problem: str = ""
