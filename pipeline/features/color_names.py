"""The eleven basic color names: which one a color is called, decided by regions of CIELAB.

The names are those of Berlin and Kay, "Basic Color Terms" (1969). The regions begin with the order in which Sturges
and Whitfield ("Locating basic colours in the Munsell space", Color Research & Application 20, 1995) found the names
around the hue circle, brown and pink being the dark and the light part of warm hues; their edges are rounded from
where the answers of the XKCD color survey (2010, public domain) change from one name to the next. `bench/colors.py`
measures how often they agree with it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.features.picture import COLOR_NAMES

_ANY = (0.0, 1000.0)


@dataclass(frozen=True)
class _Region:
    """Colors that get a name: hue angle h in degrees, lightness L* and chroma C* of CIELAB, from and below."""

    name: str
    hue: tuple[float, float]
    lightness: tuple[float, float] = _ANY
    chroma: tuple[float, float] = _ANY


_ALL_HUES = (0.0, 360.0)

_REGIONS = (
    _Region("pink", (0, 24)),
    _Region("red", (24, 47)),
    _Region("orange", (47, 79)),
    _Region("yellow", (79, 108)),
    _Region("green", (108, 182)),
    _Region("blue", (182, 308)),
    _Region("purple", (308, 336)),
    _Region("pink", (336, 360)),
    # Parts of these sectors that have names of their own.
    _Region("red", (0, 24), lightness=(0, 53), chroma=(46, 1000)),
    _Region("purple", (0, 24), lightness=(0, 45), chroma=(0, 46)),
    _Region("pink", (24, 47), lightness=(60, 101)),
    _Region("brown", (18, 108), lightness=(0, 45), chroma=(0, 42)),
    _Region("brown", (40, 79), lightness=(0, 56), chroma=(0, 65)),
    _Region("brown", (47, 97), lightness=(45, 72), chroma=(0, 46)),
    _Region("brown", (79, 97), lightness=(0, 60)),
    _Region("green", (97, 108), lightness=(0, 76)),
    _Region("green", (108, 116), lightness=(0, 90)),
    _Region("yellow", (108, 116), lightness=(90, 101)),
    _Region("purple", (308, 350), lightness=(0, 53)),
    _Region("purple", (296, 308), lightness=(40, 101), chroma=(0, 70)),
    # Grays have less chroma the lighter they are: a tint shows on white and is lost in the dark.
    _Region("gray", _ALL_HUES, lightness=(0, 30), chroma=(0, 10)),
    _Region("gray", _ALL_HUES, lightness=(30, 80), chroma=(0, 13)),
    _Region("gray", _ALL_HUES, lightness=(80, 101), chroma=(0, 8)),
    _Region("white", _ALL_HUES, lightness=(90, 101), chroma=(0, 8)),
    _Region("black", _ALL_HUES, lightness=(0, 16), chroma=(0, 10)),
    _Region("black", _ALL_HUES, lightness=(0, 6), chroma=(0, 20)),
)
"""Later regions overrule earlier ones; the first eight cover the whole circle."""


def name_indices(lab: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """Return the position in COLOR_NAMES of the name of each CIELAB color, shape (..., 3) to (...)."""
    lightness, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    named = np.zeros(lab.shape[:-1], dtype=np.intp)
    for region in _REGIONS:
        inside = _between(hue, region.hue) & _between(lightness, region.lightness) & _between(chroma, region.chroma)
        named = np.where(inside, COLOR_NAMES.index(region.name), named)
    return named


def _between(values: npt.NDArray[np.floating], edges: tuple[float, float]) -> npt.NDArray[np.bool_]:
    return np.asarray((values >= edges[0]) & (values < edges[1]))
