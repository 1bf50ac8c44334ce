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
from webapp.language import gettext as _
from webapp.language import marked, translated
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
    "taken_year": marked("taken in %(value)s"),
    "uploader": marked("added by %(value)s"),
    "tag": marked("tag: %(value)s"),
    "without_tag": marked("without tag: %(value)s"),
}
LABELS: dict[str, Mapping[str, str]] = {"size": SIZE_LABELS, "format": FORMATS, "state": STATE_WORDS}
TYPED = {
    "min_brightness": marked("brightness from %(value)s"),
    "max_brightness": marked("brightness up to %(value)s"),
    "min_saturation": marked("saturation from %(value)s"),
    "max_saturation": marked("saturation up to %(value)s"),
    "created_after": marked("added from %(value)s"),
    "created_before": marked("added until %(value)s"),
    "taken_after": marked("taken from %(value)s"),
    "taken_before": marked("taken until %(value)s"),
    "min_width": marked("at least %(value)s px wide"),
    "max_width": marked("at most %(value)s px wide"),
    "min_height": marked("at least %(value)s px high"),
    "max_height": marked("at most %(value)s px high"),
    "min_bytes": marked("file from %(value)s"),
    "max_bytes": marked("file up to %(value)s"),
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
            Chip("filter", _(words, value=value), search_url(fields, **{name: None}))
            for value in fields.get(name, ())[:1]
        ]
    return tuple(chips)


def _palette_chip(backend: Backend, principal: Principal, fields: Fields, image_id: str) -> Chip:
    without = search_url(fields, palette_of=None, ignore_background=None)
    try:
        image = get_image(backend, image_id, principal)
    except NotFound:
        return Chip("filter", _("colors of a picture that is gone"), without)
    return Chip(
        "filter", _("colors of %(name)s", name=image.filename), without, thumbnail_url(image, THUMBNAIL_SIZES[0])
    )


def _color_chip(fields: Fields, value: str) -> Chip:
    label = color_label(value, first(fields, "color_tolerance", f"{COLOR_TOLERANCE:g}"))
    return Chip("filter", label, without_color(fields, value), color=hex_of(value))


def _choice_chip(fields: Fields, name: str, value: str, library_labels: Mapping[str, str]) -> Chip:
    color = {**SWATCHES, **SCHEME_SWATCHES}.get(value) if name in {"color_name", "scheme"} else None
    label = _(LABELS[name][value]) if value in LABELS.get(name, {}) else translated(value, name)
    if name in WORDS:
        label = _(WORDS[name], value=value)
    if name == "monochrome":
        label = _("black and white")
    if name == "library":
        label = _("in %(library)s", library=library_labels.get(value, value))
    return Chip("filter", label, without_value(fields, name, value), color=color)
