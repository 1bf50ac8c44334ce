"""The text tower of `lite`: a text is where the classes lie that its words mean."""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import InvalidQuery
from pipeline.features.encoders.lexicon import Lexicon
from pipeline.features.encoders.lite_space import LiteSpace, unit_rows
from pipeline.features.encoders.protocol import TextEmbedding

NOTHING_UNDERSTOOD = (
    "None of these words is known to the built-in encoder, which knows about 3,400 English names of things: animals, "
    "vehicles, food, clothes, furniture, buildings, landscapes. Please try the name of a thing you would see in the "
    "picture, or drop a similar picture instead."
)

BROAD_REACH = 0.2
"""Cosine with the nearest class below which a text is broad: "zebra" has 1.00, "guitar" 0.81, "tree" 0.54, "fish" 0.20,
"dog" 0.11 and "animal" 0.03."""


@dataclass(frozen=True)
class LiteText:
    """Embeds texts in `space` by what `lexicon` knows of their words."""

    space: LiteSpace
    lexicon: Lexicon

    def embed(self, text: str) -> TextEmbedding:
        """Return the mean of what the phrases of `text` mean. Raises InvalidQuery when no word is understood."""
        reading = self.lexicon.read(text)
        if not reading.classes:
            raise InvalidQuery(NOTHING_UNDERSTOOD)
        phrases = [self.space.place_phrase(meant) for meant in reading.classes]
        vector = unit_rows(np.mean(phrases, axis=0, keepdims=True))[0]
        is_broad = bool((self.space.class_vectors @ vector).max() < BROAD_REACH)
        return TextEmbedding(vector, reading.understood, reading.ignored, is_broad)
