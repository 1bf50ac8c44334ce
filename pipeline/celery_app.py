"""Workers that Celery runs: `celery -A pipeline.celery_app worker`, and one `celery -A pipeline.celery_app beat`.

The tasks do what `likeness worker` does, when a message rings for it. Stores and encoder are opened once in each
process, at the first message; a store that is down is waited for, and no message is needed to remember anything.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from celery import Celery, signals
from celery.beat import ScheduleEntry, Scheduler

from pipeline import notifying
from pipeline.backend import Backend, open_backend
from pipeline.celery_broker import (
    ANALYZE,
    CHECK,
    CHECK_SECONDS,
    FILL,
    FILL_SECONDS,
    NOTIFY,
    RECONCILE,
    RING,
    SWEEP,
    Broker,
    celery_application,
)
from pipeline.current_backend import CurrentBackend
from pipeline.doorbell import MOST_MESSAGES, top_up
from pipeline.errors import ConfigurationError, LikenessError
from pipeline.reconcile import reconcile as repair
from pipeline.settings import Settings, read_settings
from pipeline.stores import records_encoders, records_fingerprints
from pipeline.stores.database import Database
from pipeline.stores.opening import open_database
from pipeline.worker import Worker

log = logging.getLogger(__name__)


def _begin() -> tuple[Settings, Celery]:
    """Return the settings and the application. Ends the program with a sentence, where Celery would add a traceback."""
    try:
        settings = read_settings()
        return settings, celery_application(settings)
    except ConfigurationError as error:
        raise SystemExit(error.user_message) from error


settings, app = _begin()


class _Process:
    """What a worker process has open: from its first message on, so that a process that forks later shares nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: CurrentBackend | None = None
        self._worker: Worker | None = None
        self._resume_at = 0.0  # on the monotonic clock

    def attempt(self, work: Callable[[Worker], object]) -> None:
        """Do `work`, unless a store was down a moment ago: what waits is rung for again."""
        with self._lock:
            if time.monotonic() < self._resume_at:
                return
            try:
                self._current = self._current or CurrentBackend(open_backend(settings))
                self._worker = self._worker or Worker(self._current)
            except LikenessError as error:
                log.warning("not opened: %s", error)
                self._resume_at = time.monotonic() + settings.retry_seconds
                return
            worker = self._worker
        pause = worker.attempt(lambda: work(worker))
        self._resume_at = time.monotonic() + pause

    def stop(self) -> None:
        """Let the pictures in hand be finished and give back the others."""
        if self._worker:
            self._worker.stop()

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            current, self._current, self._worker = self._current, None, None
        if current:
            current.close()


_process = _Process()


@app.task(name=ANALYZE)  # type: ignore[untyped-decorator]
def analyze() -> None:
    """Analyze one batch of what waits. There are as many messages as batches, so this does not go on."""
    _process.attempt(lambda worker: worker.drain(most=settings.batch_size))


@app.task(name=FILL)  # type: ignore[untyped-decorator]
def fill() -> None:
    """Fill the next encoder for a while, if there is one; the beat sends the next message."""
    _process.attempt(lambda worker: worker.fill_encoder(most_seconds=FILL_SECONDS))


@app.task(name=CHECK)  # type: ignore[untyped-decorator]
def check() -> None:
    """Check for duplicates for a while; the beat sends the next message."""
    _process.attempt(lambda worker: worker.check(most_seconds=CHECK_SECONDS))


@app.task(name=NOTIFY)  # type: ignore[untyped-decorator]
def notify() -> None:
    """Compare saved searches with what has come in, and tell webhooks what is due."""
    _process.attempt(lambda worker: notifying.once(worker.backend))


@app.task(name=RING)  # type: ignore[untyped-decorator]
def ring() -> None:
    """Ring for what waits. The beat of ours does it itself; this is for those who run another scheduler."""
    _process.attempt(lambda worker: _ring(worker.backend.database))


@app.task(name=RECONCILE)  # type: ignore[untyped-decorator]
def reconcile() -> None:
    """Repair what crashes left behind and forget what is due."""
    _process.attempt(lambda worker: _repair(worker.backend))


@app.task(name=SWEEP)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Reconcile, and compare every stored object with the database as well."""
    _process.attempt(lambda worker: _repair(worker.backend, sweep_objects=True))


def _repair(backend: Backend, *, sweep_objects: bool = False) -> None:
    with backend.database.exclusively("reconcile") as held:
        if held:
            repair(backend, sweep_objects=sweep_objects)


def _ring(database: Database) -> None:
    with database.exclusively("ring") as held:
        if held:
            top_up(database, Broker(settings), settings.batch_size)


def _is_filling(database: Database) -> bool:
    with database.read() as connection:
        found = records_encoders.building(connection)
    return found is not None and not found.resting


def _is_any_check_due(database: Database) -> bool:
    with database.read() as connection:
        return records_fingerprints.is_any_due(connection)


class Sweeper(Scheduler):  # type: ignore[misc]
    """The schedule of the beat. It rings by itself, so that workers scaled to none are scaled up when something waits.

    It keeps nothing in a file, and sends nothing more while nobody takes what was sent.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._broker = Broker(settings)
        self._database: Database | None = None
        super().__init__(*args, **options)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Do or send what is due; when a store is down, the next time will do."""
        try:
            if entry.task == RING:
                _ring(self._opened())
            elif self._has_nothing_for(entry.task):
                return
            elif self._broker.count() < MOST_MESSAGES:
                super().apply_entry(entry, producer)
        except LikenessError as error:
            log.warning("skipped %s: %s", entry.name, error)

    def _has_nothing_for(self, task: str) -> bool:
        if task == FILL:
            return not _is_filling(self._opened())
        if task == CHECK:
            return not _is_any_check_due(self._opened())
        return task == NOTIFY and not notifying.is_anything_due(self._opened(), settings)

    def _opened(self) -> Database:
        if self._database is None:
            database = open_database(settings)
            database.migrate()
            self._database = database
        return self._database


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _stop(**_: object) -> None:
    _process.stop()


@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _close(**_: object) -> None:
    _process.close()
