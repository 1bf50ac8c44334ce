"""k-means on weighted points from given centers (Lloyd's algorithm): what scikit-learn's KMeans does, for few points.

A palette needs no more of scikit-learn than these lines, and loading it, with SciPy and pandas, was two fifths of the
start of every process. A test compares the two.
"""

import numpy as np
import numpy.typing as npt

_TOLERANCE = 1e-4
"""How far the centers may still move, together, in parts of the variance of the points; scikit-learn's default."""

_Floats = npt.NDArray[np.float64]
_Labels = npt.NDArray[np.intp]


def kmeans_labels(points: _Floats, weights: _Floats, centers: _Floats, *, most_rounds: int) -> _Labels:
    """Return (n,) the number of the center that each point belongs to, 0 to k-1, after at most `most_rounds` rounds.

    `points` is (n, d), `weights` (n,) above 0, `centers` (k, d) with k at most n; none is modified. A center that loses
    all of its points goes to the point that is farthest from its own. Deterministic. Source: S. Lloyd, "Least squares
    quantization in PCM", 1982.
    """
    middle = points.mean(axis=0)  # near zero, squares lose less of their precision
    points, centers = points - middle, centers - middle
    enough = _TOLERANCE * points.var(axis=0).mean()
    labels = _nearest(points, centers)
    for _ in range(most_rounds):
        moved = _means(points, weights, labels, centers)
        step = ((moved - centers) ** 2).sum()
        before, centers, labels = labels, moved, _nearest(points, moved)
        if step <= enough or np.array_equal(before, labels):
            break
    return labels


def _nearest(points: _Floats, centers: _Floats) -> _Labels:
    # The square of the point itself is left out: it is the same for all centers.
    labels: _Labels = ((centers**2).sum(axis=1) - 2 * points @ centers.T).argmin(axis=1)
    return labels


def _means(points: _Floats, weights: _Floats, labels: _Labels, centers: _Floats) -> _Floats:
    number = len(centers)
    mass = np.bincount(labels, weights, number)
    sums = np.stack([np.bincount(labels, weights * axis, number) for axis in points.T], axis=-1)
    empty = np.flatnonzero(np.bincount(labels, minlength=number) == 0)
    if empty.size:
        distance = ((points - centers[labels]) ** 2).sum(axis=1)
        for center, point in zip(empty, np.argsort(-distance, kind="stable")[: empty.size], strict=True):
            for owner, weight in ((labels[point], -weights[point]), (center, weights[point])):
                mass[owner] += weight
                sums[owner] += weight * points[point]
    has_any = (mass > 0)[:, None]  # a point that was alone may have been taken away
    return np.where(has_any, sums / np.where(has_any, mass[:, None], 1), centers)
