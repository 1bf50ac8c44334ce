"""The palette of a picture: k-means over a small histogram in CIELAB, then near colors merged and stray ones dropped.

k-means on every pixel takes seconds and finds the same colors (docs/decisions/0005-colors.md). Pixels count by
their opacity, so transparent padding counts for nothing. What colors are called and how they feel is left to
`color_names` and `color_character`.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from pipeline.features import color_character as character
from pipeline.features.background import background_of, edge_of
from pipeline.features.color import ciede2000, lab_to_srgb, rgb_to_hex, srgb_to_lab
from pipeline.features.picture import COLOR_NAMES, Palette, Picture, Swatch

MAX_SWATCHES = 6

_MAX_SAMPLES = 1 << 15
"""Pixels looked at, on a regular grid: shares are then right to about 0.3 %, and edges stay as rare as they are."""

_BIN_BITS = 5
"""Bits per channel of the histogram: bins 8 wide, of which photographs fill about 1,000."""

_BINS = 1 << 3 * _BIN_BITS

_CLUSTERS = 10
"""Clusters before merging: more than six, so that a small accent is not averaged away with a large neighbor."""

_MAX_ITERATIONS = 25
"""k-means has settled by then on nearly all pictures, and another round moves nothing that is visible."""

_MERGE_DISTANCE = 7.0
"""CIEDE2000 below which two clusters become one swatch: shades of one color, to a person looking at swatches."""

_MIN_SHARE = 0.006
"""Smaller clusters are not shown; their pixels belong to the swatch nearest to them."""

_EDGE_MAX_SHARE = 0.06
_EDGE_MAX_DISTANCE = 24.0
_EDGE_MAX_FLAT = 0.35
"""A cluster is taken for the blurred edge between two larger ones when it is at most this share of the picture, within
this distance (sRGB bytes) of the line between their colors, and when at most this part of its pixels have neighbors of
their own color. A true accent of such a mixed color has an inside, so it stays."""

_FLAT_STEP = 10
"""Difference to a neighbor, in sRGB bytes, up to which a pixel is inside a flat area: above the noise of JPEG."""

_EXACT_PART = 0.35
"""Part of a swatch that must lie in one bin for its color to be taken from there: flat graphics then give their exact
colors, while photographs give the mean of what was put together."""

_MIN_ALPHA = 0.1
"""Fainter pixels are nothing one sees, and their color, divided by so little opacity, would be noise."""

_OPENMP = ThreadpoolController().select(internal_api="openmp")
"""The thread pool of scikit-learn. Several threads for 1,000 points make k-means a hundred times slower here; the
limit holds only for the thread that sets it, so pictures in other threads are not disturbed."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Histogram:
    """The bins that are filled: a position in each array is a bin.

    The mean color of its pixels, as sRGB (0 to 255) and as CIELAB, its share of the opaque area, the part of its pixels
    that lie inside a flat area, and its part of the edge of the picture.
    """

    rgb: _Floats
    lab: _Floats
    share: _Floats
    flat: _Floats
    edge: _Floats


@dataclass(frozen=True)
class _Group:
    """Bins that make one color: their positions, their share, and the color as sRGB (0 to 255) and as CIELAB."""

    bins: npt.NDArray[np.intp]
    share: float
    rgb: _Floats
    lab: _Floats


def extract_palette(picture: Picture) -> Palette:
    """Return up to six colors with their shares of the opaque area, their names, scheme, brightness, saturation.

    Deterministic, and safe to call from several threads at once.
    """
    histogram = _histogram(picture)
    if histogram.share.size == 0:
        return Palette((), dict.fromkeys(COLOR_NAMES, 0.0), "neutral", 1.0, 0.0)
    groups = _without_strays(histogram, _merged(histogram, _clusters(histogram)))
    return Palette(
        swatches=_swatches(histogram, sorted(groups, key=_share, reverse=True)),
        names=character.names(histogram.lab, histogram.share),
        scheme=character.scheme(histogram.lab, histogram.share),
        brightness=character.brightness(histogram.lab, histogram.share),
        saturation=character.saturation(histogram.rgb, histogram.share),
    )


def _histogram(picture: Picture) -> _Histogram:
    height, width = picture.pixels.shape[:2]
    step = max(1, math.ceil(math.sqrt(height * width / _MAX_SAMPLES)))
    rgb = picture.pixels[::step, ::step].reshape(-1, 3)
    weight = np.ones(len(rgb))
    if picture.alpha is not None:
        rgb, weight = _without_background(rgb, picture.alpha[::step, ::step].reshape(-1))
    code = _bins(rgb)
    mass = np.bincount(code, weight, _BINS)
    filled = np.flatnonzero(mass)

    def mean(values: npt.NDArray[Any]) -> _Floats:
        return np.bincount(code, weight * values, _BINS)[filled] / mass[filled]

    means = np.stack([mean(rgb[:, channel]) for channel in range(3)], axis=-1)
    edge = edge_of(*picture.pixels[::step, ::step].shape[:2]).reshape(-1)
    return _Histogram(
        rgb=means,
        lab=srgb_to_lab(np.rint(means).astype(np.uint8)).astype(np.float64),
        share=mass[filled] / mass.sum(),
        flat=mean(_flat(picture.pixels, step).reshape(-1)),
        edge=np.bincount(code, weight * edge, _BINS)[filled] / edge.sum(),
    )


def _bins(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    red, green, blue = (rgb >> (8 - _BIN_BITS)).astype(np.int32).T
    return np.asarray(red << 2 * _BIN_BITS | green << _BIN_BITS | blue)


def _without_background(
    rgb: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint8], _Floats]:
    """Take away the white that transparent parts were blended onto; return the colors and their opacity."""
    opacity = alpha / 255
    weight = np.where(opacity >= _MIN_ALPHA, opacity, 0)
    white = 255 * (1 - opacity[:, None])
    pure = (rgb - white) / np.maximum(opacity[:, None], _MIN_ALPHA)
    return np.clip(np.rint(pure), 0, 255).astype(np.uint8), weight


