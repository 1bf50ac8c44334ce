"""Which pictures there are, and how many: lists, counts and facets, all of them within what somebody may see."""

import re
from dataclasses import dataclass
from datetime import datetime

from pipeline import access
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery
from pipeline.filters import Filter
from pipeline.images import ImageRecord, ImageState
from pipeline.principals import Principal
from pipeline.stores import copies, records_facets, records_images, records_listing, records_status

Facets = records_facets.Facets
"""Value -> count for each group. The values of `library` are ids, for which `access.library_labels` has names."""

Figures = records_status.Figures

CURSOR = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class ImagePage:
    """A part of a list. `next_cursor` is where the next part begins, None at the end."""

    images: tuple[ImageRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Counts:
    """Images by state in the libraries that were asked, facets, and how many images are ready and pass the filter."""

    states: dict[ImageState, int]
    facets: Facets
    passing: int


NOTHING_COUNTED = Counts(dict.fromkeys(ImageState, 0), Facets({}, {}, {}, {}, {}), 0)


def list_images(
    backend: Backend,
    where: Filter,
    principal: Principal,
    *,
    state: ImageState | None = None,
    limit: int,
    cursor: str | None = None,
) -> ImagePage:
    """Return up to `limit` images in one state or all, newest first, that pass `where`.

    `cursor` is what an earlier part gave. It is the id of its last image, so it tells nothing of what others have
    uploaded; if that image is not there any more, or is none that `principal` may see, the list goes on with those
    whose ids are smaller, which are older as well. Raises InvalidQuery for what cannot be a cursor.
    """
    if cursor is not None and not CURSOR.fullmatch(cursor):
        raise InvalidQuery("cursor must be a value that `next` gave before.")
    seen = access.visible(backend, where, principal)
    colored = backend.swatches.rows_with(seen)
    with backend.database.read() as connection:
        rows = records_listing.list_rows(
            connection,
            seen,
            colored=colored,
            states=(state,) if state else tuple(ImageState),
            behind=records_listing.place_behind(connection, cursor, principal) if cursor else None,
            limit=limit + 1,
        )
        images = records_images.get_by_rows(connection, rows[:limit])
    return ImagePage(tuple(images), images[-1].id if len(rows) > limit and images else None)


def count_states(backend: Backend, principal: Principal) -> dict[ImageState, int]:
    """Return how many images that are not deleted are in each state, among those `principal` may see."""
    seen = access.visible(backend, Filter(), principal)
    with backend.database.read() as connection:
        return records_listing.count_states(connection, seen)


def count_all_states(backend: Backend) -> dict[ImageState, int]:
    """Return how many images that are not deleted are in each state, in all libraries: for who runs the server."""
    with backend.database.read() as connection:
        return records_listing.count_states(connection)


def count_vectors(backend: Backend) -> int:
    """Return how many vectors searches look at, in all libraries; no engine is asked, nor made to write."""
    with backend.database.read() as connection:
        return copies.count_visible(connection, backend.encoder.fingerprint)


def count_facets(backend: Backend, where: Filter, principal: Principal) -> Counts:
    """Return what stands beside and above a list of the images that pass `where`."""
    seen = access.visible(backend, where, principal)
    colored = backend.swatches.rows_with(seen)
    with backend.database.read() as connection:
        facets = records_facets.count(connection, seen, colored=colored)
        states = records_listing.count_states(connection, seen)
    return Counts(states, facets, passing=sum(facets.library.values()))  # every image is in one library


def list_deleted(backend: Backend, principal: Principal, *, limit: int, offset: int) -> tuple[list[ImageRecord], bool]:
    """Return deleted images that `principal` may restore, those deleted last first, and whether there are more."""
    access.check_reading(principal)
    with backend.database.read() as connection:
        rows = records_listing.deleted_rows(connection, principal, limit=limit + 1, offset=offset)
        images = records_images.get_by_rows(connection, rows[:limit])
    return images, len(rows) > limit


def list_failed(backend: Backend, principal: Principal, *, limit: int) -> list[ImageRecord]:
    """Return images whose analysis failed, newest first."""
    seen = access.visible(backend, Filter(), principal)
    with backend.database.read() as connection:
        return records_images.get_by_rows(connection, records_status.failed_rows(connection, seen, limit))


def figures(backend: Backend, principal: Principal, *, since: datetime) -> Figures:
    """Return how much there is of what `principal` may see; `since` is when lately begins."""
    seen = access.visible(backend, Filter(), principal)
    with backend.database.read() as connection:
        return records_status.figures(connection, seen, since=since)
