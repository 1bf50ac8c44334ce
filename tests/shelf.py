"""Images with vectors of one's choice, written into the tables of a backend."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from fakes import GridEncoder
from house import ensure_library
from random_records import add_image, random_features, write_image

from pipeline.backend import Backend
from pipeline.features.picture import Features
from pipeline.images import ImageRecord
from pipeline.stores import records_images


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
            return add_image(connection, name, self._features(vector), encoder=self.encoder, **options)

    def add_many(self, vectors: Sequence[np.ndarray], *, first: int = 0) -> list[ImageRecord]:
        """Add an image for each vector, numbered from `first`, all in one transaction, which is much quicker."""
        with self.backend.database.write() as connection:
            ensure_library(connection, "main")
            rows = [
                write_image(
                    connection,
                    f"one of many {number}",
                    self._features(vector),
                    encoder=self.encoder,
                    library="main",
                    size=(640, 480),
                )
                for number, vector in enumerate(vectors, first)
            ]
            return records_images.get_by_rows(connection, rows)

    def _features(self, vector: np.ndarray | None) -> Features:
        features = random_features(self.rng, self.dimension)
        return features if vector is None else replace(features, embedding=vector)

    def axis(self, number: int, tilt: float = 0.0) -> np.ndarray:
        """Return the unit vector along an axis, leaning by `tilt` towards the next one."""
        vector = np.zeros(self.dimension, np.float32)
        vector[number], vector[number + 1] = np.cos(tilt), np.sin(tilt)
        return vector
