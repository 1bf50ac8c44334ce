"""The parts of a question as addresses have them: words, images, pictures, with their weights and regions.

Words come in one field, `text`, in the quick syntax that docs/searching.md tells: `2*dog -leash`. Images and pictures
come in the fields `like` and `picture`, as often as there are some: `like=ID`, `like=-0.5*ID`, and of a part of it
`like=ID@0.1,0.2,0.5,0.5`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.errors import InvalidQuery
from pipeline.query_pictures import Region
from pipeline.questions import Term
from webapp.forms import Fields, read_text
from webapp.links import search_url

Kind = Literal["text", "picture", "like"]

MOST_PARTS = 10
NOTHING_COUNTED = "A part with the weight 0 counts nothing. Please take it away, or give it another weight."
STRONGEST_WEIGHT = 2.0
EDGE = 1e-6  # what rounding in a client's decimals may add
LEAST_SIDE = 0.02  # of a region; of 640 pixels 13, and less is a few colors in which nothing can be recognized
REGION_DIGITS = 4  # of a fraction: a tenth of a pixel in a picture of 1,000

NUMBER = r"[+-]?(?:\d{1,3}(?:\.\d{0,6})?|\.\d{1,6})"
PICTURE = re.compile(rf"(?:(?P<weight>{NUMBER})\*)?(?P<value>[^*@]+)(?:@(?P<region>[^@]*))?")
OPERATOR = re.compile(rf'(?:^|(?<=\s))(?:(?P<weight>{NUMBER})\*\s*|(?P<sign>[+-])(?=[^\W\d_]|"))')
"""Where another part of the words begins: behind a space, with a weight and a star, or with a sign before a letter or a
quote. A hyphen inside a word, between spaces or before a digit is none."""
SIGNED = re.compile(r"[^\W\d_]")  # how words begin that a sign may stand before; others are written in quotes
QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Part:
    """One part of a question. `value` is the words, the key of a kept picture, or the id of an image.

    `weight` is -2 to 2; a negative one leads away from it. `region` is the part of the picture that counts.
    """

    kind: Kind
    value: str
    weight: float = 1.0
    region: Region | None = None

    def term(self) -> Term:
        """Return what the search makes of it."""
        if self.kind == "text":
            return Term(text=self.value, weight=self.weight)
        if self.kind == "like":
            return Term(image_id=self.value, weight=self.weight, region=self.region)
        return Term(picture_key=self.value, weight=self.weight, region=self.region)


def read_parts(fields: Fields) -> tuple[Part, ...]:
    """Return what is asked: the words, then the pictures, then the images. Raises InvalidQuery."""
    parts = [Part("text", words, weight) for weight, words in read_words(read_text(fields))]
    parts += [_picture("picture", value) for value in fields.get("picture", ())]
    parts += [_picture("like", value) for value in fields.get("like", ())]
    if len(parts) > MOST_PARTS:
        raise InvalidQuery(f"A search can have {MOST_PARTS} parts; this one has {len(parts)}. Please take some away.")
    return tuple(parts)


def check_room(parts: Sequence[Part], more: int = 1) -> None:
    """Raise InvalidQuery when a search cannot have so many more parts."""
    if len(parts) + more > MOST_PARTS:
        raise InvalidQuery(
            f"A search can have {MOST_PARTS} parts. Please take some of its pictures or words away first."
        )


def readable_parts(fields: Fields) -> tuple[Part, ...]:
    """Return the parts that can be read, to be shown beside the sentence about the one that cannot."""
    try:
        return read_parts(fields)
    except InvalidQuery:
        return tuple(Part("text", text) for text in fields.get("text", ())[:1])


def leads_only_away(parts: Sequence[Part]) -> bool:
    """Whether a question has parts, and each leads away from something."""
    return bool(parts) and all(part.weight < 0 for part in parts)


def may_be_saved(parts: Sequence[Part]) -> bool:
    """Whether a search for `parts` can be kept: the picture of a saved search is kept with it, and only one is."""
    return sum(part.kind == "picture" for part in parts) <= 1


def url_of(fields: Fields, parts: Iterable[Part]) -> str:
    """Return the address of the search for `parts` with the filters of `fields`."""
    return search_url({**fields, **fields_of_parts(parts)})


def fields_of_parts(parts: Iterable[Part]) -> dict[str, list[str]]:
    """Return the fields that say `parts`."""
    asked = list(parts)
    words = write_words((part.weight, part.value) for part in asked if part.kind == "text")
    return {
        "text": [words] if words else [],
        "picture": [_written(part) for part in asked if part.kind == "picture"],
        "like": [_written(part) for part in asked if part.kind == "like"],
    }


def read_words(text: str) -> list[tuple[float, str]]:
    """Return the weighted texts of the quick syntax, in order. Raises InvalidQuery for a weight that cannot be."""
    quoted = [match.span() for match in QUOTED.finditer(text)]
    starts = [
        match for match in OPERATOR.finditer(text) if not any(begin < match.start() < end for begin, end in quoted)
    ]
    found = []
    if not starts or starts[0].start() > 0:
        found.append((1.0, text[: starts[0].start() if starts else len(text)]))
    for at, match in enumerate(starts):
        end = starts[at + 1].start() if at + 1 < len(starts) else len(text)
        weight = -1.0 if match["sign"] == "-" else _counting(float(match["weight"] or 1))
        found.append((weight, text[match.end() : end]))
    return [(weight, words) for weight, raw in found if (words := " ".join(raw.replace('"', " ").split()))]


def write_words(parts: Iterable[tuple[float, str]]) -> str:
    """Return weighted texts in the quick syntax, such that `read_words` returns them."""
    return " ".join(_weighted(weight, words, is_first=at == 0) for at, (weight, words) in enumerate(parts))


def read_region(text: str) -> Region:
    """Return the region `x,y,width,height`, fractions of the picture. Raises InvalidQuery."""
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidQuery("region is x,y,width,height as fractions, such as 0.25,0.25,0.5,0.5.") from error
    inside = 0 <= x < 1 and 0 <= y < 1 and 0 < width <= 1 - x + EDGE and 0 < height <= 1 - y + EDGE
    if not inside:
        raise InvalidQuery("region must lie inside the picture: fractions from 0 to 1.")
    if min(width, height) < LEAST_SIDE - EDGE:
        raise InvalidQuery(
            "This part is too small. It needs at least a fiftieth of the width and of the height of the picture."
        )
    return Region(x, y, width, height)


def write_region(region: Region) -> str:
    """Return a region as an address has it."""
    numbers = (region.x, region.y, region.width, region.height)
    return ",".join(f"{round(number, REGION_DIGITS):g}" for number in numbers)


def check_weight(weight: float) -> float:
    """Return `weight`. Raises InvalidQuery when it is not within -2 and 2."""
    if not abs(weight) <= STRONGEST_WEIGHT:
        raise InvalidQuery(f"A weight is a number between -2 and 2, not {weight:g}.")
    return weight


def _counting(weight: float) -> float:
    if weight == 0:
        raise InvalidQuery(NOTHING_COUNTED)
    return check_weight(weight)


def with_weight(parts: Sequence[Part], at: int, weight: float) -> list[Part]:
    """Return the parts with another weight of one of them."""
    return [replace(part, weight=weight) if place == at else part for place, part in enumerate(parts)]


def without(parts: Sequence[Part], at: int) -> list[Part]:
    """Return the parts without one of them."""
    return [part for place, part in enumerate(parts) if place != at]


def swapped(parts: Sequence[Part], at: int, with_: int) -> list[Part]:
    """Return the parts with two of them in each other's place."""
    moved = list(parts)
    moved[at], moved[with_] = moved[with_], moved[at]
    return moved


def _picture(kind: Kind, text: str) -> Part:
    match = PICTURE.fullmatch(text)
    if not match:
        raise InvalidQuery("This part of the address is no picture. Please take it away, or begin again.", detail=text)
    weight = _counting(float(match["weight"])) if match["weight"] else 1.0
    region = read_region(match["region"]) if match["region"] is not None else None
    return Part(kind, match["value"], weight, region)


def _written(part: Part) -> str:
    weight = f"{part.weight:g}*" if part.weight != 1 else ""
    region = f"@{write_region(part.region)}" if part.region else ""
    return f"{weight}{part.value}{region}"


def _weighted(weight: float, words: str, *, is_first: bool) -> str:
    is_plain = weight == 1 and is_first
    if OPERATOR.search(words) or (abs(weight) == 1 and not is_plain and not SIGNED.match(words)):
        words = f'"{words}"'
    if weight == 1:
        return words if is_first else f"+{words}"
    return f"-{words}" if weight == -1 else f"{weight:g}*{words}"
