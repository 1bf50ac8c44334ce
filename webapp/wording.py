"""How numbers, sizes and times are written for people, as filters of the templates."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pipeline.images import ImageRecord

KILO = 1000
"""Sizes of files are decimal, as shops and file managers write them."""

LONGEST_IN_SENTENCE = 32  # characters of a name in a notice, which is to stay small on a phone

COLOR_CODE = re.compile(r"#[0-9a-fA-F]{6}")

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

PLACES = {"caption": "caption", "tags": "tags", "name": "file name", "keywords": "keywords"}
"""Where the words of a picture stand, for people."""

NARROWEST_TILE = 0.6
WIDEST_TILE = 2.6
"""Width by height of a tile. A picture outside of it would be a sliver or a stripe in its row; it is cropped."""


def as_size(count: int) -> str:
    """Return a number of bytes with three digits and a unit: 2.4 MB."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < KILO:
            return f"{count} bytes" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= KILO
    return f"{size:,.1f} TB"


def as_number(number: float) -> str:
    """Return a number with separated thousands: 12,345."""
    return f"{number:,}"


def as_percent(share: float) -> str:
    """Return a share between 0 and 1 in percent: 42 %."""
    return "<1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")  # noqa: PLR2004 rounds to 0 % below


def as_date(moment: datetime) -> str:
    """Return a day as people write it: 5 November 2026."""
    return f"{moment.day} {moment:%B %Y}"


def as_short_date(moment: datetime) -> str:
    """Return a day as tables have it: 5 Nov 2026."""
    return f"{moment.day} {moment:%b %Y}"


def as_short_moment(moment: datetime) -> str:
    """Return a moment to the minute as tables have it, which say themselves that it is UTC: 5 Nov 2026, 12:00."""
    return f"{as_short_date(moment)}, {moment:%H:%M}"


def with_article(role: str) -> str:
    """Return what somebody is: a viewer, an owner."""
    return f"{'an' if role[:1] in set('aeiou') else 'a'} {role}"


def shortened(name: str) -> str:
    """Return a name as a sentence can bear it; the end of a long one is left out."""
    return name if len(name) <= LONGEST_IN_SENTENCE else f"{name[: LONGEST_IN_SENTENCE - 1].rstrip()}…"


def as_browser(agent: str) -> str:
    """Return the name of a browser and its system from what it says about itself, or that, if it is no known one."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if not browser:
        return agent or "a program that did not say its name"
    return f"{browser} on {system}" if system else browser


def as_reason(why: Mapping[str, Any]) -> str:
    """Return why something was found as people read it: caption: dog, beach · file name: rex."""
    found = [f"{PLACES[place]}: {', '.join(words)}" for place, words in why.get("words", {}).items()]
    if colors := why.get("colors"):
        found.append(f"color: {', '.join(color['color'] for color in colors)}")
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
    "with_article": with_article,
    "css_color": css_color,
    "tile_ratio": tile_ratio,
    "dimensions": dimensions,
}
