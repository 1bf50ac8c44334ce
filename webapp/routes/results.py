"""`/results.json` and `/results.csv`: what the search page shows under the same address, as a file to keep."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.responses import Response

from pipeline import access
from pipeline.backend import Backend
from pipeline.errors import LibraryNotFound
from pipeline.images import ImageRecord
from pipeline.principals import Principal
from pipeline.results_files import AddressOf, csv_lines, json_of
from pipeline.search import SearchResult, search
from webapp.dependencies import BackendDependency, PrincipalDependency
from webapp.forms import fields_of
from webapp.links import absolute_url
from webapp.routes.search import query_of, with_library_ids
from webapp.tiles import image_url

router = APIRouter(include_in_schema=False)

MOST_RESULTS = 1000  # in one file; the API pages through more


@router.get("/results.json")
def save_as_json(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Download what was found as JSON, in the words of the API."""
    found = _search(request, backend, principal)
    return JSONResponse(json_of(found, _address_of(request)), headers=_headers("json"))


@router.get("/results.csv")
def save_as_csv(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Download what was found as CSV, a row for each picture."""
    lines = csv_lines(_search(request, backend, principal), _address_of(request))
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=_headers("csv"))


def _search(request: Request, backend: Backend, principal: Principal) -> SearchResult:
    fields = with_library_ids(backend, principal, fields_of(request.query_params))
    known = access.library_labels(backend, principal)
    if any(library not in known for library in fields.get("library", ())):
        raise LibraryNotFound(access.NO_LIBRARY)  # the same for one of others as for one that does not exist
    return search(backend, query_of(fields, limit=MOST_RESULTS), principal)


def _address_of(request: Request) -> AddressOf:
    def address_of(image: ImageRecord) -> str:
        return absolute_url(request, image_url(image))

    return address_of


def _headers(ending: str) -> dict[str, str]:
    name = f"likeness-results-{datetime.now(UTC):%Y-%m-%d}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
