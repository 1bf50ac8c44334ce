"""Why an image was found, and what the words of a question make of its strength. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.filters import NAMED_COLOR_SHARE, Filter
from pipeline.images import ImageRecord
from pipeline.relevance import Strength
from pipeline.words import Asked, joined

FIELD_NAMES = {"caption": "caption", "tags": "tags", "names": "name", "keywords": "keywords"}
"""The fields of the index as answers call them."""

SIMILARITY_DIGITS = 4  # embeddings are kept as float16, which has about three digits


@dataclass(frozen=True)
class WordMatch:
    """The words of a question that an image has, as they were typed, by where they stand.

    `is_written` says that caption and tags together have all of them, `is_named` that they have with the names of its
    files, and `is_begun` that all are there if the last one is but the beginning of a word.
    """

    fields: Mapping[str, tuple[str, ...]]
    matched: tuple[str, ...]
    is_written: bool
    is_named: bool
    is_begun: bool


def match_words(asked: Sequence[Asked], words: Mapping[str, Iterable[str]]) -> WordMatch | None:
    """Return what an image with these words, by field, has of a question; None for nothing."""
    there = {field: set(words.get(field, ())) for field in FIELD_NAMES}
    found = {field: [one for one in asked if _has(have, one)] for field, have in there.items()}
    anywhere = [one for one in asked if any(one in ones for ones in found.values())]
    if not anywhere:
        return None
    written, named = there["caption"] | there["tags"], there["caption"] | there["tags"] | there["names"]
    return WordMatch(
        fields={FIELD_NAMES[field]: tuple(joined(ones)) for field, ones in found.items() if ones},
        matched=tuple(joined(anywhere)),
        is_written=all(one.word in written for one in asked),
        is_named=all(one.word in named for one in asked),
        is_begun=all(_has(named, one) for one in asked),
    )


def strength_with_words(band: Strength | None, match: WordMatch | None) -> Strength:
    """Return how strong a hit is, from the band of its cosine (None when there is none) and its words.

    All words in caption and tags make it strong when the picture does not speak against them: when its cosine is at
    least possible, or the encoder has understood nothing. Otherwise, and when the name of a file is needed for it, it
    is possible. Some of the words, and keywords, which the encoder read off the picture itself, change nothing.
    """
    if match and match.is_written and band != "weak":
        return "strong"
    if match and (match.is_named or (match.is_begun and band is None)):
        return band if band == "strong" else "possible"
    return band or "weak"


def explain(image: ImageRecord, similarity: float | None, match: WordMatch | None, where: Filter) -> dict[str, object]:
    """Return what of the question an image answers, ready for JSON; what has no part in it is left out."""
    told: dict[str, object] = {}
    if similarity is not None:
        told["content"] = round(similarity, SIMILARITY_DIGITS)
    if match:
        told["words"] = {field: list(words) for field, words in match.fields.items()}
        told["matched"] = list(match.matched)
    return told | explain_colors(image, where)


def explain_colors(image: ImageRecord, where: Filter) -> dict[str, object]:
    """Return which of the colors that were asked for an image has: all hex colors, any of the names."""
    shares = image.color.names if image.color else {}
    names = [name for name in where.color_names if shares.get(name, 0.0) >= NAMED_COLOR_SHARE]
    colors = [color.hex for color in where.asked_colors] + names
    return {"colors": [{"color": color} for color in colors]} if colors else {}


def _has(words: set[str], one: Asked) -> bool:
    return one.word in words or (one.is_beginning and any(word.startswith(one.beginning) for word in words))
