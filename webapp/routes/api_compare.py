"""`POST /api/v1/compare`: what two pictures are to each other, and why."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData

from pipeline import access
from pipeline.comparing import compare_images
from pipeline.errors import InvalidQuery
from pipeline.uploads import spooled
from webapp import schemas_compare
from webapp.api_form import ANY_CALL, KINDS, api_errors
from webapp.dependencies import BackendDependency, PrincipalDependency
from webapp.evidence_words import describe_comparison
from webapp.forms import FormDependency, fields_of, files_of

router = APIRouter(prefix="/api/v1", tags=["duplicates"], responses=ANY_CALL)

SIDES = ("a", "b")
ONE_EACH = "a and b are each the id of a picture or one file."

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": list(SIDES),
                    "properties": {side: {"type": "string", "description": "The id of an image."} for side in SIDES},
                }
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": list(SIDES),
                    "properties": {
                        side: {"oneOf": [KINDS["file"], KINDS["string"]], "description": "A file, or an id."}
                        for side in SIDES
                    },
                }
            },
        },
    }
}


class CompareBody:
    """What was sent: the id of each side, "" where it is a file in `form`."""

    def __init__(self, ids: dict[str, str], form: FormData | None) -> None:
        self.ids = ids
        self.form = form


async def read_body(request: Request, form: FormDependency) -> CompareBody:
    """Read the two sides, from JSON or a form. Raises InvalidQuery."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        fields = fields_of(form)
        ids = {side: sent[0] if len(sent := fields.get(side, ())) == 1 else "" for side in SIDES}
        for side in SIDES:
            if len(fields.get(side, ())) + len(files_of(form, side)) != 1:
                raise InvalidQuery(ONE_EACH)
        return CompareBody(ids, form)
    return CompareBody(_ids_of_json(await request.body()), None)


@router.post(
    "/compare",
    response_model=schemas_compare.Comparison,
    responses=api_errors(404, 413, 415),
    openapi_extra=BODY,
)
def post_compare(
    backend: BackendDependency, principal: PrincipalDependency, body: Annotated[CompareBody, Depends(read_body)]
) -> dict[str, Any]:
    """Compare two pictures: images that are here, or files, of which nothing is kept.

    The verdict is one of `identical`, `re-encoded`, `edited`, `same-scene`, `similar` and `different`. The evidence
    says what was found, with `sentence` for people, in which a is the left one and b the right one.
    """
    access.check_reading(principal)
    with ExitStack() as stack:
        sides: list[str | Path] = []
        for side in SIDES:
            if body.form is None or body.ids[side]:
                sides.append(body.ids[side])
                continue
            sent = files_of(body.form, side)[0]
            limit = backend.settings.max_upload_bytes
            sides.append(stack.enter_context(spooled(sent.file, sent.filename or "", max_bytes=limit)).path)
        return describe_comparison(compare_images(backend, sides[0], sides[1], principal))


def _ids_of_json(raw: bytes) -> dict[str, str]:
    try:
        values = json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidQuery("The body of this comparison is not valid JSON.") from error
    if not isinstance(values, dict) or not all(isinstance(values.get(side), str) for side in SIDES):
        raise InvalidQuery(ONE_EACH)
    return {side: values[side] for side in SIDES}
