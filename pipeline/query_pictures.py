"""Pictures that people search with: read, embedded, and kept for a day when their search is to be a link."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.backend import Backend
from pipeline.errors import QueryPictureNotFound
from pipeline.features.picture import Picture
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.features.thumbnail import encode as encode_thumbnail
from pipeline.stopwatch import spent_on
from pipeline.stores import records_queries
from pipeline.stores.database import Writing
from pipeline.stores.records_queries import QueryPicture
from pipeline.uploads import Upload


@dataclass(frozen=True)
class Region:
    """A part of the query picture, as fractions of its width and height, 0 to 1."""

    x: float
    y: float
    width: float
    height: float


def read_query_picture(backend: Backend, upload: Upload, *, region: Region | None = None) -> QueryPicture:
    """Embed a picture, or a part of it, to search with. Raises ImageRejected when it cannot be read."""
    picture = backend.decoders.decode(upload.path)
    seen = _crop(picture, region) if region else picture
    with spent_on("embedding"):
        embedding = backend.encoder.embed_pictures([seen])[0]
    return QueryPicture(
        key=records_queries.new_key(),
        sha256="" if region else upload.sha256,
        encoder=backend.encoder.fingerprint,
        embedding=embedding,
        thumbnail=encode_thumbnail(seen, THUMBNAIL_SIZES[-1]),
        width=picture.facts.width,
        height=picture.facts.height,
    )


def keep_query_picture(backend: Backend, upload: Upload, *, region: Region | None = None) -> QueryPicture:
    """Embed a picture and remember it for a day under an unguessable key, so that its search is a link.

    Raises ImageRejected when it cannot be read.
    """
    picture = read_query_picture(backend, upload, region=region)
    with backend.database.write(Writing.PASSING) as connection:
        records_queries.keep(connection, picture)
    return picture


def get_query_picture(backend: Backend, key: str) -> QueryPicture:
    """Return a picture that was kept. Raises QueryPictureNotFound when its day is over.

    It belongs to no library, and its key cannot be guessed: whoever was given the link may open it. What they find
    with it is among what they may see.
    """
    with backend.database.read() as connection:
        found = records_queries.get(connection, key)
    if found is None:
        raise QueryPictureNotFound("This search by picture is no longer kept. Please drop the picture again.")
    return found


def embedding_of(backend: Backend, picture: QueryPicture) -> npt.NDArray[np.float32]:
    """Return the embedding of a picture that was kept, by the encoder of `backend`.

    One that was kept before a change of encoder is embedded anew, from its thumbnail: nothing else of it was kept.
    """
    if picture.encoder == backend.encoder.fingerprint:
        return picture.embedding
    embedding: npt.NDArray[np.float32] = backend.encoder.embed_pictures([backend.decoders.decode(picture.thumbnail)])[0]
    again = replace(picture, encoder=backend.encoder.fingerprint, embedding=embedding)
    backend.database.note(lambda connection: records_queries.replace_embedding(connection, again), Writing.PASSING)
    return embedding


def embed_region(backend: Backend, thumbnail: bytes, region: Region) -> npt.NDArray[np.float32]:
    """Return the embedding, (dimension,) of unit length, of a part of a picture, of which this is the thumbnail.

    The largest thumbnail is nearly as large as the working copy, and takes a few milliseconds to read, where an
    original may take half a second. Raises ImageRejected when it cannot be read.
    """
    seen = _crop(backend.decoders.decode(thumbnail), region)
    with spent_on("embedding"):
        embedding: npt.NDArray[np.float32] = backend.encoder.embed_pictures([seen])[0]
    return embedding


def _crop(picture: Picture, region: Region) -> Picture:
    height, width = picture.pixels.shape[:2]
    left, top = int(region.x * width), int(region.y * height)
    right = max(left + 1, round((region.x + region.width) * width))
    bottom = max(top + 1, round((region.y + region.height) * height))
    window = (slice(top, bottom), slice(left, right))
    alpha = picture.alpha[window] if picture.alpha is not None else None
    return replace(picture, pixels=picture.pixels[window], alpha=alpha)
