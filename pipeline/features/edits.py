"""What was done to a picture, told from where its copy lies, and from how their pixels differ there."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.features.agreement import Agreement
from pipeline.features.comparison import EITHER, Box, Edit, EditKind
from pipeline.features.laid import Laid

CROPPED = 0.97
"""The part of a picture's box, 0 to 1, that may be left before it is cropped: encoders cut off a few pixels."""

BORDERED = 0.97
"""The part of a picture that may be left without its borders before it has one."""

BORDER_IS_OTHERS = 0.5
"""The part of a border, 0 to 1, that the other picture covers, from which on the border is that one's too."""

TURNED_DEGREES = 0.7
"""Degrees from which on a picture was turned; alignment is exact to a few tenths."""

RESCALED = 0.03
STRETCHED = 0.03
"""The part by which sides must differ."""

RECOLORED_LEVELS = 9.0
"""Levels, 0 to 255, that colors must be apart on average; JPEG of quality 20 leaves three to five."""

BLURRED = 0.72
"""The part of the fine detail, against the coarse, that may be left before a picture was blurred."""

BLURRED_BY_SCALE = 0.7
"""A factor of rescaling below which lost detail needs no other reason."""

OVERLAY = 0.006
"""The part of what both show, 0 to 1, that must be other things for an overlay."""

SMEARED_PX = 8
"""Pixels of the canvas from the edge of what both show, within which a border beside it is smeared into the picture."""

SURROUNDS = 0.01
"""The part of a side, 0 to 1, that each of four bands has at least where they are one border around a picture."""

SPECK_PX = 40  # pixels of the canvas; what is less is noise

HUE_LEVELS = 3.0
HUE_PART = 0.4
"""Levels, and the part of the stronger one's color, that hues must be apart in a picture of pale colors."""

SMOOTH_PX = 3  # pixels, each way, over which colors are compared; JPEG keeps them coarser than brightness

FINE_PX, COARSE_PX = 3, 11
"""Pixels of the canvas, each way, that are averaged to part fine detail from coarse."""

LEAST_DETAIL = 0.5  # levels squared; with less there is no detail to lose

FADED = 0.5
"""The part of the other one's contrast below which a picture is plainly the one that was made pale. With more, contrast
may as well have been added to the other."""

GRAY = 0.25
"""The part of the other one's color below which a picture is plainly the one that was made gray."""


def edits_of(laid: Laid, agreement: Agreement, *, captioned: tuple[bool, bool]) -> tuple[Edit, ...]:
    """Return what was done, the one that changed most first; `captioned` says whose border has writing on it."""
    told = [*_cropped(laid), *_bordered(laid, captioned)]
    told += _overlaid(laid, agreement, is_bordered=any(edit.kind in _BORDERS for edit in told))
    told += _rescaled(laid)
    told += _recolored(laid, agreement)
    told += _blurred(laid, agreement, told)
    whose = _edited(told)
    told += _turned(laid, whose)
    told += _stretched(laid, whose)
    return tuple(sorted(told, key=lambda edit: list(_ORDER).index(edit.kind)))


_ORDER = (
    EditKind.MIRRORED,
    EditKind.ROTATED,
    EditKind.CROPPED,
    EditKind.CAPTION,
    EditKind.BORDER,
    EditKind.OVERLAY,
    EditKind.RECOLORED,
    EditKind.STRETCHED,
    EditKind.BLURRED,
    EditKind.RESCALED,
)
"""From what changes a picture most to what changes it least."""


_BORDERS = frozenset({EditKind.BORDER, EditKind.CAPTION})


def _edited(told: list[Edit]) -> str:
    """Return who was edited by what tells it: most of the edits are usually of one picture.

    Which one is smaller tells nothing: originals are made smaller, and copies are kept of what is.
    """
    votes = [edit.of for edit in told if edit.kind is not EditKind.RESCALED]
    of_a, of_b = votes.count("a"), votes.count("b")
    return EITHER if of_a == of_b else "a" if of_a > of_b else "b"


def _turned(laid: Laid, whose: str) -> list[Edit]:
    told = [Edit(EditKind.MIRRORED, whose)] if laid.mirrored else []
    degrees = laid.degrees
    if abs(degrees) < TURNED_DEGREES:
        return told
    if whose == EITHER:
        degrees = abs(degrees)
    elif whose == "a" and not laid.mirrored:
        degrees = -degrees  # what turned b back into a
    return [*told, Edit(EditKind.ROTATED, whose, round(degrees, 1))]


def _cropped(laid: Laid) -> list[Edit]:
    overlap = laid.overlap
    told = []
    if overlap.of_a < CROPPED and laid.lost("a"):
        told.append(Edit(EditKind.CROPPED, "b", overlap.of_a, overlap.in_a))
    if overlap.of_b < CROPPED and laid.lost("b"):
        told.append(Edit(EditKind.CROPPED, "a", overlap.of_b, overlap.in_b))
    return told


def _bordered(laid: Laid, captioned: tuple[bool, bool]) -> list[Edit]:
    told = []
    for of, frame, written in (("a", laid.a_frame, captioned[0]), ("b", laid.b_frame, captioned[1])):
        left: Box = (float(frame[0, 2]), float(frame[1, 2]), float(frame[0, 0]), float(frame[1, 1]))
        if left[2] * left[3] < BORDERED and laid.beyond(of) < BORDER_IS_OTHERS:
            bands = (left[0], left[1], 1 - left[0] - left[2], 1 - left[1] - left[3])
            is_caption = written and min(bands) < SURROUNDS
            told.append(Edit(EditKind.CAPTION if is_caption else EditKind.BORDER, of, None, left))
    return told


