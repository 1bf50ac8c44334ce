"""From a decoded frame to the small copy that is kept, in strips, so that no second full-size copy ever exists.

Also normalizes what Pillow has many modes for: palettes, 16 bits, floats, transparency. Color profiles and
orientation are applied by `decode`, on the small copy, where they are a hundred times cheaper.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

STRIP_PIXELS = 1 << 18
"""Pixels handled at a time: some 1 MB in each of the few copies that a strip passes through."""

_RGBA_BYTES = 4

_JPEG_SCALES = (8, 4, 2)
"""The scales at which libjpeg can decode at once, besides full size."""


@dataclass(frozen=True)
class Target:
    """The size to arrive at: the smallest of these limits holds, and nothing is ever enlarged.

    The last step is a bicubic resize from something at least `gap` times as large, made by averaging whole pixels. At
    2 the difference to resizing from full size is beyond 50 dB (measured); below 1 the result may be that much smaller.
    """

    short_px: float
    long_px: float
    max_pixels: float
    gap: float

    def size(self, width: int, height: int) -> tuple[int, int]:
        scale = min(
            1.0,
            self.short_px / min(width, height),
            self.long_px / max(width, height),
            math.sqrt(self.max_pixels / (width * height)),
        )
        return max(1, round(width * scale)), max(1, round(height * scale))

    def most_bytes(self) -> int:
        """Return the bytes that no copy exceeds, as pixels with transparency or as a WebP of them."""
        pixels = min(self.max_pixels, self.long_px**2) + self.long_px  # sides are rounded
        return int(pixels) * _RGBA_BYTES


WORKING_COPY = Target(short_px=512, long_px=16_000, max_pixels=2_000_000, gap=2)
"""512 px feed every encoder and the geometric checks; the other limits are for panoramas and strips one pixel high."""


_DISPLAY_GAP = 0.9
"""A copy to look at may be a tenth smaller than asked for: a photo of 4000 px is then decoded at half its size, not
at full size for the sake of 48 px."""


def target_of(long_side_px: int | None) -> Target:
    """Return the target for a copy to look at, or for the working copy when no size is named."""
    return WORKING_COPY if long_side_px is None else display_target(long_side_px)


def display_target(long_side_px: int) -> Target:
    """Return the target for a copy to look at."""
    return Target(short_px=math.inf, long_px=long_side_px, max_pixels=math.inf, gap=_DISPLAY_GAP)


_MAX_CANVAS_PIXELS = 8_000_000
"""Pixels of what the last resize begins with, 32 MB; only pictures as thin as a scrolled screenshot come near it."""


@dataclass(frozen=True)
class Plan:
    """How a frame gets to its target: JPEG `decoded` at 1/`scale`, then `factors` pixels averaged across and down."""

    size: tuple[int, int]
    decoded: tuple[int, int]
    scale: int
    factors: tuple[int, int]
    canvas: tuple[int, int]


def plan(width: int, height: int, target: Target, *, scalable: bool) -> Plan:
    """Return the plan for a frame as stored; only JPEG is scalable."""
    size = target.size(width, height)
    requested = (max(1, math.floor(size[0] * target.gap)), max(1, math.floor(size[1] * target.gap)))
    across, down = _times(width, height, size, requested)
    scale = next((scale for scale in _JPEG_SCALES if scalable and min(across, down) >= scale), 1)
    decoded = (math.ceil(width / scale), math.ceil(height / scale))
    factors = _times(*decoded, size, requested)
    canvas = (math.ceil(decoded[0] / factors[0]), math.ceil(decoded[1] / factors[1]))
    return Plan((min(size[0], canvas[0]), min(size[1], canvas[1])), decoded, scale, factors, canvas)


def _times(width: int, height: int, size: tuple[int, int], requested: tuple[int, int]) -> tuple[int, int]:
    """Return how many pixels may be averaged across and down.

    As many as leave what is requested; where that would leave a canvas beyond measure, as many as leave the size.
    """
    needed = math.ceil(math.sqrt(width * height / _MAX_CANVAS_PIXELS))
    across = max(1, width // requested[0], min(needed, width // size[0]))
    down = max(1, height // requested[1], min(needed, height // size[1]))
    return across, down


def strips_of(image: Image.Image, rows: int) -> Iterator[Image.Image]:
    """Yield a loaded image in strips of `rows` rows, from the top, in modes that can be averaged."""
    width, height = image.size
    stretch = _stretch_of(image)
    if rows >= height:
        yield plain(image, stretch)  # not a copy
        return
    for top in range(0, height, rows):
        yield plain(image.crop((0, top, width, min(top + rows, height))), stretch)


def strip_rows(width: int, factor: int) -> int:
    """Return the rows of a strip: a multiple of `factor`, so that no average reaches over its edge."""
    return max(1, STRIP_PIXELS // width // factor) * factor


def reduced(strips: Iterator[Image.Image], way: Plan) -> Image.Image:
    """Return the canvas: every strip averaged by the plan's factors and put under the one before."""
    canvas: Image.Image | None = None
    top = 0
    for strip in strips:
        small = _averaged(strip, way.factors) if way.factors != (1, 1) else strip
        if small.size == way.canvas:
            return small
        canvas = canvas or Image.new(small.mode, way.canvas)
        canvas.paste(small, (0, top))
        top += small.height
    if canvas is None or top < way.canvas[1]:
        raise ValueError("the frame ended early")
    return canvas


