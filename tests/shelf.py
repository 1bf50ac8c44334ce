"""Images with vectors of one's choice, written into the tables of a backend."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from fakes import GridEncoder
from random_records import add_image, random_features
from sqlalchemy.engine import Connection

from pipeline.backend import Backend
from pipeline.images import ImageRecord


class Shelf:
    """Writes images with given vectors into the tables of a backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.rng = np.random.default_rng(7)
        self.encoder = GridEncoder.fingerprint
        self.dimension = GridEncoder.dimension

    def add(self, name: str, vector: np.ndarray | None = None, **options) -> ImageRecord:
        """Add an analyzed image with this vector, or a random one."""
        with self.backend.database.write() as connection:
            return self._add(connection, name, vector, **options)

    def add_many(self, vectors: Sequence[np.ndarray]) -> list[ImageRecord]:
        """Add an image for each vector, all in one transaction, which is much quicker."""
        with self.backend.database.write() as connection:
            return [self._add(connection, f"one of many {number}", vector) for number, vector in enumerate(vectors)]

    def _add(self, connection: Connection, name: str, vector: np.ndarray | None, **options) -> ImageRecord:
        features = random_features(self.rng, self.dimension)
        if vector is not None:
            features = replace(features, embedding=vector)
        return add_image(connection, name, features, encoder=self.encoder, **options)

    def axis(self, number: int, tilt: float = 0.0) -> np.ndarray:
        """Return the unit vector along an axis, leaning by `tilt` towards the next one."""
        vector = np.zeros(self.dimension, np.float32)
        vector[number], vector[number + 1] = np.cos(tilt), np.sin(tilt)
        return vector
