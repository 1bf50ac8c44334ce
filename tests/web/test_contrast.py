"""The colors of the stylesheet can be read, in light and in dark: WCAG 2.2, success criteria 1.4.3 and 1.4.11."""

import re

import pytest

from webapp.paths import STATIC

TEXT, SIGN = 4.5, 3.0
"""The least contrast of text, and of the outline or sign of a control."""

PAIRS = [
    *[("ink", ground, TEXT) for ground in ("ground", "surface", "sunken", "accent-soft")],
    *[("muted", ground, TEXT) for ground in ("ground", "surface", "sunken")],
    *[("accent", ground, TEXT) for ground in ("ground", "surface", "accent-soft")],
    *[(name, "surface", TEXT) for name in ("danger", "good", "warn")],
    ("warn", "ground", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-danger", "danger", TEXT),
    ("ground", "ink", TEXT),
    *[("line-strong", ground, SIGN) for ground in ("ground", "surface")],
]


def colors(scheme: str) -> dict[str, str]:
    light, dark = re.findall(
        r":root \{\n\s+(?:color-scheme[^\n]+\n)?(.*?)\}", (STATIC / "app.css").read_text(), re.DOTALL
    )[:2]
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    return found if scheme == "light" else found | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark))


def luminance(color: str) -> float:
    """Return the relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_gives_the_published_values() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_every_pair_of_colors_can_be_read(scheme: str, front: str, back: str, least: float) -> None:
    found = colors(scheme)
    assert contrast(found[front], found[back]) >= least
