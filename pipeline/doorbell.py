"""Ringing for Celery workers: when pictures have come in, there are as many messages as there are batches to do.

Whoever takes pictures in rings after the commit and goes on at once; a thread counts what waits and tops the messages
up. So they follow the work, are never many, and a broker that is down costs those who upload nothing.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from importlib import import_module
from math import ceil
from typing import Protocol, Self, cast
from urllib.parse import urlsplit

from pipeline.errors import ConfigurationError, LikenessError, extra_missing
from pipeline.settings import Settings
from pipeline.stores import records_queue
from pipeline.stores.database import Database

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5  # between two rounds: a thousand uploads in a row are a few looks at the database
CHECK_SECONDS = 3.0  # that who asks waits for Redis to say that it is there
LAST_ROUND_SECONDS = 5.0  # that a command which ends waits for its last round

MOST_MESSAGES = 1000
"""Messages that wait at most. Each is for a batch, so they keep far more workers busy than there will be; more would
only fill the memory of Redis."""


IT_ANSWERS = "It answers."
UNRUNG = (
    "Celery workers cannot be rung. Nothing is lost: what waits is analyzed when that is mended, or by a "
    "“likeness worker”."
)


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


@dataclass(frozen=True)
class QueueReport:
    """The queue: its `address` without a password, whether it answers, and the sentence that tells."""

    name: str
    address: str
    healthy: bool
    sentence: str


def ask_queue(settings: Settings, *, seconds: float = CHECK_SECONDS) -> Callable[[], QueueReport | None]:
    """Begin to ask whether the queue answers; what is returned waits for what it says, at most so long.

    That is None where there is no queue. Nothing is raised.
    """
    answer: Future[str] = Future()

    def ask() -> None:
        try:
            waiting = open_broker(settings).count()
        except LikenessError as error:
            answer.set_result(f"{error.user_message} {UNRUNG}")
        except Exception as error:  # noqa: BLE001 - raised again where the future is read
            answer.set_exception(error)
        else:
            answer.set_result(f"{IT_ANSWERS} Messages that wait for a Celery worker: {waiting:,}.")

    def hear() -> QueueReport | None:
        if not settings.queue_url:
            return None
        wait([answer], max(0.0, until - time.monotonic()))
        said = answer.result() if answer.done() else f"Redis has not answered within {seconds:g} seconds. {UNRUNG}"
        return QueueReport("Queue", _address_of(settings.queue_url), said.startswith(IT_ANSWERS), said)

    until = time.monotonic() + seconds
    if settings.queue_url:
        threading.Thread(target=ask, name="check", daemon=True).start()
    return hear


def _address_of(url: str) -> str:
    """Return the address of a queue without user and password."""
    try:
        parts = urlsplit(url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    except ValueError:
        return ""


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
