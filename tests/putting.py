"""Putting pictures into a backend as an upload does, without HTTP."""

import io
from collections.abc import Callable

from pictures import picture_bytes

from pipeline.backend import Backend
from pipeline.images import ImageRecord
from pipeline.ingest import accept
from pipeline.principals import OWNER
from pipeline.uploads import spooled

Put = Callable[..., ImageRecord]


def putting(backend: Backend) -> Put:
    """Return a function that puts pictures into `backend`."""

    def put_one(data: bytes | None = None, *, filename: str = "a.png", library: str = "main", **drawn) -> ImageRecord:
        data = picture_bytes(**drawn) if data is None else data
        with spooled(io.BytesIO(data), filename, max_bytes=len(data)) as upload:
            return accept(backend, upload, OWNER, library=library).image

    return put_one
