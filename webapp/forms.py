"""What people send, read into the values that workflows take. Every mistake becomes one sentence."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from math import isfinite
from typing import Annotated

from fastapi import Depends, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, ImmutableMultiDict, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from pipeline.account_names import plain_name
from pipeline.errors import InvalidQuery
from pipeline.features.palette_fit import AskedColor
from pipeline.features.picture import CATEGORIES, COLOR_NAMES, SCHEMES
from pipeline.filters import COLOR_SHARE, COLOR_TOLERANCE, Filter
from pipeline.fusion import ALIKE, Weights
from pipeline.images import ImageState
from pipeline.shapes import FORMATS, ORIENTATIONS, SIZES
from pipeline.sorting import ONLY_READY, Sort

UTF_8 = frozenset({b"utf-8", b"utf8", b"us-ascii"})

Fields = Mapping[str, Sequence[str]]
"""Every value sent under each name."""

MOST_FILES = 500  # files in one form without JavaScript
MOST_FIELDS = 2000  # as many selected pictures as one page can hold, and more
MOST_COLORS = 5
MOST_VALUES = 20  # of one filter; each is a condition in the statement, and nobody ticks more boxes
LONGEST_TEXT = 500  # characters of a search
MOST_PIXELS = 1_000_000  # a side; no picture has as many
YEARS = (1, 9998)  # that a date can be in, and the one after it
TRUTHS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "": False}
NO_DATE = "The value of {name} must be a date such as 2026-11-20, not {text}."
BYTES = re.compile(r"(?P<number>\d{1,12}(\.\d{1,6})?)\s*(?P<unit>|b|bytes|kb|mb|gb)", re.IGNORECASE)
UNITS = {"": 1, "b": 1, "bytes": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}  # as sizes are shown
HEAVIEST = 2.0  # weight of a part of a search
BY = {"content": Weights(words=0), "words": Weights(content=0)}
"""By what alone a text can be found; by both alike where nothing is chosen."""
HEX_COLOR = re.compile(r"#?[0-9a-fA-F]{6}")

FILTER_FIELDS = (
    "library",
    "category",
    "scheme",
    "color",
    "color_tolerance",
    "color_share",
    "palette_of",
    "ignore_background",
    "color_name",
    "min_brightness",
    "max_brightness",
    "min_saturation",
    "max_saturation",
    "tag",
    "without_tag",
    "uploader",
    "orientation",
    "size",
    "format",
    "taken_year",
    "monochrome",
    "created_after",
    "created_before",
    "taken_after",
    "taken_before",
    "min_width",
    "max_width",
    "min_height",
    "max_height",
    "min_bytes",
    "max_bytes",
)


async def parse_form(request: Request) -> FormData:
    """Return the form of a request, files spooled to disk; a second call returns the same. Raises InvalidQuery.

    Browsers send UTF-8. Another charset is refused, because some that Python knows take very long to decode.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    if options.get(b"charset", b"utf-8").lower() not in UTF_8:
        raise InvalidQuery("A form is sent as UTF-8. Please leave the charset out.")
    try:
        return await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
    except (MultiPartException, HTTPException) as error:
        raise InvalidQuery("The form could not be read. Please send it again.", detail=str(error)) from error


async def read_form(request: Request) -> AsyncIterator[FormData]:
    """Give the form of a request, and close its files when it has been answered."""
    form = await parse_form(request)
    try:
        yield form
    finally:
        await form.close()


FormDependency = Annotated[FormData, Depends(read_form)]


def fields_of(values: ImmutableMultiDict[str, object]) -> Fields:
    """Return the texts of a query string or form, without the fields that were left empty."""
    found: dict[str, list[str]] = {}
    for name, value in values.multi_items():
        if isinstance(value, str) and value.strip():
            found.setdefault(name, []).append(value.strip())
    return found


