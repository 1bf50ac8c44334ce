"""A Filter as masks over the columns of all images: one for each facet that it chooses from, and one for the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from pipeline.features.picture import COLOR_NAMES
from pipeline.filters import Filter
from pipeline.shapes import MEDIA_TYPE_START, ORIENTATIONS, SIZE_PIXELS, SQUARE_TWENTIETHS
from pipeline.stores.image_columns import ImageColumns, Mask, Pairs, Rows

FIRST_YEAR = 1970  # that NumPy counts years from


@dataclass(frozen=True)
class Given:
    """What is looked up elsewhere for a filter: the rows that have its colors, and the ids of its uploaders."""

    colored: Rows | None
    uploaders: Sequence[str] = ()


def orientations(columns: ImageColumns) -> npt.NDArray[np.int8]:
    """Return the place of each image's orientation in ORIENTATIONS."""
    width, height = columns.arrays["width"].astype(np.int64), columns.arrays["height"].astype(np.int64)
    is_landscape = 20 * width > SQUARE_TWENTIETHS * height
    is_portrait = 20 * height > SQUARE_TWENTIETHS * width
    kinds = [ORIENTATIONS.index("landscape"), ORIENTATIONS.index("portrait")]
    return np.select([is_landscape, is_portrait], kinds, ORIENTATIONS.index("square")).astype(np.int8)


def pixels(columns: ImageColumns) -> npt.NDArray[np.int64]:
    """Return width times height of each image."""
    product: npt.NDArray[np.int64] = columns.arrays["width"].astype(np.int64) * columns.arrays["height"]
    return product


def sizes(columns: ImageColumns) -> npt.NDArray[np.int64]:
    """Return the place of each image's size in SIZES."""
    return np.searchsorted(np.array(list(SIZE_PIXELS.values())), pixels(columns), side="right") - 1


def taken_years(columns: ImageColumns) -> npt.NDArray[np.int64]:
    """Return the year in which each picture was taken; it says nothing where none is known."""
    years: npt.NDArray[np.int64] = columns.arrays["taken_at"].astype("M8[Y]").astype(np.int64) + FIRST_YEAR
    return years


def library_mask(columns: ImageColumns, where: Filter) -> Mask | None:
    """Return which images are in the libraries of `where`; None for all."""
    mask: Mask | None = None
    if where.libraries is not None:
        mask = _is_any(columns, "library", where.libraries)
    if where.without_libraries:
        others = ~_is_any(columns, "library", where.without_libraries)
        mask = others if mask is None else mask & others
    return mask


def choices(columns: ImageColumns, where: Filter, given: Given) -> dict[str, Mask]:
    """Return facet -> which images pass what `where` chooses of it, for those from which anything is chosen.

    These are the facets whose values widen each other, but for libraries.
    """
    found: dict[str, Mask] = {}
    if where.categories:
        found["category"] = _is_any(columns, "category", where.categories)
    if where.schemes:
        found["scheme"] = _is_any(columns, "scheme", where.schemes)
    if where.color_names:
        bits = sum(1 << COLOR_NAMES.index(name) for name in set(where.color_names))
        found["color_name"] = (columns.arrays["colors"] & bits) != 0
    if where.orientations:
        kinds = [ORIENTATIONS.index(word) for word in where.orientations]
        found["orientation"] = np.isin(orientations(columns), kinds)
    if where.sizes:
        names = list(SIZE_PIXELS)
        found["size"] = np.isin(sizes(columns), [names.index(word) for word in where.sizes])
    if where.formats:
        found["format"] = _is_any(columns, "media_type", [f"{MEDIA_TYPE_START}{name}" for name in where.formats])
    if where.taken_years:
        is_known = ~np.isnat(columns.arrays["taken_at"])
        found["taken_year"] = np.isin(taken_years(columns), where.taken_years) & is_known
    if where.uploaders:
        found["uploader"] = _has_any(columns, columns.uploaders, given.uploaders)
    return found


def rest(columns: ImageColumns, where: Filter, given: Given) -> Mask:
    """Return which images are visible and pass everything else that `where` asks, but for libraries."""
    mask: Mask = columns.arrays["visible"].copy()
    if given.colored is not None:
        mask &= columns.mask_of(given.colored)
    for tag in where.tags:
        mask &= _has_any(columns, columns.tags, (tag,))
    if where.without_tags:
        mask &= ~_has_any(columns, columns.tags, where.without_tags)
    for bound in _bounds(columns, where):
        mask &= bound
    return mask


def passing(columns: ImageColumns, where: Filter, given: Given) -> Mask:
    """Return which images are visible and pass all that `where` asks."""
    mask = rest(columns, where, given)
    for choice in choices(columns, where, given).values():
        mask &= choice
    within = library_mask(columns, where)
    return mask if within is None else mask & within


def _bounds(columns: ImageColumns, where: Filter) -> Iterator[Mask]:
    for name, minimum, maximum in (
        ("brightness", where.min_brightness, where.max_brightness),
        ("saturation", where.min_saturation, where.highest_saturation),
        ("width", where.min_width, where.max_width),
        ("height", where.min_height, where.max_height),
        ("bytes", where.min_bytes, where.max_bytes),
        ("created_at", _utc(where.created_after), _utc(where.created_before)),
        ("taken_at", _plain(where.taken_after), _plain(where.taken_before)),
    ):
        # A picture without a time passes neither bound: nothing is before or after it.
        if minimum is not None:
            yield columns.arrays[name] >= minimum
        if maximum is not None:
            yield columns.arrays[name] <= maximum


def _utc(moment: datetime | None) -> np.datetime64 | None:
    return _plain(moment.astimezone(UTC).replace(tzinfo=None)) if moment else None


def _plain(moment: datetime | None) -> np.datetime64 | None:
    return np.datetime64(moment, "us") if moment else None


def _is_any(columns: ImageColumns, name: str, words: Sequence[str]) -> Mask:
    return np.isin(columns.arrays[name], columns.words.known(words))


def _has_any(columns: ImageColumns, pairs: Pairs, words: Sequence[str]) -> Mask:
    return columns.mask_of(pairs.rows[np.isin(pairs.words, columns.words.known(words))])
