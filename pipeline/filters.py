"""What a search or a listing is narrowed to: one value, compiled by each store for itself.

`stores.filter_sql` makes SQL conditions of it, `stores.vectors_faiss` a NumPy mask. All compare the values that the
API reports.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.principals import Action, Principal

COLOR_TOLERANCE = 12.0
"""CIEDE2000 up to which a swatch counts as the color that was asked for. About 2 is the smallest visible difference;
12 keeps neighboring shades of one hue together and the eleven basic names apart."""

COLOR_SHARE = 0.05
"""The part of a picture, 0 to 1, that the color must have; smaller swatches are accents that people overlook."""

NAMED_COLOR_SHARE = 0.10
"""The part of a picture, 0 to 1, that a basic color must have for the picture to be listed under its name."""


@dataclass(frozen=True)
class Filter:
    """Conditions that must all hold; within one tuple any value will do, except tags and colors: all are needed.

    An empty tuple or None sets no condition. `libraries` are ids, None for all; `without_libraries` are left out in
    either case. `colors` are `#rrggbb`; brightness, saturation and shares are 0 to 1; times are in UTC; width and
    height are upright pixels.
    """

    libraries: tuple[str, ...] | None = None
    without_libraries: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    colors: tuple[str, ...] = ()
    color_tolerance: float = COLOR_TOLERANCE
    color_share: float = COLOR_SHARE
    color_names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    min_brightness: float | None = None
    max_brightness: float | None = None
    min_saturation: float | None = None
    max_saturation: float | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    min_width: int | None = None
    min_height: int | None = None

    def seen_by(self, principal: Principal, action: Action = Action.SEE) -> "Filter":
        """Return this filter without the libraries in which `principal` may not do `action`."""
        allowed = principal.libraries(action)
        if allowed is None:
            return replace(self, without_libraries=tuple(sorted(principal.hidden)))
        asked = self.libraries if self.libraries is not None else tuple(sorted(allowed))
        return replace(self, libraries=tuple(name for name in asked if name in allowed))

    @property
    def needs_sql(self) -> bool:
        """Whether a condition is set that only the database can decide: color names or tags."""
        return bool(self.color_names or self.tags)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is narrowed."""
        return self == Filter(color_tolerance=self.color_tolerance, color_share=self.color_share)
