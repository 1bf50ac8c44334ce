"""`POST /api/v1/search`: by picture, image, text or a weighted mixture of them, with filters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData

from pipeline import access
from pipeline.backend import Backend
from pipeline.description import describe_result
from pipeline.errors import InvalidQuery
from pipeline.fetching import Fetcher
from pipeline.principals import Principal
from pipeline.query_pictures import read_query_picture
from pipeline.questions import Term
from pipeline.search import SearchQuery, search
from pipeline.uploads import spooled
from webapp import schemas
from webapp.api_form import ANY_CALL, FILTERS, api_errors, search_body
from webapp.dependencies import BackendDependency, PrincipalDependency, RunningDependency
from webapp.forms import (
    Fields,
    FormDependency,
    fields_of,
    files_of,
    first,
    one_file,
    read_filter,
    read_integer,
    read_sort,
    read_states,
    read_text,
    read_weights,
)
from webapp.query_parts import MOST_PARTS, check_weight, read_region

router = APIRouter(prefix="/api/v1", tags=["search"], responses=ANY_CALL)

MOST_RESULTS = 100
DEFAULT_RESULTS = 20
DEEPEST = 10_000
LARGEST_JSON_BYTES = 1 << 20

ONE_ADDRESS = "Only one address can be searched with. Please send one url."


class SearchBody:
    """What was sent, whether as JSON or as a form: fields of text, and the form when there may be a file."""

    def __init__(self, fields: Fields, terms: object, form: FormData | None) -> None:
        self.fields = fields
        self.terms = terms
        self.form = form


async def read_body(request: Request, form: FormDependency) -> SearchBody:
    """Read the body of a search. Raises InvalidQuery when it is neither JSON nor a form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        fields = fields_of(form)
        return SearchBody(fields, _json(first(fields, "terms", "null")), form)
    raw = await request.body()
    if len(raw) > LARGEST_JSON_BYTES:
        raise InvalidQuery("The body of this search is too large.")
    values = _json(raw or b"{}")
    if not isinstance(values, dict):
        raise InvalidQuery("The body of a search is a JSON object or a multipart form.")
    return SearchBody(_fields_of_json(values), values.get("terms"), None)


@router.post(
    "/search",
    response_model=schemas.SearchAnswer,
    response_model_exclude_unset=True,
    responses=api_errors(404, 413, 415, 429),
    openapi_extra=search_body(
        image_id="string",
        url="string",
        text="string",
        terms="objects",
        region="string",
        content_weight="number",
        words_weight="number",
        limit="integer",
        offset="integer",
        sort="string",
        state="strings",
        **FILTERS,
    ),
)
def post_search(
    running: RunningDependency,
    backend: BackendDependency,
    principal: PrincipalDependency,
    body: Annotated[SearchBody, Depends(read_body)],
) -> dict[str, Any]:
    """Return the images that answer, best first; with filters only, list them.

    A list is newest first, unless colors are asked for: then those that fit best come first, and `why` says what each
    color has found, with the CIEDE2000 difference and the share.

    Weak hits are in the results too, marked by their `strength`, unless `sort` asks for another order. A text is looked
    for in two ways, in what pictures show and in the words of captions, tags and file names; `content_weight` and
    `words_weight`, 0 to 2, say what each counts, and 0 leaves it out. `text` is one text as it stands: signs and
    weights in it mean nothing, as they do in the text box of the page; parts with weights are sent as `terms`.

    With `url` the picture at that address is fetched.
    """
    fields = body.fields
    query = SearchQuery(
        where=read_filter(fields),
        sort=read_sort(fields),
        states=read_states(fields),
        limit=read_integer(fields, "limit", 1, MOST_RESULTS) or DEFAULT_RESULTS,
        offset=read_integer(fields, "offset", 0, DEEPEST) or 0,
        weights=read_weights(fields),
    )
    # Last of all: an address is fetched only for a search that can be run.
    query = replace(query, terms=_terms(backend, running.fetcher, principal, body))
    return describe_result(search(backend, query, principal))


def _terms(backend: Backend, fetcher: Fetcher, principal: Principal, body: SearchBody) -> tuple[Term, ...]:
    terms = list(_weighted(body.terms))
    if text := read_text(body.fields):
        terms.append(Term(text=text))
    image_id = first(body.fields, "image_id")
    sent_region = first(body.fields, "region")
    region = read_region(sent_region) if sent_region else None
    addresses = body.fields.get("url", ())
    files = files_of(body.form) if body.form is not None else []
    if len(addresses) > 1:
        raise InvalidQuery(ONE_ADDRESS)
    if region and (bool(files), bool(addresses), bool(image_id)).count(True) != 1:
        raise InvalidQuery("region needs one picture: sent as file, or named by image_id or url.")
    if image_id:
        terms.append(Term(image_id=image_id, region=region))
    if len(terms) + len(addresses) + len(files) > MOST_PARTS:
        raise InvalidQuery(f"A search can have {MOST_PARTS} parts.")
    if body.form is not None and files:
        sent = one_file(body.form)
        with spooled(sent.file, sent.filename or "", max_bytes=backend.settings.max_upload_bytes) as upload:
            terms.append(Term(picture=read_query_picture(backend, upload, region=region)))
    for address in addresses:
        access.check_reading(principal)
        with fetcher.fetched(address, principal.name) as upload:
            terms.append(Term(picture=read_query_picture(backend, upload, region=region)))
    return tuple(terms)


def _weighted(terms: object) -> Sequence[Term]:
    if terms is None:
        return ()
    if not isinstance(terms, list) or not all(isinstance(term, dict) for term in terms):
        raise InvalidQuery('terms is a list such as [{"text": "dog", "weight": 1}].')
    return [_term(term) for term in terms[: MOST_PARTS + 1]]


def _term(term: Mapping[str, object]) -> Term:
    weight = term.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise InvalidQuery("The weight of a term is a number between -2 and 2.")
    weight = check_weight(float(weight))
    text, image_id, region = term.get("text"), term.get("image_id"), term.get("region")
    if isinstance(text, str) and text.strip() and image_id is None and region is None:
        return Term(text=read_text({"text": [text.strip()]}), weight=weight)
    if isinstance(image_id, str) and text is None and (region is None or isinstance(region, str)):
        return Term(image_id=image_id, weight=weight, region=read_region(region) if region else None)
    raise InvalidQuery("Each term has either a text or an image_id; an image_id may have a region.")


def _json(raw: str | bytes) -> object:
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        values = json.loads(text)
        json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair, which no store could keep, ends here
    except (ValueError, RecursionError) as error:
        raise InvalidQuery("The body of this search is not valid JSON.") from error
    return values


def _fields_of_json(values: Mapping[str, object]) -> Fields:
    fields: dict[str, list[str]] = {}
    for name, value in values.items():
        if name == "terms" or value is None:
            continue
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, dict | list) or part is None for part in parts):
            raise InvalidQuery(f"{name} is a value or a list of values.")
        texts = [str(part).strip() for part in parts]
        fields[name] = [text for text in texts if text]
    return fields
