"""Draws the curve of relevance as SVG, by hand: what queries without kin are told, against what those with kin lose."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from plot_field import LEFT, Field, text

HEIGHT = 440  # pixels
MOST_LOST = 0.3  # where the plot ends at the right; whoever loses more is not a search any more
COLORS = ("#1f6feb", "#b35900", "#2e8b57")
STEPS = 61

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""Scores of queries with kin, how many right hits each has, and scores of queries without."""


def draw_curves(curves: Mapping[str, Curve], *, mark: float) -> str:
    """Return the SVG of up to three curves with their names; `mark` is the loss at which a line stands."""
    field = Field(HEIGHT, MOST_LOST)
    parts = field.begin("Queries without kin that are told so, against right hits that queries with kin lose")
    for share in np.linspace(0, 1, 6):
        parts.append(field.line(0, share, MOST_LOST, share, "#dddddd"))
        parts.append(text(field.x(0) - 8, field.y(share) + 4, f"{share:.0%}", "end"))
    parts += [text(field.x(loss), field.y(0) + 18, f"{loss:.0%}", "middle") for loss in np.linspace(0, MOST_LOST, 7)]
    parts.append(field.line(mark, 0, mark, 1, "#888888", dashes="4 4"))
    for number, (name, (scores, right, without)) in enumerate(curves.items()):
        losses, told = _points(scores, right, without)
        points = " ".join(f"{field.x(a):.1f},{field.y(b):.1f}" for a, b in zip(losses, told, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[number]}" stroke-width="2.5"/>')
        at = float(np.interp(mark, losses, told))
        parts.append(f'<circle cx="{field.x(mark):.1f}" cy="{field.y(at):.1f}" r="4" fill="{COLORS[number]}"/>')
        below = HEIGHT - 44 + 18 * number
        parts.append(f'<rect x="{LEFT}" y="{below - 9}" width="18" height="4" fill="{COLORS[number]}"/>')
        parts.append(text(LEFT + 26, below - 2, f"{name}: {at:.0%} told at a loss of {mark:.0%}", "start"))
    parts.append(text(field.x(MOST_LOST / 2), field.y(0) + 38, "right hits that queries with kin lose", "middle"))
    parts.append("</svg>\n")
    return "\n".join(parts)


def _points(
    scores: npt.NDArray[np.float64], right: npt.NDArray[np.int64], without: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    order = np.argsort(scores)
    lost = np.cumsum(right[order]) / right.sum()
    losses = np.linspace(0, MOST_LOST, STEPS)
    limits = scores[order][np.minimum(np.searchsorted(lost, losses, side="right"), len(order) - 1)]
    return losses, np.array([(without < limit).mean() for limit in limits])
