"""What is sent when somebody asks for an original: the very bytes, or, where it is so set, all but their metadata.

Where the metadata cannot be taken out of the file, or the file is not as its standard has it, a WebP is made of its
pixels, at full size, or at a half, a quarter of it and so on where memory does not suffice. What was set to be
stripped is never sent as it is: if nothing can be made of it, nothing is sent.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.backend import Backend
from pipeline.errors import DamagedImage, ImageRejected
from pipeline.features.stripping.parts import Part
from pipeline.features.stripping.strip import stripped_parts
from pipeline.images import ImageRecord
from pipeline.originals import open_original

CHUNK = 1 << 18  # bytes sent at once

LARGEST_WEBP_PX = 16_383
"""Long side that WebP can have."""

WEBP_TYPE, WEBP_SUFFIX = "image/webp", ".webp"

STRIPPING_VERSION = 2
"""Raised when files are stripped in another way, so that nobody keeps one that was stripped in the old."""

_NOT_STRIPPED = (
    "This picture cannot be read, so its file cannot be given out without the metadata in it, as this server is set "
    "to do. Whoever runs the server can export the file as it is."
)


@dataclass(frozen=True)
class Download:
    """What is sent of an original: a name and a media type for it, its size, and its chunks in order.

    The chunks are to be read; their end closes the file that they come from.
    """

    filename: str
    media_type: str
    size_bytes: int
    chunks: Iterator[bytes]


def entity_tag(backend: Backend, image: ImageRecord) -> str:
    """Return what tells versions of a download apart, with its quotes; known without opening the original."""
    return f'"{image.sha256}-stripped-{STRIPPING_VERSION}"' if backend.settings.strip_originals else f'"{image.sha256}"'


def open_download(backend: Backend, image: ImageRecord) -> Download:
    """Return what is sent of the original of an image.

    Raises ObjectNotFound when it is gone; where it is to be stripped also DamagedImage when nothing can be made of it,
    and DecoderUnavailable.
    """
    if not backend.settings.strip_originals:
        chunks = _sent(open_original(backend, image), [range(image.bytes)])
        return Download(image.filename, image.media_type, image.bytes, chunks)
    with ExitStack() as held:
        stream = held.enter_context(open_original(backend, image))
        try:
            kind, parts = stripped_parts(stream)
        except ImageRejected:
            return _made_anew(backend, image, stream)
        held.pop_all()  # the chunks close it
        return Download(image.filename, kind.media_type, sum(map(len, parts)), _sent(stream, parts))


def _made_anew(backend: Backend, image: ImageRecord, stream: BinaryIO) -> Download:
    stream.seek(0)
    long_side_px = min(max(image.width, image.height), LARGEST_WEBP_PX)
    try:
        webp = backend.decoders.display_copy(stream.read(), long_side_px)
    except ImageRejected as error:
        raise DamagedImage(_NOT_STRIPPED, detail=str(error)) from error
    name = (image.filename.rpartition(".")[0] or image.filename) + WEBP_SUFFIX
    return Download(name, WEBP_TYPE, len(webp), _sent(io.BytesIO(webp), [range(len(webp))]))


def _sent(stream: BinaryIO, parts: Sequence[Part]) -> Iterator[bytes]:
    with stream:
        for part in parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from _read(stream, part)


def _read(stream: BinaryIO, part: range) -> Iterator[bytes]:
    stream.seek(part.start)
    left = len(part)
    while left and (chunk := stream.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk
