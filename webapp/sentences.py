"""Sentences of errors in the language of the reader.

Errors are raised, logged and kept in English, mostly from `pipeline`, which knows of no language. Where a page shows
one, its English sentence is looked up here: as it is, or by the message that it was made from, whose `{placeholders}`
then stand for whatever the sentence has in their places. A catalogue has these messages under the context "error".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from webapp.language import ERRORS, Language, languages, present

VALUES = "value"  # the context of words that stand in placeholders
NUMBER = re.compile(r"\d[\d,]*")
PLACEHOLDER = re.compile(r"\{(\w+)\}")
SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z“])")
FEWEST_LETTERS = 12
"""Letters of a message outside of its placeholders. One with fewer would be found in sentences that are another's."""

FULL_WIDTH_STOP = "\N{IDEOGRAPHIC FULL STOP}"  # has its space in it
LONGEST = 1000  # characters; longer texts are none of ours
MOST_KEPT = 1024  # sentences; what people type is in some of them, so they are without end


@dataclass(frozen=True)
class _Pattern:
    """A message with placeholders: how to know a sentence that was made from it, and what to make of it."""

    english: re.Pattern[str]
    translation: str


def said(sentence: str) -> str:
    """Return an English sentence of ours in the present language; what is not known is returned as it is."""
    language = present()
    if language.is_source or not 0 < len(sentence) <= LONGEST:
        return sentence
    return _said(sentence, language.tag)


@lru_cache(maxsize=MOST_KEPT)
def _said(sentence: str, tag: str) -> str:
    language = languages()[tag]
    whole = _whole(sentence, language)
    if whole is not None:
        return whole
    parts = [_whole(part, language) or part for part in SENTENCE_END.split(sentence)]
    return "".join(part if part.endswith(FULL_WIDTH_STOP) else f"{part} " for part in parts).rstrip()


def _whole(sentence: str, language: Language) -> str | None:
    exact = language.messages.pgettext(ERRORS, sentence)
    if exact != sentence:
        return exact
    for pattern in _patterns(language.tag):
        match = pattern.english.fullmatch(sentence)
        if match:
            return _filled(pattern.translation, match.groupdict(), language)
    return None


def _filled(message: str, values: Mapping[str, str], language: Language) -> str:
    return PLACEHOLDER.sub(lambda place: _value(values[place[1]], language), message)


def _value(value: str, language: Language) -> str:
    """Return what stands in a placeholder: our own sentences and words, such as "5 minutes", are translated."""
    if value.endswith("."):
        return _whole(value, language) or value
    number = NUMBER.search(value)
    message = NUMBER.sub("{number}", value, count=1)
    translation = language.messages.pgettext(VALUES, message)
    if translation == message:
        return value
    return translation.replace("{number}", number[0]) if number else translation


@lru_cache(maxsize=8)
def _patterns(tag: str) -> tuple[_Pattern, ...]:
    """Return the messages with placeholders, those with most words of their own first."""
    return tuple(
        _Pattern(_expression(english), translation)
        for english, translation in sorted(languages()[tag].errors.items(), key=lambda item: -_letters(item[0]))
        if _letters(english) >= FEWEST_LETTERS and PLACEHOLDER.search(english)
    )


def _letters(message: str) -> int:
    return sum(letter.isalpha() for letter in PLACEHOLDER.sub("", message))


def _expression(message: str) -> re.Pattern[str]:
    seen: set[str] = set()
    parts = []
    for place, part in enumerate(PLACEHOLDER.split(message)):
        if place % 2 == 0:
            parts.append(re.escape(part))
        elif part in seen:
            parts.append(f"(?P={part})")
        else:
            seen.add(part)
            parts.append(f"(?P<{part}>.*?)")
    return re.compile("".join(parts), re.DOTALL)
