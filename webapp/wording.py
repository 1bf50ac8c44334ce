"""How numbers, sizes and times are written for people, as filters of the templates; in the language of the request."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache, reduce
from typing import Any, Literal

from babel.dates import format_date

from pipeline.images import ImageRecord
from webapp.language import as_number, gettext, languages, marked, ngettext, present, translated
from webapp.sentences import said

KILO = 1000
"""Sizes of files are decimal, as shops and file managers write them."""

LONGEST_IN_SENTENCE = 32  # characters of a name in a notice, which is to stay small on a phone

COLOR_CODE = re.compile(r"#[0-9a-fA-F]{6}")

OUR_ENGLISH = {"long": "d MMMM y", "medium": "d MMM y"}
"""Dates as the rest of the world has them; English alone does not say whose."""

MOST_DAYS = 4096  # that are kept as they are written

BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
"""What user agents have in their texts, the more special first: Edge calls itself Chrome and Safari too."""

PLACES = {
    "caption": marked("caption"),
    "tags": marked("tags"),
    "name": marked("file name"),
    "keywords": marked("keywords"),
}
"""Where the words of a picture stand, for people."""

NARROWEST_TILE = 0.6
WIDEST_TILE = 2.6
"""Width by height of a tile. A picture outside of it would be a sliver or a stripe in its row; it is cropped."""


def as_size(count: int) -> str:
    """Return a number of bytes with three digits and a unit: 2.4 MB."""
    if count < KILO:
        return gettext("%(number)s bytes", number=count)
    size = float(count)
    for unit in (marked("%(number)s kB"), marked("%(number)s MB"), marked("%(number)s GB")):
        size /= KILO
        if size < KILO:
            three_digits = float(f"{size:.3g}")
            return gettext(unit, number=as_number(three_digits))
    return gettext("%(number)s TB", number=as_number(round(size / KILO, 1)))


def as_percent(share: float) -> str:
    """Return a share between 0 and 1 in percent: 42 %."""
    if 0 < share < 0.005:  # noqa: PLR2004 rounds to 0 % below
        return gettext("<1 %%")
    rounded = f"{100 * share:.0f}"
    return gettext("%(number)s %%", number=rounded)


def as_date(moment: datetime) -> str:
    """Return a day as people write it: 5 November 2026."""
    return _date(moment, "long")


def as_short_date(moment: datetime) -> str:
    """Return a day as tables have it: 5 Nov 2026."""
    return _date(moment, "medium")


def as_moment(moment: datetime) -> str:
    """Return a moment to the minute: 5 November 2026, 12:00."""
    return _with_time(as_date(moment), moment)


def as_short_moment(moment: datetime) -> str:
    """Return a moment to the minute as tables have it, which say themselves that it is UTC: 5 Nov 2026, 12:00."""
    return _with_time(as_short_date(moment), moment)


def _date(moment: datetime, length: Literal["long", "medium"]) -> str:
    return _day(moment.date(), length, present().tag)


@lru_cache(maxsize=MOST_DAYS)
def _day(day: date, length: Literal["long", "medium"], tag: str) -> str:
    language = languages()[tag]
    return str(format_date(day, OUR_ENGLISH[length] if language.is_source else length, locale=language.locale))


def _with_time(date: str, moment: datetime) -> str:
    """Return a date with its time, in the order and with the sign between them that the locale has."""
    return str(present().locale.datetime_formats["medium"]).format(f"{moment:%H:%M}", date)


def listed(words: Iterable[str]) -> str:
    """Return words one after the other: red, green, blue."""
    return gettext(", ").join(words)


def sentences(*parts: str) -> str:
    """Return sentences one after the other, with the space between them that the language has."""
    return reduce(lambda before, after: gettext("%(before)s %(after)s", before=before, after=after), parts)


def pictures_in_words(number: int) -> str:
    """Return how many pictures: 1 picture, 1,204 pictures."""
    return ngettext("%(number)s picture", "%(number)s pictures", number)


def days_in_words(days: float) -> str:
    """Return how many days, which need not be whole: 1 day, 30 days, 0.5 days."""
    if days == 1:
        return gettext("1 day")
    return gettext("%(number)s days", number=as_number(days))


def as_role(role: str) -> str:
    """Return a role in words that stand alone: Viewer."""
    return translated(role.capitalize(), "role")


def with_article(role: str) -> str:
    """Return what somebody is: a viewer, an owner."""
    return translated(f"{'an' if role[:1] in set('aeiou') else 'a'} {role}", "role")


def shortened(name: str) -> str:
    """Return a name as a sentence can bear it; the end of a long one is left out."""
    return name if len(name) <= LONGEST_IN_SENTENCE else f"{name[: LONGEST_IN_SENTENCE - 1].rstrip()}…"


def as_browser(agent: str) -> str:
    """Return the name of a browser and its system from what it says about itself, or that, if it is no known one."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if not browser:
        return agent or gettext("a program that did not say its name")
    return gettext("%(browser)s on %(system)s", browser=browser, system=system) if system else browser


def as_reason(why: Mapping[str, Any]) -> str:
    """Return why something was found as people read it: caption: dog, beach · file name: rex."""
    found = [gettext("nearly the same")] if "near_duplicate" in why else []
    found += [
        gettext("%(name)s: %(words)s", name=gettext(PLACES[place]), words=listed(words))
        for place, words in why.get("words", {}).items()
    ]
    if colors := why.get("colors"):
        found.append(gettext("color: %(colors)s", colors=listed(color["color"] for color in colors)))
    return " · ".join(found)


def css_color(color: str | None) -> str:
    """Return a color code for a style attribute, or `transparent`.

    Colors come from addresses too, and escaping alone would let a semicolon bring other properties with it.
    """
    return color if color and COLOR_CODE.fullmatch(color) else "transparent"


def tile_ratio(image: ImageRecord) -> float:
    """Return width by height of the image's tile, within what a row of pictures can bear."""
    ratio = image.width / image.height if image.width and image.height else 1.0
    return round(min(max(ratio, NARROWEST_TILE), WIDEST_TILE), 4)


def dimensions(image: ImageRecord) -> str:
    """Return the upright size in pixels, with the sign for "times" between."""
    return f"{image.width} \N{MULTIPLICATION SIGN} {image.height}"


FILTERS: dict[str, Callable[..., object]] = {
    "size": as_size,
    "number": as_number,
    "percent": as_percent,
    "date": as_date,
    "role": as_role,
    "with_article": with_article,
    "said": said,
    "translated": translated,
    "css_color": css_color,
    "tile_ratio": tile_ratio,
    "dimensions": dimensions,
}
