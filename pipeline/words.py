"""From a text to the words that it is found by: the same for what is kept and for what is asked, on every database.

Letters are compared without case, accents and width. A text is parted at everything that is no letter or digit, a file
name also where its case changes and where digits begin. Scripts that put no space between words (Chinese, Japanese,
Thai, …), and Korean, whose words carry their endings, are kept as single letters and as pairs of letters that stand
side by side, so that a word is found inside a sentence without a dictionary. English plurals are as their singulars.

A word holds letters, digits and combining marks, nothing that means anything to a database.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

LONGEST_WORD = 40  # letters; what is longer is found by its beginning
MOST_WORDS = 16
"""Words of a question that are looked for, the first ones. Each is a look into the index; captions as people write them
have fewer that count."""

SHORTEST_BEGINNING = 3  # letters from which on the last word of a question also finds longer words

JOINED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf"  # Burmese, Khmer, New Tai Lue, Tai Tham
    "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"  # Korean
    "\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff"  # Japanese
    "\u3100-\u312f\u31a0-\u31bf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese
)
"""Letters of scripts that are read in pairs, as a class of a regular expression. Unicode 15."""

JOINED_RUN = re.compile(f"[{JOINED}]+")
LETTERS = re.compile(f"[{JOINED}]+|[^{JOINED}]+")

OPTIONAL_MARKS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]")
"""Accents of Latin, Greek and Cyrillic letters, and the vowel points of Hebrew and Arabic, which few people type. Marks
of other scripts, of Hindi for one, make another word and stay."""

UNDECOMPOSED = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ħ": "h",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "æ": "ae",
        "œ": "oe",
        "ð": "d",
        "þ": "th",
    }
)
"""Letters that Unicode does not take apart, as people type them who do not have them."""

FUNCTION_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "her", "his", "in", "is", "it", "its", "of", "on",
     "or", "that", "the", "their", "there", "these", "this", "to", "was", "were", "which", "while", "with"}
)  # fmt: skip
"""English words that say nothing of a picture. They are kept, and left out of a question that has others."""

IRREGULAR = {"men": "man", "women": "woman", "children": "child", "feet": "foot", "mice": "mouse", "leaves": "leaf"}

NAME_PARTS = re.compile(r"[^\W\d_]+|\d+")
POSSESSIVE = re.compile(r"['\N{RIGHT SINGLE QUOTATION MARK}]s\b")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")


@dataclass(frozen=True)
class Asked:
    """A word of a question: as it is looked for, whole but folded, and as it is told.

    `shown` is what was typed, in small letters; "" where that is `typed`. `is_beginning` lets it find longer words too.
    `run` is the number of the part of the text it came from: of the pairs of one run, two that follow each other have a
    letter in common. `weight` is what it counts beside the others, more than 0.
    """

    word: str
    typed: str
    run: int
    is_beginning: bool = False
    shown: str = ""
    weight: float = 1.0

    @property
    def beginning(self) -> str:
        """How longer words begin that it may be meant for."""
        return self.typed[:LONGEST_WORD]


def words_of(text: str) -> list[str]:
    """Return the words of a text, each once, in the order of the text; of a pair of letters, also each letter."""
    found: list[str] = []
    for part in _parts(_folded(text)):
        if not JOINED_RUN.fullmatch(part):
            found.append(_singular(part[:LONGEST_WORD]))
        else:
            found += part
            found += _pairs(part)
    return list(dict.fromkeys(found))


def words_of_name(filename: str) -> list[str]:
    """Return the words of a file name without its extension: IMG_2024-05-redBeach.jpg has img, 2024, 05, red, beach.

    A part that has digits beside letters is kept as a whole as well, as people type it: dsc1234.
    """
    stem = CAMEL.sub(" ", EXTENSION.sub("", filename))
    apart = " ".join(NAME_PARTS.findall(unicodedata.normalize("NFC", stem)))
    return list(dict.fromkeys(words_of(apart) + words_of(EXTENSION.sub("", filename).replace("_", " "))))


def asked_words(text: str) -> list[Asked]:
    """Return what of a question is looked for: at most MOST_WORDS, each once, in the order of the text.

    Words that say nothing count only where there are no others. The last one, while no space follows it, also finds
    words that it begins.
    """
    found: list[Asked] = []
    for run, (part, shown) in enumerate(_parts_as_typed(text)):
        if not JOINED_RUN.fullmatch(part):
            found.append(Asked(_singular(part[:LONGEST_WORD]), part, run, shown=shown))
        else:
            found += [Asked(pair, pair, run) for pair in _pairs(part) or [part]]
    telling = [one for one in found if one.typed not in FUNCTION_WORDS] or found
    asked: dict[str, Asked] = {}
    for one in telling:
        asked.setdefault(one.word, one)
    if found and found[-1] is telling[-1] and _may_go_on(text, found[-1]):
        asked[found[-1].word] = replace(found[-1], is_beginning=True)
    return list(asked.values())[:MOST_WORDS]


def asked_in_parts(texts: Sequence[tuple[str, float]]) -> list[Asked]:
    """Return what of several texts is looked for, as `asked_words` does; each word counts as its text is weighted.

    Weights are more than 0. A word of several texts counts as in the one that weighs most.
    """
    asked: dict[str, Asked] = {}
    runs = 0
    for number, (text, weight) in enumerate(texts, start=1):
        words = asked_words(text if number == len(texts) else f"{text} ")
        for one in words:
            before = asked.get(one.word)
            more = max(weight, before.weight) if before else weight
            asked[one.word] = replace(one, run=one.run + runs, weight=more)
        runs += 1 + max((one.run for one in words), default=0)
    return list(asked.values())[:MOST_WORDS]


def joined(found: Sequence[Asked]) -> list[str]:
    """Return words of a question as they were typed, in its order; pairs that follow each other as their text."""
    told: list[str] = []
    last: Asked | None = None
    for one in found:
        follows = last is not None and one.run == last.run and last.typed[-1] == one.typed[0]
        if follows and JOINED_RUN.fullmatch(one.typed):
            told[-1] += one.typed[1:]
        else:
            told.append(one.shown or one.typed)
        last = one
    return list(dict.fromkeys(told))


def _folded(text: str) -> str:
    """Return a text in small letters, without accents and other differences that people do not search by."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    folded = unicodedata.normalize("NFC", OPTIONAL_MARKS.sub("", apart)).casefold().translate(UNDECOMPOSED)
    return POSSESSIVE.sub("", folded)


