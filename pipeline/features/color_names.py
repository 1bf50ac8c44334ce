"""The eleven basic color names: which one a color is called, decided by regions of CIELAB.

The names are those of Berlin and Kay, "Basic Color Terms" (1969). The regions follow where Sturges and Whitfield
("Locating basic colours in the Munsell space", Color Research & Application 20, 1995) found the names used with
consensus: gray, black and white by lightness where chroma is low, then hue sectors, with brown and pink as the
dark and the light part of warm hues. How often they agree with the names of the XKCD color survey is measured by
`bench/colors.py`.
"""

import numpy as np
import numpy.typing as npt

from pipeline.features.picture import COLOR_NAMES

_INDEX = {name: number for number, name in enumerate(COLOR_NAMES)}

_BLACK_BELOW = 18.0
_WHITE_ABOVE = 88.0
"""Lightness L* at which a color without hue is called black or white."""

_GRAY_CHROMA = 10.0
"""Chroma C* below which a color of middle lightness has no hue that people name; it is less for light colors,
where a tint shows, and more for dark ones, where nothing does."""

_HUE_SECTORS: tuple[tuple[float, str], ...] = (
    (16, "pink"),
    (45, "red"),
    (76, "orange"),
    (108, "yellow"),
    (190, "green"),
    (296, "blue"),
    (330, "purple"),
    (360, "pink"),
)
"""Upper ends of the hue angles h of CIELAB, in degrees, of colors that are neither dark nor pale."""


def name_indices(lab: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """Return the position in COLOR_NAMES of the name of each CIELAB color, shape (..., 3) to (...)."""
    lightness, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    ends = np.array([end for end, _ in _HUE_SECTORS])
    sector_names = np.array([_INDEX[name] for _, name in _HUE_SECTORS])
    named = np.array(sector_names[np.minimum(np.searchsorted(ends, hue, side="right"), len(ends) - 1)])

    def put(name: str, where: npt.NDArray[np.bool_]) -> None:
        named[where] = _INDEX[name]

    put("brown", (hue >= 25) & (hue < 100) & (lightness < 55) & ((named != _INDEX["red"]) | (chroma < 38)))
    put("green", (hue >= 100) & (hue < 112) & (lightness < 75))
    put("pink", (named == _INDEX["red"]) & (lightness > 62))
    put("purple", (named == _INDEX["pink"]) & (hue > 180) & (lightness < 42))
    put("purple", (hue < 16) & (lightness < 28))
    gray = chroma < np.interp(lightness, (0, 20, 50, 90, 100), (16, 12, _GRAY_CHROMA, 7, 5))
    put("gray", gray)
    put("black", (lightness < _BLACK_BELOW) & (gray | (lightness < 8)))
    put("white", gray & (lightness > _WHITE_ABOVE))
    return named