def _flat(pixels: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.bool_]:
    """Tell for each pixel of the grid whether the pixels around it, in four directions, have its color."""
    height, width = pixels.shape[:2]
    rows, columns = np.arange(0, height, step)[:, None], np.arange(0, width, step)[None, :]
    here = pixels[::step, ::step]
    steep = np.zeros(here.shape, dtype=np.bool_)
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = pixels[np.clip(rows + down, 0, height - 1), np.clip(columns + right, 0, width - 1)]
        steep |= np.maximum(here, beside) - np.minimum(here, beside) > _FLAT_STEP
    return ~(steep[..., 0] | steep[..., 1] | steep[..., 2])


def _clusters(histogram: _Histogram) -> list[_Group]:
    seeds = _seeds(histogram)
    kmeans = KMeans(len(seeds), init=histogram.lab[seeds], n_init=1, max_iter=_MAX_ITERATIONS)
    with _OPENMP.limit(limits=1):
        labels = kmeans.fit_predict(histogram.lab, sample_weight=histogram.share)
    return [_group(histogram, np.flatnonzero(labels == number)) for number in np.unique(labels)]


def _seeds(histogram: _Histogram) -> list[int]:
    """Start from the largest bin, then go on with the one that is farthest from all chosen, weighted by its share."""
    seeds = [int(histogram.share.argmax())]
    distance = np.full(len(histogram.share), np.inf)
    while len(seeds) < _CLUSTERS:
        distance = np.minimum(distance, ((histogram.lab - histogram.lab[seeds[-1]]) ** 2).sum(axis=1))
        score = distance * histogram.share
        if score.max() <= 0:
            break
        seeds.append(int(score.argmax()))
    return seeds


def _group(histogram: _Histogram, bins: npt.NDArray[np.intp]) -> _Group:
    """Put bins together; their color is that of the largest bin if it is a good part of them, or else the mean."""
    shares = histogram.share[bins]
    share = float(shares.sum())
    largest = bins[shares.argmax()]
    if histogram.share[largest] >= _EXACT_PART * share:
        return _Group(bins, share, histogram.rgb[largest], histogram.lab[largest])
    lab = shares @ histogram.lab[bins] / share
    return _Group(bins, share, lab_to_srgb(lab).astype(np.float64), lab)


def _merged(histogram: _Histogram, groups: list[_Group]) -> list[_Group]:
    """Join near colors, then those that cost least (Ward's cost), until no more are left than swatches."""
    while len(groups) > 1:
        lab = np.array([group.lab for group in groups])
        distance = ciede2000(lab[:, None], lab[None, :])
        np.fill_diagonal(distance, np.inf)
        if distance.min() >= _MERGE_DISTANCE:
            if len(groups) <= MAX_SWATCHES:
                break
            share = np.array([group.share for group in groups])
            distance *= np.sqrt(share[:, None] * share / (share[:, None] + share))
        first, second = (int(at) for at in np.unravel_index(distance.argmin(), distance.shape))
        joined = _group(histogram, np.concatenate([groups[first].bins, groups[second].bins]))
        groups = [joined, *(group for at, group in enumerate(groups) if at not in {first, second})]
    return groups


def _without_strays(histogram: _Histogram, groups: list[_Group]) -> list[_Group]:
    """Give the bins of tiny groups and of blurred edges to the nearest color that stays; the smallest go first."""
    kept = sorted(groups, key=_share)
    for group in kept[:-1]:
        others = [other for other in kept if other is not group]
        if _is_stray(histogram, group, others):
            kept = others
    if len(kept) == len(groups):
        return kept
    owner = np.full(len(histogram.share), -1)
    for number, group in enumerate(kept):
        owner[group.bins] = number
    homeless = owner < 0
    lab = np.array([group.lab for group in kept])
    owner[homeless] = ciede2000(histogram.lab[homeless][:, None], lab[None, :]).argmin(axis=1)
    return [_group(histogram, np.flatnonzero(owner == number)) for number in range(len(kept))]


def _is_stray(histogram: _Histogram, group: _Group, others: list[_Group]) -> bool:
    if group.share < _MIN_SHARE:
        return True
    flat = float(histogram.flat[group.bins] @ histogram.share[group.bins]) / group.share
    if group.share > _EDGE_MAX_SHARE or flat > _EDGE_MAX_FLAT:
        return False
    larger = [other.rgb for other in others if other.share > group.share]
    return any(
        _distance_to_line(group.rgb, one, two) <= _EDGE_MAX_DISTANCE for one, two in itertools.combinations(larger, 2)
    )


def _distance_to_line(point: _Floats, one: _Floats, two: _Floats) -> float:
    along = two - one
    part = np.clip((point - one) @ along / max(float(along @ along), 1.0), 0, 1)
    return float(np.linalg.norm(point - one - part * along))


def _share(group: _Group) -> float:
    return group.share


def _swatches(histogram: _Histogram, groups: list[_Group]) -> tuple[Swatch, ...]:
    colors = [np.rint(group.rgb).astype(np.uint8) for group in groups]
    lab = srgb_to_lab(np.array(colors))
    background = background_of(lab.astype(np.float64), [float(histogram.edge[group.bins].sum()) for group in groups])
    return tuple(
        Swatch((float(lightness), float(a), float(b)), rgb_to_hex(rgb), group.share, is_background)
        for (lightness, a, b), rgb, group, is_background in zip(lab, colors, groups, background, strict=True)
    )