def _rescaled(laid: Laid) -> list[Edit]:
    scale = laid.scale
    across = math.sqrt(abs(laid.stretch("b")))
    kept = min((scale, scale * across, scale / across), key=lambda each: abs(math.log(each)))
    if abs(math.log(kept)) < RESCALED:  # also where only one side was changed: that is stretching
        return []
    return [Edit(EditKind.RESCALED, "b", scale) if scale < 1 else Edit(EditKind.RESCALED, "a", 1 / scale)]


def _stretched(laid: Laid, whose: str) -> list[Edit]:
    factor = laid.stretch("a" if whose == "a" else "b")
    if abs(math.log(abs(factor) or 1)) < STRETCHED:
        return []
    return [Edit(EditKind.STRETCHED, whose, None if whose == EITHER else factor)]


def _recolored(laid: Laid, agreement: Agreement) -> list[Edit]:
    a, b = (cv2.blur(each, (SMOOTH_PX, SMOOTH_PX)) for each in laid.colors)
    there = cv2.resize((laid.canvas.both & ~agreement.other).astype(np.uint8), a.shape[1::-1]) > 0
    if not there.any():
        return []
    ours, theirs = np.asarray(a[there], np.float32), np.asarray(b[there], np.float32)
    hues = [
        np.column_stack([each[:, 0] - each[:, 1], each[:, 2] - each[:, :2].mean(axis=1)]) for each in (ours, theirs)
    ]
    strength = max(float(np.abs(each).mean()) for each in hues)
    shift = float(np.abs(hues[0] - hues[1]).mean())
    if float(np.abs(ours - theirs).mean()) < RECOLORED_LEVELS and shift < max(HUE_LEVELS, HUE_PART * strength):
        return []
    is_weaker = (_is_weaker(ours, theirs), _is_weaker(theirs, ours))
    return [Edit(EditKind.RECOLORED, EITHER if is_weaker[0] == is_weaker[1] else "a" if is_weaker[0] else "b")]


def _is_weaker(colors: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> bool:
    """Whether the first is plainly the gray or the pale one of both."""
    color, other_color = (float((each.max(axis=1) - each.min(axis=1)).mean()) for each in (colors, others))
    contrast, other_contrast = (float(each.mean(axis=1).std()) for each in (colors, others))
    is_gray = other_color >= RECOLORED_LEVELS and color < GRAY * other_color
    return is_gray or contrast < FADED * other_contrast


def _blurred(laid: Laid, agreement: Agreement, told: list[Edit]) -> list[Edit]:
    there = agreement.same
    a, b = laid.canvas.a, laid.canvas.b
    (a_fine, a_coarse), (b_fine, b_coarse) = (_bands(each, there) for each in (a, b))
    energies = [float((each**2).mean()) if each.size else 0.0 for each in (a_fine, b_fine, a_coarse, b_coarse)]
    if min(energies) <= 0 or max(energies[:2]) < LEAST_DETAIL:
        return []
    fine, coarse = float((a_fine * b_fine).mean()), float((a_coarse * b_coarse).mean())
    if min(fine, coarse) <= 0:
        return []
    # What of one's detail is in the other: noise in the other is in neither product, so that it hides nothing.
    left = {"b": fine / energies[0] / (coarse / energies[2]), "a": fine / energies[1] / (coarse / energies[3])}
    scaled = {edit.of for edit in told if edit.kind is EditKind.RESCALED and (edit.amount or 1) < BLURRED_BY_SCALE}
    for of, other in (("b", "a"), ("a", "b")):
        if left[of] < BLURRED and left[other] > 1 and of not in scaled:
            return [Edit(EditKind.BLURRED, of)]
    return []


def _bands(
    values: npt.NDArray[np.float32], there: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    fine, coarse = (cv2.blur(values, (size, size)) for size in (FINE_PX, COARSE_PX))
    return (values - fine)[there], (fine - coarse)[there]


def _overlaid(laid: Laid, agreement: Agreement, *, is_bordered: bool) -> list[Edit]:
    other = cv2.morphologyEx(agreement.other.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(other)
    parts = [number for number in range(1, count) if stats[number][cv2.CC_STAT_AREA] >= SPECK_PX]
    if is_bordered:
        within = set(np.unique(labels[_within(laid.canvas.both)]).tolist())
        parts = [number for number in parts if number in within]
    large = [stats[number] for number in parts]
    area = sum(int(each[cv2.CC_STAT_AREA]) for each in large)
    if area < OVERLAY * max(1, int(laid.canvas.both.sum())):
        return []
    left, top = (min(int(each[side]) for each in large) for side in (cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP))
    right = max(int(each[cv2.CC_STAT_LEFT] + each[cv2.CC_STAT_WIDTH]) for each in large)
    bottom = max(int(each[cv2.CC_STAT_TOP] + each[cv2.CC_STAT_HEIGHT]) for each in large)
    there = np.isin(labels, parts)
    slopes = [float(np.abs(cv2.Laplacian(each, cv2.CV_32F))[there].mean()) for each in (laid.canvas.a, laid.canvas.b)]
    of = "a" if slopes[0] > slopes[1] else "b"
    return [Edit(EditKind.OVERLAY, of, None, laid.box_on(of, left, top, right - left, bottom - top))]


def _within(both: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return what both show without its edge."""
    size = 2 * SMEARED_PX + 1
    padded = cv2.copyMakeBorder(both.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.erode(padded, np.ones((size, size), np.uint8))[1:-1, 1:-1] > 0)
