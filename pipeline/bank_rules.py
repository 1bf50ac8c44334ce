"""What banks go by: the levels of a match, what is done, whether a bank acts at all, and when it has to rest.

Values and rules only; `bank_matching` asks the database.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.features.near_hashes import FARTHEST

EXACT, STRICT, NORMAL, LOOSE = 0, 10, 31, 47
LEVELS = {"exact": EXACT, "strict": STRICT, "normal": NORMAL, "loose": LOOSE}
"""The named levels of a match, in bits of 256 that may differ.

`normal` is what PDQ's makers and everybody who exchanges such hashes go by (ThreatExchange, HMA: at most 31); another
size of a picture is 16 to 20 bits away. `strict` is what a picture that was only saved again stays within, `loose` lets
other colors and some watermarks pass as well (Thorn's benchmark advises 51). Pictures that have nothing to do with each
other are 84 bits or more apart, in half a million pairs. docs/banks.md has what each level finds.
"""

MOST_DISTANCE = FARTHEST

LEAST_QUALITY = 50
"""PDQ's quality, 0 to 100, below which its makers advise to match nothing: a plain surface has little to tell. Here
such hashes match as far as `STRICT`, so that the same plain picture is still known again; at 0 they never do."""

FLOOD_WINDOW = 100
"""The uploads, the last ones of which a process has judged, over which a bank is watched for matching too much."""

FLOOD_LEAST = 20
"""Matches among them that are never too many: less than that somebody can look through."""

FLOOD_TIMES = 5.0
"""How many times its usual share of matches a bank must have reached, beside `FLOOD_LEAST`, to be too much."""

USUAL_LEAST = 400
"""Uploads before the window that a usual share is told from; of a younger bank it is 0."""


class Kind(StrEnum):
    """What the pictures of a bank are."""

    KNOWN = "known"
    GOOD = "good"
    """Known to be good: they are never flagged, whatever else they look like."""
    REMOVED = "removed"
    """Those that were removed from the library, and are to stay so."""


class BankAction(StrEnum):
    """What is done at upload with a picture that looks like one of a bank, from the least to the most."""

    ALLOW = "allow"
    WARN = "warn"
    HOLD = "hold"
    REFUSE = "refuse"

    @property
    def weight(self) -> int:
        """How much it is: of several banks the one with the most decides."""
        return tuple(BankAction).index(self)


class Deed(StrEnum):
    """What was done when an image looked like an entry."""

    ALLOW = "allow"
    WARN = "warn"
    HOLD = "hold"
    REFUSE = "refuse"
    GOOD = "good"
    """It is in a bank of good pictures, and was not flagged."""
    SPARED = "spared"
    """A bank of good pictures stood above."""
    SHADOW = "shadow"
    """The bank was only being tried out with this one: the ratio spared it."""
    PAUSED = "paused"
    """The bank was resting."""
    FOUND = "found"
    """It was there before the entry was."""


UNDONE = frozenset({Deed.ALLOW, Deed.WARN, Deed.SHADOW, Deed.PAUSED, Deed.FOUND})
"""After these an image is there and may still be held."""


@dataclass(frozen=True)
class Rule:
    """What of a bank decides. `library` is None for one of the whole server."""

    bank: str
    library: str | None
    kind: Kind
    action: BankAction
    ratio: float
    is_paused: bool


def reach(max_distance: int, *qualities: int | None) -> int:
    """Return how many bits may differ when a hash of these qualities, None if unknown, meets another."""
    plain = any(quality is not None and quality < LEAST_QUALITY for quality in qualities)
    return min(max_distance, STRICT) if plain else max_distance


def acts_on(bank: str, sha256: str, ratio: float) -> bool:
    """Whether a bank with this ratio acts on a picture: always the same for the same bytes, another for each bank."""
    drawn = int.from_bytes(hashlib.sha256(f"{bank} {sha256}".encode()).digest()[:8])
    return drawn < ratio * 2.0**64


def deeds(rules: Iterable[Rule], sha256: str) -> dict[str, Deed]:
    """Return what each of the banks does that a picture with these bytes looks like.

    Banks of good pictures stand above all others; those of a library only above its own, so that nobody gets round a
    bank of the whole server with one of theirs.
    """
    rules = tuple(rules)
    acting = {rule.bank for rule in rules if not rule.is_paused and acts_on(rule.bank, sha256, rule.ratio)}
    good = [rule for rule in rules if rule.kind is Kind.GOOD and rule.bank in acting]
    done: dict[str, Deed] = {}
    for rule in rules:
        if rule.is_paused:
            done[rule.bank] = Deed.PAUSED
        elif rule.bank not in acting:
            done[rule.bank] = Deed.SHADOW
        elif rule.kind is Kind.GOOD:
            done[rule.bank] = Deed.GOOD
        elif any(one.library is None or one.library == rule.library for one in good):
            done[rule.bank] = Deed.SPARED
        else:
            done[rule.bank] = Deed(rule.action)
    return done


def is_flood(matched: int, usual_share: float) -> bool:
    """Whether so many matches among the last `FLOOD_WINDOW` uploads are too many for a bank whose share was this."""
    return matched > max(FLOOD_LEAST, FLOOD_TIMES * usual_share * FLOOD_WINDOW)


def level_of(max_distance: int) -> str:
    """Return the name of a level, "" for a number of one's own."""
    return next((name for name, distance in LEVELS.items() if distance == max_distance), "")
