"""Filling vector engines: the one in use anew, or another one that then takes its place, while searches go on.

Another engine is filled from the database beside the one that answers; an interrupted filling goes on where it stood.
When it holds every vector, the database says where the vectors are now, and every process goes there within seconds.
Nothing is removed from the old engine, which goes on following while a process uses it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pipeline.backend import Backend
from pipeline.errors import Conflict, StoreUnavailable
from pipeline.stores import copies, records_moves
from pipeline.stores.opening import naming, open_vectors
from pipeline.stores.protocols import VectorStore
from pipeline.stores.records_embeddings import EncoderRow

LOOK_SECONDS = 0.5  # between two looks at how far a filling has come

BUSY = "Another `likeness reindex --to` is at work. Please wait for it, or end it."
INCOMPLETE = "{address} holds {held:,} vectors of {expected:,}, so searches stay with {origin}. Please try again."
RESTLESS = "So many pictures come and go that the vectors cannot be counted. Please try again when there are fewer."

OnReached = Callable[[int], None]
"""Told how many of `count_changes` have come so far."""


@runtime_checkable
class Settling(Protocol):
    """An engine that builds something in the background, without which searches are exact but slow."""

    def settle(self) -> None:
        """Return when it is built."""
        ...


@dataclass(frozen=True)
class Switched:
    """The engine that answered before, the one that does now, and how many vectors it holds."""

    origin: str
    address: str
    vectors: int


def count_changes(backend: Backend) -> int:
    """Return how many changes an engine that begins anew goes through."""
    with backend.database.read() as connection:
        return copies.count_rows(connection, backend.encoder.fingerprint)


def switch(backend: Backend, url: str, on_reached: OnReached | None = None) -> Switched:
    """Fill the engine at `url` and let it answer from now on, in every process.

    Raises Conflict when it is the one in use or another switch is at work, ConfigurationError for an address that
    means nothing, and StoreUnavailable, after which it can be called again and goes on.
    """
    encoder = EncoderRow(backend.encoder.fingerprint, backend.encoder.name, backend.encoder.dimension)
    origin = backend.vectors.address
    with backend.database.exclusively("reindex to another engine") as held:
        if not held:
            raise Conflict(BUSY)
        target = open_vectors(url, backend.database, encoder, backend.settings)
        try:
            if target.address == origin:
                raise Conflict(f"Searches use {origin} already. `likeness reindex` without --to fills it anew.")
            vectors = _fill(backend, target, origin, on_reached)
        finally:
            target.close()
        _forward(backend, origin, target.address, url)
    return Switched(origin, target.address, vectors)


def _fill(backend: Backend, target: VectorStore, origin: str, on_reached: OnReached | None) -> int:
    """Bring `target` to where it holds every vector; return how many these are."""
    with naming(target.address):
        target.check()
    with _watched(backend, target.address, on_reached):
        target.catch_up()
        if isinstance(target, Settling):
            target.settle()
    holding = _compared(backend, target)
    if not holding.is_whole:  # it was filled once, and has lost some since
        target.rebuild()
        holding = _compared(backend, target)
    if not holding.is_whole:
        said = INCOMPLETE.format(address=target.address, held=holding.held, expected=holding.expected, origin=origin)
        raise StoreUnavailable(said)
    return holding.held


def _compared(backend: Backend, target: VectorStore) -> copies.Holding:
    holding = copies.compare(backend.database, backend.encoder.fingerprint, target)
    if holding is None:
        raise StoreUnavailable(RESTLESS)
    return holding


@contextmanager
def _watched(backend: Backend, address: str, on_reached: OnReached | None) -> Iterator[None]:
    """Tell `on_reached` now and then how far the engine at `address` has come, until the block ends."""
    if on_reached is None:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            with suppress(StoreUnavailable):  # which the filling meets as well, and tells
                on_reached(_count_followed(backend, address))

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
    on_reached(count_changes(backend))


def _count_followed(backend: Backend, address: str) -> int:
    with backend.database.read() as connection:
        return copies.count_followed(connection, backend.encoder.fingerprint, address)


def _forward(backend: Backend, origin: str, address: str, url: str) -> None:
    """Write down that whoever is told to use `origin` uses `url`, and nobody who is told to use that goes elsewhere."""
    with backend.database.write() as connection:
        records_moves.forget(connection, "vectors", address)
        records_moves.record(connection, "vectors", origin, url)
