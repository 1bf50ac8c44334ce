"""`/`: the search page, the search by picture, and the thumbnail of a picture that was searched with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, QueryParams
from starlette.responses import Response

from pipeline import access
from pipeline.backend import Backend
from pipeline.errors import ImageRejected, InvalidQuery, LikenessError, TooManyAttempts
from pipeline.fetching import OFF
from pipeline.filters import Filter
from pipeline.fusion import ALIKE, Weights
from pipeline.images import ImageState
from pipeline.listing import NOTHING_COUNTED, Counts, count_facets
from pipeline.plain_queries import plain_color
from pipeline.principals import Principal
from pipeline.query_pictures import get_query_picture, keep_query_picture
from pipeline.search import SearchQuery, SearchResult, search
from pipeline.sorting import ONLY_READY, Sort
from pipeline.uploads import spooled
from webapp.adding import deleted_library, upload_url
from webapp.chips import filter_chips
from webapp.color_fields import color_fields
from webapp.dependencies import BackendDependency, PrincipalDependency, Running, RunningDependency, shell
from webapp.emptiness import Advice, Shown, emptiness_of
from webapp.errors import status_of
from webapp.facets import facets_of, range_fields
from webapp.forms import (
    Fields,
    FormDependency,
    fields_of,
    files_of,
    first,
    one_file,
    read_by,
    read_filter,
    read_integer,
    read_sort,
    read_states,
)
from webapp.language import gettext as _
from webapp.links import SUBJECTS, fields_query, filters_only, is_web_address, saving_urls, search_url
from webapp.pages import SearchPage
from webapp.part_chips import heading_of, part_chips
from webapp.query_parts import MOST_PARTS, Part, check_room, may_be_saved, read_parts, readable_parts, url_of
from webapp.rendering import page, wants_fragment
from webapp.search_words import (
    announcement_of,
    counted_of,
    found_by_of,
    hint_of,
    sorts_of,
    summary_of,
    weak_count_of,
)
from webapp.security import FILE_POLICY
from webapp.stacks import copies_of, read_stacked, stacked_tile
from webapp.tiles import tile_of_hit

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 60  # tiles loaded at once: a few screens, and one query of the records
MOST_SHOWN = 1200  # tiles that are there again at once on the way back; twenty loads, as many as people scroll through
DEEPEST = 10_000  # offset behind which nobody scrolls

UNUSABLE = (ImageRejected, InvalidQuery, TooManyAttempts)
"""What can be wrong with a picture that is sent, or with its address. The rest is told as everywhere."""

EITHER_OR = "A picture was sent and an address as well. Please choose one of them."


@dataclass(frozen=True)
class _Answer:
    """What was found, or the sentence why nothing could be looked for.

    `address` is that of a picture in place of words; it is fetched only when a form asks for it.
    """

    result: SearchResult | None
    problem: str = ""
    address: str = ""
    weights: Weights = ALIKE


@router.get("/")
def show_search(
    request: Request, running: RunningDependency, backend: BackendDependency, principal: PrincipalDependency
) -> Response:
    """Show what the address asks for: a page, its results, or the next tiles."""
    fields = with_library_ids(backend, principal, fields_of(request.query_params))
    answer, status = _answer(backend, fields, principal, may_fetch=running.fetcher.is_on)
    only_tiles = wants_fragment(request) and request.headers.get("HX-Target") == "more"
    response = _shown_answer(request, backend, principal, fields, answer, status, only_tiles=only_tiles)
    if only_tiles and answer.result:
        # The address says how much is shown, so that whoever comes back to it finds all of that, and their place in it.
        response.headers["HX-Replace-Url"] = _shown_url(request, fields, answer.result.before + PAGE_SIZE)
    return response


def _shown_answer(
    request: Request,
    backend: Backend,
    principal: Principal,
    fields: Fields,
    answer: _Answer,
    status: int,
    *,
    only_tiles: bool = False,
) -> Response:
    # For the next tiles, which stand alone, nothing is counted that nobody sees.
    where = Filter() if answer.problem and not answer.result else read_filter(fields)
    question = answer.result.question if answer.result else None
    counts = NOTHING_COUNTED if only_tiles else count_facets(backend, where, principal, question, answer.weights)
    content = _page(request, backend, principal, fields, answer, _offset(fields), counts)
    return page(request, "search.html", content, block="tiles" if only_tiles else "results", status_code=status)


@router.post("/search")
def search_by_picture(
    request: Request,
    running: RunningDependency,
    backend: BackendDependency,
    principal: PrincipalDependency,
    form: FormDependency,
) -> Response:
    """Keep a picture, or the one at an address, for a day and lead to its search, or to the one that it is added to.

    What cannot be used is told on the page that it was sent from, as far as `add_to` or `before` say what that showed.
    """
    access.check_reading(principal)
    fields = fields_of(form)
    extended = fields_of(QueryParams(first(fields, "add_to")))
    try:
        parts = read_parts(extended)
        check_room(parts)
        key = _kept(running, backend, principal, form)
    except UNUSABLE as error:
        shown = extended or fields_of(QueryParams(first(fields, "before")))
        if url := first(fields, "url"):
            shown = {"text": [url]}  # where it can be corrected
        shown = with_library_ids(backend, principal, {**filters_only(fields), **shown})
        return _refused(request, running, backend, principal, shown, error)
    added = [*parts, Part("picture", key)]
    return RedirectResponse(url_of({**filters_only(fields), **extended}, added), 303)


def _kept(running: Running, backend: Backend, principal: Principal, form: FormData) -> str:
    """Return the key under which the picture of a form, or the one at its address, is kept from now on."""
    url = first(fields_of(form), "url")
    if url and files_of(form):
        raise InvalidQuery(EITHER_OR)
    if url:
        with running.fetcher.fetched(url, principal.name) as upload:
            return keep_query_picture(backend, upload).key
    sent = one_file(form)
    with spooled(sent.file, sent.filename or "", max_bytes=backend.settings.max_upload_bytes) as upload:
        return keep_query_picture(backend, upload).key


def _refused(
    request: Request,
    running: Running,
    backend: Backend,
    principal: Principal,
    fields: Fields,
    error: LikenessError,
) -> Response:
    """Show the search that there was, with the sentence why a picture could not be added to it or searched with."""
    before, _status = _answer(backend, fields, principal, may_fetch=running.fetcher.is_on)
    answer = replace(before, problem=error.user_message)
    response = _shown_answer(request, backend, principal, fields, answer, status_of(error))
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_seconds)
    return response


@router.get("/pictures/{key}")
def show_query_picture(key: str, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Return the thumbnail of a picture that was searched with, to whoever has its address."""
    access.check_reading(principal)
    kept = get_query_picture(backend, key)
    headers = {"Content-Security-Policy": FILE_POLICY, "Cache-Control": "private, max-age=86400"}
    return Response(kept.thumbnail, media_type="image/webp", headers=headers)


