"""What Likeness knows about one image, and how images and their files are named."""

import re
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pipeline.errors import RefusedByBank
from pipeline.features.picture import Category, Keyword, Palette

MAIN_LIBRARY = "main"

OBJECT_KEY = re.compile(r"(?:originals|thumbnails)/(?P<library>[^/]+)/(?P<sha256>[0-9a-f]{64})(?:-\d+\.webp)?")


class ImageState(StrEnum):
    """Where an image is on its way. Only READY images are found by searches."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"
    HELD = "held"


@dataclass(frozen=True)
class Source:
    """Where an image came from: the name it had, for an import the path of its file, and the id of who sent it."""

    filename: str
    path: str | None
    created_at: datetime
    uploader: str | None = None


@dataclass(frozen=True)
class ImageRecord:
    """One image as the database tells it.

    `row` is the integer by which vector engines know the image and never leaves the application; `id` is a UUIDv7.
    `library` is the id of the library, and `library_name` what people call it. `uploader` is the id of the person who
    sent it, if nobody else has sent the same bytes into the same library. `width` and `height` are upright; `bytes` is
    the size of the original. `color`, `category` and `encoder` are None until the image has been analysed, and until
    then there are no `keywords`; often none fits. `path` is set when the original was imported in place and lies
    outside the object store. `error_code` is the code of what ended the analysis, or holds the image. Times are in UTC,
    except `taken_at`, which is the camera's clock. `is_unjudged` when a bank may hold or refuse it that was not asked.
    """

    row: int
    id: str
    library: str
    state: ImageState
    error: str | None
    filename: str
    media_type: str
    bytes: int
    width: int
    height: int
    sha256: str
    caption: str
    tags: tuple[str, ...]
    created_at: datetime
    taken_at: datetime | None
    deleted_at: datetime | None
    path: str | None
    encoder: str | None = None
    category: Category | None = None
    keywords: tuple[Keyword, ...] = ()
    color: Palette | None = None
    exif: dict[str, str] = field(default_factory=dict)
    library_name: str = ""
    uploader: str | None = None
    error_code: str | None = None
    is_unjudged: bool = False

    @property
    def is_kept_back(self) -> bool:
        """Whether it is held, or a bank has refused it or not judged it yet: shown to its library's moderators alone.

        The same as `principal_sql.unheld` says.
        """
        is_refused = self.state == ImageState.FAILED and self.error_code == RefusedByBank.code
        return is_refused or self.is_unjudged or self.state == ImageState.HELD

    @property
    def object_key(self) -> str:
        """The key of the original in the object store."""
        return original_key(self.library, self.sha256)

    @property
    def placeholder(self) -> str:
        """The largest color of the picture, shown until its thumbnail has loaded."""
        return self.color.swatches[0].hex if self.color and self.color.swatches else "#888888"


def new_image_id() -> str:
    """Return a UUIDv7 (RFC 9562, 5.7): 48 bits of Unix time in milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def original_key(library: str, sha256: str) -> str:
    """Return where the original lies: the same bytes in one library are one object."""
    return f"originals/{library}/{sha256}"


def thumbnail_key(library: str, sha256: str, px: int) -> str:
    """Return where the WebP derivative of at most `px` pixels on its long side lies."""
    return f"thumbnails/{library}/{sha256}-{px}.webp"


def image_of_key(key: str) -> tuple[str, str] | None:
    """Return library and sha256 of the image that an object belongs to; None for a key that is not made here."""
    found = OBJECT_KEY.fullmatch(key)
    return (found["library"], found["sha256"]) if found else None
