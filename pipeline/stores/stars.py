"""Dividing pictures that are tied to each other into groups that do not chain: stars, each around one of its own.

Pure. A star has a middle, the keeper, and every other picture in it is tied to the keeper itself. Keepers are not tied
to each other, so each picture that is tied to anything is a keeper or tied to one (a maximal independent set, chosen
greedily). While a tie is left that nobody has decided on, some star has one.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from pipeline.features.comparison import Verdict

CLOSENESS = {verdict: place for place, verdict in enumerate(Verdict)}


@dataclass(frozen=True)
class Tie:
    """Two pictures that are copies of one, a < b. `decided`: somebody has said so, of these or through others."""

    a: int
    b: int
    verdict: Verdict
    decided: bool

    def other(self, picture: int) -> int:
        """Return the picture at the other end."""
        return self.b if picture == self.a else self.a


@dataclass(frozen=True)
class Star:
    """A keeper and the ties of all others to it."""

    keeper: int
    ties: tuple[Tie, ...]

    @property
    def is_open(self) -> bool:
        """Whether anything is left to decide."""
        return any(not tie.decided for tie in self.ties)

    @property
    def verdict(self) -> Verdict:
        """The weakest of all."""
        return max((tie.verdict for tie in self.ties), key=CLOSENESS.__getitem__)


def implied(ties: Iterable[Tie]) -> set[tuple[int, int]]:
    """Return the undecided pairs whose pictures hang together by ties that were decided."""
    parents: dict[int, int] = {}

    def root(picture: int) -> int:
        while (parent := parents.get(picture, picture)) != picture:
            parents[picture] = parents.get(parent, parent)
            picture = parent
        return picture

    ties = list(ties)
    for tie in ties:
        if tie.decided:
            parents[root(tie.a)] = root(tie.b)
    return {(tie.a, tie.b) for tie in ties if not tie.decided and root(tie.a) == root(tie.b)}


def stars(
    ties: Collection[Tie],
    *,
    keepers_before: Collection[int] = (),
    claimed: Collection[int] = (),
    distances: Callable[[Collection[Tie]], Mapping[tuple[int, int], float]] | None = None,
) -> list[Star]:
    """Return the stars that `ties` make; the same ones in whatever order the ties come.

    Keepers are first those of groups that somebody works on (`claimed`), then whoever has most undecided ties, then
    most ties at all, then who has been a keeper before. Of several keepers a picture goes to the one that it is
    undecided with, then the closest by verdict, then the least of `distances`, which is asked about those ties alone
    for which nothing else decides.
    """
    of: dict[int, list[Tie]] = defaultdict(list)
    for tie in ties:
        of[tie.a].append(tie)
        of[tie.b].append(tie)
    undecided = {picture: sum(not tie.decided for tie in theirs) for picture, theirs in of.items()}
    before, held = frozenset(keepers_before), frozenset(claimed)
    order = sorted(
        of,
        key=lambda picture: (
            not (picture in held and undecided[picture]),
            -undecided[picture],
            -len(of[picture]),
            picture not in before,
            picture,
        ),
    )
    rank: dict[int, int] = {}
    for picture in order:
        if not any(tie.other(picture) in rank for tie in of[picture]):
            rank[picture] = len(rank)
    return _assigned(of, rank, distances)


def _assigned(
    of: Mapping[int, list[Tie]],
    rank: Mapping[int, int],
    distances: Callable[[Collection[Tie]], Mapping[tuple[int, int], float]] | None,
) -> list[Star]:
    """Return the stars around the keepers of `rank`, each other picture in the best one for it."""
    choices: dict[int, list[Tie]] = {}
    for picture, theirs in of.items():
        if picture not in rank:
            possible = [tie for tie in theirs if tie.other(picture) in rank]
            best = min((tie.decided, CLOSENESS[tie.verdict]) for tie in possible)
            choices[picture] = [tie for tie in possible if (tie.decided, CLOSENESS[tie.verdict]) == best]
    doubtful = [tie for possible in choices.values() if len(possible) > 1 for tie in possible]
    known = distances(doubtful) if distances and doubtful else {}
    members: dict[int, list[Tie]] = defaultdict(list)
    for picture, possible in choices.items():
        chosen = min(possible, key=lambda tie: (known.get((tie.a, tie.b), 0.0), rank[tie.other(picture)]))
        members[chosen.other(picture)].append(chosen)
    return [Star(keeper, tuple(sorted(members[keeper], key=lambda tie: (tie.a, tie.b)))) for keeper in sorted(members)]
