"""Trying an encoder out before anything rests on it: what opens its files late is opened, and all of it runs once."""

from contextlib import suppress

import numpy as np

from pipeline.errors import InvalidQuery
from pipeline.features.encoders.protocol import Encoder
from pipeline.features.picture import Facts, Picture

WORD = "dog"  # known to nearly every encoder; one that does not know it has looked for it all the same

SIDE = 64  # pixels of the picture; encoders shrink and enlarge what they are shown
GRAY = Picture(np.full((SIDE, SIDE, 3), 128, np.uint8), None, Facts("PNG", "image/png", SIDE, SIDE))


def try_out(encoder: Encoder) -> None:
    """Return when `encoder` embeds a word and a plain picture, for which it opens whatever it consists of.

    Raises ModelUnusable when a file is missing or damaged, or a network does not do what it should.
    """
    with suppress(InvalidQuery):
        encoder.embed_text(WORD)
    encoder.embed_pictures([GRAY])
