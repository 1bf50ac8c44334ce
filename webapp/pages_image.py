"""What `/images/{id}` shows: a picture, what was computed of it, and what is known of it."""

from dataclasses import dataclass, field

from pipeline.images import ImageRecord
from webapp.pages import Fact, Shell, Tile
from webapp.pages_watch import Watch


@dataclass(frozen=True)
class PaletteBar:
    """One segment of the palette: its width is `share` (0 to 1); `find_url` searches for the color.

    `is_background` says that it surrounds what the picture shows.
    """

    hex: str
    name: str
    share: float
    percent: str
    find_url: str
    is_background: bool = False


@dataclass(frozen=True)
class ScoreBar:
    """One category with its probability, 0 to 1."""

    name: str
    score: float
    percent: str
    find_url: str


@dataclass(frozen=True)
class WordLink:
    """A word, and the search for it."""

    word: str
    find_url: str


@dataclass(frozen=True)
class CopyLink:
    """A picture that is a copy of the one that is shown, or of the same scene: what it is to it, and both compared."""

    tile: Tile
    verdict: str
    sentence: str
    compare_url: str


@dataclass(frozen=True)
class ImagePage:
    """`/images/{id}`. `display_url` is viewable in every browser, `original_url` downloads the very bytes.

    `same_colors_url` finds pictures with its colors, "" where they are not known. `copies` were found to be copies of
    it, or of its scene; `group_url` is where they are reviewed, "" where they are in no group. `problem` is the
    sentence when an edit was refused; `likes` are more like this. `may_change` is whether to offer what changes,
    deletes or restores it; `watch` says what of reporting it. `banks` are (id, name) of those that it can be kept in,
    posted to its address + `/bank` (`bank`); `in_banks` says what it looks like in which.
    """

    shell: Shell
    image: ImageRecord
    title: str
    display_url: str
    original_url: str
    palette: tuple[PaletteBar, ...]
    categories: tuple[ScoreBar, ...]
    facts: tuple[Fact, ...]
    likes: tuple[Tile, ...]
    more_like_this_url: str
    region_url: str
    tags_text: str
    keywords: tuple[WordLink, ...] = ()
    problem: str = ""
    may_change: bool = True
    same_colors_url: str = ""
    watch: Watch = field(default_factory=Watch)
    banks: tuple[tuple[str, str], ...] = ()
    in_banks: tuple[str, ...] = ()
    copies: tuple[CopyLink, ...] = ()
    group_url: str = ""
