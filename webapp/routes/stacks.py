"""`/images/{id}/stack`: all pictures that lie in one stack of a result, each as a tile of its own."""

from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline import access
from pipeline.duplicate_groups import groups_with
from pipeline.images import ImageRecord
from pipeline.stacking import Stack, get_stack
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.evidence_words import format_name
from webapp.forms import Fields, fields_of, read_filter, read_integer
from webapp.language import gettext as _
from webapp.language import ngettext
from webapp.links import filters_only, search_url
from webapp.pages import Tile
from webapp.pages_stacks import StackPage
from webapp.pairs import compare_url
from webapp.rendering import page
from webapp.reviewing import group_url
from webapp.routes.search import with_library_ids
from webapp.stacks import stack_url
from webapp.tiles import tile_of_image
from webapp.wording import as_size, dimensions

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 120  # tiles below the one on top, shown at once
DEEPEST = 1_000_000


@router.get("/images/{image_id}/stack")
def show_stack(image_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """List an image and what is nearly the same, as far as it passes the filters of the search in the address."""
    fields = with_library_ids(backend, principal, fields_of(request.query_params))
    offset = read_integer(fields, "offset", 0, DEEPEST) or 0
    stack = get_stack(backend, image_id, read_filter(fields), principal, limit=PAGE_SIZE, offset=offset)
    end = offset + len(stack.under)
    address = stack_url(stack.top, fields)
    group = groups_with(backend, [stack.top], principal).get(stack.top.row)
    content = StackPage(
        shell=shell(request, "search"),
        name=stack.top.filename,
        explanation=_explanation(stack, fields),
        tiles=_tiles(stack),
        back_url=search_url(fields),
        more_url=f"{address}{'&' if '?' in address else '?'}offset={end}" if end + 1 < stack.total else "",
        review_url=group_url(group) if group else "",
        may_change=access.may_change_any(principal),
    )
    return page(request, "stack.html", content)


def _tiles(stack: Stack) -> tuple[Tile, ...]:
    beside = (replace(_tile(image), compare_url=compare_url(stack.top.id, image.id)) for image in stack.under)
    return (_tile(stack.top), *beside)


def _tile(image: ImageRecord) -> Tile:
    """Return a tile that says what there is to tell apart of pictures that look the same."""
    facts = (dimensions(image), format_name(image.media_type), as_size(image.bytes))
    return replace(tile_of_image(image), reason=" · ".join(facts))


def _explanation(stack: Stack, fields: Fields) -> str:
    found = ngettext(
        "%(number)s picture: the same in several files, formats or sizes.",
        "%(number)s pictures: the same in several files, formats or sizes.",
        stack.total,
    )
    if not stack.under:
        found = _("Nothing else is nearly the same.")
    narrowed = _("Only what passes the filters of the search is shown.") if filters_only(fields) else ""
    return " ".join(sentence for sentence in (found, narrowed) if sentence)
