"""Comparing two pictures that somebody names: images that are here, or files that are not kept."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.access import check_reading, get_image
from pipeline.backend import Backend
from pipeline.features.comparison import Comparison
from pipeline.features.fingerprint import Fingerprint
from pipeline.features.picture import Picture
from pipeline.features.verdicts import Seen, compare, seen_of
from pipeline.images import ImageRecord
from pipeline.originals import original_bytes
from pipeline.principals import Principal
from pipeline.stores import records_embeddings, records_findings, records_fingerprints

Side = str | bytes | Path
"""One of both pictures: the id of an image, the bytes of a file, or where it lies. Nothing of a file is kept."""


def compare_images(backend: Backend, a: Side, b: Side, principal: Principal) -> Comparison:
    """Return what two pictures are to each other.

    Where the present check has found something of two images, that is it; otherwise they are compared now, by their
    originals. Raises ImageNotFound for an image that does not exist for `principal`, ImageRejected for a file that is
    no picture we read, ObjectNotFound when an original is gone, NotAllowed for a token that is not for looking, and
    StoreUnavailable or DecoderUnavailable.
    """
    check_reading(principal)
    first, second = (get_image(backend, side, principal) if isinstance(side, str) else side for side in (a, b))
    if isinstance(first, ImageRecord) and isinstance(second, ImageRecord):
        with backend.database.read() as connection:
            found = records_findings.get(connection, first.row, second.row)
        if found:
            return found
    return compare(_seen(backend, first), _seen(backend, second))


@dataclass(frozen=True)
class _Computed:
    fingerprint: Fingerprint | None = None
    embedding: npt.NDArray[np.float32] | None = None


def _seen(backend: Backend, side: ImageRecord | bytes | Path) -> Seen:
    source = original_bytes(backend, side) if isinstance(side, ImageRecord) else side
    known = _computed(backend, side) if isinstance(side, ImageRecord) else _Computed()
    picture = backend.decoders.decode(source)
    embedding = _embedded(backend, picture) if known.embedding is None else known.embedding
    return seen_of(picture, fingerprint=known.fingerprint, embedding=embedding, sha256=_sha256(source))


def _computed(backend: Backend, image: ImageRecord) -> _Computed:
    with backend.database.read() as connection:
        fingerprint = records_fingerprints.get_many(connection, [image.row]).get(image.row)
        embedding = records_embeddings.get_vector(connection, image.row, backend.encoder.fingerprint)
    return _Computed(fingerprint, embedding)


def _sha256(source: bytes | Path) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _embedded(backend: Backend, picture: Picture) -> npt.NDArray[np.float32]:
    vector: npt.NDArray[np.float32] = backend.encoder.embed_pictures([picture])[0]
    return vector
