"""How many visible images each value of a filter would keep, under all the other filters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.features.picture import COLOR_NAMES
from pipeline.filters import MONOCHROME_SATURATION, Filter
from pipeline.shapes import ORIENTATIONS, SIZES, format_of
from pipeline.stores import image_masks
from pipeline.stores.image_columns import ImageColumns, Mask, Pairs
from pipeline.stores.image_masks import Given

MOST_TAGS = 30
MOST_UPLOADERS = 100  # by id; there are few whose names do not fit on a page

Counted = dict[str, int]


@dataclass(frozen=True)
class Facets:
    """Value -> count for each group, the most frequent first; values that no image has are left out.

    `monochrome` is how many are in black and white, and `counted` how many there are in all. Whatever these are limited
    to, `passing` is how many pass the whole filter, and `ready` how many are in its libraries. The values of `library`
    are ids, and so are those of `uploader` until `ImageTable` has looked the names up.
    """

    category: Counted = field(default_factory=dict)
    color_name: Counted = field(default_factory=dict)
    scheme: Counted = field(default_factory=dict)
    library: Counted = field(default_factory=dict)
    tag: Counted = field(default_factory=dict)
    uploader: Counted = field(default_factory=dict)
    orientation: Counted = field(default_factory=dict)
    size: Counted = field(default_factory=dict)
    format: Counted = field(default_factory=dict)
    taken_year: Counted = field(default_factory=dict)
    monochrome: int = 0
    counted: int = 0
    passing: int = 0
    ready: int = 0


def count(
    columns: ImageColumns, where: Filter, given: Given, *, within: Filter, among: npt.NDArray[np.int64] | None
) -> Facets:
    """Count every group under the filters of the other groups.

    Inside a group the values widen each other, so its own choice is left out; tags narrow each other and stay.
    `within` are the libraries that may be seen, of which `where` chooses some. `among` are rows to which the groups are
    limited; None for no limit.
    """
    groups = image_masks.choices(columns, where, given)
    chosen = image_masks.library_mask(columns, where)
    if chosen is not None:
        groups["library"] = chosen
    visible = columns.arrays["visible"]
    ready = int(np.count_nonzero(visible if chosen is None else visible & chosen))
    kept = image_masks.rest(columns, where, given)
    allowed = image_masks.library_mask(columns, within)
    if allowed is not None:
        kept &= allowed
    failed = np.zeros(len(columns), np.int8)  # by how many groups an image is left out
    for mask in groups.values():
        failed += ~mask
    passing = int(np.count_nonzero(kept & (failed == 0)))
    if among is not None:
        kept &= columns.mask_of(among)
    all_others = np.flatnonzero(kept & (failed == 0))

    def under_others(name: str) -> npt.NDArray[np.int64]:
        """Return the places of the images that only the choice of this group may leave out."""
        if name not in groups:
            return all_others
        return np.flatnonzero(kept & (failed == (~groups[name]).astype(np.int8)))

    def words(name: str, column: str = "") -> Counted:
        return _words(columns, columns.arrays[column or name][under_others(name)])

    years = image_masks.taken_years(columns)[under_others("taken_year")]
    is_known = ~np.isnat(columns.arrays["taken_at"][under_others("taken_year")])
    return Facets(
        category=words("category"),
        color_name=_colors(columns.arrays["colors"][under_others("color_name")]),
        scheme=words("scheme"),
        library=words("library"),
        tag=_pairs(columns, columns.tags, _mask(columns, all_others), MOST_TAGS),
        uploader=_pairs(columns, columns.uploaders, _mask(columns, under_others("uploader")), MOST_UPLOADERS),
        orientation=_kinds(ORIENTATIONS, image_masks.orientations(columns)[under_others("orientation")]),
        size=_kinds(SIZES, image_masks.sizes(columns)[under_others("size")]),
        format={format_of(media_type): number for media_type, number in words("format", "media_type").items()},
        monochrome=int(np.count_nonzero(columns.arrays["saturation"][all_others] <= MONOCHROME_SATURATION)),
        counted=len(all_others),
        passing=passing,
        ready=ready,
        taken_year={str(year): number for year, number in sorted(_numbers(years[is_known]).items(), reverse=True)},
    )


def _numbers(values: npt.NDArray[np.int64]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _largest_first(counts: Mapping[str, int]) -> Counted:
    return dict(sorted(((word, number) for word, number in counts.items() if number), key=lambda it: (-it[1], it[0])))


def _words(columns: ImageColumns, numbers: npt.NDArray[np.int32]) -> Counted:
    counts = np.bincount(numbers)
    return _largest_first({columns.words.all[word]: int(counts[word]) for word in np.flatnonzero(counts)})


def _kinds(names: Sequence[str], places: npt.NDArray[np.integer]) -> Counted:
    counts = np.bincount(places, minlength=len(names)).tolist()
    return _largest_first(dict(zip(names, counts, strict=True)))


def _colors(bits: npt.NDArray[np.int32]) -> Counted:
    return _largest_first({name: int(np.count_nonzero(bits & (1 << i))) for i, name in enumerate(COLOR_NAMES)})


def _mask(columns: ImageColumns, places: npt.NDArray[np.int64]) -> Mask:
    mask = np.zeros(len(columns), np.bool_)
    mask[places] = True
    return mask


def _pairs(columns: ImageColumns, pairs: Pairs, mask: Mask, most: int) -> Counted:
    if not len(columns) or not len(pairs.rows):
        return {}
    # By way of a table over all row numbers: looking up each row in the sorted ones takes ten times as long.
    is_kept = np.zeros(int(max(columns.rows[-1], pairs.rows.max())) + 1, np.bool_)
    is_kept[columns.rows] = mask
    counted = _words(columns, pairs.words[is_kept[pairs.rows]])
    return dict(list(counted.items())[:most])
