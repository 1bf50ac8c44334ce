"""Searching by colors alone: the images whose palettes fit what is asked, best first, and why each does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.backend import Backend
from pipeline.features.palette import MAX_SWATCHES
from pipeline.features.palette_fit import FARTHEST, Fit, fit
from pipeline.features.picture import Swatch
from pipeline.filters import Filter
from pipeline.images import ImageRecord
from pipeline.stores import records_images, records_listing
from pipeline.stores.swatch_ranking import asked_of, without_background

SPARE = 32  # images ranked beyond what is needed, for those that nobody may see; when these do not do, twice as many
DIGITS = 1  # of a difference that is told; a tenth of what an eye can just tell apart
SHARE_DIGITS = 3


@dataclass(frozen=True)
class ColorHit:
    """An image whose palette fits, and what of it does."""

    image: ImageRecord
    why: dict[str, object]


def rows_by_colors(backend: Backend, where: Filter, needed: int) -> list[int]:
    """Return the rows of the images that have the colors of `where`, best first: `needed` at least, or all.

    `where` has been narrowed to what somebody sees. Raises StoreUnavailable.
    """
    rows: list[int] = []
    for found in _visible(backend, where, needed + SPARE):
        rows += found
        if len(rows) >= needed:
            break
    return rows


def color_hits(backend: Backend, where: Filter, rows: Sequence[int]) -> list[ColorHit]:
    """Return the images of these rows, in their order, with what of their palettes fits the colors of `where`."""
    with backend.database.read() as connection:
        images = records_images.get_by_rows(connection, rows)
    return [ColorHit(image, why) for image, why in zip(images, _why(where, images), strict=True)]


def _visible(backend: Backend, where: Filter, number: int) -> Iterator[list[int]]:
    """Give the rows of the ranking, in its order, that are visible and pass the rest of `where`: first of `number`."""
    ranking = backend.swatches.ranking(where)
    looked_at = 0
    while True:
        best = ranking.first(number)
        part = best[looked_at:]
        if len(part):
            with backend.database.read() as connection:
                passing = set(records_listing.visible_rows(connection, where, colored=part))
            yield [row for row in part.tolist() if row in passing]
        if len(best) < number:
            return
        looked_at, number = number, 2 * number


def _why(where: Filter, images: Sequence[ImageRecord]) -> list[dict[str, object]]:
    """Return how far each palette is from the colors of `where`, and which swatches each of these has found.

    A share is that of the picture, or of what is left of it without its background.
    """
    palettes = [image.color.swatches if image.color else () for image in images]
    lab = np.zeros((MAX_SWATCHES, len(images), 3), np.float32)
    shares = np.zeros((MAX_SWATCHES, len(images)))
    background = np.zeros((MAX_SWATCHES, len(images)), np.bool_)
    for number, swatches in enumerate(palettes):
        for place, swatch in enumerate(swatches[:MAX_SWATCHES]):
            lab[place, number], shares[place, number] = swatch.lab, swatch.share
            background[place, number] = swatch.is_background
    if where.ignore_background:
        shares = without_background(shares, background)
    found = fit(asked_of(where), lab, shares.astype(np.float32))
    return [
        {
            "distance": round(float(found.distance[number]), DIGITS),
            "colors": [
                {"color": color.hex, "share": color.share, "found": _found(found, at, number, swatches)}
                for at, color in enumerate(where.asked_colors)
            ],
        }
        for number, swatches in enumerate(palettes)
    ]


def _found(found: Fit, color: int, image: int, swatches: Sequence[Swatch]) -> list[dict[str, object]]:
    """Return the swatches of which a color took a share, the most first; what is FARTHEST away is no match."""
    taken, apart = found.taken[color, :, image], found.differences[color, :, image]
    return [
        {
            "hex": swatches[place].hex,
            "difference": round(float(apart[place]), DIGITS),
            "share": round(float(taken[place]), SHARE_DIGITS),
        }
        for place in np.argsort(-taken, kind="stable").tolist()
        if taken[place] > 0 and apart[place] < FARTHEST
    ]
