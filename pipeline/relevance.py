"""How strong a similarity is, in words.

The bands are provisional constants of each encoder, measured once on labeled pictures (docs/evaluation-lite.md). A
raw cosine means something else for each encoder, and for a text than for a picture.
"""

from typing import Literal

from pipeline.features.encoders.protocol import SimilarityBands

Strength = Literal["strong", "possible", "weak"]
Verdict = Literal["match", "weak", "none"]


def strength(similarity: float, bands: SimilarityBands, *, by_picture: bool) -> Strength:
    """Return the band of a cosine; `by_picture` is false when only words were asked."""
    strong = bands.picture_strong if by_picture else bands.text_strong
    possible = bands.picture_possible if by_picture else bands.text_possible
    if similarity >= strong:
        return "strong"
    return "possible" if similarity >= possible else "weak"


def verdict(strengths: list[Strength]) -> Verdict:
    """Return what a search as a whole found."""
    if not strengths:
        return "none"
    return "weak" if all(band == "weak" for band in strengths) else "match"
