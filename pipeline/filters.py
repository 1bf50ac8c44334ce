"""What a search or a listing is narrowed to: one value, compiled by each store for itself.

`stores.filter_sql` makes SQL conditions of it, `stores.vectors_faiss` a NumPy mask. All compare the values that the
API reports.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.features.palette_fit import AskedColor
from pipeline.principals import Action, Principal

COLOR_TOLERANCE = 12.0
"""CIEDE2000 up to which a swatch counts as the color that was asked for. About 2 is the smallest visible difference;
12 keeps neighboring shades of one hue together and the eleven basic names apart."""

COLOR_SHARE = 0.05
"""The part of a picture, 0 to 1, that the color must have; smaller swatches are accents that people overlook."""

NAMED_COLOR_SHARE = 0.10
"""The part of a picture, 0 to 1, that a basic color must have for the picture to be listed under its name."""

MONOCHROME_SATURATION = 0.01
"""The saturation up to which a picture counts as black and white. What was saved in shades of gray has 0, as JPEG too
(27 of 500 pictures looked at); scans of receipts and line drawings with a faint cast have up to 0.01; small colored
drawings on white paper begin at 0.012. Toned photographs, such as sepia, are no black and white."""


@dataclass(frozen=True)
class Filter:
    """Conditions that must all hold; within one tuple any value will do, except tags and colors: all are needed.

    An empty tuple or None sets no condition. `libraries` are ids, None for all; `without_libraries` are left out in
    either case. `colors` are `#rrggbb`; brightness, saturation and shares are 0 to 1; times are in UTC, but those of
    taking a picture, which are the camera's clock; width and height are upright pixels. `uploaders` are names of
    people, one of whom brought the image; an image with one of `without_tags` is left out. `orientations`, `sizes`
    and `formats` are words of `shapes`.

    `palette` are colors that are asked for together, some with shares: what has a part of each, and fits them by
    `color_tolerance` in the mean, passes (`features.palette_fit`). `palette_of` is the id of an image whose colors
    become `palette` where libraries are narrowed to those that somebody sees (`access.visible`). With
    `ignore_background` colors that surround what a picture shows count for nothing.
    """

    libraries: tuple[str, ...] | None = None
    without_libraries: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    colors: tuple[str, ...] = ()
    color_tolerance: float = COLOR_TOLERANCE
    color_share: float = COLOR_SHARE
    palette: tuple[AskedColor, ...] = ()
    palette_of: str | None = None
    ignore_background: bool = False
    color_names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    without_tags: tuple[str, ...] = ()
    uploaders: tuple[str, ...] = ()
    orientations: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    taken_years: tuple[int, ...] = ()
    monochrome: bool = False
    min_brightness: float | None = None
    max_brightness: float | None = None
    min_saturation: float | None = None
    max_saturation: float | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    taken_after: datetime | None = None
    taken_before: datetime | None = None
    min_width: int | None = None
    max_width: int | None = None
    min_height: int | None = None
    max_height: int | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None

    def seen_by(self, principal: Principal, action: Action = Action.SEE) -> "Filter":
        """Return this filter without the libraries in which `principal` may not do `action`."""
        allowed = principal.libraries(action)
        if allowed is None:
            return replace(self, without_libraries=tuple(sorted(principal.hidden)))
        asked = self.libraries if self.libraries is not None else tuple(sorted(allowed))
        return replace(self, libraries=tuple(name for name in asked if name in allowed))

    def without_choices(self) -> "Filter":
        """Return this filter without what is chosen from facets whose values widen each other, but for libraries."""
        return replace(
            self,
            categories=(),
            schemes=(),
            color_names=(),
            uploaders=(),
            orientations=(),
            sizes=(),
            formats=(),
            taken_years=(),
        )

    def within_libraries_of(self, other: "Filter") -> "Filter":
        """Return this filter with what the other asks of libraries."""
        return replace(self, libraries=other.libraries, without_libraries=other.without_libraries)

    @property
    def highest_saturation(self) -> float | None:
        """The saturation up to which images pass: what is asked of the number and by `monochrome` together."""
        asked = (self.max_saturation, MONOCHROME_SATURATION if self.monochrome else None)
        return min((bound for bound in asked if bound is not None), default=None)

    @property
    def needs_rows(self) -> bool:
        """Whether a condition is set that no vector engine knows, so that it must be told which rows pass."""
        words = (self.color_names, self.tags, self.without_tags, self.uploaders)
        looks = (self.orientations, self.sizes, self.formats, self.taken_years)
        bounds = (self.taken_after, self.taken_before, self.min_bytes, self.max_bytes)
        return any(words) or any(looks) or any(bound is not None for bound in bounds)

    @property
    def has_colors(self) -> bool:
        """Whether colors are asked for that swatches are compared with."""
        return bool(self.colors or self.palette)

    @property
    def asked_colors(self) -> tuple[AskedColor, ...]:
        """The colors that swatches are compared with, `palette` or `colors`, in the order asked."""
        return self.palette or tuple(AskedColor(color) for color in self.colors)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is narrowed."""
        return self == Filter(
            color_tolerance=self.color_tolerance,
            color_share=self.color_share,
            ignore_background=self.ignore_background,
        )
