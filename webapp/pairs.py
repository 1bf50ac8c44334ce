"""Two pictures side by side: what a viewer shows of them, and the table of their facts with the better values."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode

from pipeline import access
from pipeline.backend import Backend
from pipeline.features.comparison import Comparison
from pipeline.features.picture import Picture
from pipeline.features.thumbnail import encode as encode_thumbnail
from pipeline.images import ImageRecord
from pipeline.originals import DISPLAY_PX
from pipeline.principals import Action, Principal
from pipeline.uploads import Upload
from webapp.evidence_words import evidence_details, evidence_sentence, format_name, marks_of, verdict_words
from webapp.language import gettext as _
from webapp.pages_duplicates import Pair, PairFact, Shown, Viewer
from webapp.tiles import alternative_text, display_url, image_url
from webapp.wording import as_date, as_moment, as_size, listed

LOSSLESS = frozenset({"image/png", "image/tiff", "image/bmp", "image/gif"})
"""Formats that lose nothing when they are saved again; of two copies such a one is likelier to be the first."""

SMALLER_PART = 0.98
"""A file is said to be the larger one only where the other has at most this part of its bytes."""


@dataclass(frozen=True)
class Side:
    """What is known of one of two pictures. `created_at` and what follows is unknown of a file that is not kept."""

    picture_url: str
    alt: str
    width: int
    height: int
    bytes: int
    media_type: str
    filename: str
    taken_at: datetime | None = None
    camera: str = ""
    page_url: str = ""
    created_at: datetime | None = None
    caption: str = ""
    tags: tuple[str, ...] = ()
    library: str = ""
    people: tuple[str, ...] = ()


def compare_url(left_id: str, right_id: str) -> str:
    """Return the address at which two images are compared."""
    return f"/compare?{urlencode({'a': left_id, 'b': right_id})}"


def side_of_image(backend: Backend, image: ImageRecord, principal: Principal) -> Side:
    """Return what `principal`, for whom the image exists, may know of it."""
    with_exif = not backend.settings.strip_originals or access.may(principal, Action.CHANGE, image)
    origins = access.origins_of(backend, image, principal)
    return Side(
        picture_url=display_url(image),
        alt=alternative_text(image),
        width=max(1, image.width),
        height=max(1, image.height),
        bytes=image.bytes,
        media_type=image.media_type,
        filename=image.filename,
        taken_at=image.taken_at,
        camera=image.exif.get("camera", "") if with_exif else "",
        page_url=image_url(image),
        created_at=image.created_at,
        caption=image.caption,
        tags=image.tags,
        library=image.library_name,
        people=tuple(dict.fromkeys(origin.person for origin in origins if origin.person)),
    )


def side_of_file(upload: Upload, picture: Picture) -> Side:
    """Return what is known of a file that is not kept; the picture itself is in the address."""
    shown = b64encode(encode_thumbnail(picture, DISPLAY_PX)).decode()
    facts = picture.facts
    return Side(
        picture_url=f"data:image/webp;base64,{shown}",
        alt=upload.filename,
        width=max(1, facts.width),
        height=max(1, facts.height),
        bytes=upload.bytes,
        media_type=facts.media_type,
        filename=upload.filename,
        taken_at=facts.taken_at,
        camera=facts.exif.get("camera", ""),
    )


def pair_of(left: Side, right: Side, comparison: Comparison) -> Pair:
    """Return two pictures and what was found of them, in words; `comparison` is that of the left with the right."""
    formats = (format_name(left.media_type), format_name(right.media_type))
    return Pair(
        viewer=Viewer(
            left=_shown(left, _("Left")),
            right=_shown(right, _("Right")),
            transform=" ".join(f"{number:.6g}" for number in comparison.transform or ()),
            marks=marks_of(comparison),
        ),
        verdict=verdict_words(comparison.verdict),
        sentence=evidence_sentence(comparison, formats),
        details=evidence_details(comparison),
        facts=facts_of_both(left, right),
        left_url=left.page_url,
        right_url=right.page_url,
    )


def facts_of_both(left: Side, right: Side) -> tuple[PairFact, ...]:
    """Return the facts of both, with the side that has the better value; what neither has is left out."""
    lines = (
        _line(_("Dimensions"), left, right, _dimensions, _pixels, _("more pixels")),
        _line(_("Size"), left, right, lambda side: as_size(side.bytes), _weight(left, right), _("more bytes")),
        _line(_("Format"), left, right, lambda side: format_name(side.media_type), _lossless, _("without loss")),
        _line(
            _("Taken"),
            left,
            right,
            lambda side: _moment(side.taken_at),
            _earlier(left, right, "taken_at"),
            _older(left, right, "taken_at"),
        ),
        _line(_("Camera"), left, right, lambda side: side.camera, lambda side: bool(side.camera), _("known")),
        _line(_("Caption"), left, right, lambda side: side.caption, lambda side: bool(side.caption), _("has one")),
        _line(_("Tags"), left, right, lambda side: listed(side.tags), lambda side: len(side.tags), _("more")),
        _line(
            _("Added"),
            left,
            right,
            lambda side: as_date(side.created_at) if side.created_at else "",
            _earlier(left, right, "created_at"),
            _older(left, right, "created_at"),
        ),
        _line(_("Added by"), left, right, lambda side: listed(side.people)),
        _line(_("Library"), left, right, lambda side: side.library),
        _line(_("File name"), left, right, lambda side: side.filename),
    )
    return tuple(line for line in lines if line.left or line.right)


Value = Callable[[Side], float]


def _line(
    name: str, left: Side, right: Side, shown: Callable[[Side], str], value: Value | None = None, word: str = ""
) -> PairFact:
    better: Literal["left", "right", ""] = ""
    if value is not None and value(left) != value(right):
        better = "left" if value(left) > value(right) else "right"
    return PairFact(name, shown(left), shown(right), better, word if better else "")


def _shown(side: Side, place: str) -> Shown:
    return Shown(side.picture_url, side.alt, side.width, side.height, place)


def _dimensions(side: Side) -> str:
    return f"{side.width} \N{MULTIPLICATION SIGN} {side.height}"


def _pixels(side: Side) -> float:
    return side.width * side.height


def _weight(left: Side, right: Side) -> Value:
    alike = min(left.bytes, right.bytes) > SMALLER_PART * max(left.bytes, right.bytes)
    return lambda side: 0 if alike else side.bytes


def _lossless(side: Side) -> float:
    return side.media_type in LOSSLESS


def _earlier(left: Side, right: Side, name: str) -> Value:
    """Return a value that is greater for the side whose time is earlier, or that has one at all."""
    times: Sequence[datetime] = [time for side in (left, right) if (time := getattr(side, name)) is not None]
    first = min(times, default=None)
    return lambda side: first is not None and getattr(side, name) == first


def _older(left: Side, right: Side, name: str) -> str:
    both = getattr(left, name) is not None and getattr(right, name) is not None
    return _("earlier") if both else _("known")


def _moment(moment: datetime | None) -> str:
    return as_moment(moment) if moment else ""
