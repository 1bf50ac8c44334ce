"""The files of an image: its original, wherever it lies, and the derivatives that are made of it.

An original is known by the hash of its bytes, so one that has rotted on its disk is told and never given out.
Thumbnails are copies: one that is missing or damaged is made anew when it is asked for.
"""

import hashlib
import io
import os
from pathlib import Path
from typing import BinaryIO

from pipeline.backend import Backend
from pipeline.errors import ObjectNotFound
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.features.thumbnail import encode as encode_thumbnail
from pipeline.images import ImageRecord, thumbnail_key
from pipeline.stores import records_imports
from pipeline.uploads import file_stamp

DISPLAY_PX = 1600
"""Long side of the derivative that is shown large: every browser can show it, whatever the original is."""

HASHED_BYTES = 1 << 18  # read at once to see whether an original is sound

RIFF_HEADER_BYTES = 8  # "RIFF" and the length of what follows

SIZES = (*THUMBNAIL_SIZES, DISPLAY_PX)


def open_original(backend: Backend, image: ImageRecord) -> BinaryIO:
    """Return the very bytes that were uploaded or imported, as a seekable stream.

    Raises ObjectNotFound when they are gone or damaged, or when a file that was imported in place has been written to
    since.
    """
    if image.path is None:
        return _sound(backend.objects.open(image.object_key), image)
    path = Path(image.path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise ObjectNotFound(
            "The file of this picture is no longer where it was imported from. Is its disk connected?",
            detail=image.path,
        ) from error
    if not _is_unchanged(backend, image, os.fstat(stream.fileno())):
        stream.close()
        raise ObjectNotFound(
            "The file of this picture has changed since it was imported. Please import its folder again.",
            detail=image.path,
        )
    return stream


def _sound(stream: BinaryIO, image: ImageRecord) -> BinaryIO:
    """Return the stream at its beginning after all of it has been read, which takes some 2 ms for each megabyte."""
    sha256 = hashlib.sha256()
    while chunk := stream.read(HASHED_BYTES):
        sha256.update(chunk)
    if sha256.hexdigest() != image.sha256:
        stream.close()
        raise ObjectNotFound(
            "The file of this picture has been damaged in the store. Please upload the same file again, which mends "
            "it, or bring it back from a backup.",
            detail=image.object_key,
        )
    stream.seek(0)
    return stream


def _is_unchanged(backend: Backend, image: ImageRecord, status: os.stat_result) -> bool:
    with backend.database.read() as connection:
        stamp = records_imports.stamps(connection, image.row).get(image.path or "")
    # Only what was not imported by a command, which tells the stamp, has none.
    return status.st_size == image.bytes and stamp in {None, file_stamp(status)}


def original_bytes(backend: Backend, image: ImageRecord) -> bytes:
    """Return the whole original."""
    with open_original(backend, image) as stream:
        return stream.read()


def put_thumbnail(backend: Backend, image: ImageRecord, px: int, data: bytes) -> None:
    """Keep the WebP derivative of at most `px` pixels; waiting for the disk would be for nothing, it can be remade."""
    backend.objects.put(thumbnail_key(image.library, image.sha256, px), io.BytesIO(data), durable=False)


def thumbnail(backend: Backend, image: ImageRecord, px: int) -> bytes:
    """Return the smallest WebP derivative with at least `px` pixels on its long side, or the largest there is."""
    size = next((size for size in SIZES if size >= px), SIZES[-1])
    try:
        with backend.objects.open(thumbnail_key(image.library, image.sha256, size)) as stream:
            kept = stream.read()
    except ObjectNotFound:
        kept = b""
    if _is_whole(kept):
        return kept
    data = _derive(backend, image, size)
    put_thumbnail(backend, image, size, data)
    return data


def _is_whole(webp: bytes) -> bool:
    """Whether a WebP file is as long as its RIFF header says; a power cut may leave a shorter or an empty one."""
    return webp.startswith(b"RIFF") and len(webp) == int.from_bytes(webp[4:8], "little") + RIFF_HEADER_BYTES


def _derive(backend: Backend, image: ImageRecord, size: int) -> bytes:
    original = original_bytes(backend, image)
    if size == DISPLAY_PX:
        return backend.decoders.display_copy(original, DISPLAY_PX)
    return encode_thumbnail(backend.decoders.decode(original), size)
