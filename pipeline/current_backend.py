"""The backend of now: what a process works with, also after the database has changed to another encoder.

A `Backend` is a value and never changes, so whoever was given one searches to the end with one encoder and its
vectors. When the database says that another encoder is active, the next one is opened beside it, brought up to date
while the old one answers, and given to whoever asks from then on. An encoder that cannot be opened here is told once
in the log, and searches go on with the old one.
"""

import logging
import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from pipeline.backend import Backend, open_space
from pipeline.errors import LikenessError
from pipeline.stores import records_embeddings, records_encoders
from pipeline.stores.records_embeddings import EncoderRow

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  # between two looks at which encoder is active; one statement that finds a row
RETIRED_SECONDS = 60.0  # for which an old index stays open: no request that still uses it lasts as long
TRY_SECONDS = 30.0  # before an encoder that could not be opened here is tried again

UNSEEN = "which encoder is active cannot be seen now"
UNOPENED = "the database works with the encoder {name} now, which cannot be opened here"


class CurrentBackend:
    """Gives the Backend of now to any number of threads. A context manager.

    It closes the backend it began with, unless that `is_borrowed`.
    """

    def __init__(self, backend: Backend, *, look_seconds: float = LOOK_SECONDS, is_borrowed: bool = False) -> None:
        self._now = backend
        self._borrowed = backend.vectors if is_borrowed else None
        self._next: dict[str, Backend] = {}
        self._retired: list[tuple[float, Backend]] = []
        self._untried: dict[str, float] = {}
        self._told = ""
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._closed = threading.Event()
        self._look_seconds = look_seconds
        self._watcher = threading.Thread(target=self._watch, name="encoder", daemon=True)
        self._watcher.start()

    @property
    def now(self) -> Backend:
        """The backend to work with; whoever begins something anew asks again."""
        return self._now

    def opened(self, row: EncoderRow) -> Backend | None:
        """Return a backend with the encoder of `row`, opened once; None when it cannot be opened here, which is told.

        It stays open until it has been in use or `forget` is called.
        """
        with self._opening:
            if row.fingerprint == self._now.encoder.fingerprint:
                return self._now
            if row.fingerprint in self._next:
                return self._next[row.fingerprint]
            if time.monotonic() < self._untried.get(row.fingerprint, 0.0):
                return None
            try:
                extractor, vectors = open_space(self._now.settings, self._now.database, row)
            except LikenessError as error:
                self._untried[row.fingerprint] = time.monotonic() + TRY_SECONDS
                self._tell(UNOPENED.format(name=row.name), error)
                return None
            opened = replace(self._now, extractor=extractor, vectors=vectors)
            self._next[row.fingerprint] = opened
            return opened

    def forget(self, fingerprint: str) -> None:
        """Close what was opened for an encoder that is not wanted any more."""
        with self._opening:
            opened = self._next.pop(fingerprint, None)
        if opened:
            _close_space(opened)

    def look(self) -> Backend:
        """Go over to the active encoder if it is another one by now, and return the backend of now. Raises nothing."""
        try:
            with self._now.database.read() as connection:
                active = records_embeddings.active_encoder(connection)
                bands = records_encoders.bands_of(connection, active.fingerprint) if active else None
        except LikenessError as error:
            self._tell(UNSEEN, error)
            return self._now
        if active is None:
            return self._now
        opened = self.opened(active)
        if opened is None:
            return self._now
        if opened is not self._now:
            try:
                opened.vectors.catch_up()  # what must be read first is read while the old one answers
            except LikenessError as error:
                self._tell(UNOPENED.format(name=active.name), error)
                return self._now
            log.info("searches use the encoder %s now", active.name)
        self._replace(opened, replace(opened, measured_bands=bands))
        return self._now

    def close(self) -> None:
        """End the thread and close everything."""
        self._closed.set()
        self._watcher.join()
        for opened in (*self._next.values(), *(backend for _, backend in self._retired)):
            _close_space(opened)
        if self._borrowed is None:
            self._now.close()
        elif self._now.vectors is not self._borrowed:
            _close_space(self._now)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _replace(self, opened: Backend, now: Backend) -> None:
        with self._lock:
            before = self._now
            if before == now:
                return
            self._now = now
            if before.vectors is not now.vectors:
                self._next.pop(opened.encoder.fingerprint, None)
                if before.vectors is not self._borrowed:
                    self._retired.append((time.monotonic() + RETIRED_SECONDS, before))

    def _watch(self) -> None:
        while not self._closed.wait(self._look_seconds):
            try:
                self.look()
                self._close_retired()
            except Exception:  # nobody else would look again
                log.exception("looking which encoder is active met an error, and goes on")

    def _close_retired(self) -> None:
        with self._lock:
            due = [backend for until, backend in self._retired if until <= time.monotonic()]
            self._retired = [(until, backend) for until, backend in self._retired if backend not in due]
        for backend in due:
            _close_space(backend)

    def _tell(self, what: str, error: LikenessError) -> None:
        """Write a warning unless it was the last one that was written."""
        told = f"{what}: {error.user_message}"
        if told != self._told:
            log.warning("%s: %s", what, error)
            self._told = told


def _close_space(backend: Backend) -> None:
    """Close what belongs to one encoder alone; stores and decoders are shared."""
    backend.extractor.close()
    backend.vectors.close()
