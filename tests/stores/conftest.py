"""The implementations that the contract suites run on. A new engine is a new fixture and its name in a list here."""

from pathlib import Path

import pytest
from shelf import Shelf

from pipeline.backend import Backend
from pipeline.stores.objects_folder import FolderObjects
from pipeline.stores.protocols import ObjectStore, VectorStore

OBJECT_STORES = ["folder_objects"]
VECTOR_STORES = ["faiss_vectors"]


@pytest.fixture(params=OBJECT_STORES)
def objects(request: pytest.FixtureRequest) -> ObjectStore:
    """An empty store; only the one that is asked for is opened."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[f"{name}_down" for name in OBJECT_STORES])
def objects_down(request: pytest.FixtureRequest) -> ObjectStore:
    """A store that cannot be reached."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def folder_objects(tmp_path: Path) -> ObjectStore:
    return FolderObjects(tmp_path / "objects")


@pytest.fixture
def folder_objects_down(tmp_path: Path) -> ObjectStore:
    """Its folder is a file, which also stops whoever may do everything, as permissions would not."""
    (tmp_path / "objects").write_text("not a folder")
    return FolderObjects(tmp_path / "objects")


@pytest.fixture(params=VECTOR_STORES)
def vectors(request: pytest.FixtureRequest) -> VectorStore:
    """A store that follows the tables of `backend`."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def faiss_vectors(backend: Backend) -> VectorStore:
    return backend.vectors


@pytest.fixture
def shelf(backend: Backend) -> Shelf:
    return Shelf(backend)
