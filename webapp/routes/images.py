"""`/images/{id}`: one image, its files, and what can be done with it."""

from dataclasses import replace
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.responses import Response

from pipeline import access, curation
from pipeline.backend import Backend
from pipeline.downloads import entity_tag, open_download
from pipeline.duplicate_checking import copies_of
from pipeline.duplicate_groups import groups_with
from pipeline.errors import InvalidQuery, StoreUnavailable
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.images import ImageRecord, ImageState
from pipeline.moderation_queue import decides, has_reported, waiting_of
from pipeline.originals import thumbnail
from pipeline.principals import Action, Principal
from pipeline.questions import Term
from pipeline.search import SearchQuery, search
from webapp.bank_words import bank_fields
from webapp.dependencies import BackendDependency, PrincipalDependency, RunningDependency, shell
from webapp.evidence_words import evidence_sentence, format_name, verdict_words
from webapp.facts import facts_of
from webapp.flash import leave_notice
from webapp.forms import FormDependency
from webapp.image_features import palette_bars, score_bars, word_links
from webapp.language import gettext as _
from webapp.language import ngettext
from webapp.moderation_words import told_of
from webapp.pages import Tile
from webapp.pages_image import CopyLink, ImagePage
from webapp.pages_watch import Watch
from webapp.pairs import compare_url
from webapp.rendering import page, wants_fragment
from webapp.reviewing import group_url
from webapp.security import FILE_POLICY
from webapp.stacks import stacked_tile
from webapp.tiles import display_url, image_url, region_url, tile_of_hit, tile_of_image

router = APIRouter(include_in_schema=False)

LIKES = 12  # tiles of "more like this"
MOST_COPIES = 12  # of them on the page of an image; the desk has all
INLINE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"})
"""Media types that browsers show and that hold pixels only; everything else is offered as a download."""

KnownHeader = Annotated[str, Header(alias="If-None-Match", include_in_schema=False)]
"""ETags of what the browser has kept."""


