"""`/api/v1/images`: upload, list, read, change, delete and restore images."""

import time
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from pipeline import access, curation, listing
from pipeline.bank_matching import warnings_of
from pipeline.description import describe
from pipeline.duplicate_checking import copies_of, waiting_for_check
from pipeline.errors import ImageNotFound
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.images import ImageRecord, ImageState
from pipeline.ingest import accept, failure_code
from pipeline.labels import clean_filename
from pipeline.principals import Principal
from pipeline.uploads import spooled
from webapp import schemas
from webapp.api_form import ANY_CALL, api_errors, file_answer, filter_parameters, upload_body
from webapp.dependencies import BackendDependency, PrincipalDependency, Running, RunningDependency
from webapp.errors import STATUS_OF_CODE
from webapp.forms import FormDependency, fields_of, first, one_file, read_filter, read_truth
from webapp.identity import for_pictures
from webapp.routes.images import KnownHeader, original_response, thumbnail_response

router = APIRouter(prefix="/api/v1", tags=["images"], responses=ANY_CALL)

LONGEST_WAIT_SECONDS = 28.0  # with taking the picture in, and the last look, below the 30 that are promised
LONGEST_CHECK_SECONDS = 3.0  # more, for a picture that is analyzed, until it has been compared with the others
LOOK_SECONDS = 0.05  # between two looks at an image that is waited for; each is one read by primary key
MOST_LISTED = 200
DEFAULT_LISTED = 50


@router.post(
    "/images",
    status_code=201,
    response_model=schemas.UploadedImage,
    responses={**api_errors(413, 415), 200: {"model": schemas.UploadedImage}},
    openapi_extra=upload_body(library="string", caption="string", tags="strings", wait="boolean"),
)
@for_pictures
def upload_image(running: RunningDependency, principal: PrincipalDependency, form: FormDependency) -> Response:
    """Add a picture: 201 when it is new, 200 with `existing: true` when the very same bytes are there already.

    Bad pictures are refused at once where that can be seen. With `wait=true` the answer comes when the picture has
    been analyzed, after 30 s at most; when too many wait already, it is answered `waiting`. It then has the `copies`
    that were found beside the picture, as far as you may see them; null where it has not been compared yet. `warnings`
    are what banks of known pictures say of one that they let in.
    """
    fields = fields_of(form)
    wait = read_truth(fields, "wait")
    sent = one_file(form)
    backend = running.backend
    with spooled(sent.file, sent.filename or "", max_bytes=backend.settings.max_upload_bytes) as upload:
        accepted = accept(
            backend,
            upload,
            principal,
            library=first(fields, "library") or None,
            caption=first(fields, "caption"),
            tags=fields.get("tags", ()),
        )
    running.ring()
    image, may_see = accepted.image, principal.may_see(accepted.image.library)
    if wait and may_see:
        image = _wait_for(running, image, principal)
    if accepted.existing and not (may_see and access.may_look(principal, image)):
        # Who may add and not look is not told what others have written to the same bytes.
        image = replace(image, filename=clean_filename(sent.filename or ""), caption="", tags=())
    if wait and image.state == ImageState.FAILED:
        return _failed(running, image)
    copies = _copies(running, image, principal) if wait and may_see else None
    warnings = warnings_of(backend, image.row) if may_see and image.state == ImageState.READY else []
    body = describe(image) | {"existing": accepted.existing, "copies": copies, "warnings": warnings}
    return JSONResponse(body, 200 if accepted.existing else 201)


