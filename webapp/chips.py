"""What was asked, as chips above the results: each with the address of the search without it."""

from collections.abc import Mapping

from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.errors import NotFound
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.filters import COLOR_TOLERANCE
from pipeline.principals import Principal
from pipeline.query_pictures import get_query_picture
from webapp.facets import SCHEME_SWATCHES, SWATCHES
from webapp.forms import HEX_COLOR, Fields, first
from webapp.links import search_url, without_value
from webapp.pages import Chip
from webapp.tiles import thumbnail_url

CHOICES = ("category", "color_name", "scheme", "library", "tag", "color")
TYPED = {
    "min_brightness": "brightness from {}",
    "max_brightness": "brightness up to {}",
    "min_saturation": "saturation from {}",
    "max_saturation": "saturation up to {}",
    "created_after": "added from {}",
    "created_before": "added until {}",
    "min_width": "at least {} px wide",
    "min_height": "at least {} px high",
}


def chips_of(
    backend: Backend, principal: Principal, fields: Fields, library_labels: Mapping[str, str]
) -> tuple[Chip, ...]:
    """Return the subject of the search first, then its filters; `library_labels` has names for ids of libraries."""
    chips = [Chip("text", text, search_url(fields, text=None)) for text in fields.get("text", ())[:1]]
    chips += [_picture_chip(backend, fields, key) for key in fields.get("picture", ())[:1]]
    chips += [_image_chip(backend, principal, fields, image_id) for image_id in fields.get("like", ())[:1]]
    for name in CHOICES:
        chips += [_choice_chip(fields, name, value, library_labels) for value in fields.get(name, ())]
    for name, words in TYPED.items():
        chips += [
            Chip("filter", words.format(value), search_url(fields, **{name: None}))
            for value in fields.get(name, ())[:1]
        ]
    return tuple(chips)


def _picture_chip(backend: Backend, fields: Fields, key: str) -> Chip:
    without = search_url(fields, picture=None)
    try:
        kept = get_query_picture(backend, key)
    except NotFound:
        return Chip("picture", "a picture that is no longer kept", without)
    return Chip("picture", "this picture", without, f"/pictures/{kept.key}")


def _image_chip(backend: Backend, principal: Principal, fields: Fields, image_id: str) -> Chip:
    without = search_url(fields, like=None)
    try:
        image = get_image(backend, image_id, principal)
    except NotFound:
        return Chip("image", "a picture that is gone", without)
    return Chip("image", f"like {image.filename}", without, thumbnail_url(image, THUMBNAIL_SIZES[0]))


def _choice_chip(fields: Fields, name: str, value: str, library_labels: Mapping[str, str]) -> Chip:
    color = {**SWATCHES, **SCHEME_SWATCHES}.get(value) if name in {"color_name", "scheme"} else None
    label = value
    if name == "color":
        color = f"#{value.removeprefix('#')}" if HEX_COLOR.fullmatch(value) else None
        label = f"{color or value} ± {first(fields, 'color_tolerance', f'{COLOR_TOLERANCE:g}')}"
    if name == "tag":
        label = f"tag: {value}"
    if name == "library":
        label = f"in {library_labels.get(value, value)}"
    return Chip("filter", label, without_value(fields, name, value), color=color)
