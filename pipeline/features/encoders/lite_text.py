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
        return TextEmbedding(vector, reading.understood, reading.ignored)
