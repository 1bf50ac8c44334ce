"""What two pictures are to each other: the comparison itself, from the cheap to the costly, as far as it needs to go.

The same bytes or pixels are one picture. Where the hashes are near, the pictures are laid upon each other as the
hashes say; where that does not convince, as their local features say, then as those of the mirror image do. Pixels
decide whether it is a copy, and blocks that moved whether it is another photo. How each limit was found stands in
docs/duplicates.md.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.features import blocks as block_search
from pipeline.features.agreement import (
    CANVAS_PX,
    FINE_PX,
    Agreement,
    Canvas,
    agree,
    agree_finely,
    kept_edges,
    lay,
    limited,
)
from pipeline.features.alignment import align, is_possible
from pipeline.features.blocks import Blocks
from pipeline.features.comparison import Comparison, Edit, EditKind, Verdict
from pipeline.features.edits import edits_of
from pipeline.features.fingerprint import HASH_BYTES, ORIENTATIONS, Fingerprint
from pipeline.features.flat_colors import colors_fit
from pipeline.features.laid import Laid, in_pixels, turn
from pipeline.features.pdq import distances
from pipeline.features.seen import SMALL_SIDE, Seen, seen_of
from pipeline.features.slanted import slanted

HASH_SAYS_HOW = 80
"""Bits of PDQ up to which the orientation that the hashes say is tried first. Of 499,500 unrelated pairs the nearest
were 84 apart."""

SMALL = 0.9
"""The correlation of the pictures at 16 by 16 pixels from which on the orientation that has it is tried."""

HASH_IS_SURE = 31
"""Bits of PDQ up to which its orientation is right; what others take for a match."""

HASH_IS_NEAR = 40
"""Bits of PDQ up to which pictures that do not agree are looked at from afar: one may be very blurred, or tiny."""

COARSE_PX = CANVAS_PX // 9
"""Pixels of the canvas then."""

REFINEMENTS = 2  # rounds; most need one or none

COPY_AGREEMENT = 0.70
"""The part of the textured pixels, 0 to 1, from which on two pictures are copies."""

OVERLAID_AGREEMENT = 0.36
"""The part that is enough where the edges are kept: the rest lies under letters or a sticker."""

KEPT_EDGES = 0.60
KEPT_BETWEEN = 0.13
"""The part of the edges, 0 to 1, that are kept in a copy with something over it: in all, and where it does not agree.
Of one picture with letters over it 0.18 and more are kept there, of two photos before one background 0.07."""

DETAILED = 12.0
"""Levels of fine detail in both from which on it is compared too: pages, patterns, dense foliage."""

FINE_AGREEMENT = 0.60
"""The part of the fine detail, 0 to 1, that must agree then. Of copies 0.90 and more does, of pages of one form with
other words 0.23."""

LEAST_TEXTURED = 0.004
"""The part of what both show, 0 to 1, below which there is nothing that could agree."""

FLAT_TEXTURED, FLAT_DETAIL = 0.25, 7.0
"""The part of what both show that has texture, and levels of fine detail, below which a picture is a flat drawing."""

PLAIN_LEVELS = 6
"""Levels, 0 to 255, that pictures without texture may be apart anywhere, seen small, to be one."""

PLAIN_ASPECT = 0.02  # by which their proportions may differ, as a logarithm

CERTAIN_AGREEMENT = 0.93
"""From here on nothing else is tried."""

DRIFT_PX = 0.30
"""Pixels of the canvas that blocks are off together, from which on it is another photo of the same thing."""

LEAST_MOVED = 2
"""Blocks that moved together, from which on it is one too."""

SCENE_INLIERS = 15
"""Local features that agree, from which on two pictures show one thing although their pixels do not agree."""

SCENE_AGREEMENT = 0.30
"""The part of the textured pixels that must agree where fewer features do."""

SIMILAR_HASH = 84
"""Bits of PDQ below which pictures that are no copies at least look alike."""

SIMILAR_EMBEDDING = 0.6
"""The cosine of embeddings from which on they do."""

Gray = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

__all__ = ["Seen", "compare", "seen_of"]


@dataclass(frozen=True)
class _Case:
    """One way in which a lies on b, and what the pixels say of it.

    `enlargement` is how many pixels of the canvas a pixel of the coarser picture has become.
    """

    a: Seen
    b: Seen
    transform: Matrix
    mirrored: bool
    inliers: int | None
    canvas: Canvas
    agreement: Agreement
    blocks: Blocks
    enlargement: float
    a_corners: Matrix | None
    b_corners: Matrix | None

    @cached_property
    def is_overlaid(self) -> bool:
        """Whether the picture goes on between what lies over it."""
        if self.agreement.share < OVERLAID_AGREEMENT:
            return False
        kept, between = kept_edges(self.canvas, self.agreement)
        return kept >= KEPT_EDGES and between >= KEPT_BETWEEN

    @cached_property
    def has_moved(self) -> bool:
        if self.is_flat:  # what has few edges fits in many places along them
            return False
        limit = DRIFT_PX * max(1.0, self.enlargement)
        if self.blocks.drift >= limit:
            return not self.is_overlaid or self.blocks.drift >= 2 * limit  # letters put blocks off too
        moved = block_search.search_farther(self.canvas, self.blocks).moved
        return int(moved.sum()) >= LEAST_MOVED and not self.is_overlaid

    @cached_property
    def is_same(self) -> bool:
        if self.agreement.textured < LEAST_TEXTURED:
            return False
        if self.agreement.share < COPY_AGREEMENT and not self.is_overlaid:
            return False
        if self.is_flat and not colors_fit(self.a.picture, self.b.picture, self.canvas):
            return False
        return self.fine_agreement is None or self.fine_agreement >= FINE_AGREEMENT

    @property
    def is_flat(self) -> bool:
        """Whether there is little but areas of one color, whose edges alone many drawings share: flags, signs."""
        return self.agreement.textured < FLAT_TEXTURED and min(self.a.detail, self.b.detail) < FLAT_DETAIL

    @property
    def is_drawn(self) -> bool:
        """Whether what both share is a form or a pattern rather than a scene: flat colors, or a page of other words."""
        if self.is_flat or self.has_moved or self.agreement.share < COPY_AGREEMENT:
            return self.is_flat
        return self.fine_agreement is not None and self.fine_agreement < FINE_AGREEMENT

    @cached_property
    def fine_agreement(self) -> float | None:
        """How much of the fine detail agrees, None where nothing can be said or there is too little to be asked."""
        if min(self.a.detail, self.b.detail) < DETAILED:
            return None
        canvas = lay(self.a.gray, self.b.gray, self.transform, FINE_PX)
        return None if canvas is None else agree_finely(limited(canvas, self.a_corners, self.b_corners))

    @property
    def is_certain(self) -> bool:
        return self.is_same and not self.has_moved and self.agreement.share >= CERTAIN_AGREEMENT


@dataclass(frozen=True)
class _Nearest:
    """The two hashes that are nearest: whether of pictures without borders, and b's orientation, 0 to 7."""

    distance: int
    a_trimmed: bool
    b_trimmed: bool
    orientation: int

    @property
    def is_mirrored(self) -> bool:
        return self.orientation >= ORIENTATIONS // 2

    def transform(self, a: Seen, b: Seen) -> Matrix:
        """Return how a lies on b, in pixels of their `gray`, if the hashes are right."""
        turned = turn(self.orientation % 4 if self.is_mirrored else -self.orientation % 4, mirrored=self.is_mirrored)
        source, target = a.frame(trimmed=self.a_trimmed), b.frame(trimmed=self.b_trimmed)
        return in_pixels(target @ turned @ np.linalg.inv(source), a.gray.shape, b.gray.shape)


