"""Ringing for Celery workers: when pictures have come in, there are as many messages as there are batches to do.

Whoever takes pictures in rings after the commit and goes on at once; a thread counts what waits and tops the messages
up. So they follow the work, are never many, and a broker that is down costs those who upload nothing.
"""

import logging
import threading
from importlib import import_module
from math import ceil
from typing import Protocol, Self, cast

from pipeline.errors import ConfigurationError, LikenessError, extra_missing
from pipeline.settings import Settings
from pipeline.stores import records_queue
from pipeline.stores.database import Database

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5  # between two rounds: a thousand uploads in a row are a few looks at the database
LAST_ROUND_SECONDS = 5.0  # that a command which ends waits for its last round

MOST_MESSAGES = 1000
"""Messages that wait at most. Each is for a batch, so they keep far more workers busy than there will be; more would
only fill the memory of Redis."""


class Broker(Protocol):
    """What is asked of `celery_broker.Broker`, which is imported only where there is a queue."""

    def count(self) -> int: ...
    def fill(self, wanted: int) -> int: ...


def open_broker(settings: Settings) -> Broker:
    """Return the broker of the settings. Raises ConfigurationError when it cannot be meant or Celery is missing."""
    try:
        module = import_module("pipeline.celery_broker")
    except ImportError as error:
        raise ConfigurationError(extra_missing("LIKENESS_QUEUE_URL", "celery"), detail=str(error)) from error
    return cast(Broker, module.Broker(settings))


def top_up(database: Database, broker: Broker, batch_size: int) -> int:
    """Let as many messages wait as there are batches due, MOST_MESSAGES at most; return how many were sent.

    Raises StoreUnavailable when the database or the broker does not answer.
    """
    with database.read() as connection:
        due = records_queue.count_due(connection, MOST_MESSAGES * batch_size)
    return broker.fill(ceil(due / batch_size)) if due else 0


class Doorbell:
    """Rings from a thread of its own, which begins with the first ring. Without a queue it does nothing.

    A context manager; `close` rings once more if that is due. Opening raises ConfigurationError.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._broker = open_broker(settings) if settings.queue_url else None
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._is_down = False

    def ring(self) -> None:
        """Have workers told soon that something waits. Returns at once and raises nothing."""
        if self._broker is None:
            return
        self._wanted.set()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, args=(self._broker,), name="doorbell", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread after what was rung for has been told, or could not be told in a few seconds."""
        self._closing.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(LAST_ROUND_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, broker: Broker) -> None:
        while not self._closing.is_set():
            self._wanted.wait()
            self._wanted.clear()
            self._tell(broker)
            self._closing.wait(PAUSE_SECONDS)
        if self._wanted.is_set():
            self._tell(broker)

    def _tell(self, broker: Broker) -> None:
        """Top up; what cannot be told now is told by the beat, or found by a worker that looks for itself."""
        try:
            top_up(self._database, broker, self._settings.batch_size)
        except LikenessError as error:
            if not self._is_down:
                log.warning("nobody could be rung for: %s", error)
            self._is_down = True
        else:
            self._is_down = False
