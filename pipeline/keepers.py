"""Which of the pictures of a group had better be kept, and why: judged by facts, for a person who decides.

The facts are asked in the order of `Fact`; the first one in which pictures differ decides, and everything else that
speaks for the same one is told as well. Nothing is ever kept or deleted because of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pipeline.features.comparison import EITHER, Comparison, EditKind
from pipeline.images import ImageRecord

LOSSLESS = frozenset({"image/png", "image/tiff", "image/bmp", "image/gif"})
"""Formats that lose nothing of the pixels they were given. WebP, AVIF and JPEG 2000 can do both and do not say so in
their media type; they count as lossy, which most of them are."""

HARMLESS = frozenset({EditKind.RESCALED})
"""What takes nothing away that the number of pixels does not tell."""


class Fact(StrEnum):
    """What can speak for a picture, in the order in which it is asked."""

    UNEDITED = "unedited"
    """Nothing was cut off, written on it, blurred or made pale, as far as the comparison shows."""
    PIXELS = "pixels"
    CAMERA = "camera"
    """It has what a camera wrote; a copy saved by a program has often lost that."""
    DATE = "date"
    """It knows when it was taken."""
    LOSSLESS = "lossless"
    BYTES = "bytes"
    """Of the same format and pixels, the larger file was compressed less."""
    CAPTION = "caption"
    TAGS = "tags"
    OLDEST = "oldest"
    """It has been here longest."""


WORDS: dict[Fact, tuple[str, str]] = {
    Fact.UNEDITED: ("the only one that was not edited", "less edited than others"),
    Fact.PIXELS: ("", "most pixels: {width:,} × {height:,}"),  # noqa: RUF001 - the sign
    Fact.CAMERA: ("the only one with the camera's data: {model}", "has the camera's data: {model}"),
    Fact.DATE: (
        "the only one with the camera's date: {taken_at:%Y-%m-%d}",
        "has the camera's date: {taken_at:%Y-%m-%d}",
    ),
    Fact.LOSSLESS: ("the only lossless file: {media_type}", "a lossless file: {media_type}"),
    Fact.BYTES: ("", "the largest file of its format: {bytes:,} bytes"),
    Fact.CAPTION: ("the only one with a caption", "has a caption"),
    Fact.TAGS: ("the only one with tags: {count}", "most tags: {count}"),
    Fact.OLDEST: ("", "here longest, since {created_at:%Y-%m-%d}"),
}
"""What each fact is called where no other picture has it, and otherwise; some of them every picture has."""


@dataclass(frozen=True)
class Reason:
    """A fact that speaks for a picture, with its value in `values`; `only`: no other one of the group has it at all.

    `values` by fact: pixels width, height and pixels; camera model; date taken_at; lossless and bytes media_type, bytes
    also bytes; tags count; oldest created_at; otherwise none.
    """

    fact: Fact
    only: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Suggestion:
    """The picture that had better be kept, and what speaks for it, the fact that decided first."""

    image: ImageRecord
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class _Seen:
    image: ImageRecord
    harm: int


def suggest(images: Sequence[ImageRecord], comparisons: Sequence[Comparison | None]) -> Suggestion:
    """Return which of at least two images had better be kept.

    `comparisons` are those of the first image with each, of which the first one is None.
    """
    seen = [_Seen(image, _harm(comparison)) for image, comparison in zip(images, comparisons, strict=True)]
    candidates = list(seen)
    deciding: list[Fact] = []
    for fact, value_of in _VALUES.items():
        if len(candidates) == 1:
            break
        if fact is Fact.BYTES and len({(one.image.media_type, _pixels(one)) for one in candidates}) > 1:
            continue
        best = max(value_of(one) for one in candidates)
        better = [one for one in candidates if value_of(one) == best]
        if len(better) < len(candidates):
            deciding.append(fact)
            candidates = better
    chosen = candidates[0]
    others = [one for one in seen if one is not chosen]
    told = [*deciding, *(fact for fact in Fact if fact not in deciding)]
    reasons = (_reason(fact, chosen, others) for fact in told)
    return Suggestion(chosen.image, tuple(reason for reason in reasons if reason is not None))


def sentence(reason: Reason) -> str:
    """Say a reason in English, as programs and the log are told it."""
    only, otherwise = WORDS[reason.fact]
    return (only if reason.only else otherwise).format(**reason.values)


def _harm(comparison: Comparison | None) -> int:
    """Return how many edits more a picture has than the first one of its group; below 0 if that one has more.

    What may have been done to either of both speaks against neither.
    """
    if comparison is None:
        return 0
    harmful = [edit for edit in comparison.edits if edit.kind not in HARMLESS and edit.of != EITHER]
    return sum(1 if edit.of == "b" else -1 for edit in harmful)


def _pixels(one: _Seen) -> int:
    return one.image.width * one.image.height


def _camera(image: ImageRecord) -> str:
    """Return what the camera called itself, "" if the file does not say."""
    return image.exif.get("camera", "")


_VALUES: dict[Fact, Callable[[_Seen], Any]] = {
    Fact.UNEDITED: lambda one: -one.harm,
    Fact.PIXELS: _pixels,
    Fact.CAMERA: lambda one: bool(_camera(one.image)),
    Fact.DATE: lambda one: one.image.taken_at is not None,
    Fact.LOSSLESS: lambda one: one.image.media_type in LOSSLESS,
    Fact.BYTES: lambda one: one.image.bytes,
    Fact.CAPTION: lambda one: bool(one.image.caption),
    Fact.TAGS: lambda one: len(one.image.tags),
    Fact.OLDEST: lambda one: (-one.image.created_at.timestamp(), -one.image.row),
}


def _reason(fact: Fact, chosen: _Seen, others: Sequence[_Seen]) -> Reason | None:
    """Return what a fact says for the chosen picture; None where it says nothing against any other one."""
    if fact is Fact.BYTES:
        others = [one for one in others if (one.image.media_type, _pixels(one)) == _format(chosen)]
        if not others:
            return None
    value_of = _VALUES[fact]
    mine, theirs = value_of(chosen), [value_of(one) for one in others]
    if not mine and fact is not Fact.UNEDITED:
        return None
    if any(value > mine for value in theirs) or all(value == mine for value in theirs):
        return None
    return Reason(fact, only=_is_only(fact, mine, theirs), values=_values(fact, chosen.image))


def _is_only(fact: Fact, mine: Any, theirs: Sequence[Any]) -> bool:
    if fact is Fact.UNEDITED:
        return all(value < mine for value in theirs)
    return not any(theirs) if fact in {Fact.CAMERA, Fact.DATE, Fact.LOSSLESS, Fact.CAPTION, Fact.TAGS} else False


def _format(one: _Seen) -> tuple[str, int]:
    return one.image.media_type, _pixels(one)


def _values(fact: Fact, image: ImageRecord) -> dict[str, Any]:
    known: dict[Fact, dict[str, Any]] = {
        Fact.PIXELS: {"width": image.width, "height": image.height, "pixels": image.width * image.height},
        Fact.CAMERA: {"model": _camera(image)},
        Fact.DATE: {"taken_at": image.taken_at},
        Fact.LOSSLESS: {"media_type": image.media_type},
        Fact.BYTES: {"media_type": image.media_type, "bytes": image.bytes},
        Fact.TAGS: {"count": len(image.tags)},
        Fact.OLDEST: {"created_at": image.created_at},
    }
    return known.get(fact, {})
