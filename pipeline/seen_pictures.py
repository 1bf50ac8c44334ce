"""Pictures as the check for duplicates sees them: their largest thumbnails, with local features, the last ones kept.

A thumbnail of 640 pixels costs less to read than an original from a camera, and is there when the disk with the
originals is not. What that changes of verdicts was not measured: the pictures at hand are hardly larger themselves.
"""

import threading
from collections import OrderedDict

import numpy as np

from pipeline.backend import Backend
from pipeline.features.fingerprint import Fingerprint
from pipeline.features.picture import Picture
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.features.verdicts import Seen, seen_of
from pipeline.images import ImageRecord
from pipeline.originals import thumbnail

MOST_KEPT = 64
"""Pictures whose pixels and local features are kept, 1.5 MB each: those of a burst follow one another."""


def small_picture(backend: Backend, image: ImageRecord) -> Picture:
    """Return the largest thumbnail of an image, made anew from its original when it is missing.

    Raises ObjectNotFound or ImageRejected when neither can be read, and StoreUnavailable or DecoderUnavailable.
    """
    return backend.decoders.decode(thumbnail(backend, image, THUMBNAIL_SIZES[-1]))


class SeenPictures:
    """The last pictures that were looked at. May be used from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Seen] = OrderedDict()

    def get(self, backend: Backend, image: ImageRecord, fingerprint: Fingerprint, embedding: np.ndarray | None) -> Seen:
        """Return an image as comparisons see it. Raises as `small_picture`."""
        with self._lock:
            found = self._kept.get(image.id)
            if found is not None:
                self._kept.move_to_end(image.id)
                return found
        seen = seen_of(small_picture(backend, image), fingerprint=fingerprint, embedding=embedding, sha256=image.sha256)
        with self._lock:
            self._kept[image.id] = seen
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return seen
