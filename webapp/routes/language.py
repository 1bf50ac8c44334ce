"""`/language`: the choice of the language that the pages speak to this browser."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from pipeline.errors import InvalidQuery
from webapp.forms import FormDependency, fields_of, first
from webapp.identity import public
from webapp.language import COOKIE, COOKIE_SECONDS, languages
from webapp.links import is_own_address

router = APIRouter(include_in_schema=False)

UNKNOWN = "This language is not there. Please choose one of those at the foot of the page."


@router.post("/language")
@public
def choose_language(form: FormDependency) -> Response:
    """Remember the language in this browser, and go back to the page on which it was chosen."""
    fields = fields_of(form)
    tag, back = first(fields, "language"), first(fields, "back", "/")
    if tag not in languages():
        raise InvalidQuery(UNKNOWN)
    response = RedirectResponse(back if is_own_address(back) else "/", 303)
    response.set_cookie(COOKIE, tag, max_age=COOKIE_SECONDS, httponly=True, samesite="lax")
    return response
