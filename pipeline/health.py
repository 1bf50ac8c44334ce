"""Whether each store answers, in words. All are asked at the same time, and none is waited for long."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass

from pipeline.backend import Backend
from pipeline.errors import StoreUnavailable
from pipeline.stores import records_embeddings
from pipeline.stores.database_address import without_secrets

DATABASE = "Database"
CHECK_SECONDS = 4.0  # for all stores together: orchestrators and people are answered within five

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

    Nothing is raised: a store that is down is what this reports.
    """
    database = backend.database
    asked = [
        (DATABASE, without_secrets(database.url), _ask(lambda: _read(backend))),
        ("Picture files", backend.objects.address, _ask(backend.objects.check)),
        ("Vector index", backend.vectors.address, _ask(backend.vectors.check)),
    ]
    wait([sentence for _, _, sentence in asked], seconds)
    return [_report(name, address, sentence, seconds) for name, address, sentence in asked]


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
