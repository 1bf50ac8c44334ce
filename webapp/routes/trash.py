"""`/trash`: what was deleted and can still be restored."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline import listing
from pipeline.principals import Action
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.forms import fields_of, read_integer
from webapp.language import gettext as _
from webapp.pages import TrashPage
from webapp.rendering import page
from webapp.tiles import tile_of_image
from webapp.wording import days_in_words

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 120  # tiles shown at once
DEEPEST = 1_000_000


@router.get("/trash")
def show_trash(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """List the deleted images that the visitor may restore, those deleted last first."""
    offset = read_integer(fields_of(request.query_params), "offset", 0, DEEPEST) or 0
    images, has_more = listing.list_deleted(backend, principal, limit=PAGE_SIZE, offset=offset)
    content = TrashPage(
        shell=shell(request),
        explanation=_explanation(bool(images), backend.settings.trash_days),
        tiles=tuple(tile_of_image(image) for image in images),
        older_url=f"/trash?offset={offset + PAGE_SIZE}" if has_more else None,
        may_purge=principal.libraries(Action.PURGE) != frozenset(),
    )
    return page(request, "trash.html", content)


def _explanation(any_images: bool, days: float) -> str:
    if not any_images:
        return _("The trash is empty. What you delete can be found here and restored.")
    return _(
        "Deleted pictures are kept for %(days)s. Select those that you want to have back.", days=days_in_words(days)
    )
