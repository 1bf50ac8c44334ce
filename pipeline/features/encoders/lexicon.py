"""From the words of a text to ImageNet classes: all that the `lite` encoder knows of language.

The words come from `lexicon.json`, made by `bench/build_lexicon.py` from WordNet 3.0 (see
WORDNET_LICENSE.txt) and a list of our own. Which vector a class has, and what is said when nothing was
understood, belongs to `lite_text`.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEXICON_FILE = Path(__file__).parent / "lexicon.json"

MAX_TEXT_CHARACTERS = 2_000
MAX_TEXT_WORDS = 100
"""What lies beyond is not read: a longer text would say nothing sharper, and only cost time."""

MAX_PHRASE_WORDS = 5

WORD = re.compile(r"[^\W_]+")

STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "this",
        "that",
        "these",
        "those",
        "some",
        "any",
        "and",
        "or",
        "of",
        "in",
        "on",
        "at",
        "by",
        "to",
        "from",
        "into",
        "onto",
        "with",
        "without",
        "for",
        "as",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "has",
        "have",
        "having",
        "it",
        "its",
        "their",
        "his",
        "her",
        "hers",
        "him",
        "he",
        "she",
        "they",
        "them",
        "we",
        "you",
        "i",
        "my",
        "your",
        "our",
        "there",
        "here",
        "up",
        "down",
        "over",
        "under",
        "out",
        "off",
        "near",
        "next",
        "through",
        "across",
        "along",
        "around",
        "behind",
        "between",
        "front",
        "back",
        "top",
        "side",
        "while",
        "who",
        "which",
        "what",
        "where",
        "when",
        "how",
        "not",
        "no",
        "very",
        "two",
        "three",
        "four",
        "five",
        "several",
        "many",
        "few",
        "one",
        "other",
        "another",
        "each",
        "photo",
        "photos",
        "photograph",
        "picture",
        "pictures",
        "image",
        "images",
        "pic",
        "pics",
        "snapshot",
        "show",
        "shows",
        "showing",
        "something",
        "like",
    ]
)
"""Words that carry no thing to be seen; they are neither understood nor reported as ignored."""


@dataclass(frozen=True)
class Reading:
    """What was made of a text: `classes` of each understood phrase, and the words, in their order."""

    classes: tuple[tuple[int, ...], ...]
    understood: tuple[str, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """`words` maps folded phrases to classes, `plurals` irregular plurals to their singular."""

    class_names: tuple[str, ...]
    words: Mapping[str, tuple[int, ...]]
    plurals: Mapping[str, str]

    def read(self, text: str) -> Reading:
        """Return what the longest known phrases of `text` mean, from left to right; any text is accepted."""
        words = split_words(text)
        classes, understood, ignored = [], [], []
        at = 0
        while at < len(words):
            phrase = next((found for found in self._phrases(words, at)), None)
            if phrase is not None:
                length, meant = phrase
                classes.append(meant)
                understood.append(" ".join(words[at : at + length]))
                at += length
                continue
            if words[at] not in STOP_WORDS:
                ignored.append(words[at])
            at += 1
        return Reading(tuple(classes), tuple(understood), tuple(ignored))

    def _phrases(self, words: list[str], at: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        for length in range(min(MAX_PHRASE_WORDS, len(words) - at), 0, -1):
            start, last = words[at : at + length - 1], words[at + length - 1]
            if length == 1 and last in STOP_WORDS:
                return
            for form in (last, *self._singulars(last)):
                meant = self.words.get(" ".join([*start, form]))
                if meant is not None:
                    yield length, meant

    def _singulars(self, word: str) -> Iterator[str]:
        if word in self.plurals:
            yield self.plurals[word]
        for ending, singular in PLURAL_ENDINGS:
            if word.endswith(ending) and len(word) > len(ending) + 1:
                yield word.removesuffix(ending) + singular


PLURAL_ENDINGS = (
    ("ies", "y"),
    ("ves", "f"),
    ("men", "man"),
    ("es", ""),
    ("s", ""),
)


def fold(word: str) -> str:
    """Return `word` in lower case, without accents."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in parts if not unicodedata.combining(character))


def split_words(text: str) -> list[str]:
    """Return the folded words of `text`, its apostrophes and everything that is no letter or digit left out."""
    folded = fold(text[:MAX_TEXT_CHARACTERS]).replace("\u2019", "'").replace("'s ", " ").replace("'", "")
    return WORD.findall(folded)[:MAX_TEXT_WORDS]


def phrase_key(phrase: str) -> str:
    """Return the form in which a phrase is kept: "Granny Smith" and "granny-smith" are the same."""
    return " ".join(split_words(phrase))


@cache
def load_lexicon() -> Lexicon:
    """Return the lexicon that is part of the package."""
    content = json.loads(LEXICON_FILE.read_text(encoding="utf-8"))
    words = {word: tuple(expand_spans(spans)) for word, spans in content["words"].items()}
    return Lexicon(tuple(content["classes"]), words, content["plurals"])


def expand_spans(spans: str) -> Iterator[int]:
    """Yield 1, 2, 3, 7 for "1-3,7"."""
    for span in spans.split(","):
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)
