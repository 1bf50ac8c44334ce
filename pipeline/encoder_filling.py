"""Computing the embeddings of the next encoder from the originals, beside the daily work, until it takes over.

A worker takes a batch of images that lack theirs, whenever nothing new waits. Everything is in the database, so any
number of workers may help, and a restart goes on where it was. A picture whose original cannot be read any more is
embedded from its thumbnail, and left without a vector when there is none.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline import calibration
from pipeline.backend import Backend, row_of
from pipeline.current_backend import CurrentBackend
from pipeline.errors import DecoderUnavailable, ImageRejected, NotFound, StoreUnavailable
from pipeline.features.encoders.protocol import meanings
from pipeline.features.picture import Meaning, Picture
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.images import ImageRecord, thumbnail_key
from pipeline.originals import original_bytes
from pipeline.stores import copies, records_encoders, records_images
from pipeline.stores.database import Writing

log = logging.getLogger(__name__)

Found = tuple[npt.NDArray[np.float32], Meaning]


def step(current: CurrentBackend, pool: ThreadPoolExecutor) -> int:
    """Embed one batch for the encoder that is being filled; return how many images that were, 0 when there is nothing.

    With the last one the encoder takes over. Raises StoreUnavailable or DecoderUnavailable, and whatever the encoder
    raises when it works for no picture; what was not written is taken again later.
    """
    backend = current.now
    with backend.database.read() as connection:
        wanted = records_encoders.building(connection)
    if wanted is None or wanted.resting:
        return 0
    opened = current.opened(wanted.encoder)
    if opened is None:
        return 0
    lease = timedelta(seconds=backend.settings.lease_seconds)
    with backend.database.read() as connection:
        found = records_encoders.look_for(connection, wanted.encoder.fingerprint, backend.settings.batch_size, lease)
    if found.is_all:
        _finish(current, opened)
        return 0
    if not found.rows:
        return 0
    with backend.database.write(Writing.BESIDE) as connection:
        is_ours = records_encoders.take(connection, wanted.encoder.fingerprint, found)
    if is_ours:
        _fill(opened, found.rows, pool)
    return len(found.rows)


def _fill(opened: Backend, rows: Sequence[int], pool: ThreadPoolExecutor) -> None:
    with opened.database.read() as connection:
        images = records_images.get_by_rows(connection, rows)
    outcomes = dict(zip((image.row for image in images), pool.map(partial(_attempt, opened), images), strict=True))
    down = [outcome for outcome in outcomes.values() if isinstance(outcome, StoreUnavailable | DecoderUnavailable)]
    stumbled = [outcome for outcome in outcomes.values() if isinstance(outcome, Exception) and outcome not in down]
    if stumbled and len(stumbled) == len(outcomes) > 1:
        raise stumbled[0]  # it is not the pictures
    written = {
        row: None if isinstance(outcome, Exception) else outcome
        for row, outcome in outcomes.items()
        if outcome not in down
    }
    with opened.database.write(Writing.BESIDE) as connection:
        records_encoders.put(connection, row_of(opened.encoder), written)
    if down:
        raise down[0]


def _attempt(backend: Backend, image: ImageRecord) -> Found | Exception | None:
    """Return what the encoder makes of an image; the error of one that it stumbles over, which holds no other up."""
    try:
        return _embed(backend, image)
    except (StoreUnavailable, DecoderUnavailable) as error:
        return error
    except Exception as error:
        log.exception("left without a vector", extra={"image_id": image.id})
        return error


def _embed(backend: Backend, image: ImageRecord) -> Found | None:
    picture = _picture(backend, image)
    if picture is None:
        return None
    embedding = backend.encoder.embed_pictures([picture])
    with np.errstate(over="ignore"):
        if not np.isfinite(embedding.astype(np.float16)).all():
            log.warning("what the next encoder computed is no number", extra={"image_id": image.id})
            return None
    return embedding[0], meanings(backend.encoder, embedding)[0]


def _picture(backend: Backend, image: ImageRecord) -> Picture | None:
    try:
        return backend.decoders.decode(original_bytes(backend, image))
    except (ImageRejected, NotFound) as error:
        log.warning("embedded from its thumbnail: %s", error, extra={"image_id": image.id})
    try:
        with backend.objects.open(thumbnail_key(image.library, image.sha256, THUMBNAIL_SIZES[-1])) as stream:
            return backend.decoders.decode(stream.read())
    except (ImageRejected, NotFound) as error:
        log.warning("left without a vector: %s", error, extra={"image_id": image.id})
        return None


def _finish(current: CurrentBackend, opened: Backend) -> None:
    """Let the encoder that is filled take over, when its index holds every vector."""
    encoder = row_of(opened.encoder)
    with opened.database.exclusively("change of encoder") as held:
        if not held:
            return  # another worker is at it
        _calibrate(opened)
        _bring_whole(opened)
        with opened.database.write() as connection:
            switched = records_encoders.switch(connection, encoder.fingerprint)
    if switched:
        log.info("the encoder %s has taken over", encoder.name)
        current.look()


def _calibrate(opened: Backend) -> None:
    """Measure the bands once, before what must be quick: pictures that come in meanwhile change them little."""
    fingerprint = opened.encoder.fingerprint
    with opened.database.read() as connection:
        is_done = records_encoders.bands_of(connection, fingerprint) is not None
    if not is_done and (bands := calibration.measure(opened)):
        with opened.database.write(Writing.BESIDE) as connection:
            records_encoders.keep_bands(connection, fingerprint, bands)


def _bring_whole(opened: Backend) -> None:
    """Let the index hold every vector, so that the first search after the change waits for nothing."""
    opened.vectors.catch_up()
    if not opened.vectors.is_shared:
        return
    holding = copies.compare(opened.database, opened.encoder.fingerprint, opened.vectors)
    if holding is not None and not holding.is_whole:  # it was filled once, and has lost some since
        opened.vectors.rebuild()