def query_of(fields: Fields, *, limit: int = PAGE_SIZE, offset: int = 0) -> SearchQuery:
    """Return what the fields of an address ask for, nothing stacked. Raises InvalidQuery naming what is wrong."""
    terms = tuple(part.term() for part in read_parts(fields))
    return SearchQuery(
        terms=terms,
        where=read_filter(fields),
        sort=read_sort(fields),
        states=ONLY_READY if terms else read_states(fields),  # a state that was chosen before stays in the address
        limit=limit,
        offset=offset,
        weights=read_by(fields) if any(term.text for term in terms) else ALIKE,  # as for a state
    )


def _answer(backend: Backend, fields: Fields, principal: Principal, *, may_fetch: bool) -> tuple[_Answer, int]:
    if asked := fields.get("library"):
        known = access.library_labels(backend, principal)
        if any(library not in known for library in asked):
            return _Answer(None, access.NO_LIBRARY), 404  # the same for one of others as for one that does not exist
    try:
        if is_web_address(text := first(fields, "text")):
            read_filter(fields)  # which goes with the picture and must be as it should, too
            return (_Answer(None, address=text), 200) if may_fetch else (_Answer(None, OFF), 422)
        query = query_of(fields, limit=_shown(fields), offset=_offset(fields))
        query = replace(query, stacked=read_stacked(fields))
        return _Answer(search(backend, query, principal), weights=query.weights), 200
    except InvalidQuery as error:
        return _Answer(None, error.user_message), 422
    except LikenessError as error:
        if not any(fields.get(name) for name in (*SUBJECTS, "palette_of")):
            raise
        from_errors = 404 if error.code.endswith("not_found") else None
        if from_errors is None:
            raise
        return _Answer(None, error.user_message), from_errors


def with_library_ids(backend: Backend, principal: Principal, fields: Fields) -> Fields:
    """Return the fields with the ids of libraries instead of their names, as the facets and every link have them."""
    asked = fields.get("library", ())
    return {**fields, "library": access.library_ids(backend, asked, principal)} if asked else fields


def _offset(fields: Fields) -> int:
    try:
        return read_integer(fields, "offset", 0, DEEPEST) or 0
    except InvalidQuery:
        return 0


def _shown(fields: Fields) -> int:
    """Return how many tiles are shown at once: as many as were loaded when the address was left; whole pages."""
    if _offset(fields):
        return PAGE_SIZE
    try:
        wanted = read_integer(fields, "shown", 0, DEEPEST) or PAGE_SIZE
    except InvalidQuery:
        return PAGE_SIZE
    return min(ceil(wanted / PAGE_SIZE) * PAGE_SIZE, MOST_SHOWN)


