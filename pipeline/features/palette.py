"""The palette of a picture: k-means over a small histogram in CIELAB, then near colors merged and stray ones dropped.

k-means on every pixel takes seconds and finds the same colors (docs/decisions/0005-colors.md). Pixels count by
their opacity, so transparent padding counts for nothing. What colors are called and how they feel is left to
`color_names` and `color_character`.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from threadpoolctl import ThreadpoolController

from pipeline.features import color_character as character
from pipeline.features.color import ciede2000, lab_to_srgb, rgb_to_hex, srgb_to_lab
from pipeline.features.picture import COLOR_NAMES, Palette, Picture, Swatch

MAX_SWATCHES = 6

_MAX_SAMPLES = 1 << 16
"""Pixels looked at, on a regular grid: shares are then right to about 0.2 %, and edges stay as rare as they are."""

_BIN_BITS = 5
"""Bits per channel of the histogram: bins 8 wide, of which photographs fill about 1,000."""

_CLUSTERS = 10
"""Clusters before merging: more than six, so that a small accent is not averaged away with a large neighbor."""

_MAX_ITERATIONS = 25
"""k-means has settled by then on nearly all pictures, and another round moves nothing that is visible."""

_MERGE_DISTANCE = 9.0
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
    """Filled bins: the mean color of the pixels in each, as sRGB (0 to 255) and as CIELAB, its share of the
    opaque area, and the part of its pixels that lie inside a flat area."""

    rgb: _Floats
    lab: _Floats
    share: _Floats
    flat: _Floats


def extract_palette(picture: Picture) -> Palette:
    """Return up to six colors with their shares of the opaque area, their names, scheme, brightness, saturation.

    Deterministic, and safe to call from several threads at once.
    """
    histogram = _histogram(picture)
    if histogram.share.size == 0:
        return Palette((), dict.fromkeys(COLOR_NAMES, 0.0), "neutral", 1.0, 0.0)
    groups = _without_edges(histogram, _merged(histogram, _clusters(histogram)))
    return Palette(
        swatches=tuple(sorted(_swatches(histogram, groups), key=lambda swatch: -swatch.share)),
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
    flat = _flat(picture.pixels, step).reshape(-1)

    shift = 8 - _BIN_BITS
    bins = rgb.astype(np.int32) >> shift
    code = (bins[:, 0] << 2 * _BIN_BITS) | (bins[:, 1] << _BIN_BITS) | bins[:, 2]
    size = 1 << 3 * _BIN_BITS
    mass = np.bincount(code, weight, size)
    filled = np.flatnonzero(mass)
    mass = mass[filled]
    means = np.stack([np.bincount(code, weight * rgb[:, c], size)[filled] / mass for c in range(3)], axis=-1)
    inside = np.bincount(code, weight * flat, size)[filled] / mass
    lab = srgb_to_lab(np.rint(means).astype(np.uint8)).astype(np.float64)
    return _Histogram(means, lab, mass / mass.sum(), inside)


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
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    here = pixels[::step, ::step].astype(np.int16)
    flat = np.ones(here.shape[:2], dtype=np.bool_)
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = pixels[
            np.clip(rows + down, 0, height - 1)[:, None], np.clip(columns + right, 0, width - 1)[None, :]
        ]
        flat &= (np.abs(here - beside) <= _FLAT_STEP).all(axis=-1)
    return flat


def _clusters(histogram: _Histogram) -> npt.NDArray[np.intp]:
    """Return the cluster of each bin."""
    seeds = _seeds(histogram)
    kmeans = KMeans(len(seeds), init=histogram.lab[seeds], n_init=1, max_iter=_MAX_ITERATIONS)
    with _OPENMP.limit(limits=1):
        return np.asarray(kmeans.fit_predict(histogram.lab, sample_weight=histogram.share), dtype=np.intp)


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


def _merged(histogram: _Histogram, clusters: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    """Join near clusters, then the least costly ones (Ward's cost) until no more are left than swatches."""
    groups = [np.flatnonzero(clusters == number) for number in np.unique(clusters)]
    while len(groups) > 1:
        colors = np.array([_color(histogram, group)[1] for group in groups])
        share = np.array([histogram.share[group].sum() for group in groups])
        distance = ciede2000(colors[:, None], colors[None, :])
        np.fill_diagonal(distance, np.inf)
        if distance.min() >= _MERGE_DISTANCE:
            if len(groups) <= MAX_SWATCHES:
                break
            distance *= np.sqrt(share[:, None] * share[None, :] / (share[:, None] + share[None, :]))
        first, second = sorted(int(at) for at in np.unravel_index(distance.argmin(), distance.shape))
        groups[first] = np.concatenate([groups[first], groups.pop(second)])
    return groups


def _without_edges(histogram: _Histogram, groups: list[npt.NDArray[np.intp]]) -> list[npt.NDArray[np.intp]]:
    """Give the bins of tiny groups and of blurred edges to the nearest group that stays, the smallest first."""
    groups = sorted(groups, key=lambda group: float(histogram.share[group].sum()))
    kept = list(groups)
    for group in groups[:-1]:
        others = [other for other in kept if other is not group]
        if _is_stray(histogram, group, others):
            kept = others
    colors = np.array([_color(histogram, group)[1] for group in kept])
    owner = np.full(len(histogram.share), -1)
    for number, group in enumerate(kept):
        owner[group] = number
    homeless = owner < 0
    owner[homeless] = ciede2000(histogram.lab[homeless][:, None], colors[None, :]).argmin(axis=1)
    return [np.flatnonzero(owner == number) for number in range(len(kept))]


def _is_stray(
    histogram: _Histogram, group: npt.NDArray[np.intp], others: list[npt.NDArray[np.intp]]
) -> bool:
    share = histogram.share[group].sum()
    if share < _MIN_SHARE:
        return True
    flat = (histogram.flat[group] * histogram.share[group]).sum() / share
    if share > _EDGE_MAX_SHARE or flat > _EDGE_MAX_FLAT:
        return False
    larger = [_color(histogram, other)[0] for other in others if histogram.share[other].sum() > share]
    color = _color(histogram, group)[0]
    return any(
        _distance_to_line(color, one, two) <= _EDGE_MAX_DISTANCE for one, two in itertools.combinations(larger, 2)
    )


def _distance_to_line(point: _Floats, one: _Floats, two: _Floats) -> float:
    along = two - one
    part = np.clip((point - one) @ along / max(along @ along, 1e-9), 0, 1)
    return float(np.linalg.norm(point - one - part * along))


def _color(histogram: _Histogram, group: npt.NDArray[np.intp]) -> tuple[_Floats, _Floats]:
    """Return the color of a group as sRGB (0 to 255) and as CIELAB: that of its largest bin, or else the mean."""
    share = histogram.share[group]
    largest = group[share.argmax()]
    if histogram.share[largest] >= _EXACT_PART * share.sum():
        return histogram.rgb[largest], histogram.lab[largest]
    lab = np.average(histogram.lab[group], axis=0, weights=share)
    return lab_to_srgb(lab).astype(np.float64), lab


def _swatches(histogram: _Histogram, groups: list[npt.NDArray[np.intp]]) -> Iterator[Swatch]:
    for group in groups:
        rgb = np.rint(_color(histogram, group)[0]).astype(np.uint8)
        lightness, a, b = (float(value) for value in srgb_to_lab(rgb))
        yield Swatch((lightness, a, b), rgb_to_hex(rgb), float(histogram.share[group].sum()))
