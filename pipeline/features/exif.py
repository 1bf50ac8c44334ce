"""What the camera wrote beside the pixels: when, with what, where; short and printable.

Everything here comes from the file and is shown to people, so it is stripped of control characters and shortened.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

MAX_FIELD_CHARACTERS = 200
"""Longer texts are cut; names of lenses, the longest that are meant, have about 60."""

_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d)[ T](\d\d):(\d\d):(\d\d)")

Tags = Mapping[int, Any]


def orientation(exif: Image.Exif) -> int:
    """Return the EXIF orientation, 1 to 8; 1 when there is none that makes sense."""
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1  # noqa: PLR2004 - as EXIF has it


def read(exif: Image.Exif) -> tuple[datetime | None, dict[str, str]]:
    """Return when the picture was taken and the readable fields that are there, by name, in a fixed order.

    The time is that of the camera's clock, without a zone even where the file names one: people look for the hour
    that it was where the picture was taken. A file whose metadata cannot be
    read at all has none: it is shown everywhere else too, and nobody could mend it.
    """
    try:
        return _taken_at(exif), _fields(exif)
    except Exception:  # noqa: BLE001 - Pillow raises anything on damaged directories
        return None, {}


def _taken_at(exif: Image.Exif) -> datetime | None:
    details = exif.get_ifd(ExifTags.IFD.Exif)
    match = _DATE.match(_text(details.get(ExifTags.Base.DateTimeOriginal)))
    if not match:
        return None
    try:
        return datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001 - see `read`
    except ValueError:
        return None  # cameras without a clock write 0000:00:00


def _fields(exif: Image.Exif) -> dict[str, str]:
    details, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    found = {
        "camera": _camera(exif),
        "lens": _text(details.get(ExifTags.Base.LensModel)),
        "exposure": _formatted(details.get(ExifTags.Base.ExposureTime), _exposure),
        "aperture": _formatted(details.get(ExifTags.Base.FNumber), lambda value: f"f/{value:.3g}"),
        "iso": _formatted(details.get(ExifTags.Base.ISOSpeedRatings), lambda value: f"{value:.0f}"),
        "focal_length": _formatted(details.get(ExifTags.Base.FocalLength), lambda value: f"{value:.4g} mm"),
        "place": _place(place),
    }
    return {name: value for name, value in found.items() if value}


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    printable = "".join(character if character.isprintable() else " " for character in value)
    return " ".join(printable.split())[:MAX_FIELD_CHARACTERS].strip()


def _camera(exif: Image.Exif) -> str:
    make, model = _text(exif.get(ExifTags.Base.Make)), _text(exif.get(ExifTags.Base.Model))
    brand = make.split(" ")[0]
    named = f"{make} {model}" if not brand or brand.lower() not in model.lower() else model
    return named.strip()[:MAX_FIELD_CHARACTERS]


def _number(value: object) -> float | None:
    """Rationals of EXIF may have a zero below the line, lists where one number should be, or text."""
    if isinstance(value, tuple) and value:
        value = value[0]
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _formatted(value: object, form: Callable[[float], str]) -> str:
    number = _number(value)
    return form(number) if number is not None and number > 0 else ""


def _exposure(seconds: float) -> str:
    return f"1/{1 / seconds:.0f} s" if seconds < 0.4 else f"{seconds:.3g} s"  # noqa: PLR2004 - as cameras write it


def _place(place: Tags) -> str:
    latitude = _degrees(place.get(ExifTags.GPS.GPSLatitude), place.get(ExifTags.GPS.GPSLatitudeRef), "S", 90)
    longitude = _degrees(place.get(ExifTags.GPS.GPSLongitude), place.get(ExifTags.GPS.GPSLongitudeRef), "W", 180)
    return f"{latitude:.6f}, {longitude:.6f}" if latitude is not None and longitude is not None else ""


def _degrees(parts: object, reference: object, negative: str, largest: int) -> float | None:
    if not isinstance(parts, tuple) or len(parts) != 3:  # noqa: PLR2004 - degrees, minutes, seconds
        return None
    degrees, minutes, seconds = (_number(part) for part in parts)
    if degrees is None or minutes is None or seconds is None:
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not 0 <= value <= largest:
        return None
    return -value if _text(reference).upper() == negative else value
