"""What pages say of stacks: the tile on top and what it stands for, and the choice that nothing is stacked."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from pipeline.errors import InvalidQuery
from pipeline.images import ImageRecord
from webapp.forms import Fields, first
from webapp.language import gettext as _
from webapp.links import fields_query, search_url
from webapp.pages import Choice, Tile

APART = "apart"  # what `copies` in an address says where every picture of a result is a tile of its own


def read_stacked(fields: Fields) -> bool:
    """Return whether what is nearly the same lies under one tile, as usual. Raises InvalidQuery."""
    asked = first(fields, "copies")
    if asked not in {"", APART}:
        raise InvalidQuery(f"The value of copies can be {APART}; “{asked[:40]}” is none of them.")
    return not asked


def stack_url(image: ImageRecord, fields: Fields | None = None) -> str:
    """Return where all pictures are listed that lie in the stack of an image, as a search with `fields` finds them."""
    query = urlencode(fields_query(fields or {}))
    return f"/images/{image.id}/stack{'?' if query else ''}{query}"


def stacked_tile(tile: Tile, beneath: Mapping[int, int], fields: Fields | None = None) -> Tile:
    """Return a tile with what lies under it: `beneath` has how many, by row, where there are any."""
    number = beneath.get(tile.image.row, 0)
    return replace(tile, stacked=number, stack_url=stack_url(tile.image, fields)) if number else tile


def pictures_in(tiles: Iterable[Tile]) -> int:
    """Return how many pictures tiles stand for, with those that lie under them."""
    return sum(1 + tile.stacked for tile in tiles)


def copies_of(fields: Fields, tiles: Iterable[Tile], *, asked: bool) -> Choice | None:
    """Return the choice whether copies are tiles of their own; None where a page of `tiles` has none to be stacked.

    `asked` is whether something was asked for, by a question or by colors: a list is never stacked.
    """
    if not asked:
        return None
    if fields.get("copies"):
        return Choice(_("Stack copies"), search_url(fields, copies=None), chosen=True)
    if not any(tile.stacked for tile in tiles):
        return None
    return Choice(_("Show copies as tiles of their own"), search_url(fields, copies=APART))
