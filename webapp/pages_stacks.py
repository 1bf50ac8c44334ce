"""What the page of a stack shows: a picture of a result, and all that are nearly the same."""

from dataclasses import dataclass

from webapp.pages import Shell, Tile


@dataclass(frozen=True)
class StackPage:
    """`/images/{id}/stack`. `name` is that of the picture on top, which is the first of `tiles`.

    `explanation` says how many there are. `back_url` is the search that they come from, `more_url` lists the next ones,
    `review_url` leads to where they are decided on, "" where nothing is. `may_change` is as in SearchPage.
    """

    shell: Shell
    name: str
    explanation: str
    tiles: tuple[Tile, ...]
    back_url: str
    more_url: str = ""
    review_url: str = ""
    may_change: bool = True
