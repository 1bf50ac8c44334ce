"""A filter as the expression that Milvus narrows a search with, and the fields it is about.

Written so that release 2.3 understands it as well as the current one, which could also be given the values beside
the expression (templates). What is chosen decides nothing alone: whoever is suggested is compared with the filter once
more, in the database.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pipeline.filters import Filter

BEGINNING = datetime.fromtimestamp(0, UTC)
EVERYTHING = "row >= 0"


def expression(where: Filter) -> str:
    """Return the expression for what the engine decides of `where`; empty when it narrows nothing."""
    return " and ".join(_conditions(where))


def microseconds(moment: datetime | None) -> int:
    """Return a moment as Milvus keeps it, since 1970; 0 for none."""
    return ((moment or BEGINNING) - BEGINNING) // timedelta(microseconds=1)


def _conditions(where: Filter) -> Iterator[str]:
    for name, words in (
        ("library", where.libraries),
        ("category", where.categories or None),
        ("scheme", where.schemes or None),
    ):
        if words is not None:
            yield f"{name} in {_words(words)}"
    if where.without_libraries:
        yield f"library not in {_words(where.without_libraries)}"
    for name, minimum, maximum in (
        ("brightness", where.min_brightness, where.max_brightness),
        ("saturation", where.min_saturation, where.highest_saturation),
        ("width", where.min_width, where.max_width),
        ("height", where.min_height, where.max_height),
        ("created_at", _bound(where.created_after), _bound(where.created_before)),
    ):
        if minimum is not None:
            yield f"{name} >= {minimum!r}"
        if maximum is not None:
            yield f"{name} <= {maximum!r}"


def _bound(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)


def _words(words: Sequence[str]) -> str:
    """Return a list of strings, quoted as in JSON, which is how Milvus reads them."""
    return f"[{', '.join(json.dumps(word, ensure_ascii=False) for word in words)}]"
