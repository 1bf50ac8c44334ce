"""Dividing pictures that are tied to each other into groups that do not chain: stars, each around one of its own.

Pure. A star has a middle, the keeper, and every other picture in it is tied to the keeper itself. Keepers are not tied
to each other, so each picture that is tied to anything is a keeper or tied to one (a maximal independent set, chosen
greedily), unless two pictures that are no copies of each other would come together: those are in no star together.
While a tie is left that nobody has decided on, some star has one.
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
    apart: Collection[tuple[int, int]] = (),
    keepers_before: Collection[int] = (),
    claimed: Collection[int] = (),
    distances: Callable[[Collection[Tie]], Mapping[tuple[int, int], float]] | None = None,
) -> list[Star]:
    """Return the stars that `ties` make; the same ones in whatever order the ties come.

    Keepers are first those of groups that somebody works on (`claimed`), then whoever has most undecided ties, then
    most ties at all, then who has been a keeper before. Of several keepers a picture goes to the one that it is
    undecided with, then the closest by verdict, then the least of `distances`, which is asked about those ties alone
    for which nothing else decides.

    No two pictures of `apart`, the smaller first, are in one star, and none of these is a tie. Of two that could be in
    the same one, it is the undecided, then the older one; the other goes to another keeper, or makes stars with those
    that are left over as well, or waits until the first is decided.
    """
    strangers: dict[int, set[int]] = defaultdict(set)
    for a, b in apart:
        strangers[a].add(b)
        strangers[b].add(a)
    made: list[Star] = []
    while ties:
        made += _assigned(ties, _keepers(ties, frozenset(keepers_before), frozenset(claimed)), strangers, distances)
        placed = {picture for star in made for tie in star.ties for picture in (tie.a, tie.b)}
        ties = [tie for tie in ties if tie.a not in placed and tie.b not in placed]
    return sorted(made, key=lambda star: star.keeper)


def _keepers(ties: Collection[Tie], before: frozenset[int], held: frozenset[int]) -> dict[int, int]:
    """Return the keepers, none tied to another and every other picture to one, with their places, the first one 0."""
    of = _by_picture(ties)
    undecided = {picture: sum(not tie.decided for tie in theirs) for picture, theirs in of.items()}
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
    return rank


def _by_picture(ties: Collection[Tie]) -> dict[int, list[Tie]]:
    of: dict[int, list[Tie]] = defaultdict(list)
    for tie in ties:
        of[tie.a].append(tie)
        of[tie.b].append(tie)
    return of


def _assigned(
    ties: Collection[Tie],
    rank: Mapping[int, int],
    strangers: Mapping[int, Collection[int]],
    distances: Callable[[Collection[Tie]], Mapping[tuple[int, int], float]] | None,
) -> list[Star]:
    """Return the stars around the keepers of `rank`, each other picture in the best one that has no stranger to it."""
    choices = {
        picture: [tie for tie in theirs if tie.other(picture) in rank]
        for picture, theirs in _by_picture(ties).items()
        if picture not in rank
    }
    doubtful = [tie for picture, possible in choices.items() for tie in _even(possible, picture in strangers)]
    known = distances(doubtful) if distances and doubtful else {}
    members: dict[int, dict[int, Tie]] = defaultdict(dict)
    placed: set[int] = set()
    for decided in (False, True):  # what is undecided finds its place first: it is shown as soon as possible
        for picture in sorted(choices.keys() - placed):
            possible = sorted(
                (tie for tie in choices[picture] if tie.decided is decided),
                key=lambda tie: (CLOSENESS[tie.verdict], known.get((tie.a, tie.b), 0.0), rank[tie.other(picture)]),
            )
            for tie in possible:
                theirs = members[tie.other(picture)]
                if theirs.keys().isdisjoint(strangers.get(picture, ())):
                    theirs[picture] = tie
                    placed.add(picture)
                    break
    return [
        Star(keeper, tuple(sorted(theirs.values(), key=lambda tie: (tie.a, tie.b))))
        for keeper, theirs in members.items()
        if theirs
    ]


def _even(possible: Collection[Tie], any_of_them: bool) -> list[Tie]:
    """Return the ties between which distances decide: the best ones where several are, or all that are as good."""
    best = min((tie.decided, CLOSENESS[tie.verdict]) for tie in possible)
    even = [tie for tie in possible if any_of_them or (tie.decided, CLOSENESS[tie.verdict]) == best]
    return even if len(even) > 1 else []