@router.get("/images/{image_id}")
def show_image(image_id: str, request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Show an image with its colors, category, facts and likes; a deleted one with the way back."""
    image = access.get_image(backend, image_id, principal, deleted_too=True)
    return page(request, "image.html", _page(request, backend, principal, image), block="details")


@router.get("/images/{image_id}/thumbnail")
def show_thumbnail(
    image_id: str,
    running: RunningDependency,
    principal: PrincipalDependency,
    px: Annotated[int, Query(ge=1, le=4096)] = THUMBNAIL_SIZES[0],
) -> Response:
    """Return a WebP derivative with at least `px` pixels on its long side, where the picture has them."""
    image = access.get_image(running.backend, image_id, principal, deleted_too=True)
    with running.pictures.noticing():
        return thumbnail_response(running.backend, image, px)


@router.get("/images/{image_id}/original")
def show_original(
    image_id: str,
    backend: BackendDependency,
    principal: PrincipalDependency,
    download: Annotated[bool, Query()] = False,
    if_none_match: KnownHeader = "",
) -> Response:
    """Return the very bytes, or all but their metadata where the server is set so."""
    image = access.get_image(backend, image_id, principal, deleted_too=True)
    return original_response(backend, image, download=download, known=if_none_match)


@router.post("/images/{image_id}/edit")
def edit_image(
    image_id: str,
    request: Request,
    backend: BackendDependency,
    principal: PrincipalDependency,
    form: FormDependency,
) -> Response:
    """Set caption and tags, and show them."""
    problem, status, typed = "", 200, None
    caption, tags = str(form.get("caption", "")), str(form.get("tags", ""))
    try:
        image = curation.edit(backend, image_id, principal, caption=caption, tags=tags.split(","))
    except InvalidQuery as error:
        problem, status, typed = error.user_message, 422, tags
        image = replace(access.get_image(backend, image_id, principal, Action.CHANGE), caption=caption)
    if not problem and not wants_fragment(request):
        return RedirectResponse(image_url(image), 303)
    content = _page(request, backend, principal, image, problem=problem, tags_text=typed)
    return page(request, "image.html", content, block="details", status_code=status)


@router.post("/images/{image_id}/delete")
def delete_image(image_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Delete an image; its page then offers the way back."""
    image = access.get_image(backend, image_id, principal, Action.CHANGE)
    curation.delete(backend, [image.id], principal)
    return RedirectResponse(image_url(image), 303)


@router.post("/images/{image_id}/restore")
def restore_image(image_id: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Bring a deleted image back; where a bank is asked about it first, its page is not there yet."""
    image = access.get_image(backend, image_id, principal, Action.CHANGE, deleted_too=True)
    restored = curation.restore(backend, [image.id], principal)
    if all(access.may_look(principal, one) for one in restored):
        return RedirectResponse(image_url(image), 303)
    response = RedirectResponse("/trash", 303)
    leave_notice(response, ngettext("%(number)s picture restored.", "%(number)s pictures restored.", len(restored)))
    return response


@router.post("/images/{image_id}/retry")
def retry_image(image_id: str, running: RunningDependency, principal: PrincipalDependency) -> Response:
    """Let the analysis of an image be tried again."""
    image = access.get_image(running.backend, image_id, principal, Action.CHANGE)
    curation.retry(running.backend, principal, [image.id])
    running.ring()
    return RedirectResponse(image_url(image), 303)


def thumbnail_response(backend: Backend, image: ImageRecord, px: int) -> Response:
    """Return a derivative; its address carries the hash of the picture, so it may be cached for good."""
    headers = {
        "Content-Security-Policy": FILE_POLICY,
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    return Response(thumbnail(backend, image, px), media_type="image/webp", headers=headers)


def original_response(backend: Backend, image: ImageRecord, *, download: bool, known: str = "") -> Response:
    """Return the original with headers under which nothing in it can act, unless its ETag is among those `known`."""
    kept = {
        "Cache-Control": "private, no-cache",
        "ETag": entity_tag(backend, image),
        "Content-Security-Policy": FILE_POLICY,  # with a 304 too: a browser may take its headers for those it has kept
    }
    if kept["ETag"] in known:
        return Response(status_code=304, headers=kept)
    sent = open_download(backend, image)
    disposition = "inline" if sent.media_type in INLINE_TYPES and not download else "attachment"
    headers = {
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(sent.filename, safe='')}",
        "Content-Length": str(sent.size_bytes),
    }
    return StreamingResponse(sent.chunks, media_type=sent.media_type, headers=headers | kept)


def _page(
    request: Request,
    backend: Backend,
    principal: Principal,
    image: ImageRecord,
    *,
    problem: str = "",
    tags_text: str | None = None,
) -> ImagePage:
    deleted = image.deleted_at is not None
    # Where originals are sent without their metadata, a page does not tell it either, but to whoever looks after them.
    with_exif = not backend.settings.strip_originals or access.may(principal, Action.CHANGE, image)
    copies = () if deleted else _copies(backend, principal, image)
    return ImagePage(
        shell=shell(
            request,
            notice=_("This picture is deleted. It is in no result any more.") if deleted else "",
            undo_url=f"{image_url(image)}/restore" if deleted else "",
        ),
        image=image,
        title=image.filename,
        display_url=display_url(image),
        original_url=f"{image_url(image)}/original",
        palette=palette_bars(image),
        same_colors_url=f"/?palette_of={image.id}" if image.color and not deleted else "",
        categories=score_bars(image),
        keywords=word_links(image),
        facts=facts_of(image, access.origins_of(backend, image, principal), with_exif=with_exif),
        likes=() if deleted else _likes(backend, principal, image),
        copies=copies,
        group_url=_group_url(backend, principal, image) if copies else "",
        more_like_this_url=f"/?like={image.id}",
        region_url=region_url(image),
        tags_text=", ".join(image.tags) if tags_text is None else tags_text,
        problem=problem,
        may_change=access.may(principal, Action.CHANGE, image),
        watch=_watch(backend, principal, image),
        **bank_fields(backend, principal, image),
    )


def _watch(backend: Backend, principal: Principal, image: ImageRecord) -> Watch:
    """Return what is offered of reporting and moderating an image; nothing for one in the trash."""
    if image.deleted_at is not None:
        return Watch()
    moderates = principal.may(Action.CHANGE, image.library)
    waiting = waiting_of(backend, image, principal)
    reported = image.state != ImageState.HELD and has_reported(backend, image, principal)
    return Watch(
        may_report=image.state != ImageState.HELD and not reported and not moderates,
        has_reported=reported,
        may_hold=moderates and image.state != ImageState.HELD,
        may_settle=bool(waiting) and decides(principal, image, waiting),
        told=tuple(told_of(case) for case in waiting),
    )


def _likes(backend: Backend, principal: Principal, image: ImageRecord) -> tuple[Tile, ...]:
    if image.state != ImageState.READY:
        return ()
    try:
        found = search(backend, SearchQuery((Term(image_id=image.id),), limit=LIKES, stacked=True), principal)
    except StoreUnavailable:
        # The page of an image is worth showing even while the vector engine is down; the search page says so.
        return ()
    likes = {"like": [image.id]}
    return tuple(
        replace(stacked_tile(tile_of_hit(hit), found.beneath, likes), compare_url=compare_url(image.id, hit.image.id))
        for hit in found.hits
        if hit.strength != "weak"
    )


def _copies(backend: Backend, principal: Principal, image: ImageRecord) -> tuple[CopyLink, ...]:
    """Return what was found beside an image; in the sentences it is the left one."""
    return tuple(
        CopyLink(
            tile=tile_of_image(other),
            verdict=verdict_words(comparison.verdict),
            sentence=evidence_sentence(comparison, (format_name(image.media_type), format_name(other.media_type))),
            compare_url=compare_url(image.id, other.id),
        )
        for other, comparison in copies_of(backend, image, principal)[:MOST_COPIES]
    )


def _group_url(backend: Backend, principal: Principal, image: ImageRecord) -> str:
    group = groups_with(backend, [image], principal).get(image.row)
    return group_url(group) if group else ""
