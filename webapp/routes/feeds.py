"""`/feeds/…`: what a saved search has found, for feed readers, which cannot log in: who has the address may read it."""

import hashlib
from collections.abc import Callable
from email.utils import format_datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.backend import Backend
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.images import ImageRecord
from pipeline.saved_feeds import Feed, Match, read_feed
from webapp.dependencies import BackendDependency, get_running
from webapp.feeds import ATOM_TYPE, JSON_TYPE, FeedDocument, FeedEntry, atom, json_feed
from webapp.identity import public
from webapp.links import absolute_url, search_url
from webapp.security import FILE_POLICY
from webapp.tiles import thumbnail_url
from webapp.wording import as_date, dimensions

router = APIRouter(include_in_schema=False)

NOT_MODIFIED = 304

LONGEST_TITLE = 200  # characters of a caption that stands for a picture


def feed_paths(key: str) -> dict[str, str]:
    """Return the path of each kind of feed by its name."""
    return {"Atom": f"/feeds/{key}.atom", "JSON": f"/feeds/{key}.json"}


@router.get("/feeds/{feed_key}.atom")
@public
def show_atom(feed_key: str, request: Request, backend: BackendDependency) -> Response:
    """Return the feed as Atom."""
    return _answer(request, feed_key, read_feed(_at_home(request, backend), feed_key), atom, ATOM_TYPE)


@router.get("/feeds/{feed_key}.json")
@public
def show_json(feed_key: str, request: Request, backend: BackendDependency) -> Response:
    """Return the feed as JSON Feed."""
    return _answer(request, feed_key, read_feed(_at_home(request, backend), feed_key), json_feed, JSON_TYPE)


def _at_home(request: Request, backend: Backend) -> Backend:
    """Return `backend`, unless its data has moved away long ago: what was revoked since is not known there."""
    get_running(request).moves.check_reading()
    return backend


def _answer(
    request: Request, key: str, feed: Feed, write: Callable[[FeedDocument], bytes], media_type: str
) -> Response:
    body = write(_document(request, key, feed, "Atom" if media_type == ATOM_TYPE else "JSON"))
    headers = {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Last-Modified": format_datetime(feed.updated_at.replace(microsecond=0), usegmt=True),
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": FILE_POLICY,
    }
    if _has_it(request, headers):
        return Response(status_code=NOT_MODIFIED, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _has_it(request: Request, headers: dict[str, str]) -> bool:
    """Whether the reader has this very document.

    A time counts only when it is the same: what was taken out of a feed leaves it with an older one.
    """
    known = request.headers.get("if-none-match")
    if known is None:
        return request.headers.get("if-modified-since") == headers["Last-Modified"]
    return any(mark.strip().removeprefix("W/") in {headers["ETag"], "*"} for mark in known.split(","))


def _document(request: Request, key: str, feed: Feed, kind: str) -> FeedDocument:
    with_thumbnails = not get_running(request).accounts_active
    return FeedDocument(
        id=feed.search.id,
        title=f"{feed.search.name} · Likeness",
        address=absolute_url(request, feed_paths(key)[kind]),
        home=absolute_url(request, search_url(feed.search.fields)),
        updated=feed.updated_at,
        entries=tuple(_entry(request, match, with_thumbnail=with_thumbnails) for match in feed.matches),
    )


def _entry(request: Request, match: Match, *, with_thumbnail: bool) -> FeedEntry:
    image = match.image
    thumbnail = absolute_url(request, thumbnail_url(image, THUMBNAIL_SIZES[0])) if with_thumbnail else ""
    return FeedEntry(
        id=image.id,
        title=_title(image),
        address=absolute_url(request, f"/images/{image.id}"),
        summary=", ".join(
            filter(
                None,
                (
                    f"{match.strength} match" if match.strength else "",
                    f"{dimensions(image)} pixels",
                    f"in {image.library_name}",
                    f"added on {as_date(image.created_at)}",
                ),
            )
        ),
        at=match.matched_at.replace(microsecond=0),
        thumbnail=thumbnail,
    )


def _title(image: ImageRecord) -> str:
    caption = image.caption.partition("\n")[0].strip()
    return caption[:LONGEST_TITLE] or image.filename
