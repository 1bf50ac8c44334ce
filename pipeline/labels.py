"""The words people attach to images: file names, captions, tags and the names of libraries.

They are kept as they were written, without control characters, and within lengths that pages and indexes can bear.
"""

import unicodedata
from collections.abc import Collection, Iterable, Sequence

from pipeline.errors import InvalidQuery

JOINERS = "\u200c\u200d"
MOST_MARKS = 8  # combining marks in a row; Hebrew and Thai need three, scholars of Sanskrit a few more
LONGEST_FILENAME = 255  # characters kept; common file systems allow no more
LONGEST_CAPTION = 2000
LONGEST_TAG = 100
MOST_TAGS = 50
LONGEST_LIBRARY = 64
LONGEST_REASON = 1000


def check_library_name(name: str) -> None:
    """Raise InvalidQuery unless a library that is called as its id may be called so."""
    plain = name.replace("-", "").replace("_", "")
    if not (plain.isascii() and plain.isalnum() and name[0].isalnum() and len(name) <= LONGEST_LIBRARY):
        raise InvalidQuery(
            "The name of a library has only letters, digits, - and _, begins with a letter or digit, and is at "
            f"most {LONGEST_LIBRARY} long."
        )


def clean_filename(name: str) -> str:
    """Return the last part of a sent file name without control characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _printable(last)[:LONGEST_FILENAME] or "unnamed"


def clean_caption(caption: str) -> str:
    """Return a caption without control characters. Raises InvalidQuery when it is too long."""
    text = "\n".join(_printable(line) for line in caption.splitlines()).strip()
    if len(text) > LONGEST_CAPTION:
        raise InvalidQuery(f"A caption can have {LONGEST_CAPTION:,} characters; this one has {len(text):,}.")
    return text


def clean_tags(tags: Sequence[str]) -> list[str]:
    """Return tags trimmed, without doubles, in order; a comma parts two, as it does where tags are searched.

    Raises InvalidQuery when one is too long or they are many.
    """
    parts = (part for tag in tags for part in tag.split(","))
    found = list(dict.fromkeys(_printable(part).strip() for part in parts if part.strip()))
    if any(len(tag) > LONGEST_TAG for tag in found):
        raise InvalidQuery(f"A tag can have {LONGEST_TAG} characters. Please use a caption for longer text.")
    if len(found) > MOST_TAGS:
        raise InvalidQuery(f"A picture can have {MOST_TAGS} tags; these are {len(found)}.")
    return [tag for tag in found if tag]


def clean_label(text: str, what: str, longest: int) -> str:
    """Return a short text of one line, trimmed. Raises InvalidQuery, naming `what` it is, when empty or too long."""
    label = _printable(text).strip()
    if not label:
        raise InvalidQuery(f"{what} is missing. Please write one.")
    if len(label) > longest:
        raise InvalidQuery(f"{what} can have {longest} characters; this one has {len(label):,}.")
    return label


def clean_reason(reason: str) -> str:
    """Return why something is done, in one line. Raises InvalidQuery when it is empty or too long."""
    return clean_label(reason, "The reason", LONGEST_REASON)


def check_tag_counts(tagged: Sequence[Iterable[str]], added: Collection[str]) -> None:
    """Raise InvalidQuery when `added` would give too many tags to a picture; `tagged` has the tags of each."""
    crowded = sum(len({*have, *added}) > MOST_TAGS for have in tagged)
    if not crowded:
        return
    if len(tagged) == 1:
        raise InvalidQuery(f"A picture can have {MOST_TAGS} tags; this one would get more. Please remove some first.")
    raise InvalidQuery(
        f"A picture can have {MOST_TAGS} tags; {crowded:,} of these {len(tagged):,} would get more, so none was "
        "tagged. Please choose fewer tags, or leave those pictures out."
    )


def _printable(text: str) -> str:
    """Return `text` with every space as a plain one, and without what is invisible or turns the direction of text.

    The two joiners stay: Persian words and composed emoji need them. Of accents on one letter those stay that a
    language may need; a tower of them would be drawn over the lines above.
    """
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if letter.isspace():
            kept.append(" ")
        elif marks <= MOST_MARKS and (letter.isprintable() or letter in JOINERS):
            kept.append(letter)
    return "".join(kept)
