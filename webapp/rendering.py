"""Values of `webapp.pages` become HTML here: whole pages, or the one block that htmx asks for.

The static files are served from here too, under addresses that can be cached for good. What a page says is decided
by the routes; how a number or a date is written is decided in `webapp.wording`. Templates have their words from
`_("…")` and `ngettext("…", "…", number)`, in the language of the request.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from pipeline.stopwatch import spent_on
from webapp import language, wording
from webapp.flash import COOKIE, forget_notice
from webapp.links import here_url
from webapp.pages import ErrorPage
from webapp.paths import STATIC, TEMPLATES
from webapp.script_words import script_words

STATIC_PREFIX = "/static"
HTMX_PACKAGE = "js_lib_htmx"
"""The PyPI package django-js-lib-htmx; its folder `static` holds htmx/htmx.min.js."""

VERSION_LETTERS = 12
"""Hexadecimal letters of a file's SHA-256 in its address: 48 bits, so that no two share one."""

ONE_YEAR = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"

ERROR_GOES_TO_THE_NOTICE = {
    "HX-Retarget": "#notice",
    "HX-Reswap": "innerHTML",
    "HX-Reselect": "#problem",
    "HX-Push-Url": "false",
}
"""An error answered to htmx is shown beside what is there, and never in its place; the address stays."""


def wants_fragment(request: Request) -> bool:
    """Return whether htmx asked, and not to rebuild a page of its history, for which it needs the whole."""
    headers = request.headers
    return headers.get("HX-Request") == "true" and headers.get("HX-History-Restore-Request") != "true"


def page(
    request: Request, template: str, context: object, *, block: str | None = None, status_code: int = 200
) -> HTMLResponse:
    """Return the whole page, or only `block` of it when htmx asks.

    `context` is one of the dataclasses of `webapp.pages`; its fields are top-level names in the template, with
    `request` and `fragment`. An ErrorPage needs no `block`: htmx is always given its sentence for the notice.
    """
    is_error = isinstance(context, ErrorPage)
    wanted = "problem" if is_error else block
    fragment = wanted is not None and wants_fragment(request)
    names = {"request": request, "fragment": fragment, **vars(context)}
    found = environment.get_template(template)
    with spent_on("rendering"):
        if fragment and wanted is not None:
            html = "".join(found.blocks[wanted](found.new_context(names)))
        else:
            html = found.render(names)
    headers = {
        "Content-Language": language.present().tag,
        "Vary": f"HX-Request, HX-Target, HX-History-Restore-Request, {language.VARY}",
    }
    if fragment and is_error:
        headers |= ERROR_GOES_TO_THE_NOTICE
    answer = HTMLResponse(html, status_code, headers=headers)
    if not fragment and COOKIE in request.cookies:
        forget_notice(answer)
    return answer


def static_url(name: str) -> str:
    """Return the address of a static file with its content in it, so that it can be cached for good."""
    path = _static_file(name)
    return f"{STATIC_PREFIX}/{name}?v={_version(path, path.stat().st_mtime_ns)}"


@pass_context
def csrf_field(context: Context) -> Markup:
    """Return the hidden field by which a form is known to be of our own page; nothing where there is no session."""
    token = context["shell"].csrf_token
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(token) if token else Markup()


def message(text: str, /, **values: object) -> Markup:
    """Return a message of a template in the language of the request. It may have elements; its values are escaped."""
    return Markup(language.present().messages.gettext(text)) % values  # noqa: S704 - catalogues are source


def counted_message(one: str, many: str, number: int, /, **values: object) -> Markup:
    """Return a message in the form that `number` needs; `%(number)s` is that, written for people."""
    found = language.present().messages.ngettext(one, many, number)
    return Markup(found) % {"number": language.as_number(number), **values}  # noqa: S704 - catalogues are source


def mount_static(app: FastAPI) -> None:
    """Serve our static files and htmx under /static."""
    app.mount(STATIC_PREFIX, _CachedFiles(directory=STATIC, packages=[(HTMX_PACKAGE, "static")]), name="static")


class _CachedFiles(StaticFiles):
    """Files asked for with their version are kept for a year; the others are asked for again, by ETag."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = ONE_YEAR if versioned else ASK_AGAIN
        return response


def _static_file(name: str) -> Path:
    return next(folder / name for folder in (STATIC, _htmx_folder()) if (folder / name).is_file())


@lru_cache(maxsize=1)
def _htmx_folder() -> Path:
    folders = StaticFiles(packages=[(HTMX_PACKAGE, "static")]).all_directories
    return Path(folders[0])


@lru_cache(maxsize=64)
def _version(path: Path, _modified: int) -> str:
    """Return the version of a file; its time of change is a key of the cache, so that edits show at once."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:VERSION_LETTERS]


def _build_environment() -> Environment:
    built = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    built.filters |= wording.FILTERS
    built.globals["static_url"] = static_url
    built.globals["csrf_field"] = csrf_field
    built.globals |= {"_": message, "ngettext": counted_message, "script_words": script_words}
    built.globals |= {"language": language.present, "languages": language.languages, "here_url": here_url}
    # A macro imported at the top of a template is unknown to a block that is rendered alone; a global is not.
    built.globals["icon"] = built.get_template("_icons.html").module.icon  # type: ignore[attr-defined]
    return built


environment = _build_environment()
