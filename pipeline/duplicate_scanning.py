"""Checking a whole library for duplicates in one go, as the shell does: after an upgrade, or with a new check."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.backend import Backend
from pipeline.current_backend import CurrentBackend
from pipeline.duplicate_checking import Checker, progress
from pipeline.features.comparison import Verdict
from pipeline.fingerprint_filling import FingerprintFiller
from pipeline.patience import Patience, no_patience
from pipeline.principals import OWNER
from pipeline.stores import records_findings, records_fingerprints
from pipeline.stores.database import Writing
from pipeline.stores.records_fingerprints import Progress

HELD_BY_OTHERS_SECONDS = 0.5  # between two looks at what other processes are checking


@dataclass(frozen=True)
class Scanned:
    """What a scan has come to. `checked` images and `compared` pairs are those of this process; `pairs` are all."""

    checked: int
    compared: int
    seconds: float
    pairs: dict[Verdict, int]


def fill(
    backend: Backend | CurrentBackend, on_progress: Callable[[int], None], patience: Patience | None = None
) -> None:
    """Make all fingerprints that older versions did not; `on_progress` is told how many have been made.

    Returns when none lacks, or when another process is at it. Raises StoreUnavailable as `scan`.
    """
    patience, filler, made = patience or no_patience(), FingerprintFiller(), 0
    with ThreadPoolExecutor(backend.now.settings.worker_threads, thread_name_prefix="hash") as pool:
        while number := patience.bear(lambda: filler.step(backend.now, pool)):
            made += number
            on_progress(made)


def scan(
    backend: Backend | CurrentBackend,
    on_progress: Callable[[Progress], None],
    *,
    library: str | None = None,
    again: bool = False,
    patience: Patience | None = None,
) -> Scanned:
    """Check every image, or those of the library with this id, that has not been checked; `again` also those that have.

    Others may check at the same time; it returns when nothing is left to any of them. What an interrupted scan has done
    stays done. Raises StoreUnavailable when a store is down for longer than `patience` bears, which is at once without
    any.
    """
    patience, started, checked = patience or no_patience(), time.monotonic(), 0
    checker, filler = Checker(), FingerprintFiller()
    if again:
        patience.bear(lambda: _let_all_be_checked(backend.now, library))
    before = patience.bear(lambda: progress(backend.now, OWNER, library))
    with ThreadPoolExecutor(backend.now.settings.worker_threads, thread_name_prefix="check") as pool:
        while True:
            done = patience.bear(lambda: checker.step(backend.now, pool, library=library))
            checked += done
            if done:
                on_progress(Progress(min(before.checked + checked, before.total), before.total))
                continue
            if patience.bear(lambda: filler.step(backend.now, pool)):
                continue
            now = patience.bear(lambda: progress(backend.now, OWNER, library))
            on_progress(now)
            if not now.left:
                break
            time.sleep(HELD_BY_OTHERS_SECONDS)
    pairs = patience.bear(lambda: _pairs(backend.now, library))
    return Scanned(checked, checker.compared, time.monotonic() - started, pairs)


def _let_all_be_checked(backend: Backend, library: str | None) -> None:
    with backend.database.write(Writing.BESIDE) as connection:
        records_fingerprints.check_all_again(connection, library)


def _pairs(backend: Backend, library: str | None) -> dict[Verdict, int]:
    with backend.database.read() as connection:
        return records_findings.count_by_verdict(connection, library)
