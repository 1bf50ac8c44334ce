"""Serve every page with sample values and drawn pictures.

Start it with `python -m tests.web.preview [PORT]` and open /preview.
"""

import sys
from dataclasses import replace
from functools import cache
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, Response

from tests.web.every_page import every_page
from tests.web.samples import SHAPES, hexadecimal, search_page, status_page, upload_page
from tests.web.samples_people import MEMBER, UPLOADS
from webapp.language import Speaking
from webapp.rendering import mount_static, page

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
"""The content security policy of the application: what breaks under it is seen here."""

pages = cache(every_page)
"""Made once: the sample values of all pages take as long as a page takes to be shown."""

app = FastAPI()
mount_static(app)
app.add_middleware(Speaking)


@app.get("/sample/{number}.svg")
def sample(number: int) -> Response:
    """Draw a landscape: a sky, a sun and two hills, in the shape that the samples give this number."""
    width, height = SHAPES[number % len(SHAPES)]
    sky, near, far = hexadecimal(number, 0.7), hexadecimal(number + 1, 0.25), hexadecimal(number + 1, 0.42)
    sun_x, sun_y = width * (0.2 + number * 37 % 60 / 100), height * 0.35
    far_hill = f"M0 {height * 0.7}Q{width * 0.3} {height * 0.35} {width * 0.6} {height * 0.7}"
    near_hill = f"M0 {height * 0.8}Q{width * 0.6} {height * 0.55} {width} {height * 0.9}"
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<rect width="{width}" height="{height}" fill="{sky}"/>'
        f'<circle cx="{sun_x}" cy="{sun_y}" r="{min(width, height) * 0.14}" fill="#fff3cf"/>'
        f'<path d="{far_hill}T{width} {height * 0.6}V{height}H0z" fill="{far}"/>'
        f'<path d="{near_hill}V{height}H0z" fill="{near}"/></svg>'
    )
    return Response(drawing, media_type="image/svg+xml")


@app.get("/preview")
def index() -> HTMLResponse:
    links = "".join(f'<li><a href="/preview/{name}">{name}</a>' for name in pages())
    return HTMLResponse(f"<title>Preview</title><ul>{links}</ul>")


@app.get("/status")
def status(request: Request) -> HTMLResponse:
    """Answer the polls of the page, as it is while something waits."""
    return page(request, "status.html", status_page(), block="status")


@app.get("/upload/changes")
def changes(request: Request) -> HTMLResponse:
    return page(request, "upload_changes.html", upload_page(1))


@app.get("/upload")
def upload_list(request: Request, library: str = "") -> HTMLResponse:
    """Show the upload page of somebody with several libraries."""
    return page(request, "upload.html", upload_page(0, shell=MEMBER, libraries=UPLOADS, library=library))


@app.post("/upload")
def upload(request: Request, library: Annotated[str, Form()] = "") -> HTMLResponse:
    """Answer any file with a card, which says where to it was added."""
    cards = tuple(replace(card, sentence=f"Added to {library}") for card in upload_page(1).cards)
    return page(request, "upload_changes.html", upload_page(1, cards=cards, poll_url=None))


@app.get("/")
@app.post("/search")
def search(request: Request) -> HTMLResponse:
    """Answer any search, with tiles for "more" and results for the rest."""
    block = "tiles" if request.headers.get("HX-Target") == "more" else "results"
    return page(request, "search.html", search_page(12), block=block)


@app.get("/preview/{name}")
def preview(request: Request, name: str) -> HTMLResponse:
    template, value = pages()[name]
    answer = page(request, template, value)
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]) if len(sys.argv) > 1 else 8124, log_level="warning")