def _parts(folded: str) -> Iterator[str]:
    """Yield runs of letters, digits and marks, and apart from them those of the scripts that are read in pairs."""
    kept = "".join(letter if _is_of_a_word(letter) else " " for letter in folded)
    for run in kept.split():
        for part in LETTERS.findall(run):
            if any(letter.isalnum() for letter in part):
                yield part


def _parts_as_typed(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a text, each folded and as it was typed; folded twice where one is not plainly the other."""
    for typed in text.split():
        parts = list(_parts(_folded(typed)))
        shown = list(_parts(POSSESSIVE.sub("", unicodedata.normalize("NFC", typed.lower()))))
        yield from zip(parts, shown if len(shown) == len(parts) else parts, strict=True)


def _is_of_a_word(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


def _pairs(part: str) -> list[str]:
    return [one + other for one, other in pairwise(part)]


def _may_go_on(text: str, last: Asked) -> bool:
    """Whether somebody may be in the middle of typing the last word."""
    is_unended = bool(text) and _is_of_a_word(text[-1])
    return is_unended and len(last.word) >= SHORTEST_BEGINNING and not JOINED_RUN.search(last.word)


def _singular(word: str) -> str:
    """Return an English plural as its singular, or nearly so; what is no plural is treated alike wherever it stands.

    Harman's rules ("How effective is suffixing?", 1991) and two more, for boxes, dishes and glasses, and for buses.
    """
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) <= 3 or not word.isascii() or not word.endswith("s"):  # noqa: PLR2004 - gas, bus
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return f"{word[:-3]}y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")) or (word.endswith("uses") and word[-5:-4] != "o"):
        return word[:-2]
    return word if word.endswith(("us", "ss", "is")) else word[:-1]
