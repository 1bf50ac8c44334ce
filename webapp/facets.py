"""The filters beside the results: values with counts, and the fields that are typed."""

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import replace

from pipeline.features.picture import CATEGORIES, COLOR_NAMES, SCHEMES
from pipeline.listing import Facets
from webapp.forms import Fields, first
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


def facets_of(counts: Facets, fields: Fields, present: int, library_labels: Mapping[str, str]) -> tuple[Facet, ...]:
    """Return the groups that have anything to choose; a chosen value stays even when its count is 0.

    `library_labels` has names for ids of libraries.
    """
    groups = [
        Facet("category", "Category", "list", _options(fields, "category", counts.category, CATEGORIES)),
        Facet("color_name", "Color", "swatches", _options(fields, "color_name", counts.color_name, COLOR_NAMES)),
        Facet("scheme", "Mood", "swatches", _options(fields, "scheme", counts.scheme, SCHEMES)),
        Facet("tag", "Tag", "list", _options(fields, "tag", counts.tag, tuple(counts.tag))),
        Facet(
            "library",
            "Library",
            "list",
            _libraries(fields, counts.library, library_labels),
        ),
    ]
    return tuple(group for group in groups if group.options and not _says_nothing(group, present))


def _says_nothing(group: Facet, present: int) -> bool:
    """Whether a group offers no choice: one library that holds everything."""
    return (
        group.name == "library"
        and len(group.options) == 1
        and not group.options[0].chosen
        and group.options[0].count == present
    )


def range_fields(fields: Fields) -> RangeFields:
    """Return the typed filters as they stand in the address.

    A tag that was typed has become a checkbox among the facets, which can be unticked; the field is for another one.
    """
    typed = {field.name: first(fields, field.name) for field in dataclass_fields(RangeFields)}
    return RangeFields(**typed | {"tag": ""})


def _libraries(fields: Fields, counts: dict[str, int], labels: Mapping[str, str]) -> tuple[FacetOption, ...]:
    options = _options(fields, "library", counts, tuple(counts))
    return tuple(replace(option, label=labels.get(option.value, option.value)) for option in options)


def _options(fields: Fields, name: str, counts: dict[str, int], order: tuple[str, ...]) -> tuple[FacetOption, ...]:
    chosen = set(fields.get(name, ()))
    known = [value for value in order if value in counts or value in chosen]
    return tuple(
        FacetOption(
            value=value,
            label=value,
            count=counts.get(value, 0),
            chosen=value in chosen,
            color={**SWATCHES, **SCHEME_SWATCHES}.get(value) if name in {"color_name", "scheme"} else None,
        )
        for value in [*known, *sorted(chosen - set(known))]
    )
