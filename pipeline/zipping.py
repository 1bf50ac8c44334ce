"""Originals as one ZIP archive, made while it is sent."""

import zipfile
from collections.abc import Iterator, Sequence

from pipeline.backend import Backend
from pipeline.downloads import open_download
from pipeline.errors import DamagedImage, DecoderUnavailable, ObjectNotFound
from pipeline.file_names import SafeNames
from pipeline.images import ImageRecord

MISSING_NOTE = "missing-files.txt"


class _Outbox:
    """A write-only stream whose content is taken out as it comes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def zip_of_originals(backend: Backend, images: Sequence[ImageRecord]) -> Iterator[bytes]:
    """Yield a ZIP archive of the originals, stored as they are sent one by one, under their own names made unique.

    Where the server is set so, they are without their metadata. An original that is gone, or cannot be stripped, is
    named in a note inside the archive, because the answer has already begun.
    """
    outbox = _Outbox()
    missing: list[str] = []
    names = SafeNames()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for image in images:
            try:
                original = open_download(backend, image)
            except (ObjectNotFound, DamagedImage, DecoderUnavailable) as error:
                missing.append(f"{names.give(image.filename)}: {error.user_message}")
                continue
            with archive.open(names.give(original.filename), "w", force_zip64=True) as entry:
                for chunk in original.chunks:
                    entry.write(chunk)
                    yield outbox.take()
        if missing:
            archive.writestr(MISSING_NOTE, "\n".join(missing))
    yield outbox.take()
