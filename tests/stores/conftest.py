"""The implementations that the contract suites run on. A new engine is a new fixture and its name in a list here."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import GridEncoder
from milvus_server import MilvusServer
from real_servers import PostgresqlServer
from s3_server import S3Server
from shelf import Shelf

from pipeline.backend import Backend
from pipeline.stores.objects_folder import FolderObjects
from pipeline.stores.opening import open_objects, open_vectors
from pipeline.stores.protocols import ObjectStore, VectorStore
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.vectors_faiss import FaissVectors
from pipeline.stores.vectors_faiss_graph import GraphPlan

OBJECT_STORES = ["folder_objects", "s3_objects"]
VECTOR_STORES = [
    "faiss_vectors",
    "faiss_graph_vectors",
    "pgvector_vectors",
    "milvus_vectors",
    "milvus_lite_vectors",
]


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


@pytest.fixture
def s3_objects(s3: S3Server) -> ObjectStore:
    """In a bucket that is not there yet."""
    return open_objects(s3.url())


@pytest.fixture(params=OBJECT_STORES)
def objects_replaced_at_once(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    """An empty store for puts of one key at the same time, which the S3 server can only tell apart in memory."""
    if request.param == "folder_objects":
        yield FolderObjects(tmp_path / "objects")
    else:
        server = S3Server(in_memory=True)
        yield open_objects(server.url())
        server.close()


@pytest.fixture
def s3_objects_down() -> ObjectStore:
    """At an address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return open_objects(f"s3+http://key:secret@127.0.0.1:{port}/bucket")


@pytest.fixture(params=VECTOR_STORES)
def vectors(request: pytest.FixtureRequest) -> VectorStore:
    """A store that follows the tables of `backend`."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def faiss_vectors(backend: Backend) -> VectorStore:
    return backend.vectors


@pytest.fixture
def faiss_graph_vectors(backend: Backend) -> Iterator[VectorStore]:
    """The same with a graph that begins at five vectors, has all of them, and is asked whatever a filter keeps."""
    plan = GraphPlan(least_vectors=5, longest_tail=0, compared_per_walked=0.0, in_background=False)
    folder = backend.settings.data / "index"
    store = FaissVectors(
        backend.database, backend.encoder.fingerprint, backend.encoder.dimension, folder=folder, plan=plan
    )
    yield store
    store.close()


@pytest.fixture
def pgvector_vectors(backend: Backend, postgresql: PostgresqlServer) -> Iterator[VectorStore]:
    """Vectors beside the tables where these are in PostgreSQL, or else in a database that all tests share."""
    url = postgresql.url() if backend.database.is_sqlite else "pgvector://"
    encoder = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)
    store = open_vectors(url, backend.database, encoder, backend.settings)
    yield store
    store.close()


@pytest.fixture
def milvus_vectors(backend: Backend, milvus: MilvusServer) -> Iterator[VectorStore]:
    """On a server, in a collection that the next test gets emptied, because making one takes seconds."""
    encoder = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)
    store = open_vectors(milvus.url, backend.database, encoder, backend.settings)
    with milvus.lent_collection(store):
        yield store
    store.close()


@pytest.fixture
def milvus_lite_vectors(backend: Backend, tmp_path: Path) -> Iterator[VectorStore]:
    encoder = EncoderRow(GridEncoder.fingerprint, GridEncoder.name, GridEncoder.dimension)
    store = open_vectors(f"milvus://{tmp_path}/lite.db", backend.database, encoder, backend.settings)
    yield store
    store.close()


@pytest.fixture
def shelf(backend: Backend) -> Shelf:
    return Shelf(backend)
