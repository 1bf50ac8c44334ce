"""The colors of a search as fields of the page: a row for each, and an empty one for the next.

Each row is one field of the address, `color=#2f6fd0:0.25`: its share is a choice whose values have the color in them,
so that the form works without any script.
"""

from urllib.parse import urlencode

import numpy as np

from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.errors import NotFound
from pipeline.features.color import hex_to_lab
from pipeline.features.color_names import name_indices
from pipeline.features.picture import COLOR_NAMES
from pipeline.principals import Principal
from webapp.forms import HEX_COLOR, MOST_COLORS, Fields, first
from webapp.language import gettext as _
from webapp.language import translated
from webapp.links import search_url
from webapp.pages_colors import ColorFields, ColorRow, PaletteOf, ShareOption
from webapp.wording import as_percent

SHARES = ("0.05", "0.1", "0.25", "0.5", "0.75")
"""What is offered; another one that stands in the address is offered as well."""

BELONGING = ("color_tolerance", "color_share", "ignore_background")
"""Fields that say something of the colors asked for, and nothing when there is none."""

SHARE_DIGITS = 2


def color_fields(backend: Backend, principal: Principal, fields: Fields) -> ColorFields:
    """Return the rows of the colors as they stand in the address, and what belongs to them."""
    values = fields.get("color", ())
    known = [value for value in values if _code(value)]
    wrong = [value for value in values if not _code(value)]
    return ColorFields(
        rows=tuple(_row(fields, number, value) for number, value in enumerate(known, start=1)),
        new=wrong[0] if wrong else "",
        may_add=len(known) < MOST_COLORS and not fields.get("palette_of"),
        tolerance=first(fields, "color_tolerance"),
        share=first(fields, "color_share"),
        ignore_background=first(fields, "ignore_background").lower() in {"1", "true"},
        picture=_palette_of(backend, principal, fields),
    )


def without_color(fields: Fields, value: str) -> str:
    """Return the address without one of the colors, and with the last of them without what belongs to them."""
    rest = [other for other in fields.get("color", ()) if other != value]
    changes = {} if rest else dict.fromkeys(BELONGING)
    return search_url({**fields, "color": rest}, **changes)


def color_label(value: str, tolerance: str) -> str:
    """Return a color of an address in words: its share, or else how far it may be off."""
    code, _, share = value.partition(":")
    color = _code(value) or code
    return f"{_percent(share)} {color}" if _is_share(share) else f"{color} ± {tolerance}"


def hex_of(value: str) -> str | None:
    """Return `#rrggbb` of a color of an address, None when it is none."""
    return _code(value)


def _row(fields: Fields, number: int, value: str) -> ColorRow:
    code = value.partition(":")[0]
    share = value.partition(":")[2]
    color = _code(value) or code
    offered = ["", *SHARES]
    if share not in offered:
        offered.append(share)
    return ColorRow(
        number=number,
        hex=color,
        name=translated(COLOR_NAMES[int(name_indices(np.asarray(hex_to_lab(color))))], "color_name"),
        value=value,
        options=tuple(
            ShareOption(f"{color}:{part}" if part else color, _percent(part) if part else _("any share"), part == share)
            for part in offered
        ),
        remove_url=without_color(fields, value),
    )


def _palette_of(backend: Backend, principal: Principal, fields: Fields) -> PaletteOf | None:
    image_id = first(fields, "palette_of")
    if not image_id:
        return None
    try:
        image = get_image(backend, image_id, principal)
    except NotFound:
        return PaletteOf(image_id, _("a picture that is gone"), (), "")
    swatches = image.color.swatches if image.color else ()
    asked = [("color", f"{swatch.hex}:{round(swatch.share, SHARE_DIGITS)}") for swatch in swatches[:MOST_COLORS]]
    kept = {name: fields.get(name, ()) for name in BELONGING if name != "color_share"}
    pairs = asked + [(name, value) for name, values in kept.items() for value in values]
    return PaletteOf(
        image_id, image.filename, tuple((swatch.hex, swatch.share) for swatch in swatches), f"/?{urlencode(pairs)}"
    )


def _code(value: str) -> str | None:
    code = value.partition(":")[0]
    return f"#{code.removeprefix('#').lower()}" if HEX_COLOR.fullmatch(code) else None


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _percent(share: str) -> str:
    return as_percent(float(share)) if _is_share(share) else share
