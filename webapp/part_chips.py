"""The parts of a question as chips that can be changed, and the heading that says them.

Whatever a chip offers is an address, so all of it works without JavaScript, by keyboard, and as a link.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from urllib.parse import urlencode

from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.errors import NotFound
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.principals import Principal
from pipeline.query_pictures import get_query_picture
from webapp.forms import Fields
from webapp.language import gettext as _
from webapp.language import ngettext
from webapp.links import fields_query
from webapp.pages import Chip, Choice
from webapp.query_parts import Part, swapped, url_of, with_weight, without
from webapp.tiles import thumbnail_url
from webapp.wording import listed

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"

WEIGHTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
"""What is offered; others can be typed. A sum of unit vectors is turned by steps that double."""


KEY_DIGITS = 8  # of a hash; ten parts at most have to differ


def part_chips(backend: Backend, principal: Principal, fields: Fields, parts: Sequence[Part]) -> tuple[Chip, ...]:
    """Return a chip for each part of the question, in order."""
    return tuple(_chip(backend, principal, fields, parts, at) for at in range(len(parts)))


def heading_of(parts: Sequence[Part], *, is_narrowed: bool) -> str:
    """Return what was asked in a few words."""
    toward = [part for part in parts if part.weight > 0]
    pictures = sum(part.kind != "text" for part in toward)
    said = [ngettext("Like this picture", "Like these %(number)s pictures", pictures)] if pictures else []
    if len(parts) == 1 and pictures:
        return _("Pictures with this part") if parts[0].region else _("Pictures like this one")
    said += [_("“%(words)s”", words=part.value) for part in toward if part.kind == "text"]
    away = _(" and ").join(
        _("“%(words)s”", words=part.value) if part.kind == "text" else _("a picture")
        for part in parts
        if part.weight < 0
    )
    if away:
        said.append(_("away from %(what)s", what=away) if said else _("Away from %(what)s", what=away))
    if said:
        return listed(said)
    return _("Chosen pictures") if is_narrowed else _("All pictures")


def _chip(backend: Backend, principal: Principal, fields: Fields, parts: Sequence[Part], at: int) -> Chip:
    part = parts[at]
    like = [place for place, other in enumerate(parts) if other.kind == part.kind]
    place = like.index(at)
    earlier = like[place - 1] if place > 0 else None
    later = like[place + 1] if place + 1 < len(like) else None
    bare = _bare(backend, principal, part, url_of(fields, without(parts, at)))
    is_there = part.kind == "text" or bare.thumbnail_url is not None
    return replace(
        bare,
        key=_key(parts, at),
        weight=_weight_words(part.weight),
        weights=_weights(fields, parts, at) if is_there else (),
        earlier_url="" if earlier is None else url_of(fields, swapped(parts, at, earlier)),
        later_url="" if later is None else url_of(fields, swapped(parts, at, later)),
        earlier_said="" if earlier is None else _moved(bare, earlier, parts),
        later_said="" if later is None else _moved(bare, later, parts),
        region_url=region_url(fields, at) if part.kind != "text" and is_there else "",
        whole_url=url_of(fields, [*parts[:at], replace(part, region=None), *parts[at + 1 :]]) if part.region else "",
        is_negative=part.weight < 0,
    )


def _key(parts: Sequence[Part], at: int) -> str:
    """Return what the chip of a part is called on the page: the same at another place and with another weight."""
    said = [f"{part.kind} {part.value}" for part in parts[: at + 1]]
    return f"{sha256(said[-1].encode()).hexdigest()[:KEY_DIGITS]}-{said.count(said[-1])}"


def _moved(chip: Chip, to: int, parts: Sequence[Part]) -> str:
    return _("%(name)s is now %(number)s of %(all)s", name=chip.label, number=to + 1, all=len(parts))


def region_url(fields: Fields, at: int) -> str:
    """Return where a part of the picture is chosen that is part `at` of the question of `fields`."""
    return f"/region?{urlencode([*fields_query(fields), ('part', at)])}"


def _bare(backend: Backend, principal: Principal, part: Part, remove_url: str) -> Chip:
    if part.kind == "text":
        return Chip("text", part.value, remove_url)
    try:
        if part.kind == "picture":
            kept = get_query_picture(backend, part.value)
            label = _("part of this picture") if part.region else _("this picture")
            return Chip("picture", label, remove_url, f"/pictures/{kept.key}")
        image = get_image(backend, part.value, principal)
    except NotFound:
        gone = _("a picture that is no longer kept") if part.kind == "picture" else _("a picture that is gone")
        return Chip("picture" if part.kind == "picture" else "image", gone, remove_url)
    label = _("part of %(name)s", name=image.filename) if part.region else image.filename
    return Chip("image", label, remove_url, thumbnail_url(image, THUMBNAIL_SIZES[0]))


def _weights(fields: Fields, parts: Sequence[Part], at: int) -> tuple[Choice, ...]:
    present = parts[at].weight
    offered = sorted({*WEIGHTS, present})
    return tuple(
        Choice(_number(weight), url_of(fields, with_weight(parts, at, weight)), chosen=weight == present)
        for weight in offered
    )


def _weight_words(weight: float) -> str:
    return "" if weight == 1 else _number(weight)


def _number(weight: float) -> str:
    return f"{MINUS if weight < 0 else TIMES}{abs(weight):g}"
