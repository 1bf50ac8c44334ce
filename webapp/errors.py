"""How errors leave the application: a status, and a sentence as a page, a fragment or JSON."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pipeline import errors
from webapp.dependencies import shell
from webapp.identity import recognize
from webapp.language import gettext, marked
from webapp.links import login_url
from webapp.pages import ErrorPage
from webapp.rendering import page, wants_fragment
from webapp.security import harmless_headers

log = logging.getLogger(__name__)

API_PREFIX = "/api/"
API_PAGES = "/api/v1/docs"  # is read by people, in a browser
RETRY_AFTER_SECONDS = "2"

STATUS: dict[type[errors.LikenessError], int] = {
    errors.ImageRejected: 422,
    errors.UnsupportedFormat: 415,
    errors.TooManyBytes: 413,
    errors.TooManyPixels: 413,
    errors.DamagedImage: 422,
    errors.RefusedByBank: 422,
    errors.NotFound: 404,
    errors.ImageNotFound: 404,
    errors.ObjectNotFound: 404,
    errors.QueryPictureNotFound: 404,
    errors.LibraryNotFound: 404,
    errors.PersonNotFound: 404,
    errors.GroupNotFound: 404,
    errors.GroupSettled: 404,
    errors.LinkNotFound: 404,
    errors.NotLoggedIn: 401,
    errors.NotAllowed: 403,
    errors.TooManyAttempts: 429,
    errors.Conflict: 409,
    errors.InvalidQuery: 422,
    errors.AddressUnusable: 422,
    errors.StoreUnavailable: 503,
    errors.ReceiverUnavailable: 503,
    errors.ProviderUnavailable: 503,
    errors.DecoderUnavailable: 503,
    errors.ModelUnusable: 500,
    errors.ModelHubUnavailable: 503,
    errors.ConfigurationError: 500,
    errors.LikenessError: 500,
}

TITLES = {
    400: marked("This request could not be read"),
    401: marked("Please log in"),
    403: marked("This is not allowed"),
    404: marked("There is nothing here"),
    405: marked("This cannot be done here"),
    409: marked("This cannot be done as things stand"),
    413: marked("This is too large"),
    415: marked("This is not a picture Likeness can read"),
    422: marked("This could not be used"),
    429: marked("Too much at once"),
    503: marked("This does not work at the moment"),
}
UNEXPECTED_TITLE = marked("Likeness made an error")
UNEXPECTED = "Something went wrong inside Likeness. The log says more; please try again."
NOTHING_THERE = "There is nothing at this address. The search page shows everything there is."
LOGGED_OUT = "You have been logged out. What you sent was not kept: please log in and send it again."
UNREADABLE = "What was sent could not be read. Please check it and send it again."

BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED, UNAVAILABLE = 400, 404, 405, 503

STATUS_OF_CODE = {kind.code: status for kind, status in STATUS.items()}
"""Statuses for what failed earlier and was kept as a code, as the analysis of an image does."""


def install(app: FastAPI) -> None:
    """Let `app` answer every error in our words."""
    app.add_exception_handler(errors.LikenessError, _answer_ours)
    app.add_exception_handler(StarletteHTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(Exception, _answer_unexpected)


def status_of(error: errors.LikenessError) -> int:
    """Return the HTTP status of an error: its own, or that of its nearest parent."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def answer(request: Request, status: int, code: str, sentence: str) -> Response:
    """Return an error as JSON below /api/, and as a page or fragment elsewhere."""
    headers = {"Retry-After": RETRY_AFTER_SECONDS} if status in {429, 503} else {}
    if request.url.path.startswith(API_PREFIX):
        return JSONResponse({"error": {"code": code, "message": sentence}}, status, headers=headers)
    recognize(request)
    again = _same_address(request) if status == UNAVAILABLE else ""
    content = ErrorPage(
        shell(request), gettext(TITLES.get(status, UNEXPECTED_TITLE)), sentence, status, retry_url=again
    )
    response = page(request, "error.html", content, status_code=status)
    response.headers.update(headers)
    return response


def _same_address(request: Request) -> str:
    """Return where the same is asked once more, words of a search included; "" where something was sent."""
    path, query = request.url.path, request.url.query
    if request.method != "GET" or path.startswith("//"):  # which a browser would take for another host
        return ""
    return f"{path}?{query}" if query else path


def _answer_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.LikenessError)  # noqa: S101 - registered for this class alone
    status = status_of(error)
    if isinstance(error, errors.NotLoggedIn):
        return _answer_unknown(request, error)
    if isinstance(error, errors.TooManyAttempts):
        response = answer(request, status, error.code, error.user_message)
        response.headers["Retry-After"] = str(error.retry_seconds)
        return response
    if status >= 500:  # noqa: PLR2004 - statuses from 500 on are ours to mend
        log.warning("%s", error)
    return answer(request, status, error.code, error.user_message)


def _answer_unknown(request: Request, error: errors.NotLoggedIn) -> Response:
    """Lead whoever has not logged in to where that is done, and from there to where they wanted to go."""
    if request.url.path.startswith(API_PREFIX) and request.url.path != API_PAGES:
        response = answer(request, status_of(error), error.code, error.user_message)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    if wants_fragment(request):  # htmx follows redirects itself and would put the login into the middle of a page
        return Response(
            status_code=status_of(error), headers={"HX-Redirect": login_url(request.headers.get("HX-Current-URL", ""))}
        )
    if request.method == "GET":
        return RedirectResponse(login_url(str(request.url)), 303)
    return _ask_to_log_in(request)


def _ask_to_log_in(request: Request) -> Response:
    """Say that a form came too late, and lead by the login back to the page that it was on, if that was one of ours."""
    before = request.headers.get("referer", "")
    is_ours = before.startswith(str(request.base_url))
    content = ErrorPage(shell(request), gettext(TITLES[401]), LOGGED_OUT, 401, login_url(before if is_ours else ""))
    return page(request, "error.html", content, status_code=401)


def _answer_http(request: Request, error: Exception) -> Response:
    """Answer what the framework found: an unknown address, a wrong method, a body that cannot be read."""
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - registered for this class alone
    if isinstance(error.__cause__, errors.LikenessError):
        return _answer_ours(request, error.__cause__)
    status = error.status_code
    if status == NOT_FOUND:
        return answer(request, status, "not_found", NOTHING_THERE)
    if status == METHOD_NOT_ALLOWED:
        response = answer(request, status, "method_not_allowed", f"{request.method} does not work at this address.")
        response.headers.update(error.headers or {})
        return response
    if status == BAD_REQUEST:
        return answer(request, status_of(errors.InvalidQuery(UNREADABLE)), errors.InvalidQuery.code, UNREADABLE)
    return answer(request, status, "error", str(error.detail))


def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "The request"
    return answer(request, 422, "invalid_query", f"{place}: {first['msg']}.")


def _answer_nobody(request: Request, error: Exception) -> Response:
    """End a request whose sender went away in the middle; there is nobody to answer, and nothing went wrong."""
    del request, error
    return Response(status_code=400)


def _answer_unexpected(request: Request, error: Exception) -> Response:
    # Not the address itself, which may have a secret in it.
    log.error("unexpected error at %s", getattr(request.scope.get("route"), "path", "no route"), exc_info=error)
    response = answer(request, 500, "error", UNEXPECTED)
    response.headers.update(
        harmless_headers(request.scope)
    )  # this answer is given outside of the guard, which adds them to all others
    return response
