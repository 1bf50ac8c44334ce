"""Comparing what comes in with saved searches, and telling of it, and what is there with banks, beside all else.

A long import or a receiver that does not answer must not hold the other up, so each has a thread of its own. Nothing is
remembered here: what is to be done the database says, and any number of processes may do it.
"""

import logging
import threading
from collections.abc import Callable
from typing import Self

from pipeline import bank_upkeep, delivering, matching
from pipeline.backend import Backend
from pipeline.current_backend import CurrentBackend
from pipeline.errors import LikenessError
from pipeline.settings import Settings
from pipeline.stores.database import Database

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # between two looks; each is one statement that finds nothing
PAUSE_SECONDS = 10.0  # after a store did not answer

WORK: dict[str, Callable[[Backend], object]] = {
    "compare": matching.step,
    "tell": delivering.deliver_due,
    "banks": bank_upkeep.step,
}
"""What is done beside, by the name of its thread."""


class Notifier:
    """Threads that compare and tell, for as long as the block lasts."""

    def __init__(self, backend: Backend | CurrentBackend) -> None:
        self._current = backend
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(name, work), name=name, daemon=True)
            for name, work in WORK.items()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, name: str, work: Callable[[Backend], object]) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = IDLE_SECONDS
            try:
                if work(self._current.now):
                    pause = 0.0
            except LikenessError as error:
                pause = PAUSE_SECONDS
                log.warning("%s waits: %s", name, error)
            except Exception:
                pause = PAUSE_SECONDS
                log.exception("%s met an error, and goes on", name)


def is_anything_due(database: Database, settings: Settings) -> bool:
    """Whether there is something to compare or to send; two statements."""
    return matching.is_behind(database) or delivering.is_any_due(database, settings) or bank_upkeep.is_behind(database)


def once(backend: Backend) -> None:
    """Compare all that has come in, and what is there with banks, and send what is due, once."""
    for step in (matching.step, bank_upkeep.step):
        while step(backend):
            pass
    delivering.deliver_due(backend)
