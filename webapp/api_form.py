"""What the OpenAPI document says of bodies and errors that FastAPI cannot read off a signature."""

from typing import Any

from webapp import schemas
from webapp.filter_help import FLAGS, REPEATED, SINGLE, VIEW

KINDS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "strings": {"type": "array", "items": {"type": "string"}},
    "integers": {"type": "array", "items": {"type": "integer"}},
    "colors": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Up to five colors such as #2f6fd0. With the share each should have, as in #2f6fd0:0.4, and no"
        " other question, what fits them best comes first; color_tolerance is then that of the mean difference.",
    },
    "colors of an image": {
        "type": "string",
        "description": "The id of an image; as if its colors had been asked for with their shares.",
    },
    "background": {
        "type": "boolean",
        "description": "Leave out colors that surround what a picture shows, in what is asked for and what is found.",
    },
    "objects": {"type": "array", "items": {"type": "object"}},
    "file": {"type": "string", "format": "binary"},
}
FILTERS = {
    "library": "string",
    "category": "strings",
    "scheme": "strings",
    "color": "colors",
    "color_tolerance": "number",
    "color_share": "number",
    "palette_of": "colors of an image",
    "ignore_background": "background",
    "color_name": "strings",
    "min_brightness": "number",
    "max_brightness": "number",
    "min_saturation": "number",
    "max_saturation": "number",
    "tag": "strings",
    "without_tag": "strings",
    "uploader": "strings",
    "orientation": "strings",
    "size": "strings",
    "format": "strings",
    "taken_year": "integers",
    "monochrome": "boolean",
    "created_after": "string",
    "created_before": "string",
    "taken_after": "string",
    "taken_before": "string",
    "min_width": "integer",
    "max_width": "integer",
    "min_height": "integer",
    "max_height": "integer",
    "min_bytes": "integer",
    "max_bytes": "integer",
}
"""The filters of listings and searches with their kinds."""

FILTER_HELP = {**REPEATED, **SINGLE, **FLAGS}

MEANING = {
    401: "Nobody said who asks, or with a token that is not valid.",
    403: "The role or the token does not reach that far, or another website asked.",
    404: "There is no such thing.",
    409: "It cannot be done as things stand.",
    413: "Too many bytes or pixels.",
    415: "Not a picture that can be read.",
    422: "A damaged picture, or a wrong parameter.",
    429: "Too much at once; Retry-After says when to try again.",
    503: "A store is down; Retry-After says when to try again.",
}


def upload_body(**fields: str) -> dict[str, Any]:
    """Describe a multipart body with one required `file` and the other `fields`, name to kind."""
    properties = {"file": KINDS["file"]} | {name: KINDS[kind] for name, kind in fields.items()}
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def search_body(**fields: str) -> dict[str, Any]:
    """Describe a body that may be JSON, or multipart when it has a `file`."""
    properties = {name: _schema(name, kind) for name, kind in fields.items()}
    json_schema = {"type": "object", "properties": properties}
    form_schema = {"type": "object", "properties": {"file": KINDS["file"]} | properties}
    content = {"application/json": {"schema": json_schema}, "multipart/form-data": {"schema": form_schema}}
    return {"requestBody": {"required": True, "content": content}}


def api_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a call."""
    return {status: {"model": schemas.Error, "description": MEANING[status]} for status in statuses}


def file_answer(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Describe a call that answers with the bytes of a file."""
    return {200: {"description": "The file.", "content": {media_type: {"schema": KINDS["file"]}}}}


def filter_parameters() -> dict[str, Any]:
    """Describe the filters of a listing, which are read together and not one by one."""
    parameters = [
        {"name": name, "in": "query", "description": FILTER_HELP[name], "schema": KINDS[kind]}
        for name, kind in FILTERS.items()
    ]
    return {"parameters": parameters}


def _schema(name: str, kind: str) -> dict[str, Any]:
    text = (FILTER_HELP | VIEW).get(name)
    return KINDS[kind] | ({"description": text} if text else {})


ANY_CALL = api_errors(401, 403, 422, 503)
"""What every call can meet: no token or one that may not, a wrong parameter, a store that is down."""
