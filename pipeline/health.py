"""Whether each store answers, in words."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.backend import Backend
from pipeline.errors import StoreUnavailable
from pipeline.stores import records_embeddings

DATABASE = "Database"


@dataclass(frozen=True)
class StoreReport:
    """One store: its `address` without a password, whether it answers, and the sentence that tells."""

    name: str
    address: str
    healthy: bool
    sentence: str


def check_stores(backend: Backend) -> list[StoreReport]:
    """Ask every store. Nothing is raised: a store that is down is what this reports."""
    database = backend.database
    return [
        _report(DATABASE, database.url.render_as_string(hide_password=True), lambda: _ask_database(backend)),
        _report("Picture files", backend.objects.address, backend.objects.check),
        _report("Vector index", backend.vectors.address, backend.vectors.check),
    ]


def _ask_database(backend: Backend) -> None:
    with backend.database.read() as connection:
        records_embeddings.last_change(connection)


def _report(name: str, address: str, check: Callable[[], None]) -> StoreReport:
    try:
        check()
    except StoreUnavailable as error:
        return StoreReport(name, address, healthy=False, sentence=error.user_message)
    return StoreReport(name, address, healthy=True, sentence="It answers.")
