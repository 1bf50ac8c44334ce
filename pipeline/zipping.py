"""Originals as one ZIP archive, made while it is sent."""

import zipfile
from collections.abc import Iterator, Sequence

from pipeline.backend import Backend
from pipeline.errors import ObjectNotFound
from pipeline.file_names import SafeNames
from pipeline.images import ImageRecord
from pipeline.originals import open_original

CHUNK = 1 << 18  # bytes read from an original at once
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
    """Yield a ZIP archive of the originals, stored as they are, under their own names made unique.

    An original that is gone is named in a note inside the archive, because the answer has already begun.
    """
    outbox = _Outbox()
    missing: list[str] = []
    names = SafeNames()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for image in images:
            name = names.give(image.filename)
            try:
                original = open_original(backend, image)
            except ObjectNotFound as error:
                missing.append(f"{name}: {error.user_message}")
                continue
            with original, archive.open(name, "w", force_zip64=True) as entry:
                while chunk := original.read(CHUNK):
                    entry.write(chunk)
                    yield outbox.take()
        if missing:
            archive.writestr(MISSING_NOTE, "\n".join(missing))
    yield outbox.take()
