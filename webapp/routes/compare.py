"""`/compare`: what two pictures are to each other, of the library or from files that are not kept."""

from contextlib import ExitStack

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from pipeline import access
from pipeline.backend import Backend
from pipeline.comparing import compare_images
from pipeline.errors import ImageRejected, InvalidQuery
from pipeline.principals import Principal
from pipeline.uploads import Upload, spooled
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.forms import FormDependency, fields_of, files_of, first
from webapp.pages_duplicates import ComparePage, Pair
from webapp.pairs import compare_url, pair_of, side_of_file, side_of_image
from webapp.rendering import page

router = APIRouter(include_in_schema=False)

TWO_FILES = "Please choose two pictures, one for each side."
TWO_PICTURES = "Please name two pictures to compare."


@router.get("/compare")
def show_comparison(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Compare the images `a` and `b`; without them, offer to compare files."""
    fields = fields_of(request.query_params)
    ids = [first(fields, name) for name in ("a", "b")]
    if not any(ids):
        return page(request, "compare.html", ComparePage(shell(request)))
    if not all(ids):
        raise InvalidQuery(TWO_PICTURES)
    content = ComparePage(
        shell=shell(request),
        pair=pair_of_images(backend, ids[0], ids[1], principal),
        swapped_url=compare_url(ids[1], ids[0]),
    )
    return page(request, "compare.html", content)


@router.post("/compare")
def compare_files(
    request: Request, backend: BackendDependency, principal: PrincipalDependency, form: FormDependency
) -> Response:
    """Compare two files, of which nothing is kept."""
    access.check_reading(principal)
    files = [_file_of(form, name) for name in ("a", "b")]
    try:
        pair = _pair_of_files(backend, files[0], files[1], principal)
    except ImageRejected as error:
        content = ComparePage(shell(request), problem=error.user_message)
        return page(request, "compare.html", content, status_code=422)
    return page(request, "compare.html", ComparePage(shell(request), pair=pair))


def pair_of_images(backend: Backend, left_id: str, right_id: str, principal: Principal) -> Pair:
    """Return two images side by side. Raises ImageNotFound for what does not exist for `principal`."""
    left, right = (access.get_image(backend, image_id, principal) for image_id in (left_id, right_id))
    comparison = compare_images(backend, left.id, right.id, principal)
    sides = [side_of_image(backend, image, principal) for image in (left, right)]
    return pair_of(sides[0], sides[1], comparison)


def _pair_of_files(backend: Backend, left: UploadFile, right: UploadFile, principal: Principal) -> Pair:
    with ExitStack() as stack:
        uploads: list[Upload] = [
            stack.enter_context(spooled(sent.file, sent.filename or "", max_bytes=backend.settings.max_upload_bytes))
            for sent in (left, right)
        ]
        sides = [side_of_file(upload, backend.decoders.decode(upload.path)) for upload in uploads]
        comparison = compare_images(backend, uploads[0].path, uploads[1].path, principal)
    return pair_of(sides[0], sides[1], comparison)


def _file_of(form: FormData, name: str) -> UploadFile:
    files = files_of(form, name)
    if len(files) != 1:
        raise InvalidQuery(TWO_FILES)
    return files[0]
