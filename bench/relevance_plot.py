"""Draws the curve of relevance as SVG, by hand: what queries without kin are told, against what those with kin lose."""

from collections.abc import Mapping
from html import escape

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 720, 440  # pixels
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 104  # pixels around the field of the plot
MOST_LOST = 0.3  # where the plot ends at the right; whoever loses more is not a search any more
COLORS = ("#1f6feb", "#b35900", "#2e8b57")
STEPS = 61

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""Scores of queries with kin, how many right hits each has, and scores of queries without."""


def draw_curves(curves: Mapping[str, Curve], *, mark: float) -> str:
    """Return the SVG of up to three curves with their names; `mark` is the loss at which a line stands."""
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg {box} role="img" font-family="system-ui, sans-serif" font-size="13">',
        "<title>Queries without kin that are told so, against right hits that queries with kin lose</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for share in np.linspace(0, 1, 6):
        parts.append(_line(0, share, MOST_LOST, share, "#dddddd"))
        parts.append(_text(_x(0) - 8, _y(share) + 4, f"{share:.0%}", "end"))
    parts += [_text(_x(loss), _y(0) + 18, f"{loss:.0%}", "middle") for loss in np.linspace(0, MOST_LOST, 7)]
    parts.append(_line(mark, 0, mark, 1, "#888888", dashes="4 4"))
    for number, (name, (scores, right, without)) in enumerate(curves.items()):
        losses, told = _points(scores, right, without)
        points = " ".join(f"{_x(a):.1f},{_y(b):.1f}" for a, b in zip(losses, told, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[number]}" stroke-width="2.5"/>')
        at = float(np.interp(mark, losses, told))
        parts.append(f'<circle cx="{_x(mark):.1f}" cy="{_y(at):.1f}" r="4" fill="{COLORS[number]}"/>')
        below = HEIGHT - 44 + 18 * number
        parts.append(f'<rect x="{LEFT}" y="{below - 9}" width="18" height="4" fill="{COLORS[number]}"/>')
        parts.append(_text(LEFT + 26, below - 2, f"{name}: {at:.0%} told at a loss of {mark:.0%}", "start"))
    parts.append(_text(_x(MOST_LOST / 2), _y(0) + 38, "right hits that queries with kin lose", "middle"))
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


def _x(loss: float) -> float:
    return float(LEFT + loss / MOST_LOST * (WIDTH - LEFT - RIGHT))


def _y(share: float) -> float:
    return float(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))


def _line(x1: float, y1: float, x2: float, y2: float, color: str, dashes: str = "none") -> str:
    return (
        f'<line x1="{_x(x1):.1f}" y1="{_y(y1):.1f}" x2="{_x(x2):.1f}" y2="{_y(y2):.1f}" stroke="{color}" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333333">{escape(words)}</text>'
