"""Computing the embeddings of the next encoder from the originals, beside the daily work, until it takes over.

A worker takes a batch of images that lack theirs, whenever nothing new waits. Everything is in the database, so any
number of workers may help, and a restart goes on where it was. A picture whose original cannot be read any more is
embedded from its thumbnail, and left without a vector when there is none. A model that fails itself pauses the change.
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
from pipeline.errors import DecoderUnavailable, ImageRejected, LikenessError, ModelUnusable, NotFound, StoreUnavailable
from pipeline.features.encoders.protocol import meanings
from pipeline.features.encoders.trial import try_out
from pipeline.features.picture import Meaning, Picture
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.images import ImageRecord, thumbnail_key
from pipeline.originals import original_bytes
from pipeline.stores import copies, records_encoders, records_images
from pipeline.stores.database import Writing

log = logging.getLogger(__name__)

Found = tuple[npt.NDArray[np.float32], Meaning]
Outcome = Found | Exception | None
"""What the encoder made of an image, the error that it met, or None where nothing can be read any more."""

DOWN = (StoreUnavailable, DecoderUnavailable)

FAILS_FOR_ALL = (
    "The encoder {name} failed for one picture after the other. Please look into the log, and go on with "
    "`likeness models resume`, or end the change with `likeness models cancel`."
)


def step(current: CurrentBackend, pool: ThreadPoolExecutor) -> int:
    """Embed one batch for the encoder that is being filled; return how many images that were, 0 when there is nothing.

    With the last one the encoder takes over. A model that fails whatever it is shown pauses the change, with a sentence
    for people. Raises StoreUnavailable or DecoderUnavailable; what was not written is taken again later.
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
    try:
        if found.is_all:
            _finish(current, opened)
            return 0
        if not found.rows:
            return 0
        with backend.database.write(Writing.BESIDE) as connection:
            is_ours = records_encoders.take(connection, wanted.encoder.fingerprint, found)
        if is_ours:
            _fill(opened, found.rows, pool)
    except ModelUnusable as error:
        log.error("the change to the encoder %s rests: %s", wanted.encoder.name, error)  # noqa: TRY400 - it says all
        with backend.database.write() as connection:
            records_encoders.stop_for(connection, wanted.encoder.fingerprint, error.user_message)
        return 0
    return len(found.rows)


def _fill(opened: Backend, rows: Sequence[int], pool: ThreadPoolExecutor) -> None:
    """Write what the encoder makes of the images. Raises ModelUnusable when it is not the images that it fails for."""
    with opened.database.read() as connection:
        images = records_images.get_by_rows(connection, rows)
    outcomes = list(pool.map(partial(_attempt, opened), images))
    if any(map(_stumbled, outcomes)):
        try_out(opened.encoder)
        # Alone: what failed for want of memory beside others may do now.
        outcomes = [
            _attempt(opened, image) if _stumbled(outcome) else outcome
            for image, outcome in zip(images, outcomes, strict=True)
        ]
    stumbled = {
        image.id: error for image, outcome in zip(images, outcomes, strict=True) if (error := _stumbled(outcome))
    }
    if len(stumbled) == len(outcomes) > 1:
        error = next(iter(stumbled.values()))
        raise ModelUnusable(FAILS_FOR_ALL.format(name=opened.encoder.name), detail=repr(error)) from error
    for image_id, error in stumbled.items():
        foreseen = isinstance(error, LikenessError)
        log.error("left without a vector: %s", error, exc_info=not foreseen and error, extra={"image_id": image_id})
    written = {
        image.row: None if isinstance(outcome, Exception) else outcome
        for image, outcome in zip(images, outcomes, strict=True)
        if not isinstance(outcome, DOWN)
    }
    with opened.database.write(Writing.BESIDE) as connection:
        records_encoders.put(connection, row_of(opened.encoder), written)
    for outcome in outcomes:
        if isinstance(outcome, DOWN):
            raise outcome


def _stumbled(outcome: Outcome) -> Exception | None:
    """Return the error of an image that the encoder failed for, not that of a store that is down."""
    return outcome if isinstance(outcome, Exception) and not isinstance(outcome, DOWN) else None


def _attempt(backend: Backend, image: ImageRecord) -> Outcome:
    """Return what the encoder makes of an image; the error of one that it stumbles over, which holds no other up."""
    try:
        return _embed(backend, image)
    except Exception as error:  # noqa: BLE001 - told by who asks, when it stays
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
        try_out(opened.encoder)  # it may be that no picture was shown to it here
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
            seen = copies.count_visible(connection, fingerprint)
            records_encoders.keep_bands(connection, fingerprint, bands, seen)


def _bring_whole(opened: Backend) -> None:
    """Let the index hold every vector, so that the first search after the change waits for nothing."""
    opened.vectors.catch_up()
    if not opened.vectors.is_shared:
        return
    holding = copies.compare(opened.database, opened.encoder.fingerprint, opened.vectors)
    if holding is not None and not holding.is_whole:  # it was filled once, and has lost some since
        opened.vectors.rebuild()
