"""The filters of a search as chips above the results: each with the address of the search without it."""

from collections.abc import Mapping

from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.errors import NotFound
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.filters import COLOR_TOLERANCE
from pipeline.principals import Principal
from pipeline.shapes import FORMATS
from webapp.color_fields import color_label, hex_of, without_color
from webapp.facets import SCHEME_SWATCHES, SIZE_LABELS, STATE_WORDS, SWATCHES
from webapp.forms import Fields, first
from webapp.links import search_url, without_value
from webapp.pages import Chip
from webapp.tiles import thumbnail_url

CHOICES = (
    "category",
    "color_name",
    "scheme",
    "monochrome",
    "orientation",
    "size",
    "format",
    "taken_year",
    "library",
    "uploader",
    "tag",
    "without_tag",
    "state",
)
WORDS = {
    "taken_year": "taken in {}",
    "uploader": "added by {}",
    "tag": "tag: {}",
    "without_tag": "without tag: {}",
}
LABELS: dict[str, Mapping[str, str]] = {"size": SIZE_LABELS, "format": FORMATS, "state": STATE_WORDS}
TYPED = {
    "min_brightness": "brightness from {}",
    "max_brightness": "brightness up to {}",
    "min_saturation": "saturation from {}",
    "max_saturation": "saturation up to {}",
    "created_after": "added from {}",
    "created_before": "added until {}",
    "taken_after": "taken from {}",
    "taken_before": "taken until {}",
    "min_width": "at least {} px wide",
    "max_width": "at most {} px wide",
    "min_height": "at least {} px high",
    "max_height": "at most {} px high",
    "min_bytes": "file from {}",
    "max_bytes": "file up to {}",
}


def filter_chips(
    backend: Backend, principal: Principal, fields: Fields, library_labels: Mapping[str, str], *, asked: bool
) -> tuple[Chip, ...]:
    """Return the filters of a search as chips; `library_labels` has names for ids of libraries.

    `asked` is whether there is a question: what has not been analyzed cannot be compared, so no state is chosen then.
    """
    chips = [_palette_chip(backend, principal, fields, image_id) for image_id in fields.get("palette_of", ())[:1]]
    chips += [_color_chip(fields, value) for value in fields.get("color", ())]
    names = [name for name in CHOICES if not (asked and name == "state")]
    chips += [_choice_chip(fields, name, value, library_labels) for name in names for value in fields.get(name, ())]
    for name, words in TYPED.items():
        chips += [
            Chip("filter", words.format(value), search_url(fields, **{name: None}))
            for value in fields.get(name, ())[:1]
        ]
    return tuple(chips)


def _palette_chip(backend: Backend, principal: Principal, fields: Fields, image_id: str) -> Chip:
    without = search_url(fields, palette_of=None, ignore_background=None)
    try:
        image = get_image(backend, image_id, principal)
    except NotFound:
        return Chip("filter", "colors of a picture that is gone", without)
    return Chip("filter", f"colors of {image.filename}", without, thumbnail_url(image, THUMBNAIL_SIZES[0]))


def _color_chip(fields: Fields, value: str) -> Chip:
    label = color_label(value, first(fields, "color_tolerance", f"{COLOR_TOLERANCE:g}"))
    return Chip("filter", label, without_color(fields, value), color=hex_of(value))


def _choice_chip(fields: Fields, name: str, value: str, library_labels: Mapping[str, str]) -> Chip:
    color = {**SWATCHES, **SCHEME_SWATCHES}.get(value) if name in {"color_name", "scheme"} else None
    label = WORDS.get(name, "{}").format(LABELS.get(name, {}).get(value, value))
    if name == "monochrome":
        label = "black and white"
    if name == "library":
        label = f"in {library_labels.get(value, value)}"
    return Chip("filter", label, without_value(fields, name, value), color=color)
