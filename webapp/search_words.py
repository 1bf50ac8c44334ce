"""What the search page says around its results: orders, counts, how fast it was, and what was not understood."""

from collections.abc import Sequence

from pipeline.listing import Counts
from pipeline.search import MOST_MATCHES, SearchResult
from pipeline.sorting import Sort
from webapp.language import as_number, marked, ngettext
from webapp.language import gettext as _
from webapp.pages import Tile
from webapp.query_parts import Part
from webapp.stacks import pictures_in
from webapp.wording import listed

WRITTEN = marked("captions, tags and file names")

SORTS = {
    "": marked("Newest first"),
    Sort.OLDEST.value: marked("Oldest first"),
    Sort.LARGEST.value: marked("Largest first"),
    Sort.TAKEN_NEWEST.value: marked("Taken last"),
    Sort.TAKEN_OLDEST.value: marked("Taken first"),
}
"""The orders of a list, the usual one first."""

SORTS_OF_MATCHES = {"": marked("Best match"), Sort.NEWEST.value: marked("Newest first")} | dict(list(SORTS.items())[1:])

FOUND_BY = {
    "": marked("Pictures and words"),
    "content": marked("What pictures show"),
    "words": marked("Words only"),
}
"""By what a text can be found; alike by both, usually."""


def sorts_of(*, asked: bool, by_colors: bool) -> dict[str, str]:
    """Return the orders there are, the usual one first."""
    if asked:
        return SORTS_OF_MATCHES
    return {**SORTS_OF_MATCHES, "": marked("Best fit")} if by_colors else SORTS


def found_by_of(parts: Sequence[Part]) -> tuple[tuple[str, str], ...]:
    """Return by what the text of a question can be found; nothing where it only leads away, or there is none."""
    if not any(part.kind == "text" and part.weight > 0 for part in parts):
        return ()
    return tuple((value, _(words)) for value, words in FOUND_BY.items())


def announcement_of(shown: int) -> str:
    """Return what is announced when more tiles have come."""
    return ngettext("%(number)s picture is shown", "%(number)s pictures are shown", shown)


def counted_of(counts: Counts, *, asked: bool) -> str:
    """Return what the facets count, where that could be taken for something else."""
    if counts.are_of_matches:
        return _("How many of the matches, out of the %(number)s nearest", number=as_number(MOST_MATCHES))
    return _("How many of all pictures") if asked else ""


def summary_of(result: SearchResult | None, strong: Sequence[Tile], passing: int, *, asked: bool) -> str:
    """Return how many pictures were found, and how fast; those that lie under the `strong` tiles are among them."""
    if result is None:
        return ""
    ms = as_number(round(max(result.took_ms, 1)))
    stacked = sum(tile.stacked for tile in strong)
    more = "+" if result.has_more and len(strong) == len(result.hits) else ""
    if not asked:
        found = ngettext("%(number)s picture in %(ms)s ms", "%(number)s pictures in %(ms)s ms", passing, ms=ms)
    else:
        all_of_them = pictures_in(strong)
        found = ngettext(
            "%(number)s picture found in %(ms)s ms",
            "%(number)s pictures found in %(ms)s ms",
            all_of_them,
            number=f"{as_number(all_of_them)}{more}",
            ms=ms,
        )
    if not stacked:
        return found
    return _("%(found)s, %(number)s of them lie under others", found=found, number=f"{as_number(stacked)}{more}")


def weak_count_of(result: SearchResult | None, passing: int, strong: Sequence[Tile], weak: Sequence[Tile]) -> int:
    """Return how many weaker matches there are; what only words can find is not all that passes the filters."""
    weaker = pictures_in(weak)
    return weaker if result and result.by_words_alone else max(passing - pictures_in(strong), weaker)


def hint_of(result: SearchResult | None, encoder: str) -> str:
    """Return which words of a text the encoder does not know."""
    if not result or not result.ignored or result.reason:  # which says as much
        return ""
    if result.by_words_alone:
        return _(
            "The encoder %(encoder)s knows none of these words: they were looked for in %(places)s only.",
            encoder=encoder,
            places=_(WRITTEN),
        )
    return _(
        "The encoder %(encoder)s knows names of things only, so %(words)s counted in %(places)s only.",
        encoder=encoder,
        words=listed(_("“%(words)s”", words=word) for word in result.ignored[:5]),
        places=_(WRITTEN),
    )
