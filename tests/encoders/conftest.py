"""A database in use whose encoder can be changed, opened as several processes would."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from switching import FIELDS, FIRST, SECOND, Kept, fill, row_named
from tiny_clip import build_tiny_clip

from pipeline.backend import open_space
from pipeline.current_backend import CurrentBackend
from pipeline.settings import Settings
from pipeline.stores import records_embeddings
from pipeline.stores.tables import encoders

OpenFor = Callable[[], CurrentBackend]


@pytest.fixture
def two_models(tmp_path: Path) -> Path:
    """A folder with two models, whose vectors have nothing to do with each other."""
    build_tiny_clip(tmp_path / "two" / FIRST, FIRST, seed=1, dimension=32)
    build_tiny_clip(tmp_path / "two" / SECOND, SECOND, seed=2, dimension=48)
    return tmp_path / "two"


@pytest.fixture
def vectors_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where vectors are searched: in the process, unless a test asks for an engine that processes share."""
    kind = getattr(request, "param", "faiss")
    if kind == "pgvector":
        return request.getfixturevalue("postgresql").url()
    return f"milvus://{tmp_path}/lite.db" if kind == "milvus" else "faiss://"


@pytest.fixture
def opened(settings: Settings, two_models: Path, vectors_url: str, open_grid_backend) -> Iterator[OpenFor]:
    """Open the same database as another process would, with the encoder that is active; the first time with FIRST."""
    grid = open_grid_backend(settings.model_copy(update={"models": two_models, "vectors_url": vectors_url}))
    with grid.database.write() as connection:
        connection.execute(encoders.delete())
    every: list[CurrentBackend] = []

    def open_again() -> CurrentBackend:
        with grid.database.read() as connection:
            active = records_embeddings.active_encoder(connection)
        if active is None:
            card = row_named(two_models, FIRST)
            with grid.database.write() as connection:
                records_embeddings.activate_encoder(connection, card)
            active = card
        extractor, vectors = open_space(grid.settings, grid.database, active)
        own = Kept(**{field: getattr(grid, field) for field in FIELDS}, extractor=extractor, vectors=vectors)
        every.append(CurrentBackend(own, look_seconds=0.05))
        return every[-1]

    yield open_again
    for current in every:
        current.close()


@pytest.fixture
def current(opened: OpenFor) -> CurrentBackend:
    return opened()


@pytest.fixture
def filled(current: CurrentBackend) -> CurrentBackend:
    """With a picture of each color, analyzed."""
    fill(current)
    return current
