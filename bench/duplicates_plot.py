"""Draws which part of copies and of hard negatives agrees above each limit, as SVG, by hand."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from plot_field import LEFT, Field, text

HEIGHT = 420  # pixels
COLORS = ("#1f6feb", "#2e8b57", "#b35900")


def draw(groups: Mapping[str, npt.NDArray[np.float64]], *, mark: float) -> str:
    """Return the SVG of up to three groups of agreements, 0 to 1; `mark` is the limit at which a line stands."""
    field = Field(HEIGHT)
    parts = field.begin("The part of copies and of hard negatives whose pixels agree above a limit")
    for share in np.linspace(0, 1, 6):
        parts.append(field.line(0, share, 1, share, "#dddddd"))
        parts += [
            text(field.x(0) - 8, field.y(share) + 4, f"{share:.0%}", "end"),
            text(field.x(share), field.y(0) + 18, f"{share:.1f}"),
        ]
    parts.append(field.line(mark, 0, mark, 1, "#888888", dashes="4 4"))
    limits = np.linspace(0, 0.999, 200)
    for number, (name, agreements) in enumerate(groups.items()):
        above = [float((agreements > limit).mean()) for limit in limits]
        points = " ".join(
            f"{field.x(limit):.1f},{field.y(part):.1f}" for limit, part in zip(limits, above, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[number]}" stroke-width="2.5"/>')
        below = HEIGHT - 44 + 18 * number
        parts.append(f'<rect x="{LEFT}" y="{below - 9}" width="18" height="4" fill="{COLORS[number]}"/>')
        told = f"{len(agreements):,} {name}: {(agreements > mark).mean():.2%} above {mark:.2f}"
        parts.append(text(LEFT + 26, below - 2, told, "start"))
    parts += [text(field.x(0.5), field.y(0) + 38, "agreement of the textured pixels"), "</svg>\n"]
    return "\n".join(parts)
