"""CLIP models: any model with an image tower, a text tower and a card, run by ONNX Runtime.

What the pieces do is told where they are: what a model is in `cards`, what it is shown of a picture in `clip_pixels`,
how a text is cut in `clip_tokens`, its networks in `clip_towers`, its words in `clip_text`, its categories in
`zero_shot`. Where models come from is somebody else's business, and no part of this needs PyTorch.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.features.encoders.cards import ModelCard
from pipeline.features.encoders.clip_bands import bands_of
from pipeline.features.encoders.clip_pixels import PIXELS_VERSION, prepare
from pipeline.features.encoders.clip_text import ClipText
from pipeline.features.encoders.clip_towers import ImageTower, open_image_tower
from pipeline.features.encoders.micro_batches import MicroBatches
from pipeline.features.encoders.protocol import TextEmbedding
from pipeline.features.encoders.zero_shot import ZeroShot, load_prompts
from pipeline.features.picture import Category, Keyword, Picture

MOST_ROWS = 32
"""Pictures that a graphics card is given at a time: 20 MB of pixels, and little is gained beyond."""


class ClipEncoder:
    """Encodes pictures and texts with one model; one instance may be shared by threads.

    On the processor a call works on its own thread only, a picture after the other: call from several threads to use
    several cores. On a graphics card the pictures of concurrent calls are run together.
    """

    def __init__(self, card: ModelCard, image: ImageTower, text: ClipText, folder: Path, *, gather: bool) -> None:
        self.card = card
        self.name = card.name
        self.fingerprint = hashlib.sha256(f"{card.fingerprint}\n{PIXELS_VERSION}".encode()).hexdigest()[:32]
        self.dimension = card.dimension
        self.bands = bands_of(card)
        self._image = image
        self._text = text
        self._gathered = MicroBatches(image.embed, MOST_ROWS) if gather else None
        self._zero_shot = ZeroShot(text.vectors, self.dimension, folder, self.fingerprint, load_prompts())

    def embed_pictures(self, pictures: Sequence[Picture]) -> npt.NDArray[np.float32]:
        """Return (len(pictures), dimension) float32, each row of unit length.

        Raises ModelUnusable when the network fails or returns no usable numbers.
        """
        if not pictures:
            return np.empty((0, self.dimension), np.float32)
        shown = (prepare(picture.pixels, self.card.preprocessing)[None] for picture in pictures)
        if self._gathered:
            return self._gathered(np.concatenate(list(shown)))
        # One by one even where the network takes several: with 8 bits, its rounding depends on what else is in a batch.
        return np.concatenate([self._image.embed(one) for one in shown])

    def embed_text(self, text: str) -> TextEmbedding:
        """Return the embedding of `text`. Raises InvalidQuery when there is no word in it."""
        return self._text.embed(text)

    def classify(self, embeddings: npt.NDArray[np.float32]) -> list[Category]:
        """Return the category of each row of `embeddings`, which this encoder made.

        The first call embeds the words of the categories, once for a model; that takes seconds.
        """
        return self._zero_shot.classify(embeddings)

    def keywords(self, embeddings: npt.NDArray[np.float32]) -> list[tuple[Keyword, ...]]:
        """Return for each row of `embeddings` the everyday words that fit it best, the best first; often none."""
        return self._zero_shot.keywords(embeddings)


def open_clip(folder: Path, card: ModelCard, *, device: str = "auto", gather: bool | None = None) -> ClipEncoder:
    """Return the encoder of the model whose files, as `card` has them, lie in `folder`.

    `device` is one of onnx_runtime.DEVICES. `gather` says whether the pictures of concurrent calls are run together;
    None does so where that gains something. Raises ModelUnusable when the image tower is damaged or does not fit its
    card; the text tower is looked at when the first text comes.
    """
    image = open_image_tower(folder, card, device)
    if gather is None:
        gather = image.on_card and image.takes_batches and card.precision != "int8"
    return ClipEncoder(card, image, ClipText(folder, card, device), folder, gather=gather)
