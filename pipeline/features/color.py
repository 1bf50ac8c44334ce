"""Colors as numbers: sRGB to CIELAB and back, hex notation, and CIEDE2000, the distance that eyes agree with.

What a picture's colors are is left to `palette`, what they are called to `color_names`.
"""

import re

import numpy as np
import numpy.typing as npt

from pipeline.errors import InvalidQuery

_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""Linear sRGB to CIE XYZ (IEC 61966-2-1, primaries of ITU-R BT.709, white D65)."""

_XYZ_TO_RGB = np.linalg.inv(_RGB_TO_XYZ)
_WHITE = _RGB_TO_XYZ.sum(axis=1)
"""D65 for the 2° observer as this matrix has it, so that sRGB white is exactly L* = 100, a* = b* = 0."""

_EPSILON = 216 / 24389  # CIE 15:2004: below it the cube root gives way to a straight line
_KAPPA = 24389 / 27

_SRGB_KNEE = 0.04045
_SRGB_SLOPE = 12.92
"""IEC 61966-2-1: below the knee sRGB is a straight line, above a power of 2.4."""

_FULL_TURN = 360.0
_HALF_TURN = 180.0

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def _linear_of_srgb_byte() -> npt.NDArray[np.float32]:
    value = np.arange(256) / 255
    curve = ((value + 0.055) / 1.055) ** 2.4
    return np.where(value <= _SRGB_KNEE, value / _SRGB_SLOPE, curve).astype(np.float32)


_LINEAR = _linear_of_srgb_byte()


def linear_to_lab(linear: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return CIELAB (D65, 2°) of linear RGB in 0 to 1, shape (..., 3)."""
    relative = linear @ (_RGB_TO_XYZ.T / _WHITE).astype(np.float32)
    curved = np.where(relative > _EPSILON, np.cbrt(relative), (_KAPPA * relative + 16) / 116)
    x, y, z = curved[..., 0], curved[..., 1], curved[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def srgb_to_lab(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return CIELAB (D65, 2°) of sRGB bytes, shape (..., 3): L* 0 to 100, a* and b* about -110 to 110."""
    return linear_to_lab(_LINEAR[rgb])


def lab_to_srgb(lab: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return the sRGB bytes nearest to CIELAB colors, shape (..., 3); colors outside sRGB are clipped."""
    values = np.asarray(lab, dtype=np.float64)
    y = (values[..., 0] + 16) / 116
    curved = np.stack([y + values[..., 1] / 500, y, y - values[..., 2] / 200], axis=-1)
    relative = np.where(curved**3 > _EPSILON, curved**3, (116 * curved - 16) / _KAPPA)
    linear = np.clip((relative * _WHITE) @ _XYZ_TO_RGB.T, 0, 1)
    curve = 1.055 * linear ** (1 / 2.4) - 0.055
    value = np.where(linear <= _SRGB_KNEE / _SRGB_SLOPE, linear * _SRGB_SLOPE, curve)
    return np.asarray(np.rint(value * 255), dtype=np.uint8)


def rgb_to_hex(rgb: npt.ArrayLike) -> str:
    """Return `#rrggbb` of one sRGB color in bytes."""
    red, green, blue = (int(value) for value in np.asarray(rgb))
    return f"#{red:02x}{green:02x}{blue:02x}"


def hex_to_lab(text: str) -> npt.NDArray[np.float32]:
    """Return CIELAB, shape (3,), of a color written `#rrggbb`; anything else is an InvalidQuery."""
    if not _HEX.fullmatch(text):
        raise InvalidQuery(
            f"“{text[:20]}” is not a color. Please write it as # and six digits or letters a to f, like #3366cc."
        )
    return srgb_to_lab(np.frombuffer(bytes.fromhex(text[1:]), dtype=np.uint8))


def ciede2000(first: npt.ArrayLike, second: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the CIEDE2000 distance of CIELAB colors, shape (..., 3) each, broadcast against each other.

    1 is about what an eye can just tell apart side by side. kL = kC = kH = 1. After Sharma, Wu and Dalal,
    "The CIEDE2000 Color-Difference Formula", Color Research & Application 30 (2005), 21 to 30, whose equation
    numbers stand beside the lines.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    (l1, c1, h1), (l2, c2, h2) = _adjusted(one, two)
    lightness, chroma = l2 - l1, c2 - c1  # (8), (9)
    chromatic = c1 * c2 > 0
    turn = (h2 - h1 + _HALF_TURN) % _FULL_TURN - _HALF_TURN  # (10): the shorter way round
    turn = np.where(chromatic, turn, 0)
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)  # (11)

    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2  # (12), (13)
    mean_h = np.where(chromatic, _mean_hue(h1, h2), h1 + h2)  # (14)
    t = (  # (15)
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    bend = 30 * np.exp(-(((mean_h - 275) / 25) ** 2))  # (16)
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)  # (18)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t  # (19), (20)
    rotation = -np.sin(np.radians(2 * bend)) * 2 * _chroma_weight(mean_c)  # (17), (21)
    parts = (lightness / s_l) ** 2 + (chroma / s_c) ** 2 + (hue / s_h) ** 2
    squared = parts + rotation * (chroma / s_c) * (hue / s_h)
    return np.asarray(np.sqrt(np.maximum(squared, 0)))  # (22); rounding may leave a hair below zero


_Lch = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]


def _adjusted(one: npt.NDArray[np.float64], two: npt.NDArray[np.float64]) -> tuple[_Lch, _Lch]:
    """Lightness, chroma and hue in degrees, with a* stretched for near-grays: equations (2) to (7)."""
    mean_chroma = (np.hypot(one[..., 1], one[..., 2]) + np.hypot(two[..., 1], two[..., 2])) / 2
    stretch = 1.5 - 0.5 * _chroma_weight(mean_chroma)
    return _lch(one, stretch), _lch(two, stretch)


def _lch(lab: npt.NDArray[np.float64], stretch: npt.NDArray[np.float64]) -> _Lch:
    a = lab[..., 1] * stretch
    b = np.broadcast_to(lab[..., 2], a.shape)
    return np.asarray(lab[..., 0]), np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _chroma_weight(chroma: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.sqrt(chroma**7 / (chroma**7 + 25.0**7)))


def _mean_hue(h1: npt.NDArray[np.float64], h2: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    middle = (h1 + h2) / 2
    far = np.abs(h1 - h2) > _HALF_TURN
    opposite = np.where(h1 + h2 < _FULL_TURN, middle + _HALF_TURN, middle - _HALF_TURN)
    return np.where(far, opposite, middle)
