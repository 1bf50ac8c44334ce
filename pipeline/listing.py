"""Which pictures there are, and how many: lists, counts and facets, all of them within what somebody may see."""

import logging
import re
from dataclasses import dataclass, field, replace
from datetime import datetime

from pipeline import access
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery, LikenessError
from pipeline.filters import Filter
from pipeline.fusion import ALIKE, Weights
from pipeline.images import ImageRecord, ImageState
from pipeline.principals import Principal
from pipeline.questions import Question
from pipeline.search import rows_of_matches
from pipeline.stores import copies, facets, records_images, records_listing, records_status

Facets = facets.Facets
"""Value -> count for each group. The values of `library` are ids, for which `access.library_labels` has names."""

Figures = records_status.Figures

LISTED = tuple(state for state in ImageState if state is not ImageState.HELD)
"""The states of images that are in a list of all: what is held is asked for by name."""

log = logging.getLogger(__name__)

CURSOR = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class ImagePage:
    """A part of a list. `next_cursor` is where the next part begins, None at the end."""

    images: tuple[ImageRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Counts:
    """Images by state in the libraries that were asked, facets, and how many images are ready and pass the filter.

    `unfinished` are those of the other states that pass it too. `are_of_matches` says that the facets count what is
    like the question only, and not the whole library.
    """

    states: dict[ImageState, int]
    facets: Facets
    passing: int
    unfinished: dict[ImageState, int] = field(default_factory=dict)
    are_of_matches: bool = False


NOTHING_COUNTED = Counts(dict.fromkeys(ImageState, 0), Facets(), 0)


def list_images(
    backend: Backend,
    where: Filter,
    principal: Principal,
    *,
    state: ImageState | None = None,
    limit: int,
    cursor: str | None = None,
) -> ImagePage:
    """Return up to `limit` images in one state, or in all but HELD, newest first, that pass `where`.

    Held ones, when they are asked for, are listed for their moderators, and for those who have sent them.

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
            principal,
            own_held_too=True,
            colored=colored,
            states=(state,) if state else LISTED,
            behind=records_listing.place_behind(connection, cursor, principal) if cursor else None,
            limit=limit + 1,
        )
        images = records_images.get_by_rows(connection, rows[:limit])
    return ImagePage(tuple(images), images[-1].id if len(rows) > limit and images else None)


def count_states(backend: Backend, principal: Principal) -> dict[ImageState, int]:
    """Return how many images that are not deleted are in each state, among those `principal` may see."""
    seen = access.visible(backend, Filter(), principal)
    with backend.database.read() as connection:
        return records_listing.count_states(connection, seen, principal)


def count_all_states(backend: Backend) -> dict[ImageState, int]:
    """Return how many images that are not deleted are in each state, in all libraries: for who runs the server."""
    with backend.database.read() as connection:
        return records_listing.count_states(connection)


def count_vectors(backend: Backend) -> int:
    """Return how many vectors searches look at, in all libraries; no engine is asked, nor made to write."""
    with backend.database.read() as connection:
        return copies.count_visible(connection, backend.encoder.fingerprint)


def count_facets(
    backend: Backend,
    where: Filter,
    principal: Principal,
    question: Question | None = None,
    weights: Weights = ALIKE,
) -> Counts:
    """Return what stands beside and above a list of the images that pass `where`.

    With a question the facets count what is strong or possible among the nearest, up to MOST_MATCHES, if anything is.
    `weights` are those that it is searched with.
    """
    seen = access.visible(backend, where, principal)
    within = access.visible(backend, replace(where, libraries=None), principal)
    colored = backend.swatches.rows_with(seen)
    matches = None
    if question is not None:
        matches = rows_of_matches(backend, seen.without_choices().within_libraries_of(within), question, weights)
    counted = backend.images.count(seen, colored=colored, within=within, among=matches)
    with backend.database.read() as connection:
        in_libraries = records_listing.count_unfinished(connection, Filter().within_libraries_of(seen), principal)
        unfinished = records_listing.count_unfinished(connection, seen, principal, colored=colored)
    states = dict.fromkeys(ImageState, 0) | in_libraries | {ImageState.READY: counted.ready}
    return Counts(states, counted, counted.passing, unfinished, are_of_matches=matches is not None)


def read_ahead(backend: Backend) -> None:
    """Read what facets are counted from, so that the first visitor need not wait; where that fails, they do."""
    try:
        backend.images.catch_up()
    except LikenessError as error:
        log.warning("what facets are counted from cannot be read now: %s", error)


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
        return records_images.get_by_rows(connection, records_status.failed_rows(connection, seen, principal, limit))


def figures(backend: Backend, principal: Principal, *, since: datetime) -> Figures:
    """Return how much there is of what `principal` may see; `since` is when lately begins."""
    seen = access.visible(backend, Filter(), principal)
    with backend.database.read() as connection:
        return records_status.figures(connection, seen, principal, since=since)
