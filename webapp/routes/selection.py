"""`/selection`: what is done with many selected images at once."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.datastructures import QueryParams
from starlette.responses import Response

from pipeline import access, curation
from pipeline.backend import Backend
from pipeline.errors import ImageNotFound, InvalidQuery
from pipeline.images import ImageRecord
from pipeline.principals import Action, Principal
from pipeline.zipping import zip_of_originals
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.flash import leave_notice
from webapp.forms import Fields, FormDependency, fields_of, first
from webapp.language import gettext as _
from webapp.language import marked, marked_forms, ngettext
from webapp.links import is_own_address
from webapp.pages import SelectionPage
from webapp.pairs import compare_url
from webapp.query_parts import Part, check_room, read_parts, url_of
from webapp.rendering import page
from webapp.tiles import tile_of_image
from webapp.wording import sentences

router = APIRouter(include_in_schema=False)

MOST_IMAGES = 1000
Asked = Literal["delete", "purge"]
ASKED: dict[str, Asked] = {"delete": "delete", "purge": "purge"}
CONSEQUENCES: dict[Asked, str] = {
    "delete": marked("They disappear from every result at once; you can undo it."),
    "purge": marked("Nothing can bring them back then, except the files themselves."),
}
TOWARD = {"more": 1.0, "less": -0.5}
"""The weight of images that results should be more like, or less: less against than for, as in Rocchio's relevance
feedback (1971), because what somebody does not want says less than what they want."""
NOTHING_LEFT = "None of the selected pictures is there any more. Please reload the page."


@router.post("/selection")
def act_on_selection(
    request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Tag, delete, restore, pack or search with the selected images, and go back to where they were selected."""
    fields = fields_of(form)
    ids = fields.get("image", ())
    if not ids:
        raise InvalidQuery("No picture is selected. Please select at least one.")
    if len(ids) > MOST_IMAGES:
        raise InvalidQuery(f"At most {MOST_IMAGES:,} pictures can be selected at once.")
    action = first(fields, "action")
    if action in TOWARD:
        return _search_with(fields, TOWARD[action])
    if action == "compare":
        return _compare(ids)
    if action == "zip":
        return _pack(backend, principal, ids)
    asked = ASKED.get(action)
    if asked and not first(fields, "confirmed"):
        return _ask(request, backend, principal, asked, fields)
    back = first(fields, "back", "/")
    response = RedirectResponse(back if is_own_address(back) else "/", 303)
    notice, undo_ids = _act(backend, principal, action, fields)
    leave_notice(response, notice, undo_ids)
    return response


def _act(backend: Backend, principal: Principal, action: str, fields: Fields) -> tuple[str, tuple[str, ...]]:
    """Do it; return what was done in words, and the images for which it can be undone."""
    images, done = _changed(backend, principal, action, fields)
    if not images:
        raise ImageNotFound(NOTHING_LEFT)
    return ngettext(*done, len(images)), tuple(image.id for image in images) if action == "delete" else ()


def _changed(
    backend: Backend, principal: Principal, action: str, fields: Fields
) -> tuple[list[ImageRecord], tuple[str, str]]:
    """Do it; return the images, and what was done in words, for one picture and for several."""
    ids = fields["image"]
    if action == "delete":
        return curation.delete(backend, ids, principal), marked_forms(
            "%(number)s picture deleted.", "%(number)s pictures deleted."
        )
    if action == "purge":
        return curation.delete(backend, ids, principal, purge=True), marked_forms(
            "%(number)s picture deleted for good.", "%(number)s pictures deleted for good."
        )
    if action == "restore":
        return curation.restore(backend, ids, principal), marked_forms(
            "%(number)s picture restored.", "%(number)s pictures restored."
        )
    if action == "tag":
        tags = first(fields, "tags").split(",")
        if not any(tag.strip() for tag in tags):
            raise InvalidQuery("Please write at least one tag.")
        return curation.add_tags(backend, ids, principal, tags), marked_forms(
            "%(number)s picture tagged.", "%(number)s pictures tagged."
        )
    raise InvalidQuery("This cannot be done with a selection. It can be tagged, deleted, restored or downloaded.")


def _ask(request: Request, backend: Backend, principal: Principal, action: Asked, fields: Fields) -> Response:
    for_good = action == "purge"
    needed = Action.PURGE if for_good else Action.CHANGE
    images = access.get_images(backend, fields["image"], principal, needed, deleted_too=for_good)
    if not images:
        raise ImageNotFound(NOTHING_LEFT)
    back = first(fields, "back", "/")
    number = len(images)
    if for_good:
        what = ngettext("Delete %(number)s picture for good", "Delete %(number)s pictures for good", number)
    else:
        what = ngettext("Delete %(number)s picture", "Delete %(number)s pictures", number)
    content = SelectionPage(
        shell=shell(request),
        action=action,
        question=sentences(_("%(what)s?", what=what), _(CONSEQUENCES[action])),
        button=what,
        tiles=tuple(tile_of_image(image) for image in images),
        back_url=back if is_own_address(back) else "/",
    )
    return page(request, "selection.html", content)


def _search_with(fields: Fields, weight: float) -> Response:
    """Lead to the search that was looked at, with the selected images as parts of its question."""
    before = fields_of(QueryParams(urlsplit(first(fields, "back", "/")).query))
    known = {part.value for part in read_parts(before)}
    added = [Part("like", image_id, weight) for image_id in dict.fromkeys(fields["image"]) if image_id not in known]
    check_room(read_parts(before), len(added))
    return RedirectResponse(url_of(before, [*read_parts(before), *added]), 303)


def _compare(ids: Sequence[str]) -> Response:
    pair = tuple(dict.fromkeys(ids))
    if len(pair) != 2:  # noqa: PLR2004 - a pair
        raise InvalidQuery("Two pictures can be compared. Please select just two.")
    return RedirectResponse(compare_url(*pair), 303)


def _pack(backend: Backend, principal: Principal, ids: Sequence[str]) -> Response:
    images = access.get_images(backend, ids, principal)
    if not images:
        raise ImageNotFound(NOTHING_LEFT)
    name = f"likeness-{datetime.now(UTC):%Y-%m-%d}-{len(images)}-pictures.zip"
    chunks: Iterator[bytes] = zip_of_originals(backend, images)
    begun = next(chunks)  # a store that is down is met here, while the answer can still say so
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(chain([begun], chunks), media_type="application/zip", headers=headers)
