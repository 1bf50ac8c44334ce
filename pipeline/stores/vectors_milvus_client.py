"""The connection to Milvus, with an end to every wait and our errors for its own.

The client retries for as long as a call may take and says so on stderr; here each call has its seconds, and once the
server did not answer, the next calls fail at once for a moment instead of queuing up behind each other. An answer that
says no is an answer: it is told to who asked, and nobody else is kept from asking.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
from pymilvus import MilvusClient
from pymilvus.client.types import Status
from pymilvus.exceptions import MilvusException

from pipeline.errors import ConfigurationError, StoreUnavailable
from pipeline.stores.vectors_milvus_address import MilvusAddress

CALL_SECONDS = 4.0  # for an answer that somebody waits for; a page says within five that a store is down
PATIENT_SECONDS = 60.0  # for what nobody waits for: filling, loading, dropping
REST_SECONDS = 1.0  # for which a server that did not answer is not asked again

COLLECTION_NOT_FOUND = 100
NOT_LOADED = 101
ALIAS_NOT_FOUND = 1600
RELEASED = ("channel not available", "delegator closed")
"""What 2.3 says, without a number of its own, when a collection is released while it is being searched."""

LONGEST_DETAIL = 300

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
"""What a call is told whose server is away, takes too long, or whose connection was closed."""

DOWN = "The vector engine does not answer. Please try again in a moment."
NO_ANSWER = "The vector engine cannot answer this now. Please try again in a moment, or ask in another way."
REFUSED = "The vector engine refuses the user or password in LIKENESS_VECTORS_URL. Please check both."
FOLDER_UNUSABLE = (
    "The folder of Milvus Lite cannot be used. Only one process can open it at a time; please see that no other has it."
)
NO_DATABASE = (
    "The Milvus server has no database of the name in LIKENESS_VECTORS_URL. Please make it there, or leave it out."
)
NO_LITE = "Milvus Lite needs `pip install milvus-lite`. Please install that and start again."

for _name in ("pymilvus", "milvus_lite"):  # they write what they raise to stderr as well, with its traceback
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_folders_lock = threading.Lock()
_folders_open: Counter[Path] = Counter()  # how many connections of this process each folder of Milvus Lite has


class PlaceGone(Exception):
    """The collection is not there, or only not loaded, `is_there`. It never leaves the adapter."""

    def __init__(self, *, is_there: bool) -> None:
        super().__init__("the collection is not loaded" if is_there else "the collection is not there")
        self.is_there = is_there


class MilvusConnection:
    """Calls of one MilvusClient by name; connected at the first. Safe to share between threads."""

    def __init__(self, address: MilvusAddress) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._client: MilvusClient | None = None
        self._resting_until = 0.0
        self._last_failure = ""

    def call(self, name: str, *arguments: Any, timeout: float = CALL_SECONDS, **options: Any) -> Any:
        """Return what the method `name` of the client returns.

        Raises PlaceGone for a collection that is not there or not loaded, StoreUnavailable for everything else.
        """
        client = self._connected()
        with self.mapped():
            return getattr(client, name)(*arguments, timeout=timeout, **options)

    @property
    def replaces_rows(self) -> bool:
        """Whether `upsert` can be trusted: before 2.4 it chose the partition of a row by its number.

        There a search for the library of a row then misses it (github.com/milvus-io/milvus/pull/30772).
        """
        if self.address.folder:
            return True
        version = str(self.call("get_server_version")).lstrip("v").split(".")
        return (int(version[0]), int(version[1])) >= (2, 4)

    def close(self) -> None:
        """End the connection; a folder of Milvus Lite can then be opened by another process."""
        with self._lock:
            if self._client is None:
                return
            self._client.close()
            self._client = None
        if self.address.folder:
            with _folders_lock:
                _folders_open[self.address.folder] -= 1
                if not _folders_open[self.address.folder]:
                    lite = import_module("milvus_lite.server_manager")  # it is there, or nothing could be opened
                    lite.server_manager_instance.release_server(self.address.uri)

    def _connected(self) -> MilvusClient:
        with self._lock:
            if time.monotonic() < self._resting_until:
                raise StoreUnavailable(DOWN, detail=self._last_failure)
            if self._client is None:
                with self.mapped():
                    self._client = self._connect()
            return self._client

    def _connect(self) -> MilvusClient:
        if self.address.folder:
            self.address.folder.parent.mkdir(parents=True, exist_ok=True)
        with _folders_lock:
            client = self._open()
            if self.address.folder:
                _folders_open[self.address.folder] += 1
        return client

    def _open(self) -> MilvusClient:
        client = MilvusClient(
            self.address.uri,
            token=self.address.token,
            db_name=self.address.database,
            timeout=CALL_SECONDS,
            dedicated=True,
            grpc_options={"grpc.max_reconnect_backoff_ms": 1000},  # a server that is back is noticed within a second
        )
        # When the server is away, the client connects anew inside every call, one thread after the other under one
        # lock, and tries again for longer than the call may take. The channel connects by itself, beside the calls.
        client._handler._on_rpc_error = _give_up  # noqa: SLF001
        return client

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Raise our errors for those of the client; for what is called on something that `call` returned."""
        try:
            yield
        except MilvusException as error:
            raise self._translated(error) from error
        except (grpc.RpcError, grpc.FutureTimeoutError, OSError) as error:
            raise self._unavailable(error, str(error)) from error
        except ValueError as error:
            if _is_lost(error):  # somebody closed the store while this call was on its way
                raise self._unavailable(error, str(error)) from error
            raise

    def _translated(self, error: MilvusException) -> Exception:
        detail = error.message[:LONGEST_DETAIL]
        is_released = error.code == NOT_LOADED or any(words in error.message for words in RELEASED)
        if is_released or error.code in {COLLECTION_NOT_FOUND, ALIAS_NOT_FOUND}:
            return PlaceGone(is_there=is_released)
        if "milvus-lite is required" in detail:
            return ConfigurationError(NO_LITE, detail=detail)
        if "Open local milvus failed" in detail:
            return StoreUnavailable(FOLDER_UNUSABLE, detail=detail)
        if detail.startswith("database") and "not found" in detail:  # 2.3 has no number of its own for it
            return StoreUnavailable(NO_DATABASE, detail=detail)
        if "auth check failure" in detail or "unauthenticated" in detail.lower():
            return StoreUnavailable(REFUSED, detail=detail)
        return self._unavailable(error, detail)

    def _unavailable(self, error: BaseException, detail: str) -> StoreUnavailable:
        """Return the error to raise; where the connection is lost, the server is left alone for a moment."""
        if any(isinstance(one, grpc.RpcError) and one.code() == UNAUTHENTICATED for one in _causes(error)):
            return StoreUnavailable(REFUSED, detail=detail[:LONGEST_DETAIL])
        if not _is_lost(error):
            return StoreUnavailable(NO_ANSWER, detail=detail[:LONGEST_DETAIL])
        self._last_failure = detail[:LONGEST_DETAIL]
        self._resting_until = time.monotonic() + REST_SECONDS
        return StoreUnavailable(DOWN, detail=self._last_failure)


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and what led to it; the client names some as the cause of themselves."""
    found: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in found:
        found.append(following)
        following = following.__cause__ or following.__context__
    return found


def _is_lost(error: BaseException) -> bool:
    """Whether a call found no server or lost it, as opposed to one that was answered with an error."""
    for cause in _causes(error):
        if isinstance(cause, grpc.RpcError):
            return cause.code() in LOST
        if isinstance(cause, grpc.FutureTimeoutError | OSError):
            return True
        if isinstance(cause, MilvusException) and cause.code == Status.CONNECT_FAILED:
            return True
        if isinstance(cause, ValueError) and "closed channel" in str(cause):
            return True
    return False


def _give_up(error: Exception) -> bool:
    """Let a call whose connection is lost fail at once; the client does not try another again for its own reasons."""
    if isinstance(error, grpc.RpcError):
        raise error
    return False
