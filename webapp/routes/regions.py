"""`/region`: choosing the part of a picture that a search is for, by drawing a box or by typing four numbers."""

from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline.access import get_image
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery
from pipeline.principals import Principal
from pipeline.query_pictures import Region, get_query_picture
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.forms import Fields, fields_of, first, read_integer, read_number
from webapp.language import gettext as _
from webapp.links import fields_query
from webapp.pages import RegionPage
from webapp.query_parts import MOST_PARTS, Part, read_parts, read_region, url_of
from webapp.rendering import page
from webapp.tiles import display_url

router = APIRouter(include_in_schema=False)

SIDES = ("left", "top", "width", "height")
DEFAULT = Region(0.25, 0.25, 0.5, 0.5)
NO_PICTURE = "This part of the search is no picture. Please choose one of its pictures."


@router.get("/region")
def choose_region(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Show the picture that is part number `part` of a search; with the four sides, lead to the search for that box.

    The sides are in percent of the picture, as people read them. A box that reaches beyond it is cut at its edge.
    """
    fields = fields_of(request.query_params)
    parts = read_parts(fields)
    at = read_integer(fields, "part", 0, MOST_PARTS - 1) or 0
    if at >= len(parts) or parts[at].kind == "text":
        raise InvalidQuery(NO_PICTURE)
    problem = ""
    if any(fields.get(side) for side in SIDES):
        try:
            chosen = replace(parts[at], region=_typed(fields))
            return RedirectResponse(url_of(fields, [*parts[:at], chosen, *parts[at + 1 :]]), 303)
        except InvalidQuery as error:
            problem = error.user_message
    content = _page(request, backend, principal, fields, parts, at, problem)
    return page(request, "region.html", content, status_code=422 if problem else 200)


def _typed(fields: Fields) -> Region:
    x, y, width, height = (_fraction(fields, side) for side in SIDES)
    return read_region(f"{x},{y},{min(width, 1 - x)},{min(height, 1 - y)}")


def _fraction(fields: Fields, side: str) -> float:
    number = read_number(fields, side, 0, 100)
    if number is None:
        raise InvalidQuery("A part needs four numbers: left, top, width and height, in percent of the picture.")
    return number / 100


def _page(
    request: Request,
    backend: Backend,
    principal: Principal,
    fields: Fields,
    parts: tuple[Part, ...],
    at: int,
    problem: str,
) -> RegionPage:
    part = parts[at]
    if part.kind == "picture":
        kept = get_query_picture(backend, part.value)
        name, address, width, height = _("the picture"), f"/pictures/{kept.key}", kept.width, kept.height
    else:
        image = get_image(backend, part.value, principal)
        name, address, width, height = image.filename, display_url(image), image.width, image.height
    region = part.region or DEFAULT
    shown = [f"{100 * side:.1f}" for side in (region.x, region.y, region.width, region.height)]
    if problem:
        shown = [first(fields, side) for side in SIDES]
    return RegionPage(
        shell=shell(request, "search"),
        name=name,
        picture_url=address,
        width=max(1, width),
        height=max(1, height),
        sides=tuple(zip(SIDES, shown, strict=True)),
        query_fields=(*fields_query(fields), ("part", str(at))),
        back_url=url_of(fields, parts),
        problem=problem,
    )