def compare(a: Seen, b: Seen) -> Comparison:
    """Return what b is to a, and why: the verdict with its evidence."""
    near = _nearest(a.fingerprint, b.fingerprint)
    similarity = None if a.embedding is None or b.embedding is None else float(a.embedding @ b.embedding)
    if _is_identical(a, b):
        return Comparison(Verdict.IDENTICAL, hash_distance=near.distance, similarity=similarity)
    best: _Case | None = None
    for case in _cases(a, b, near):
        if best is None or _rank(case) > _rank(best):
            best = case
        if case.is_certain:
            break
    if best is None or best.agreement.textured < LEAST_TEXTURED:
        verdict = Verdict.REENCODED if _is_plainly_same(a, b) else _by_looks(near.distance, similarity)
        return Comparison(verdict, hash_distance=near.distance, similarity=similarity)
    return _told(a, b, best, near.distance, similarity)


def _is_plainly_same(a: Seen, b: Seen) -> bool:
    """Whether two pictures without anything to see are of the same colors in the same places."""
    (a_height, a_width), (b_height, b_width) = a.gray.shape, b.gray.shape
    if abs(math.log(a_width * b_height / (a_height * b_width))) > PLAIN_ASPECT:
        return False
    one, other = (
        cv2.resize(each.picture.pixels, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
        for each in (a, b)
    )
    return int(np.abs(one - other).max()) <= PLAIN_LEVELS


def _is_identical(a: Seen, b: Seen) -> bool:
    if a.sha256 is not None and a.sha256 == b.sha256:
        return True
    one, other = a.picture, b.picture
    return (
        (one.facts.width, one.facts.height) == (other.facts.width, other.facts.height)
        and np.array_equal(one.pixels, other.pixels)
        and _same_alpha(one.alpha, other.alpha)
    )


def _same_alpha(one: Gray | None, other: Gray | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)


def _nearest(a: Fingerprint, b: Fingerprint) -> _Nearest:
    theirs = np.frombuffer(b.trimmed + b.whole, np.uint8).reshape(-1, HASH_BYTES)
    found = []
    for a_trimmed, ours in ((False, a.whole), (True, a.trimmed[:HASH_BYTES])):
        bits = distances(theirs, ours)
        bits[-1] = bits[-1] * 2 if a_trimmed else bits[-1]  # a border on one side only is seen in the others
        number = int(bits.argmin())
        found.append(_Nearest(int(bits[number]), a_trimmed, number < ORIENTATIONS, number % ORIENTATIONS))
    return min(found, key=lambda each: (each.distance, not each.a_trimmed))


def _cases(a: Seen, b: Seen, near: _Nearest) -> Iterator[_Case]:
    """Yield the ways in which a can lie on b, the cheapest first."""
    alike = None if near.distance <= HASH_IS_SURE else _alike_when_small(a, b)
    if alike is not None:
        case = _case(a, b, alike.transform(a, b), alike.is_mirrored, None)
        if case is not None:
            yield case
    if near.distance <= HASH_SAYS_HOW:
        case = _case(a, b, near.transform(a, b), near.is_mirrored, None)
        if case is not None:
            yield case
        if case is not None and not case.is_same and not case.has_moved and near.distance <= HASH_IS_NEAR:
            coarse = _case(a, b, case.transform, near.is_mirrored, None, COARSE_PX)
            if coarse is not None:
                yield coarse
    for mirrored in (False, True):
        found = align(a.mirrored_features if mirrored else a.features, b.features, mirrored=mirrored)
        case = None if found is None else _case(a, b, found.transform, mirrored, found.inliers)
        if case is not None:
            yield case
            if case.is_same:
                return


def _alike_when_small(a: Seen, b: Seen) -> _Nearest | None:
    """Return how pictures lie on each other by their brightness alone: the hashes of flat drawings say little."""
    found = []
    for orientation in range(ORIENTATIONS):
        upright = b.small if orientation < ORIENTATIONS // 2 else np.fliplr(b.small)
        found.append(float((np.rot90(upright, -orientation) * a.small).sum()))
    best = int(np.argmax(found))
    return _Nearest(HASH_SAYS_HOW, a_trimmed=False, b_trimmed=False, orientation=best) if found[best] >= SMALL else None


def _case(
    a: Seen, b: Seen, transform: Matrix, mirrored: bool, inliers: int | None, pixels: int = CANVAS_PX
) -> _Case | None:
    canvas = lay(a.gray, b.gray, transform, pixels)
    if canvas is None:
        return None
    degrees = math.degrees(math.atan2(*_turn(transform, mirrored=mirrored)))
    a_corners, b_corners = slanted(a.gray, degrees if mirrored else -degrees), slanted(b.gray, degrees)
    canvas = limited(canvas, a_corners, b_corners)
    found = block_search.search(canvas)
    for _ in range(REFINEMENTS):
        better = block_search.refined(canvas, found)
        again = None
        if better is not None and is_possible(better, mirrored=mirrored):
            again = lay(a.gray, b.gray, better, pixels)
        if better is None or again is None:
            break
        transform, canvas = better, limited(again, a_corners, b_corners)
        found = block_search.search(canvas)
    enlarged = max(_scale(canvas.a_to_canvas) * a.scale, _scale(canvas.b_to_canvas) * b.scale)
    return _Case(a, b, transform, mirrored, inliers, canvas, agree(canvas), found, enlarged, a_corners, b_corners)


def _turn(transform: Matrix, *, mirrored: bool) -> tuple[float, float]:
    """Return the sine and the cosine, times a factor, of the angle that a is turned by after it was mirrored."""
    linear = transform[:2, :2] @ (np.diag([-1.0, 1.0]) if mirrored else np.eye(2))
    return float(linear[1, 0] - linear[0, 1]), float(linear[0, 0] + linear[1, 1])


def _scale(onto: Matrix) -> float:
    return float(np.sqrt(abs(np.linalg.det(onto[:2, :2]))))


def _rank(case: _Case) -> tuple[bool, bool, float]:
    return case.is_same, not case.has_moved, case.agreement.share


def _told(a: Seen, b: Seen, case: _Case, distance: int, similarity: float | None) -> Comparison:
    laid = Laid(
        a.picture,
        b.picture,
        a.frame(trimmed=True),
        b.frame(trimmed=True),
        case.canvas,
        case.mirrored,
        case.a_corners,
        case.b_corners,
    )
    verdict = _by_looks(distance, similarity)
    edits: tuple[Edit, ...] = ()
    if case.is_same and not case.has_moved:
        edits = edits_of(laid, case.agreement, captioned=(a.content.captioned, b.content.captioned))
        is_edited = any(edit.kind is not EditKind.RESCALED for edit in edits)
        verdict = Verdict.EDITED if is_edited else Verdict.REENCODED
    elif case.is_drawn:
        verdict = Verdict.SIMILAR
    elif case.is_same or (case.inliers or 0) >= SCENE_INLIERS or case.agreement.share >= SCENE_AGREEMENT:
        verdict = Verdict.SAME_SCENE
    return Comparison(
        verdict,
        edits,
        laid.affine,
        laid.overlap.in_a,
        laid.overlap.in_b,
        case.mirrored,
        laid.degrees,
        case.inliers,
        case.agreement.share,
        distance,
        similarity,
    )


def _by_looks(distance: int, similarity: float | None) -> Verdict:
    looks_alike = distance < SIMILAR_HASH or (similarity or 0) >= SIMILAR_EMBEDDING
    return Verdict.SIMILAR if looks_alike else Verdict.DIFFERENT
