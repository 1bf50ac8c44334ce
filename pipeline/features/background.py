"""What of a picture is background: the colors that surround what it shows, as a white wall or a studio does.

The colors along the edge decide. A background is one color, perhaps in a few shades, that nearly all of the edge has;
a landscape with sky above and grass below has none, and neither has a picture of one color alone.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.features.color import ciede2000

EDGE_WIDTH = 0.03
"""Width of the edge as part of the shorter side: wider than a scanned or printed rim, narrower than what is shown."""

LEAST_OF_EDGE = 0.7
"""The part of the edge that a background must have. Something that is cut off at one side of four leaves about this."""

SHADES = 12.0
"""CIEDE2000 within which colors are shades of one background, such as a lit wall and its shadow."""

_Floats = npt.NDArray[np.float64]


def edge_of(height: int, width: int) -> npt.NDArray[np.bool_]:
    """Return which pixels of a picture lie along its edge, (height, width)."""
    thick = max(1, round(EDGE_WIDTH * min(height, width)))
    edge = np.ones((height, width), np.bool_)
    edge[thick : height - thick, thick : width - thick] = False
    return edge


def background_of(lab: _Floats, of_edge: Sequence[float]) -> tuple[bool, ...]:
    """Return which of some CIELAB colors, (colors, 3), are background; `of_edge` are their parts of the edge, 0 to 1.

    What is transparent along the edge belongs to no color, so the parts may add up to less than 1.
    """
    parts = np.asarray(of_edge)
    none = (False,) * len(parts)
    if not len(parts):
        return none
    main = int(parts.argmax())
    shades = (ciede2000(lab, lab[main]) <= SHADES) & (parts > 0)
    if float(parts[shades].sum()) < LEAST_OF_EDGE or shades.all():
        return none
    return tuple(bool(shade) for shade in shades)