@router.get("/images", response_model=schemas.ImageList, openapi_extra=filter_parameters())
def list_images(
    request: Request,
    backend: BackendDependency,
    principal: PrincipalDependency,
    state: Annotated[ImageState | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = DEFAULT_LISTED,
    cursor: Annotated[str | None, Query()] = None,
) -> dict[str, Any]:
    """List images in one state, or in all but `held`, newest first, narrowed by the filters of a search.

    With `state=held` those are listed that are held in libraries that you moderate, and those that you have sent.
    """
    where = read_filter(fields_of(request.query_params))
    found = listing.list_images(backend, where, principal, state=state, limit=limit, cursor=cursor)
    return {"images": [describe(image) for image in found.images], "next": found.next_cursor}


@router.get("/images/{image_id}", response_model=schemas.Image, responses=api_errors(404))
def get_image(image_id: str, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Return one image."""
    return describe(access.get_image(backend, image_id, principal, own_held_too=True))


@router.patch("/images/{image_id}", response_model=schemas.Image, responses=api_errors(404))
def change_image(
    image_id: str, patch: schemas.ImagePatch, backend: BackendDependency, principal: PrincipalDependency
) -> dict[str, Any]:
    """Set the caption, or replace the tags."""
    return describe(curation.edit(backend, image_id, principal, caption=patch.caption, tags=patch.tags))


@router.delete("/images/{image_id}", status_code=204, response_class=Response, responses=api_errors(404))
def delete_image(
    image_id: str,
    backend: BackendDependency,
    principal: PrincipalDependency,
    purge: Annotated[bool, Query()] = False,
) -> Response:
    """Delete an image from every result at once. It can be restored for 30 days, unless `purge=true`."""
    if not curation.delete(backend, [image_id], principal, purge=purge):
        raise ImageNotFound(access.GONE)
    return Response(status_code=204)


@router.post("/images/{image_id}/restore", response_model=schemas.Image, responses=api_errors(404))
def restore_image(image_id: str, backend: BackendDependency, principal: PrincipalDependency) -> dict[str, Any]:
    """Bring a deleted image back."""
    restored = curation.restore(backend, [image_id], principal)
    if not restored:
        raise ImageNotFound(access.GONE)
    return describe(restored[0])


@router.get("/images/{image_id}/original", response_class=Response, responses=file_answer("image/*") | api_errors(404))
def get_original(
    image_id: str, backend: BackendDependency, principal: PrincipalDependency, if_none_match: KnownHeader = ""
) -> Response:
    """Return the very bytes that were uploaded, or all but their metadata where the server is set so."""
    image = access.get_image(backend, image_id, principal)
    return original_response(backend, image, download=False, known=if_none_match)


@router.get(
    "/images/{image_id}/thumbnail", response_class=Response, responses=file_answer("image/webp") | api_errors(404)
)
def get_thumbnail(
    image_id: str,
    backend: BackendDependency,
    principal: PrincipalDependency,
    px: Annotated[int, Query(ge=1, le=4096)] = THUMBNAIL_SIZES[0],
) -> Response:
    """Return a WebP derivative with at least `px` pixels on its long side, where the picture has them."""
    return thumbnail_response(backend, access.get_image(backend, image_id, principal), px)


def _wait_for(running: Running, image: ImageRecord, principal: Principal) -> ImageRecord:
    """Look at an image until it is analyzed, and a little longer until it is compared, if there is room for waiting.

    Raises ImageNotFound when somebody deletes it meanwhile.
    """
    if not running.waiters.acquire(blocking=False):
        return image
    running.worker.hurried.add(image.row)
    try:
        until = time.monotonic() + LONGEST_WAIT_SECONDS
        while image.state == ImageState.WAITING and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
            image = access.get_image(running.backend, image.id, principal, own_held_too=True)
        until = min(until, time.monotonic() + LONGEST_CHECK_SECONDS)
        while waiting_for_check(running.backend, [image]) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        return image
    finally:
        running.worker.hurried.discard(image.row)
        running.waiters.release()


def _copies(running: Running, image: ImageRecord, principal: Principal) -> list[dict[str, str]] | None:
    """Return what was found beside an image; None where it has not been compared yet."""
    if image.state != ImageState.READY or waiting_for_check(running.backend, [image]):
        return None
    found = copies_of(running.backend, image, principal)
    return [{"id": other.id, "verdict": comparison.verdict} for other, comparison in found]


def _failed(running: Running, image: ImageRecord) -> Response:
    code = failure_code(running.backend, image)
    body = describe(image) | {"error": {"code": code, "message": image.error}}
    return JSONResponse(body, STATUS_OF_CODE.get(code, 422))
