"""What the colors of a picture add up to: shares of the eleven names, warm or cool, how bright, how saturated.

Everything takes colors with their shares of the picture (which sum to 1), finer than a palette: a share is right
even where a swatch has averaged several names.
"""

import numpy as np
import numpy.typing as npt

from pipeline.features.color_names import name_indices
from pipeline.features.picture import COLOR_NAMES

_NEUTRAL_CHROMA = 12.0
"""Mean chroma C* below which a picture is neutral: grays, browns and skin in dim light stay below it."""

_NEUTRAL_LEAN = 0.15
"""How far warm and cool must differ, as part of all chroma, for one of them to be named."""

_WARM_HUE = 62.0
"""Hue angle h, in degrees, of the warmest color, an orange; the coolest, a greenish blue, stands opposite. This is the
axis that Ou, Luo, Woodcock and Wright ("A study of colour emotion and colour preference", Part I, Color Research &
Application 29, 2004) found for warm against cool: cos(h - 50 degrees), moved a little so that purple is neither."""

_Floats = npt.NDArray[np.float64]


def names(lab: _Floats, share: _Floats) -> dict[str, float]:
    """Return the share of each of COLOR_NAMES; they sum to 1."""
    shares = np.bincount(name_indices(lab), share, len(COLOR_NAMES))
    return {name: float(part) for name, part in zip(COLOR_NAMES, shares / shares.sum(), strict=True)}


def scheme(lab: _Floats, share: _Floats) -> str:
    """Return one of SCHEMES: where the hues lean, counted by their chroma, or neutral when there is little of it."""
    chroma = np.hypot(lab[:, 1], lab[:, 2]) * share
    if chroma.sum() < _NEUTRAL_CHROMA:
        return "neutral"
    hue = np.arctan2(lab[:, 2], lab[:, 1])
    lean = float((chroma * np.cos(hue - np.radians(_WARM_HUE))).sum() / chroma.sum())
    if abs(lean) < _NEUTRAL_LEAN:
        return "neutral"
    return "warm" if lean > 0 else "cool"


def brightness(lab: _Floats, share: _Floats) -> float:
    """Return the mean lightness L*, 0 (black) to 1 (white)."""
    return float(np.clip((lab[:, 0] * share).sum() / 100, 0, 1))


def saturation(rgb: _Floats, share: _Floats) -> float:
    """Return 0 (gray) to 1 (pure colors): max - min of the sRGB values over max, both summed over the picture.

    This is the saturation of HSV, except that each color counts by its brightness: the noise of near-blacks, whose
    own saturation is anything, counts for nothing.
    """
    largest = rgb.max(axis=-1)
    total = float((largest * share).sum())
    return float(((largest - rgb.min(axis=-1)) * share).sum()) / total if total > 0 else 0.0
