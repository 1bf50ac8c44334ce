"""How one picture lies upon another: the affine transform that the most local features agree with.

Transforms here are (3, 3) float64 and lead from the pixels of one picture to those of another.
"""

from dataclasses import dataclass

import cv2
import faiss
import numpy as np
import numpy.typing as npt

from pipeline.features.local_features import DESCRIPTOR_BYTES, LocalFeatures

RATIO = 0.82
"""How much nearer, in bits, a point's match must be than the next one elsewhere (Lowe, 2004, has 0.8)."""

SAME_PLACE_PX = 12
"""Pixels within which the next match is the same place seen at another level, and so no rival."""

NEIGHBORS = 4
"""Matches looked at for each point, so that one elsewhere is among them."""

LARGEST_DISTANCE = 80
"""Bits of 256 in which the descriptors of a match may differ; unrelated ones differ in 128, give or take 20."""

REPROJECTION_PX = 4.0
"""Pixels that a match may be off the transform: corners of a coarse level are placed no better."""

ITERATIONS = 1500
CONFIDENCE = 0.995

LEAST_INLIERS = 7
"""Matches that must agree. Of unrelated pictures, up to ten of hundreds do by chance; pixels decide, not this."""

LARGEST_SCALE = 8.0
"""The factor by which the sides may grow or shrink; beyond it, it is a collapse of everything into a point."""

LARGEST_STRETCH = 2.0
"""The factor by which one direction may grow against the other; skewed further, nothing is a copy any more."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Alignment:
    """`transform` leads from a to b; `inliers` of `matches` agree with it, at as many places."""

    transform: Matrix
    inliers: int
    matches: int


def align(a: LocalFeatures, b: LocalFeatures, *, mirrored: bool = False) -> Alignment | None:
    """Return how a lies on b, None where too few points agree on a transform that can be.

    `mirrored` says that `a` are features of the mirror image, so that only a transform that turns it over can be.
    """
    if min(len(a.points), len(b.points)) <= NEIGHBORS:
        return None
    pairs = _matches(a.descriptors, b)
    if len(pairs) < LEAST_INLIERS:
        return None
    source, target = a.points[pairs[:, 0]], b.points[pairs[:, 1]]
    found, inside = cv2.estimateAffine2D(
        source,
        target,
        method=cv2.USAC_DEFAULT,
        ransacReprojThreshold=REPROJECTION_PX,
        maxIters=ITERATIONS,
        confidence=CONFIDENCE,
    )
    if found is None or not np.isfinite(found).all():
        return None
    transform = np.vstack([found, (0, 0, 1)]).astype(np.float64)
    inliers = _distinct(target[inside.ravel().astype(bool)])
    if inliers < LEAST_INLIERS or not is_possible(transform, mirrored=mirrored):
        return None
    return Alignment(transform, inliers, len(pairs))


def is_possible(transform: Matrix, *, mirrored: bool) -> bool:
    """Whether a picture can have been made from another so: turned over only if `mirrored`, and not collapsed."""
    linear = transform[:2, :2]
    largest, smallest = np.linalg.svd(linear, compute_uv=False)
    if (np.linalg.det(linear) < 0) != mirrored or smallest < 1 / LARGEST_SCALE or largest > LARGEST_SCALE:
        return False
    return bool(largest <= LARGEST_STRETCH * smallest)


def _matches(descriptors: npt.NDArray[np.uint8], b: LocalFeatures) -> npt.NDArray[np.int64]:
    """Return (n, 2) numbers of points that look more like each other than like any elsewhere."""
    bits, nearest = _nearest(descriptors, b.descriptors)
    apart = np.abs(b.points[nearest[:, 1:]] - b.points[nearest[:, :1]]).max(axis=2) > SAME_PLACE_PX
    rivals = np.where(apart, bits[:, 1:], 256).min(axis=1)
    good = np.flatnonzero((bits[:, 0] < RATIO * rivals) & (bits[:, 0] <= LARGEST_DISTANCE))
    return np.column_stack([good, nearest[good, 0]]).astype(np.int64)


def _nearest(
    descriptors: npt.NDArray[np.uint8], known: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return how many bits the NEIGHBORS nearest of the known differ in, and which they are; each (n, NEIGHBORS).

    FAISS takes a quarter of the time of OpenCV's matcher, with one thread: waiting for others takes longer than it all.
    """
    index = faiss.IndexBinaryFlat(8 * DESCRIPTOR_BYTES)
    index.add(known)
    threads = faiss.omp_get_max_threads()  # of the calling thread alone
    faiss.omp_set_num_threads(1)
    try:
        return index.search(descriptors, NEIGHBORS)
    finally:
        faiss.omp_set_num_threads(threads)


def _distinct(points: npt.NDArray[np.float32]) -> int:
    """Return how many places the points are at: one that many matches lead to is one witness."""
    return len(np.unique(np.round(points / REPROJECTION_PX), axis=0))
