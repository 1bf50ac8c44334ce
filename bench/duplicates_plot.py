"""Draws which part of copies and of hard negatives agrees above each limit, as SVG, by hand."""

from collections.abc import Mapping
from html import escape

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 720, 420  # pixels
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 104  # pixels around the field of the plot
COLORS = ("#1f6feb", "#2e8b57", "#b35900")


def draw(groups: Mapping[str, npt.NDArray[np.float64]], *, mark: float) -> str:
    """Return the SVG of up to three groups of agreements, 0 to 1; `mark` is the limit at which a line stands."""
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg {box} role="img" font-family="system-ui, sans-serif" font-size="13">',
        "<title>The part of copies and of hard negatives whose pixels agree above a limit</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for share in np.linspace(0, 1, 6):
        parts.append(_line(0, share, 1, share, "#dddddd"))
        parts += [_text(_x(0) - 8, _y(share) + 4, f"{share:.0%}", "end"), _text(_x(share), _y(0) + 18, f"{share:.1f}")]
    parts.append(_line(mark, 0, mark, 1, "#888888", dashes="4 4"))
    limits = np.linspace(0, 0.999, 200)
    for number, (name, agreements) in enumerate(groups.items()):
        above = [float((agreements > limit).mean()) for limit in limits]
        points = " ".join(f"{_x(limit):.1f},{_y(part):.1f}" for limit, part in zip(limits, above, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[number]}" stroke-width="2.5"/>')
        below = HEIGHT - 44 + 18 * number
        parts.append(f'<rect x="{LEFT}" y="{below - 9}" width="18" height="4" fill="{COLORS[number]}"/>')
        told = f"{len(agreements):,} {name}: {(agreements > mark).mean():.2%} above {mark:.2f}"
        parts.append(_text(LEFT + 26, below - 2, told, "start"))
    parts += [_text(_x(0.5), _y(0) + 38, "agreement of the textured pixels"), "</svg>\n"]
    return "\n".join(parts)


def _x(limit: float) -> float:
    return float(LEFT + limit * (WIDTH - LEFT - RIGHT))


def _y(share: float) -> float:
    return float(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))


def _line(x1: float, y1: float, x2: float, y2: float, color: str, dashes: str = "none") -> str:
    return (
        f'<line x1="{_x(x1):.1f}" y1="{_y(y1):.1f}" x2="{_x(x2):.1f}" y2="{_y(y2):.1f}" stroke="{color}" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333333">{escape(words)}</text>'
