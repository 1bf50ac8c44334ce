"""What an account may be called: a name that is typed, shown to others, and not to be taken for another one.

Names are kept in their plain form, so that whoever types theirs otherwise is found all the same.
"""

import unicodedata
from itertools import groupby

from pipeline.errors import InvalidQuery

LONGEST_NAME = 64
LONGEST_TYPED = 256  # characters of a name that are looked at; before it is normalized it may be a little longer
MOST_MARKS = 4  # combining marks in a row; a tower of them would be drawn over the lines above

MARKS = "._-@+"

WRITTEN_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"CJK", "HANGUL"}),
    frozenset({"CJK", "BOPOMOFO"}),
)
"""Scripts that one language mixes: Japanese, Korean, and Chinese as it is taught in Taiwan."""

SPELLED_OTHERWISE = {"IDEOGRAPHIC": "CJK", "EXTENDED": "ARABIC"}
"""What Unicode calls some letters of a script: the mark 々, and the digits of Persian and Urdu."""

NOT_A_NAME = f"The name of an account has up to {LONGEST_NAME} letters and digits, and . _ - @ +, but no spaces."
SEVERAL_ALPHABETS = "The letters of a name are all from one alphabet, so that no two names look the same."


def checked_name(name: str) -> str:
    """Return a name as it is kept, in lower case. Raises InvalidQuery."""
    plain = plain_name(name)
    if not may_be_name(plain):
        raise InvalidQuery(NOT_A_NAME)
    if not _is_of_one_alphabet(plain):
        raise InvalidQuery(SEVERAL_ALPHABETS)
    return plain


def plain_name(name: str) -> str:
    """Return what was typed as the name would be kept, whether or not it may be one; a far longer one is cut.

    Normalizing takes time with the square of the combining marks, and nobody else gets a turn meanwhile.
    """
    return unicodedata.normalize("NFKC", name[:LONGEST_TYPED]).strip().lower()


def may_be_name(plain: str) -> bool:
    """Whether an account may be called `plain`, which `plain_name` returned, but for the alphabets of its letters."""
    if not 0 < len(plain) <= LONGEST_NAME or _is_accent(plain[0]):
        return False
    towers = (len(list(run)) for is_accent, run in groupby(plain, _is_accent) if is_accent)
    return max(towers, default=0) <= MOST_MARKS and all(map(may_be_in_name, plain))


def may_be_in_name(letter: str) -> bool:
    """Whether the name of an account may contain a letter, digit or mark."""
    # Accents that belong to no script have become one with their letters; any that are left nobody writes so.
    accent = _is_accent(letter) and _script(letter) not in {"COMBINING", "VARIATION", ""}
    return letter.isalnum() or letter in MARKS or accent


def _is_accent(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M")


def _is_of_one_alphabet(plain: str) -> bool:
    """Whether all letters, and the digits that are not 0 to 9, belong together: others look the same as these."""
    scripts = {_script(letter) for letter in plain if not (letter.isascii() and not letter.isalpha())}
    return len(scripts) <= 1 or any(scripts <= together for together in WRITTEN_TOGETHER)


def _script(letter: str) -> str:
    """Return the script of a letter: the first word of the name that Unicode gives it."""
    word = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
    return SPELLED_OTHERWISE.get(word, word)
