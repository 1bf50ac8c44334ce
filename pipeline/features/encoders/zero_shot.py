"""Categories and keywords of pictures without training: the words of `prompts.toml` in an encoder's own space.

A category is the mean of what several sentences say of it (Radford et al. 2021, section 3.1.4). The words are embedded
when they are first needed, and what came out is kept beside the model.
"""

import hashlib
import io
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelUnusable
from pipeline.features.category import category_of
from pipeline.features.encoders.keywords import outstanding
from pipeline.features.encoders.model_cache import load_or_build
from pipeline.features.picture import CATEGORIES, Category, Keyword

PROMPTS_FILE = Path(__file__).parent / "prompts.toml"

SHARPNESS = 50.0
"""Cosines are multiplied by this before the softmax. CLIP was trained to reach 100, with which the first of ten
categories takes nearly all; half of it leaves the second its share. Unproven until measured with real weights."""

KEYWORD_MARGIN = 2.5
"""How many standard deviations above the mean over all words the cosine of a word must be. Unproven as SHARPNESS is."""

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prompts:
    """What is said of categories and keywords; a template has {} where the phrase goes."""

    category_templates: tuple[str, ...]
    category_phrases: dict[str, tuple[str, ...]]
    keyword_templates: tuple[str, ...]
    words: tuple[str, ...]


@cache
def load_prompts() -> Prompts:
    """Return the prompts that are part of the package."""
    content = tomllib.loads(PROMPTS_FILE.read_text(encoding="utf-8"))
    categories, keywords = content["categories"], content["keywords"]
    return Prompts(
        tuple(categories["templates"]),
        {name: tuple(categories["phrases"][name]) for name in CATEGORIES},
        tuple(keywords["templates"]),
        tuple(keywords["words"]),
    )


class ZeroShot:
    """Reads categories and keywords off the embeddings of one encoder; may be shared by threads.

    `vectors` embeds texts; what comes out is kept in `folder` for this `fingerprint` and these prompts.
    """

    def __init__(
        self,
        vectors: Callable[[Sequence[str]], Numbers],
        dimension: int,
        folder: Path,
        fingerprint: str,
        prompts: Prompts,
    ) -> None:
        self._vectors = vectors
        self._dimension = dimension
        self._folder = folder
        self._fingerprint = fingerprint
        self._prompts = prompts
        self._lock = Lock()
        self._made: dict[str, Numbers] = {}

    def classify(self, embeddings: Numbers) -> list[Category]:
        """Return the category of each row of `embeddings`, which is (n, dimension) of unit length."""
        if not len(embeddings):
            return []
        phrases = [self._prompts.category_phrases[name] for name in CATEGORIES]
        prototypes = self._prototypes("categories", phrases, self._prompts.category_templates)
        logits = SHARPNESS * (embeddings.astype(np.float64) @ prototypes.T)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return [category_of(row) for row in odds / odds.sum(axis=1, keepdims=True)]

    def keywords(self, embeddings: Numbers) -> list[tuple[Keyword, ...]]:
        """Return for each row the words that stand out, at most MOST_KEYWORDS, the best first."""
        if not len(embeddings):
            return []
        words = self._prompts.words
        prototypes = self._prototypes("keywords", [(word,) for word in words], self._prompts.keyword_templates)
        return outstanding(words, embeddings @ prototypes.T, KEYWORD_MARGIN)

    def _prototypes(self, kind: str, phrases: Sequence[Sequence[str]], templates: Sequence[str]) -> Numbers:
        with self._lock:
            if kind not in self._made:
                self._made[kind] = self._load(kind, phrases, templates)
            return self._made[kind]

    def _load(self, kind: str, phrases: Sequence[Sequence[str]], templates: Sequence[str]) -> Numbers:
        digest = hashlib.sha256(repr((self._fingerprint, phrases, templates)).encode()).hexdigest()[:16]
        content = load_or_build(
            self._folder, f"{kind}-{digest}", lambda: _saved(self._embed(phrases, templates)), suffix=".npy"
        )
        prototypes = np.load(io.BytesIO(content), allow_pickle=False)
        if prototypes.shape != (len(phrases), self._dimension):
            raise ModelUnusable(
                f"What is kept of the {kind} in {self._folder.name} belongs to another model. Please delete it.",
                detail=f"{prototypes.shape}",
            )
        return np.asarray(prototypes, np.float32)

    def _embed(self, phrases: Sequence[Sequence[str]], templates: Sequence[str]) -> Numbers:
        means = [
            self._vectors([template.format(phrase) for phrase in one for template in templates]).mean(axis=0)
            for one in phrases
        ]
        return np.stack([mean / max(float(np.linalg.norm(mean)), SMALLEST_NORM) for mean in means])


SMALLEST_NORM = 1e-12
"""Keeps sentences that cancel each other out from becoming not-a-number."""


def _saved(numbers: Numbers) -> bytes:
    file = io.BytesIO()
    np.save(file, numbers.astype(np.float32), allow_pickle=False)
    return file.getvalue()
