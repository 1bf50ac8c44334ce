"""The field of a plot that is written as SVG by hand: from 0 to a most at the right, and from 0 to 1 upwards."""

from dataclasses import dataclass
from html import escape

WIDTH = 720  # pixels
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 104  # pixels around the field


@dataclass(frozen=True)
class Field:
    """Where things stand in a plot of `height` pixels whose right edge is `most`."""

    height: int
    most: float = 1.0

    def begin(self, title: str) -> list[str]:
        """Return what an SVG begins with."""
        box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}"'
        return [
            f'<svg {box} role="img" font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{self.height}" fill="#ffffff"/>',
        ]

    def x(self, value: float) -> float:
        """Return where a value stands, in pixels from the left."""
        return float(LEFT + value / self.most * (WIDTH - LEFT - RIGHT))

    def y(self, share: float) -> float:
        """Return where a share, 0 to 1, stands, in pixels from the top."""
        return float(self.height - BOTTOM - share * (self.height - TOP - BOTTOM))

    def line(self, x1: float, y1: float, x2: float, y2: float, color: str, dashes: str = "none") -> str:
        """Return a line between two points of the field."""
        return (
            f'<line x1="{self.x(x1):.1f}" y1="{self.y(y1):.1f}" x2="{self.x(x2):.1f}" y2="{self.y(y2):.1f}" '
            f'stroke="{color}" stroke-dasharray="{dashes}"/>'
        )


def text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    """Return words at a place in pixels."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333333">{escape(words)}</text>'
