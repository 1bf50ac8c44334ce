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
from typing import Self

from pipeline.backend import Backend, open_space
from pipeline.errors import LikenessError
from pipeline.features.encoders.trial import try_out
from pipeline.stores import records_encoders
from pipeline.stores.records_embeddings import EncoderRow
from pipeline.stores.records_encoders import ACTIVE, OLD, EncoderState
from pipeline.telling import ToldOnce

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
        self._told = ToldOnce(log)
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._looking = threading.Lock()
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

        It stays open for as long as it is active or being filled.
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
                self._told.warn(UNOPENED.format(name=row.name), error)
                return None
            opened = replace(self._now, extractor=extractor, vectors=vectors)
            self._next[row.fingerprint] = opened
            return opened

    def look(self) -> None:
        """Go over to the active encoder if it is another one by now.

        An encoder that cannot be opened, or a database that does not answer, is told in the log.
        """
        with self._looking:
            try:
                with self._now.database.read() as connection:
                    known = records_encoders.list_encoders(connection)
            except LikenessError as error:
                self._told.warn(UNSEEN, error)
                return
            self._told.is_over(UNSEEN)
            for found in known:
                if found.state == ACTIVE:
                    self._go_over(found)
            self._retire_others({found.encoder.fingerprint for found in known if found.state != OLD})

    def _go_over(self, found: EncoderState) -> None:
        active = found.encoder
        opened = self.opened(active)
        if opened is None:
            return
        if opened is not self._now:
            try:
                opened.vectors.catch_up()  # what must be read first is read while the old one answers
                try_out(opened.encoder)  # so that the first who searches need not wait for the text tower
            except LikenessError as error:
                self._told.warn(UNOPENED.format(name=active.name), error)
                return
            log.info("searches use the encoder %s now", active.name)
        self._replace(replace(opened, measured_bands=found.bands))

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

    def __exit__(self, *_: object) -> None:
        self.close()

    def _retire_others(self, wanted: set[str]) -> None:
        """Let go of encoders that were opened for a change that was ended; a step may be using one at this moment."""
        with self._opening:
            others = [self._next.pop(fingerprint) for fingerprint in set(self._next) - wanted]
        with self._lock:
            self._retired += [(time.monotonic() + RETIRED_SECONDS, backend) for backend in others]

    def _replace(self, now: Backend) -> None:
        with self._opening, self._lock:
            before = self._now
            if before == now:
                return
            self._now = now
            if before.vectors is not now.vectors:
                self._next.pop(now.encoder.fingerprint, None)
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


def _close_space(backend: Backend) -> None:
    """Close what belongs to one encoder alone; stores and decoders are shared."""
    backend.extractor.close()
    backend.vectors.close()
