"""The filters beside the results: values with counts, and the fields that are typed."""

from collections.abc import Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from pipeline.features.picture import CATEGORIES, COLOR_NAMES, SCHEMES
from pipeline.images import ImageState
from pipeline.listing import Counts, Facets
from pipeline.shapes import FORMATS, ORIENTATIONS, SIZES
from webapp.forms import Fields, first
from webapp.language import gettext as _
from webapp.language import marked, translated
from webapp.pages import Facet, FacetOption, RangeFields

SWATCHES = {
    "black": "#111111",
    "white": "#ffffff",
    "gray": "#8a8a8a",
    "red": "#d32f2f",
    "orange": "#f57c00",
    "yellow": "#fbd334",
    "green": "#3f9b45",
    "blue": "#2a6fdb",
    "purple": "#7e3fb2",
    "pink": "#f08cb4",
    "brown": "#7a4a21",
}
"""A typical color for each of the eleven names, to be drawn beside it."""

SCHEME_SWATCHES = {"warm": "#e8853b", "cool": "#3b8fe8", "neutral": "#9a9a96"}


NO_LABELS: Mapping[str, str] = MappingProxyType({})

SIZE_LABELS = {
    "small": marked("small, under 0.5 MP"),
    "medium": marked("medium, 0.5 to 2 MP"),
    "large": marked("large, 2 to 8 MP"),
    "huge": marked("huge, over 8 MP"),
}
"""What the bounds of `shapes.SIZE_PIXELS` are called on pages."""

STATE_WORDS = {
    ImageState.WAITING.value: marked("waiting to be analyzed"),
    ImageState.FAILED.value: marked("could not be analyzed"),
    ImageState.HELD.value: marked("held back"),
    ImageState.READY.value: marked("analyzed"),
}

UNFOLDED = frozenset({"category", "color_name", "scheme"})
"""The groups that show their options at once, unless there are too many others: what most people choose from."""

MONOCHROME = "1"
"""The value of the box for pictures in black and white."""


def facets_of(counts: Counts, fields: Fields, library_labels: Mapping[str, str], *, asked: bool) -> tuple[Facet, ...]:
    """Return the groups that have anything to choose; a chosen value stays even when its count is 0.

    `library_labels` has names for ids of libraries. `asked` is whether there is something to compare with; then only
    analyzed pictures are found, and states are nothing to choose from.
    """
    states = () if asked else fields.get("state", ())
    # Of what has not been analyzed nothing is counted, and the counts of all others say nothing of it.
    found = counts.facets if not states or ImageState.READY in states else Facets()
    black_and_white = {MONOCHROME: found.monochrome} if found.monochrome else {}
    groups = [
        _facet("category", _("Category"), _options(fields, "category", found.category, CATEGORIES)),
        _facet("color_name", _("Color"), _options(fields, "color_name", found.color_name, COLOR_NAMES), "swatches"),
        _facet("scheme", _("Mood"), _options(fields, "scheme", found.scheme, SCHEMES), "swatches"),
        _facet(
            "monochrome",
            _("Black and white"),
            _options(fields, "monochrome", black_and_white, (MONOCHROME,), {MONOCHROME: _("only black and white")}),
        ),
        _facet("orientation", _("Shape"), _options(fields, "orientation", found.orientation, ORIENTATIONS)),
        _facet("size", _("Size"), _options(fields, "size", found.size, SIZES, _spoken(SIZE_LABELS))),
        _facet("format", _("Format"), _options(fields, "format", found.format, tuple(found.format), FORMATS)),
        _facet(
            "taken_year", _("Year taken"), _options(fields, "taken_year", found.taken_year, tuple(found.taken_year))
        ),
        _facet("tag", _("Tag"), _options(fields, "tag", found.tag, tuple(found.tag))),
        _facet("without_tag", _("Without tag"), _uncounted(fields, "without_tag")),
        _facet("uploader", _("Added by"), _options(fields, "uploader", found.uploader, tuple(found.uploader))),
        _facet(
            "library", _("Library"), _options(fields, "library", found.library, tuple(found.library), library_labels)
        ),
    ]
    if not asked:
        groups.append(_facet("state", _("State"), _states(fields, counts)))
    return tuple(group for group in groups if group.options and not _says_nothing(group, found.counted))


def _spoken(labels: Mapping[str, str]) -> dict[str, str]:
    return {value: _(label) for value, label in labels.items()}


def _facet(
    name: str, title: str, options: tuple[FacetOption, ...], layout: Literal["list", "swatches"] = "list"
) -> Facet:
    is_used = any(option.chosen for option in options)
    return Facet(name, title, layout, options, unfolded=is_used or name in UNFOLDED)


def _says_nothing(group: Facet, counted: int) -> bool:
    """Whether a group offers no choice: all pictures have its only value."""
    if group.name not in {"library", "format", "orientation", "size", "uploader", "monochrome"}:
        return False
    [option, *others] = group.options
    return not others and not option.chosen and option.count == counted


def _states(fields: Fields, counts: Counts) -> tuple[FacetOption, ...]:
    numbers = {state.value: number for state, number in counts.unfinished.items()}
    if ImageState.READY in fields.get("state", ()):
        numbers[ImageState.READY.value] = counts.passing
    return _options(fields, "state", numbers, tuple(STATE_WORDS), _spoken(STATE_WORDS))


def _uncounted(fields: Fields, name: str) -> tuple[FacetOption, ...]:
    return tuple(replace(option, count=None) for option in _options(fields, name, {}, ()))


def range_fields(fields: Fields) -> RangeFields:
    """Return the typed filters as they stand in the address.

    A tag that was typed has become a checkbox among the facets, which can be unticked; the field is for another one.
    """
    typed = {field.name: first(fields, field.name) for field in dataclass_fields(RangeFields)}
    return RangeFields(**typed | {"tag": "", "without_tag": ""})


def _options(
    fields: Fields,
    name: str,
    counts: Mapping[str, int],
    order: Sequence[str],
    labels: Mapping[str, str] = NO_LABELS,
) -> tuple[FacetOption, ...]:
    chosen = set(fields.get(name, ()))
    known = [value for value in order if value in counts or value in chosen]
    return tuple(
        FacetOption(
            value=value,
            label=labels[value] if value in labels else translated(value, name),
            count=counts.get(value, 0),
            chosen=value in chosen,
            color={**SWATCHES, **SCHEME_SWATCHES}.get(value) if name in {"color_name", "scheme"} else None,
        )
        for value in [*known, *sorted(chosen - set(known))]
    )