def exact(form: FormData, name: str) -> str:
    """Return the text of a field just as it was typed, spaces included, as a password needs it."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def new_password(form: FormData) -> str:
    """Return the password that was typed twice. Raises InvalidQuery when the two are not the same."""
    password = exact(form, "password")
    if password != exact(form, "again"):
        raise InvalidQuery("The two passwords are not the same. Please type it twice alike.")
    return password


def files_of(form: FormData, name: str = "file") -> list[UploadFile]:
    """Return the files of a form; a file field that was left empty is none."""
    return [value for value in form.getlist(name) if isinstance(value, UploadFile) and value.filename]


def one_file(form: FormData) -> UploadFile:
    """Return the only file. Raises InvalidQuery when there is none or there are several."""
    files = files_of(form)
    if len(files) != 1:
        raise InvalidQuery("Please send one picture, in the form field called file.")
    return files[0]


def first(fields: Fields, name: str, default: str = "") -> str:
    """Return the first value of a field."""
    values = fields.get(name)
    return values[0] if values else default


def read_text(fields: Fields) -> str:
    """Return the words of a search. Raises InvalidQuery when they are too many."""
    text = first(fields, "text")
    if len(text) > LONGEST_TEXT:
        raise InvalidQuery(f"A search can have {LONGEST_TEXT} characters; this one has {len(text):,}.")
    return text


def read_weights(fields: Fields) -> Weights:
    """Return what content and words of a search count. Raises InvalidQuery naming the field that is wrong."""
    usual = Weights()
    return Weights(
        content=_or(read_number(fields, "content_weight", 0, HEAVIEST), usual.content),
        words=_or(read_number(fields, "words_weight", 0, HEAVIEST), usual.words),
    )


def read_by(fields: Fields) -> Weights:
    """Return what content and words of a search count by the one choice of the page. Raises InvalidQuery."""
    _choices(fields, "by", tuple(BY))
    return BY.get(first(fields, "by"), ALIKE)


def read_filter(fields: Fields) -> Filter:
    """Return the filter that the fields of the contract set. Raises InvalidQuery naming the field that is wrong."""
    asked = read_colors(fields)
    together = any(color.share is not None for color in asked)
    return Filter(
        libraries=_several("library", fields.get("library", ())) or None,
        categories=_choices(fields, "category", CATEGORIES),
        schemes=_choices(fields, "scheme", SCHEMES),
        color_names=_choices(fields, "color_name", COLOR_NAMES),
        colors=() if together else tuple(color.hex for color in asked),
        palette=asked if together else (),
        palette_of=_palette_of(fields),
        ignore_background=read_truth(fields, "ignore_background"),
        color_tolerance=_or(read_number(fields, "color_tolerance", 0, 100), COLOR_TOLERANCE),
        color_share=_or(read_number(fields, "color_share", 0, 1), COLOR_SHARE),
        tags=_tags(fields, "tag"),
        without_tags=_tags(fields, "without_tag"),
        uploaders=_several("uploader", map(plain_name, fields.get("uploader", ()))),
        orientations=_choices(fields, "orientation", ORIENTATIONS),
        sizes=_choices(fields, "size", SIZES),
        formats=_choices(fields, "format", FORMATS),
        taken_years=_years(fields),
        monochrome=read_truth(fields, "monochrome"),
        min_brightness=read_number(fields, "min_brightness", 0, 1),
        max_brightness=read_number(fields, "max_brightness", 0, 1),
        min_saturation=read_number(fields, "min_saturation", 0, 1),
        max_saturation=read_number(fields, "max_saturation", 0, 1),
        created_after=read_time(fields, "created_after"),
        created_before=read_time(fields, "created_before", end_of_day=True),
        taken_after=_camera_time(fields, "taken_after"),
        taken_before=_camera_time(fields, "taken_before", end_of_day=True),
        min_width=read_integer(fields, "min_width", 0, MOST_PIXELS),
        max_width=read_integer(fields, "max_width", 0, MOST_PIXELS),
        min_height=read_integer(fields, "min_height", 0, MOST_PIXELS),
        max_height=read_integer(fields, "max_height", 0, MOST_PIXELS),
        min_bytes=_bytes(fields, "min_bytes"),
        max_bytes=_bytes(fields, "max_bytes"),
    )


def read_sort(fields: Fields) -> Sort:
    """Return the order that is asked for. Raises InvalidQuery for one that there is not."""
    _choices(fields, "sort", tuple(Sort))
    return Sort(first(fields, "sort", Sort.BEST))


def read_states(fields: Fields) -> tuple[ImageState, ...]:
    """Return the states that are asked for, only READY where none is. Raises InvalidQuery for one that there is not."""
    return tuple(map(ImageState, _choices(fields, "state", tuple(ImageState)))) or ONLY_READY


def read_truth(fields: Fields, name: str) -> bool:
    """Return whether a field says yes; one that is not set says no."""
    try:
        return TRUTHS[first(fields, name).lower()]
    except KeyError as error:
        raise InvalidQuery(f"{name} must be true or false.") from error


def read_integer(fields: Fields, name: str, lowest: int, highest: int) -> int | None:
    """Return a whole number between `lowest` and `highest`, or None when the field is not set."""
    text = first(fields, name)
    if not text:
        return None
    try:
        number = int(text)
    except ValueError as error:
        raise InvalidQuery(f"The value of {name} must be a whole number, not {_shown(text)}.") from error
    if not lowest <= number <= highest:
        raise InvalidQuery(f"The value of {name} must be between {lowest:,} and {highest:,}.")
    return number


def read_time(fields: Fields, name: str, *, end_of_day: bool = False) -> datetime | None:
    """Return a moment in UTC; a day alone is its first moment, or its last with `end_of_day`."""
    text = first(fields, name)
    if not text:
        return None
    try:
        moment = _moment(text, end_of_day=end_of_day)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidQuery(NO_DATE.format(name=name, text=_shown(text))) from error


def _camera_time(fields: Fields, name: str, *, end_of_day: bool = False) -> datetime | None:
    """Return a moment by the clock of a camera, which knows no zones."""
    text = first(fields, name)
    if not text:
        return None
    try:
        return _moment(text, end_of_day=end_of_day).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise InvalidQuery(NO_DATE.format(name=name, text=_shown(text))) from error


def _moment(text: str, *, end_of_day: bool) -> datetime:
    moment = datetime.fromisoformat(text)
    if end_of_day and len(text) <= len("2026-11-20") and moment.time() == time():
        moment += timedelta(days=1) - timedelta(microseconds=1)
    return moment


def _bytes(fields: Fields, name: str) -> int | None:
    text = first(fields, name)
    if not text:
        return None
    found = BYTES.fullmatch(text)
    if not found:
        raise InvalidQuery(f"The value of {name} must be a size such as 500 kB or 2.5 MB, not {_shown(text)}.")
    return round(float(found["number"]) * UNITS[found["unit"].lower()])


def _years(fields: Fields) -> tuple[int, ...]:
    several = _several("taken_year", fields.get("taken_year", ()))
    years = (read_integer({"taken_year": [year]}, "taken_year", *YEARS) for year in several)
    return tuple(year for year in years if year is not None)


def _tags(fields: Fields, name: str) -> tuple[str, ...]:
    return _several(name, (tag.strip() for value in fields.get(name, ()) for tag in value.split(",")))


def read_number(fields: Fields, name: str, lowest: float, highest: float) -> float | None:
    """Return a number between `lowest` and `highest`, or None when the field is not set."""
    text = first(fields, name)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError as error:
        raise InvalidQuery(f"The value of {name} must be a number, not {_shown(text)}.") from error
    if not isfinite(number) or not lowest <= number <= highest:
        raise InvalidQuery(f"The value of {name} must be between {lowest:g} and {highest:g}.")
    return number


def _or(number: float | None, default: float) -> float:
    return default if number is None else number


def _several(name: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return each value once. Raises InvalidQuery when they are too many."""
    found = tuple(dict.fromkeys(value for value in values if value))
    if len(found) > MOST_VALUES:
        raise InvalidQuery(
            f"At most {MOST_VALUES} values of {name} can be asked for at once; these are {len(found):,}."
        )
    return found


