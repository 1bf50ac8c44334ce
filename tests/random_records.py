"""Analyzed images with random features, written the way a worker writes them, but without any picture."""

import hashlib
from datetime import UTC, datetime, timedelta

import numpy as np
from house import ensure_library
from sqlalchemy.engine import Connection

from pipeline.features.color import lab_to_srgb, rgb_to_hex
from pipeline.features.picture import (
    CATEGORIES,
    COLOR_NAMES,
    SCHEMES,
    Category,
    Facts,
    Features,
    Meaning,
    Palette,
    Swatch,
)
from pipeline.images import ImageRecord
from pipeline.stores import records_images, records_queue
from pipeline.stores.records_images import NewImage
from pipeline.stores.tables import images

LIBRARIES = ("main", "private", "attic")
TAGS = ("beach", "family", "winter")
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 60
HOLDER = "held by the tests"


def random_unit(rng: np.random.Generator, dimension: int) -> np.ndarray:
    """Return a random direction as float32."""
    vector = rng.normal(size=dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def random_features(rng: np.random.Generator, dimension: int) -> Features:
    """Return features whose numbers are rounded, so that filters meet values exactly at their bounds."""
    count = int(rng.integers(1, 7))
    shares = np.sort(rng.dirichlet(np.ones(count)))[::-1]
    swatches = []
    for share in shares:
        lab = (float(rng.uniform(0, 100)), float(rng.uniform(-60, 60)), float(rng.uniform(-60, 60)))
        swatches.append(Swatch(lab, rgb_to_hex(lab_to_srgb(lab)), float(share)))
    names = rng.dirichlet(np.full(len(COLOR_NAMES), 0.3))
    palette = Palette(
        swatches=tuple(swatches),
        names=dict(zip(COLOR_NAMES, names.tolist(), strict=True)),
        scheme=str(rng.choice(SCHEMES)),
        brightness=float(np.round(rng.random(), 1)),
        saturation=float(np.round(rng.random(), 1)),
    )
    name = str(rng.choice(CATEGORIES))
    scores = {category: 0.55 if category == name else 0.05 for category in CATEGORIES}
    return Features(random_unit(rng, dimension), palette, Meaning(Category(name, 0.55, scores)))


def add_image(
    connection: Connection,
    name: str,
    features: Features,
    *,
    encoder: str,
    library: str = "main",
    size: tuple[int, int] = (640, 480),
) -> ImageRecord:
    """Write one analyzed image, whose bytes are said to be those of `name`; return its record."""
    ensure_library(connection, library)
    row = write_image(connection, name, features, encoder=encoder, library=library, size=size)
    return records_images.get_by_rows(connection, [row])[0]


def write_image(
    connection: Connection, name: str, features: Features, *, encoder: str, library: str, size: tuple[int, int]
) -> int:
    """Do the same in a library that is there, without reading it again; return its row."""
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    new = NewImage(library, sha256, 1000, "image/png", *size, filename=f"{name}.png")
    image, _ = records_images.add(connection, new)
    analyze_record(connection, image, features, encoder=encoder)
    return image.row


def analyze_record(connection: Connection, image: ImageRecord, features: Features, *, encoder: str) -> None:
    """Make a waiting image READY, as the worker that holds it does."""
    connection.execute(images.update().where(images.c.row == image.row).values(lease_token=HOLDER, state="waiting"))
    facts = Facts("PNG", "image/png", image.width, image.height)
    held = records_queue.complete(
        connection, image.row, HOLDER, facts=facts, features=features, encoder_name="grid", encoder=encoder
    )
    assert held


def fill(
    connection: Connection, rng: np.random.Generator, count: int, *, encoder: str, dimension: int
) -> list[ImageRecord]:
    """Write `count` random images, some of them deleted; return the records of all."""
    for library in LIBRARIES:
        ensure_library(connection, library)
    rows = []
    for number in range(count):
        row = write_image(
            connection,
            f"random {number}",
            random_features(rng, dimension),
            encoder=encoder,
            library=str(rng.choice(LIBRARIES)),
            size=(int(rng.integers(1, 40)) * 100, int(rng.integers(1, 40)) * 100),
        )
        rows.append(row)
        created = FIRST_DAY + timedelta(days=int(rng.integers(DAYS)))
        connection.execute(images.update().where(images.c.row == row).values(created_at=created))
        chosen = [tag for tag in TAGS if rng.random() < 0.3]
        records_images.add_tags(connection, [row], chosen)
        if rng.random() < 0.1:
            records_images.delete(connection, [row])
    return records_images.get_by_rows(connection, rows)