def _shown_url(request: Request, fields: Fields, shown: int) -> str:
    """Return the address at which `shown` tiles are there at once; the weak ones are unfolded where they were."""
    weak = "1" if request.query_params.get("weak") == "1" else None
    return search_url(fields, shown=str(min(shown, MOST_SHOWN)), weak=weak)


def _page(
    request: Request,
    backend: Backend,
    principal: Principal,
    fields: Fields,
    answer: _Answer,
    offset: int,
    counts: Counts,
) -> SearchPage:
    asked = any(fields.get(name) for name in SUBJECTS)
    by_colors = bool(fields.get("color") or fields.get("palette_of"))
    result = answer.result
    in_words = not (fields.get("like") or fields.get("picture"))
    hits, beneath = (result.hits, result.beneath) if result else ((), {})
    tiles = [stacked_tile(tile_of_hit(hit, in_words=in_words), beneath, fields) for hit in hits]
    strong = tuple(tile for tile in tiles if tile.strength != "weak")
    weak = tuple(tile for tile in tiles if tile.strength == "weak")
    narrowed = bool(filters_only(fields)) or bool(fields.get("state"))
    ready, waiting = counts.states[ImageState.READY], counts.states[ImageState.WAITING]
    parts = readable_parts(fields)
    labels = access.library_labels(backend, principal)
    is_empty = not asked and not narrowed and not ready and not waiting and not answer.problem
    addable = access.upload_libraries(backend, principal)
    advice = _upload_advice(fields, addable)
    return SearchPage(
        shell=replace(shell(request, "search"), upload_url=upload_url(fields, addable) or "/upload"),
        text=first(fields, "text"),
        asked=asked,
        before=urlencode(fields_query(fields)),
        page_url=search_url(fields) if request.method == "POST" else "",
        chips=(
            *part_chips(backend, principal, fields, parts),
            *filter_chips(backend, principal, fields, labels, asked=asked),
        ),
        heading=heading_of(parts, is_narrowed=narrowed),
        clear_url="/",
        query_fields=tuple((name, value) for name in ("picture", "like", "copies") for value in fields.get(name, ())),
        add_to=urlencode(fields_query(fields)) if asked and len(parts) < MOST_PARTS else "",
        facets=facets_of(counts, fields, labels, asked=asked),
        ranges=range_fields(fields),
        colors=color_fields(backend, principal, fields),
        tiles=strong,
        weak_tiles=weak,
        weak_count=weak_count_of(result, counts.passing - len(fields.get("like", ())), strong, weak),
        summary=summary_of(result, strong, _listed(fields, counts), asked=asked),
        verdict=_verdict(result, asked=asked),
        hint=hint_of(result, backend.encoder.name),
        problem=answer.problem,
        fetch_url=answer.address,
        empty=emptiness_of(
            None if answer.problem else result,
            fields,
            Shown(ready, waiting, any_open=bool(strong), any_weak=bool(weak)),
            advice,
            plain=lambda: plain_color(backend, [part.term() for part in parts], principal),
        ),
        library_is_empty=is_empty,
        libraries=tuple(addable.items()) if is_empty else (),
        deleted_library=deleted_library(backend, principal) if is_empty else None,
        more_url=search_url(fields, offset=str(result.next_offset)) if result and _goes_on(result) else None,
        saving_urls=saving_urls(fields) if tiles else (),
        announcement=announcement_of(result.before + len(tiles)) if result and offset else "",
        permalink=search_url(fields),
        sorts=tuple((value, _(words)) for value, words in sorts_of(asked=asked, by_colors=by_colors).items()),
        sort="" if first(fields, "sort") == Sort.BEST else first(fields, "sort"),
        may_save=may_be_saved(parts) and not (answer.problem or answer.address),
        found_by=found_by_of(parts),
        by=first(fields, "by"),
        copies=copies_of(fields, tiles, asked=asked or by_colors) if result else None,
        counted=counted_of(counts, asked=asked),
        may_change=access.may_change_any(principal),
    )


def _goes_on(result: SearchResult) -> bool:
    """Whether there is a next page; an offset that is too deep would be read as none, and begin again at the top."""
    return result.has_more and result.next_offset <= DEEPEST


def _verdict(result: SearchResult | None, *, asked: bool) -> Literal["match", "weak", "none", ""]:
    return result.verdict if result and asked else ""


def _upload_advice(fields: Fields, addable: Mapping[str, str]) -> Advice:
    address = upload_url(fields, addable)
    return ((_("Upload pictures"), address),) if address else ()


def _listed(fields: Fields, counts: Counts) -> int:
    """Return how many pictures a list has: those in the states that were asked."""
    try:
        states = read_states(fields)
    except InvalidQuery:
        return 0
    return sum(counts.passing if state is ImageState.READY else counts.unfinished.get(state, 0) for state in states)
