"""Whether each store answers, in words, and whether the data is still there.

All are asked at the same time, and none is waited for long.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.backend import Backend
from pipeline.errors import StoreUnavailable
from pipeline.stores import records_embeddings
from pipeline.stores.charge import GivenUp, given_up
from pipeline.stores.database_address import without_secrets

DATABASE, OBJECTS, VECTORS = "Database", "Picture files", "Vector index"
CHECK_SECONDS = 4.0  # for all stores together: orchestrators and people are answered within five

MOVE = "Place of the data"
NAMES = (DATABASE, OBJECTS, VECTORS, MOVE)

LOOK_SECONDS = 5.0  # between two looks at whether the data has moved away: one statement that finds a row or two

READING_TIME = timedelta(hours=1)
"""After which an old place that nobody has stopped is not read any more either. It is there so that nobody who searches
notices a move, and longer it must not be: members who were removed since still get in here, and pictures that were
deleted are still shown."""

IT_ANSWERS = "It answers."
SILENT = "It has not answered within {seconds:g} seconds."


@dataclass(frozen=True)
class StoreReport:
    """One store: its `address` without a password, whether it answers, and the sentence that tells."""

    name: str
    address: str
    healthy: bool
    sentence: str


def check_stores(backend: Backend, *, seconds: float = CHECK_SECONDS) -> list[StoreReport]:
    """Ask every store, the database first in the list; one that has not answered after so long is reported as down.

    A place that the data has left, or has not wholly come to yet, is reported as one more that is down. Nothing is
    raised: that is what this reports.
    """
    database = backend.database
    asked = [
        (DATABASE, without_secrets(database.url), _ask(lambda: _read(backend))),
        (OBJECTS, backend.objects.address, _ask(backend.objects.check)),
        (VECTORS, backend.vectors.address, _ask(backend.vectors.check)),
    ]
    move = _ask(lambda: _refuse_if_given_up(backend))
    wait([*(sentence for _, _, sentence in asked), move], seconds)
    reports = [_report(name, address, sentence, seconds) for name, address, sentence in asked]
    if all(report.healthy for report in reports) and move.done() and move.result() != IT_ANSWERS:
        reports.append(StoreReport(MOVE, without_secrets(database.url), healthy=False, sentence=move.result()))
    return reports


class MoveWatch:
    """Whether the data has moved away from a process that runs, as it was seen some seconds ago."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._next_look = 0.0
        self.given_up: GivenUp | None = None

    def look(self) -> None:
        """Look, unless that was done a moment ago. A store that does not answer changes nothing."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        with suppress(StoreUnavailable):
            self.given_up = _given_up(self._backend)

    def look_again(self) -> None:
        """Look at once."""
        self._next_look = 0.0
        self.look()

    def check_reading(self) -> None:
        """Raise StoreUnavailable when the data has been elsewhere for so long that nobody is to read it here."""
        away = self.given_up
        if away and away.is_elsewhere and datetime.now(UTC) - away.since > READING_TIME:
            raise StoreUnavailable(away.sentence)


def _given_up(backend: Backend) -> GivenUp | None:
    with backend.database.read() as connection:
        return given_up(connection, backend.database.store_id)


def _refuse_if_given_up(backend: Backend) -> None:
    if away := _given_up(backend):
        raise StoreUnavailable(away.sentence)


def _read(backend: Backend) -> None:
    with backend.database.read() as connection:
        records_embeddings.last_change(connection)


def _ask(check: Callable[[], None]) -> Future[str]:
    """Begin to ask a store in a thread that nobody waits for; the future is the sentence that it deserves."""
    sentence: Future[str] = Future()

    def ask() -> None:
        try:
            check()
        except StoreUnavailable as error:
            sentence.set_result(error.user_message)
        except Exception as error:  # noqa: BLE001 - raised again where the future is read
            sentence.set_exception(error)
        else:
            sentence.set_result(IT_ANSWERS)

    threading.Thread(target=ask, name="check", daemon=True).start()
    return sentence


def _report(name: str, address: str, sentence: Future[str], seconds: float) -> StoreReport:
    said = sentence.result() if sentence.done() else SILENT.format(seconds=seconds)
    return StoreReport(name, address, said == IT_ANSWERS, said)
