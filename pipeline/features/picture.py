"""The values that pass between the feature modules: a decoded picture and what is computed from it."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

CATEGORIES = (
    "portrait",
    "landscape",
    "animal",
    "food",
    "vehicle",
    "building",
    "nature",
    "abstract",
    "text",
    "other",
)

COLOR_NAMES = (
    "black",
    "white",
    "gray",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)
"""The eleven basic color terms of Berlin and Kay (1969), in the order in which they are listed to people."""

EXIF_FIELDS = ("camera", "lens", "exposure", "aperture", "iso", "focal_length", "place")
"""What is kept of what a camera has written, in the order in which it is shown."""

SCHEMES = ("warm", "cool", "neutral")


@dataclass(frozen=True)
class Facts:
    """What a file says about itself, read from its header.

    `width` and `height` are in pixels, after the EXIF orientation has been applied. `taken_at` is the camera's
    clock, without a time zone. `exif` holds a few readable fields (camera, lens, exposure, place), text shortened
    and stripped of control characters.
    """

    format: str
    media_type: str
    width: int
    height: int
    frames: int = 1
    taken_at: datetime | None = None
    exif: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A working copy from which everything is computed: upright, sRGB, short side at most 512 px.

    `pixels` is (height, width, 3) uint8, transparent parts blended onto white. `alpha` is (height, width) uint8,
    or None when the picture is opaque everywhere.
    """

    pixels: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None
    facts: Facts


@dataclass(frozen=True)
class Swatch:
    """One color of a palette: `lab` is CIELAB (D65, 2°), `hex` the same as `#rrggbb`, `share` its part, 0 to 1.

    Shares are of the opaque area. `is_background` says that the color surrounds what is shown (`background`).
    """

    lab: tuple[float, float, float]
    hex: str
    share: float
    is_background: bool = False


@dataclass(frozen=True)
class Palette:
    """The colors of a picture: up to six swatches, largest first, and what they add up to.

    `names` maps each of COLOR_NAMES to its share of the opaque area (they sum to 1). `brightness` and
    `saturation` are 0 to 1. A wholly transparent picture has no swatches and is neutral.
    """

    swatches: tuple[Swatch, ...]
    names: dict[str, float]
    scheme: str
    brightness: float
    saturation: float


@dataclass(frozen=True)
class Category:
    """The most likely of CATEGORIES; `scores` maps all ten to a probability, and they sum to 1."""

    name: str
    confidence: float
    scores: dict[str, float]


@dataclass(frozen=True)
class Keyword:
    """An everyday word that fits a picture; `similarity` is the cosine of the two in the encoder's space."""

    word: str
    similarity: float


@dataclass(frozen=True)
class Meaning:
    """What an encoder reads off an embedding. `keywords` are those that stand out, the best first; often none."""

    category: Category
    keywords: tuple[Keyword, ...] = ()


@dataclass(frozen=True)
class Features:
    """What is computed from one picture. `embedding` is (dimension,) float32 of unit length."""

    embedding: npt.NDArray[np.float32]
    palette: Palette
    meaning: Meaning
