"""What the pages of duplicates show: the queue, the desk, and two pictures compared. See `webapp.pages`."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from webapp.evidence_words import Mark
from webapp.language import gettext as _
from webapp.language import marked
from webapp.pages import Choice, Emptiness, Shell, Tile

MODES = (
    ("side", marked("Side by side")),
    ("swipe", marked("Swipe")),
    ("onion", marked("Onion skin")),
    ("difference", marked("Difference")),
    ("flicker", marked("Flicker")),
)

BROAD = 1.05
"""Width by height from which two pictures are shown one below the other where there is no room beside."""


@dataclass(frozen=True)
class Shown:
    """One of the pictures of a viewer: `width` and `height` are its upright pixels, `place` says which one it is."""

    url: str
    alt: str
    width: int
    height: int
    place: str


@dataclass(frozen=True)
class Slider:
    """A slider of a way of comparing. `said` is how its value is told, with `{}` in its place."""

    mode: str
    name: str
    label: str
    low: float
    high: float
    step: float
    said: str


@dataclass(frozen=True)
class Viewer:
    """Two pictures to compare. `transform` is that of the evidence, six numbers; "" where there is none."""

    left: Shown
    right: Shown
    transform: str = ""
    marks: tuple[Mark, ...] = ()

    @property
    def marks_json(self) -> str:
        """The marks as the script reads them."""
        return json.dumps([{"of": mark.of, "box": mark.box} for mark in self.marks])

    @property
    def legend(self) -> str:
        """What is outlined, in words."""
        return _(", ").join(dict.fromkeys(mark.words for mark in self.marks))

    @property
    def modes(self) -> tuple[tuple[str, str], ...]:
        """The ways of comparing, with their names."""
        return tuple((mode, _(words)) for mode, words in MODES)

    @property
    def is_wide(self) -> bool:
        """Whether both are broader than high, taken together."""
        return self.left.width * self.right.width > BROAD * self.left.height * self.right.height

    @property
    def sliders(self) -> tuple[Slider, ...]:
        """The sliders, each shown with its way of comparing."""
        return (
            Slider("swipe", "swipe", _("Where the right one begins"), 0, 100, 1, _("{} %%")),
            Slider("onion", "onion", _("How much the right one covers"), 0, 100, 1, _("{} %%")),
            Slider("difference", "boost", _("How much differences are raised"), 1, 16, 1, _("{} times")),
            Slider("flicker", "pace", _("Time between both"), 0.5, 3, 0.1, _("{} s")),
        )


@dataclass(frozen=True)
class PairFact:
    """A line of the table of facts. `better` is the side with the better value, "" for none; `word` says why."""

    name: str
    left: str
    right: str
    better: Literal["left", "right", ""] = ""
    word: str = ""


@dataclass(frozen=True)
class Pair:
    """Two pictures and what was found of them, in words."""

    viewer: Viewer
    verdict: str
    sentence: str
    details: tuple[str, ...]
    facts: tuple[PairFact, ...]
    left_url: str = ""
    right_url: str = ""


@dataclass(frozen=True)
class ComparePage:
    """`/compare`. `pair` is None until two pictures are named; `problem` is the sentence for what could not be read."""

    shell: Shell
    pair: Pair | None = None
    swapped_url: str = ""
    problem: str = ""


@dataclass(frozen=True)
class GroupCard:
    """A group, or two photos of one scene, in a list. `more` pictures are not among the `tiles`.

    `claim` says who reviews it, "" for nobody.
    """

    url: str
    title: str
    verdict: str
    tiles: tuple[Tile, ...]
    count: str
    more: int = 0
    claim: str = ""


@dataclass(frozen=True)
class SettledCard:
    """What was decided in one go: `title` says what, `kept` which picture stays, "" where it is not one alone.

    `undone` says that it was taken back; `step` is sent to take it back, "" where that cannot be.
    """

    title: str
    kept: str
    who: str
    at: str
    datetime: str
    reason: str
    tiles: tuple[Tile, ...]
    undone: str = ""
    step: str = ""


@dataclass(frozen=True)
class DuplicatesPage:
    """`/duplicates`, the queue. `tabs` are its states; `next_url` goes on with the first group that nobody reviews.

    `progress` says how many pictures have been checked, of which `progress_share`, 0 to 1, is the part; while it is
    `scanning` the page asks again. An `empty` list `celebrates` when everything has been decided. `log_urls` are
    (format, address) of the log of decisions. `settled` is what was decided, newest first, in place of groups for those
    who moderate.
    """

    shell: Shell
    tabs: tuple[Choice, ...]
    state: str
    summary: str
    groups: tuple[GroupCard, ...] = ()
    settled: tuple[SettledCard, ...] = ()
    empty: Emptiness | None = None
    celebrates: bool = False
    progress: str = ""
    progress_share: float = 0
    scanning: bool = False
    next_url: str = ""
    older_url: str = ""
    log_urls: tuple[tuple[str, str], ...] = ()
    may_moderate: bool = False
    has_identical: bool = False
    verdicts: tuple[tuple[str, str], ...] = ()
    verdict: str = ""
    libraries: tuple[tuple[str, str], ...] = ()
    library: str = ""


@dataclass(frozen=True)
class IdenticalExample:
    """A group that would be settled: its pictures, the one that is kept first, and what would become of them."""

    tiles: tuple[Tile, ...]
    sentence: str


@dataclass(frozen=True)
class IdenticalOffer:
    """What settling all identical groups would do. `expected` is sent back, so that nothing else is done."""

    sentence: str
    button: str
    examples: tuple[IdenticalExample, ...]
    expected: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class IdenticalPage:
    """`/duplicates/identical`: what would happen, before it does; `offer` is None when there is nothing to settle."""

    shell: Shell
    explanation: str
    offer: IdenticalOffer | None


@dataclass(frozen=True)
class MemberChoice:
    """A picture of a group, what it is to the keeper in words, and the addresses that put it on a side."""

    id: str
    tile: Tile
    verdict: str
    left_url: str
    right_url: str
    is_left: bool
    is_right: bool
    is_suggested: bool


@dataclass(frozen=True)
class Decision:
    """A button of the desk: `value` is what is sent, `key` its usual key, `hint` what happens besides."""

    value: str
    key: str
    words: str
    hint: str = ""
    style: str = ""


@dataclass(frozen=True)
class ReviewPage:
    """`/duplicates/{id}`, the desk: the two pictures of `pair`, and what can be decided of them.

    `fields` are hidden in the form of the decisions. `suggestion` says which picture had better be kept, for `reasons`.
    `claim` says who has the group, until `claim_until` (in UTC); `is_ours` is whether that is the visitor, who then has
    `actions`. `across` names the libraries that the group is in, "" for one alone. `settled` says that it has been
    decided already. `undo` are what was settled before in this browser, the last one at the end. `narrowing` are the
    fields that say which groups are worked through. `done` is told when
    nothing is left. `keys` are (action, usual key, words). `announcement` is read aloud when the page takes the place
    of another one.
    """

    shell: Shell
    group_url: str
    position: str = ""
    pair: Pair | None = None
    members: tuple[MemberChoice, ...] = ()
    next_pair_url: str = ""
    suggestion: str = ""
    reasons: tuple[str, ...] = ()
    claim: str = ""
    claim_until: datetime | None = None
    is_ours: bool = False
    may_moderate: bool = False
    actions: tuple[Decision, ...] = ()
    across: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    settled: str = ""
    undo: tuple[str, ...] = ()
    narrowing: tuple[tuple[str, str], ...] = ()
    done: Emptiness | None = None
    keys: tuple[tuple[str, str, str], ...] = ()
    announcement: str = ""
    queue_url: str = "/duplicates"
