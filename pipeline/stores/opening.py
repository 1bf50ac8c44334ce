"""From an address to a store: the scheme picks the implementation, which is imported only when it is asked for.

So nobody needs the client of a server that is not used, and no command waits for it to be imported.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

from pipeline.errors import ConfigurationError, StoreUnavailable, extra_missing
from pipeline.settings import Settings
from pipeline.stores.database import Database
from pipeline.stores.objects_folder import FolderObjects
from pipeline.stores.protocols import ObjectStore, VectorStore
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.vectors_faiss import FaissVectors
from pipeline.stores.vectors_faiss_graph import GraphPlan


@contextmanager
def naming(address: str) -> Iterator[None]:
    """Let errors of a store that does not answer name its `address`, which has no secrets, to those who start it."""
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error.user_message} It was looked for at {address}.", detail=error.detail) from error


def open_database(settings: Settings) -> Database:
    """Return the database of the settings, whose tables are not looked at yet."""
    return Database(settings.database_url, connections=settings.database_connections)


def open_objects(url: str) -> ObjectStore:
    """Return the object store at `url`. Raises ConfigurationError for an address that means nothing."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        return FolderObjects(Path(unquote(parts.path)))
    if parts.scheme in {"s3", "s3+http"}:
        store: ObjectStore = _client_module("objects_s3", parts.scheme).S3Objects(url)
        return store
    raise ConfigurationError(
        f"LIKENESS_OBJECTS_URL begins with {parts.scheme or 'nothing'}://, which is not known. Pictures are kept in a "
        "folder, file:///path/to/folder, or in an S3 service, s3://KEY:SECRET@host/bucket."
    )


def open_vectors(url: str, database: Database, encoder: EncoderRow, settings: Settings) -> VectorStore:
    """Return the vector engine at `url` for the vectors of `encoder`, following `database`.

    Raises ConfigurationError for an address that means nothing. A server that is down raises nothing yet.
    """
    scheme = urlsplit(url).scheme
    if scheme == "faiss":
        plan = GraphPlan(neighbors=settings.hnsw_m, ef_construction=settings.hnsw_ef_construction)
        folder = settings.data / "index"
        return FaissVectors(database, encoder.fingerprint, encoder.dimension, folder=folder, plan=plan)
    store: VectorStore
    if scheme in {"milvus", "milvus+https"}:
        store = _client_module("vectors_milvus", scheme).MilvusVectors(url, database, encoder, settings)
        return store
    if scheme in {"pgvector", "postgresql"}:
        store = _client_module("vectors_pgvector", scheme).PgvectorVectors(url, database, encoder, settings)
        return store
    raise ConfigurationError(
        f"LIKENESS_VECTORS_URL begins with {scheme or 'nothing'}://, which is not known. Vectors are searched in the "
        "process, faiss://, in PostgreSQL, pgvector://, or by Milvus, milvus://host:19530."
    )


def _client_module(name: str, scheme: str) -> ModuleType:
    try:
        return import_module(f"pipeline.stores.{name}")
    except ImportError as error:
        raise ConfigurationError(extra_missing(f"The address {scheme}://", "servers"), detail=str(error)) from error