def _averaged(strip: Image.Image, factors: tuple[int, int]) -> Image.Image:
    """Average pixels; where transparency is even, they need not be weighted by it, which takes three passes."""
    if strip.mode != "RGBA":
        return strip.reduce(factors)
    least, most = strip.getchannel("A").getextrema()
    if least != most:
        return strip.reduce(factors)
    small = strip.convert("RGB").reduce(factors)
    small.putalpha(int(most))  # type: ignore[arg-type]
    return small


def resized(canvas: Image.Image, way: Plan, decoded: tuple[int, int]) -> Image.Image:
    """Return the canvas at its final size. The box is in fractions, as the last average may cover fewer pixels."""
    if canvas.size == way.size:
        return canvas
    box = (0, 0, decoded[0] / way.factors[0], decoded[1] / way.factors[1])
    return canvas.resize(way.size, Image.Resampling.BICUBIC, box=box)


_KEPT = frozenset({"L", "RGB", "RGBA", "CMYK", "LAB"})
_CONVERTED = {
    "1": "L",
    "LA": "RGBA",
    "La": "RGBA",
    "PA": "RGBA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
}

Stretch = tuple[float, float]


def plain(image: Image.Image, stretch: Stretch = (0, 255)) -> Image.Image:
    """Return an image in L, RGB, RGBA, CMYK or LAB.

    Transparency given as one color or as a palette entry becomes alpha. Wide grays are mapped from `stretch`.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # convert() would clip instead
    if image.mode in {"I", "F"}:
        low, high = stretch
        values = (np.asarray(image, dtype=np.float32) - low) * (255 / (high - low))
        return Image.fromarray(np.clip(np.nan_to_num(values), 0, 255).astype(np.uint8))
    if "transparency" in image.info and image.mode in {"1", "L", "P", "RGB"}:
        return image.convert("RGBA")
    if image.mode in _KEPT:
        return image
    if image.mode == "P":
        return image.convert("RGBA" if image.palette and image.palette.mode == "RGBA" else "RGB")
    return image.convert(_CONVERTED.get(image.mode, "RGB"))


_WIDE_GRAYS = (1.0, 255.0, 65535.0)
"""Ranges in which 32-bit and floating-point grays are usually kept; the smallest that holds all values is taken."""


def _stretch_of(image: Image.Image) -> Stretch:
    if image.mode not in {"I", "F"}:
        return (0, 255)
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if not (math.isfinite(low) and math.isfinite(high)):
        values = np.asarray(image)
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    usual = [0.0, *_WIDE_GRAYS]
    if low >= 0 and high <= usual[-1]:
        return (0.0, next(top for top in _WIDE_GRAYS if high <= top))
    return (low, high if high > low else low + 1)
