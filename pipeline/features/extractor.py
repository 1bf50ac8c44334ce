"""From a working copy to everything that is computed from it: embedding beside palette, then category."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.features.encoders.protocol import Encoder, meanings
from pipeline.features.palette import extract_palette
from pipeline.features.picture import Features, Picture


class FeatureExtractor:
    """Computes Features with one encoder. May be used from several threads at once."""

    def __init__(self, encoder: Encoder, threads: int) -> None:
        self.encoder = encoder
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="palette")

    def extract(self, pictures: Sequence[Picture]) -> list[Features]:
        """Return the features of each picture, in order.

        Palettes are computed in other threads while this one runs the network; category and keywords are read
        off the embedding.
        """
        palettes = [self._pool.submit(extract_palette, picture) for picture in pictures]
        embeddings = self.encoder.embed_pictures(pictures)
        meant = meanings(self.encoder, embeddings)
        return [
            Features(embedding, palette.result(), meaning)
            for embedding, palette, meaning in zip(embeddings, palettes, meant, strict=True)
        ]

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)
