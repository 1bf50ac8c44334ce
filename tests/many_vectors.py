"""Thousands of analyzed images around centers, written straight into the tables, and the exact answer about them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from house import ensure_library
from random_records import FIRST_DAY, LIBRARIES

from pipeline.features.picture import CATEGORIES, SCHEMES
from pipeline.stores import records_embeddings
from pipeline.stores.database import Database
from pipeline.stores.tables import counters, embeddings, images

CENTERS = 200
SPREAD = 0.8  # of a vector around its center, as a part of the center's length
BATCH = 2000


@dataclass(frozen=True)
class ManyVectors:
    """What was written, by row number: a vector as the table has it, and the columns of the filters."""

    rows: np.ndarray
    vectors: np.ndarray
    queries: np.ndarray
    columns: dict[str, np.ndarray]

    def nearest(self, query: np.ndarray, limit: int, keeps: Callable[[dict[str, np.ndarray]], np.ndarray]) -> list[int]:
        """Return the rows nearest to `query` among those that `keeps` says true of, compared one by one."""
        kept = np.flatnonzero(keeps(self.columns))
        similarities = self.vectors[kept] @ query.astype(np.float64)
        return self.rows[kept[np.argsort(-similarities, kind="stable")[:limit]]].tolist()


def write_many(database: Database, encoder: str, dimension: int, count: int, queries: int, seed: int) -> ManyVectors:
    """Write `count` images, and make some questions that lie among them."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(CENTERS, dimension))
    near = centers[rng.integers(CENTERS, size=count + queries)] + SPREAD * rng.normal(size=(count + queries, dimension))
    near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    columns: dict[str, Any] = {
        "library": rng.choice(LIBRARIES, size=count),
        "category": rng.choice(CATEGORIES, size=count),
        "scheme": rng.choice(SCHEMES, size=count),
        "brightness": rng.random(count),
        "saturation": np.round(rng.random(count), 1),
        "width": rng.integers(1, 40, size=count) * 100,
        "height": rng.integers(1, 40, size=count) * 100,
        "created_at": np.array([FIRST_DAY + timedelta(hours=int(hours)) for hours in rng.integers(1000, size=count)]),
    }
    rows = np.arange(1, count + 1)
    with database.write() as connection:
        for library in LIBRARIES:
            ensure_library(connection, library)
        first = records_embeddings.last_change(connection) + 1
        for start in range(0, count, BATCH):
            places = range(start, min(start + BATCH, count))
            connection.execute(images.insert(), [_image(int(rows[place]), columns, place) for place in places])
            connection.execute(
                embeddings.insert(),
                [
                    {"image_row": int(rows[place]), "encoder": encoder, "region": records_embeddings.WHOLE}
                    | {"change": first + place, "vector": near[place].astype(np.float16).tobytes()}
                    for place in places
                ],
            )
        connection.execute(counters.update().where(counters.c.name == "change").values(value=first + count - 1))
    held = near[:count].astype(np.float16).astype(np.float64)  # what the table has, to compute with
    return ManyVectors(rows, held, near[count:], columns)


def _image(row: int, columns: dict[str, Any], place: int) -> dict[str, object]:
    values = {name: column[place] for name, column in columns.items()}
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    fixed = {"state": "ready", "not_before": FIRST_DAY, "exif": {}, "bytes": 1, "media_type": "image/jpeg"}
    return fixed | values | {"row": row, "id": f"many {row}", "sha256": f"{row:064x}"}
