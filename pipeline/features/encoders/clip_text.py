"""The words of a CLIP model: its tokenizer and text tower, opened when they are first needed, and what they said."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidQuery
from pipeline.features.encoders.cards import TOKENIZER, ModelCard
from pipeline.features.encoders.clip_files import checked_path
from pipeline.features.encoders.clip_tokens import ClipTokenizer, load_tokenizer
from pipeline.features.encoders.clip_towers import TextTower, open_text_tower
from pipeline.features.encoders.protocol import TextEmbedding

KEPT_TEXTS = 2_000
"""Embeddings of texts that are kept: 2 to 4 MB, and the pages of one search need the same again and again."""

NOTHING_WRITTEN = "There is no word to search for. Please write what the picture shows."


class ClipText:
    """Embeds texts; may be shared by threads. Nothing is opened before the first text.

    Opening raises ModelUnusable when a file is damaged or does not fit the card.
    """

    def __init__(self, folder: Path, card: ModelCard, device: str) -> None:
        self._parts = _Once(lambda: _open(folder, card, device))
        self._embed_cleaned: Callable[[str], TextEmbedding] = lru_cache(KEPT_TEXTS)(self._run)

    def embed(self, text: str) -> TextEmbedding:
        """Return the embedding of `text`, of which the end is ignored if it is long.

        Raises InvalidQuery when nothing is left of it after cleaning.
        """
        cleaned = self._parts()[0].clean(text) if text.strip() else ""
        if not cleaned.strip():
            raise InvalidQuery(NOTHING_WRITTEN)
        kept = self._embed_cleaned(cleaned)
        return TextEmbedding(kept.vector.copy(), kept.understood, kept.ignored)

    def vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (len(texts), dimension), each row of unit length; nothing of it is kept."""
        tokenizer, _ = self._parts()
        return np.stack([self._run(tokenizer.clean(text)).vector for text in texts])

    def _run(self, cleaned: str) -> TextEmbedding:
        tokenizer, tower = self._parts()
        tokens = tokenizer.tokens(cleaned)
        return TextEmbedding(tower.embed(tokens.ids, tokens.count), tokens.understood, tokens.ignored)


class _Once:
    """Opens the parts at the first call, and only once however many threads call."""

    def __init__(self, open_parts: Callable[[], tuple[ClipTokenizer, TextTower]]) -> None:
        self._open = open_parts
        self._lock = Lock()
        self._parts: tuple[ClipTokenizer, TextTower] | None = None

    def __call__(self) -> tuple[ClipTokenizer, TextTower]:
        with self._lock:
            if self._parts is None:
                self._parts = self._open()
            return self._parts


def _open(folder: Path, card: ModelCard, device: str) -> tuple[ClipTokenizer, TextTower]:
    tokenizer = load_tokenizer(checked_path(folder, card, card.file(TOKENIZER)), card.tokenizing)
    return tokenizer, open_text_tower(folder, card, device)