def _choices(fields: Fields, name: str, known: Iterable[str]) -> tuple[str, ...]:
    values = _several(name, fields.get(name, ()))
    for value in values:
        if value not in known:
            raise InvalidQuery(f"The value of {name} can be {', '.join(known)}; {_shown(value)} is none of them.")
    return values


def read_colors(fields: Fields) -> tuple[AskedColor, ...]:
    """Return the colors that are asked for, each once, such as #2f6fd0 or #2f6fd0:0.4, where 40 % of it are asked for.

    Raises InvalidQuery for what is no color or share, and for too many.
    """
    asked: dict[str, AskedColor] = {}
    values = tuple(dict.fromkeys(fields.get("color", ())))
    if len(values) > MOST_COLORS:
        raise InvalidQuery(f"At most {MOST_COLORS} colors can be asked for at once.")
    for value in values:
        code, _, part = value.partition(":")
        if not HEX_COLOR.fullmatch(code):
            raise InvalidQuery(f"The value of color must be written like #2f6fd0 or #2f6fd0:0.4, not {_shown(value)}.")
        color = f"#{code.removeprefix('#').lower()}"
        share = read_number({"share": [part.strip()]}, "share", 0, 1) if part.strip() else None
        asked.setdefault(color, AskedColor(color, share))
    return tuple(asked.values())


def _palette_of(fields: Fields) -> str | None:
    image_id = first(fields, "palette_of")
    if image_id and fields.get("color"):
        raise InvalidQuery("Please ask for the colors of a picture or for colors of your own, not for both.")
    return image_id or None


def _shown(value: str) -> str:
    return f"“{value[:40]}”"
