"""Two rankings made into one: what looks like the question, and what has its words. Pure.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): each ranking gives its weight / (60 + place), and the
sum decides. Cosines and scores of words, which have no common scale, are not compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from pipeline.stores.protocols import Neighbor
from pipeline.stores.word_search import Ranked

RANK_OFFSET = 60
"""The k of reciprocal rank fusion, from the paper: how much the first places stand out from those behind them."""

FUSED_NEIGHBORS = 1000
"""Places of the ranking by content that count. What is behind them comes behind everything that has a word: so the
order is the same however deep somebody pages. The last of them gives a fourteenth of what the first gives."""

LEAST_SHARE = 0.3
"""What part of the words an image must have for its place to count. Without it, every picture with one common word of a
sentence stands before those that look like the sentence, and of pictures without a caption hardly any is found
(`bench/hybrid.py`, docs/measurements.md). A keyword alone is below it: what an encoder reads off a picture counts once.
"""


@dataclass(frozen=True)
class Weights:
    """What the two rankings count, 0 or more: where the content is nearest, and where the words are.

    Alike is what was measured to be as good as any other ratio.
    """

    content: float = 1.0
    words: float = 1.0


ALIKE = Weights()


def fuse(neighbors: Sequence[Neighbor], by_words: Sequence[Ranked], weights: Weights) -> list[Neighbor]:
    """Return every image of both rankings, best first; of equals, what has the words.

    Images that have the same part of the words share a place, so that the content decides among them. Where only the
    words found an image, its similarity is NaN, for whoever shows it to look up.
    """
    scores: dict[int, float] = {}
    place, share = 0, -1.0
    for count, found in enumerate(by_words, start=1):
        if found.share < LEAST_SHARE:
            break
        place, share = (place, share) if found.share == share else (count, found.share)
        scores[found.row] = weights.words / (RANK_OFFSET + place)
    for place, neighbor in enumerate(neighbors[:FUSED_NEIGHBORS], start=1):
        scores[neighbor.row] = scores.get(neighbor.row, 0.0) + weights.content / (RANK_OFFSET + place)
    known = {neighbor.row: neighbor for neighbor in neighbors}
    fused = [known.get(row) or Neighbor(row, nan) for row in sorted(scores, key=lambda row: -scores[row])]
    return fused + [neighbor for neighbor in neighbors[FUSED_NEIGHBORS:] if neighbor.row not in scores]
