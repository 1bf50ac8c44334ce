"""What the search page shows of the colors that are asked for, as values of its template."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ShareOption:
    """A share that can be chosen for a color: `value` is the color with it, as it stands in an address."""

    value: str
    words: str
    is_chosen: bool


@dataclass(frozen=True)
class ColorRow:
    """A color that is asked for, `#rrggbb`, with its basic name; `value` is as it stands in the address."""

    number: int
    hex: str
    name: str
    value: str
    options: tuple[ShareOption, ...]
    remove_url: str


@dataclass(frozen=True)
class PaletteOf:
    """The picture whose colors are asked for: hex and share of each, and the address that asks for them one by one."""

    image_id: str
    name: str
    bars: tuple[tuple[str, float], ...]
    adjust_url: str


@dataclass(frozen=True)
class ColorFields:
    """The colors that are asked for; `new` is what stands in the field of the next one, when that is no color."""

    rows: tuple[ColorRow, ...] = ()
    new: str = ""
    may_add: bool = True
    tolerance: str = ""
    share: str = ""
    ignore_background: bool = False
    picture: PaletteOf | None = None

    @property
    def belonging(self) -> tuple[tuple[str, str], ...]:
        """The other fields of the address that have to do with colors, "" where they are not set."""
        return (
            ("palette_of", self.picture.image_id if self.picture else ""),
            ("color_tolerance", self.tolerance),
            ("color_share", self.share),
            ("ignore_background", "1" if self.ignore_background else ""),
        )
