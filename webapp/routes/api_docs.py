"""`/api/v1/docs`: the OpenAPI document as a page that needs no script."""

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from webapp.dependencies import shell
from webapp.pages_api_docs import ApiDocsPage, Operation
from webapp.rendering import page

router = APIRouter(include_in_schema=False)

INTRODUCTION = (
    "Everything the pages do, programs can do too. Errors are always "
    '{"error": {"code", "message"}} with the right status. Where people log in, programs send a token: '
    "Authorization: Bearer TOKEN. It is made on the account page."
)
EXAMPLES = {
    ("post", "/api/v1/images"): "curl -F file=@photo.jpg -F wait=true {base}/api/v1/images",
    ("post", "/api/v1/search"): "curl -F file=@photo.jpg -F limit=10 {base}/api/v1/search",
    ("get", "/api/v1/images"): "curl '{base}/api/v1/images?category=animal&limit=20'",
}


@router.get("/api/v1/docs")
def show_docs(request: Request) -> Response:
    """List every call with its parameters, answers and an example."""
    document = request.app.openapi()
    base = str(request.base_url).rstrip("/")
    operations = tuple(
        _operation(method, path, details, base)
        for path, methods in document["paths"].items()
        for method, details in methods.items()
    )
    content = ApiDocsPage(shell(request), "HTTP API", INTRODUCTION, operations)
    return page(request, "api_docs.html", content)


def _operation(method: str, path: str, details: dict[str, Any], base: str) -> Operation:
    parameters = [
        (item["name"], _kind(item["schema"]), "in the address" if item["in"] == "path" else "after the ?")
        for item in details.get("parameters", [])
    ]
    for media_type, body in details.get("requestBody", {}).get("content", {}).items():
        properties = body["schema"].get("properties", {})
        parameters += [(name, _kind(schema), media_type) for name, schema in properties.items()]
    return Operation(
        method=method.upper(),
        path=path,
        anchor=details["operationId"],
        summary=details.get("summary", ""),
        description=details.get("description", ""),
        parameters=tuple(parameters),
        responses=tuple((status, item.get("description", "")) for status, item in details["responses"].items()),
        example=EXAMPLES.get((method, path), "").format(base=base),
    )


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"] if option.get("type") != "null")
    if schema.get("format") == "binary":
        return "file"
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("type") or json.dumps(schema.get("enum", schema.get("$ref", "any"))).strip('"'))
