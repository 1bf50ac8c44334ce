"""From which cosine on a hit of a CLIP model is strong or possible, as long as nobody has measured it.

The numbers are guesses from what is published of such models, NOT proven with any weights. A card can bring measured
ones in `extra["bands"]`, a table of the four names of SimilarityBands.
"""

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import ModelCard
from pipeline.features.encoders.protocol import SimilarityBands

BANDS = "bands"
"""The key in a card's `extra`."""

CLIP_BANDS = SimilarityBands(picture_strong=0.85, picture_possible=0.72, text_strong=0.28, text_possible=0.22)
"""Unproven, for models trained with a softmax: a text and a picture that it tells of are seldom above 0.35."""

SIGLIP_BANDS = SimilarityBands(picture_strong=0.85, picture_possible=0.72, text_strong=0.10, text_possible=0.05)
"""Unproven, for models trained with a sigmoid: their cosines of text and picture are about a third of those of CLIP."""


def bands_of(card: ModelCard) -> SimilarityBands:
    """Return the bands that the card brings, or the provisional ones of its kind.

    Raises ModelUnusable when the card brings something else than four numbers from -1 to 1 in order.
    """
    if BANDS not in card.extra:
        return SIGLIP_BANDS if "siglip" in card.architecture.lower() else CLIP_BANDS
    try:
        bands = SimilarityBands(**{name: float(value) for name, value in card.extra[BANDS].items()})
        in_order = (
            -1 <= bands.picture_possible <= bands.picture_strong <= 1
            and -1 <= bands.text_possible <= bands.text_strong <= 1
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise _unusable(card, repr(error)) from error
    if not in_order:
        raise _unusable(card, repr(bands))
    return bands


def _unusable(card: ModelCard, detail: str) -> ModelUnusable:
    return ModelUnusable(
        f"The card of the model {card.name} has bands that cannot be used. Please correct or remove them.",
        detail=detail,
    )
