"""Many embeddings, in clusters, written straight into the tables: what a large library looks like to an index."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import sqlalchemy as sa
from fakes import GridEncoder
from house import ensure_library

from pipeline.images import ImageState
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.tables import counters, embeddings, images

CLUSTERS = 30
SPREAD = 0.35  # of an embedding around the center of its cluster, in parts of the center's length
CATEGORIES = 5  # groups of clusters
WIDTHS = 1000  # images with a width of at least 1000 - 1000 s are about the share s of all
MADE_AT = datetime(2025, 6, 1, tzinfo=UTC)


def crowded(number: int, *, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors in clusters, and the cluster of each. The centers are the same for every seed."""
    centers = np.random.default_rng(0).normal(size=(CLUSTERS, GridEncoder.dimension))
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    chance = np.random.default_rng(seed)
    clusters = chance.integers(0, CLUSTERS, number)
    vectors = centers[clusters] + chance.normal(size=(number, centers.shape[1])) * SPREAD / np.sqrt(centers.shape[1])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), clusters


def category_of(cluster: int) -> str:
    return str(cluster % CATEGORIES)


def write_crowd(database: Database, vectors: np.ndarray, clusters: Sequence[int] | None = None) -> list[int]:
    """Write an analyzed image for each vector, all in one transaction; return their rows."""
    groups = clusters if clusters is not None else [0] * len(vectors)
    image = {"library": "main", "state": ImageState.READY, "not_before": MADE_AT, "created_at": MADE_AT, "exif": {}}
    image |= {"bytes": 1, "media_type": "image/jpeg", "height": 480, "scheme": "warm"}
    with database.write() as connection:
        ensure_library(connection, "main")
        first = (connection.scalar(sa.select(sa.func.max(embeddings.c.image_row))) or 0) + 1
        change = records_embeddings.last_change(connection)
        rows = list(range(first, first + len(vectors)))
        connection.execute(
            images.insert(),
            [
                image
                | {"row": row, "id": f"{row}", "sha256": f"{row}", "category": category_of(group)}
                | {"width": row * 7919 % WIDTHS}
                for row, group in zip(rows, groups, strict=True)
            ],
        )
        connection.execute(
            embeddings.insert(),
            [
                {"image_row": row, "encoder": GridEncoder.fingerprint, "region": records_embeddings.WHOLE}
                | {"change": change + number, "vector": vector.astype(np.float16).tobytes()}
                for number, (row, vector) in enumerate(zip(rows, vectors, strict=True), 1)
            ],
        )
        connection.execute(counters.update().where(counters.c.name == "change").values(value=change + len(vectors)))
    return rows
