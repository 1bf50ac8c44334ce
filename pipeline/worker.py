"""Working off the queue: claim, analyze, check for duplicates, and repair what crashes left behind.

Any number of workers, in any number of processes, may run at once; the lease on each image keeps them apart. What
ends an analysis is written on the image; what only delays it (a store that is down) puts the image back.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from pipeline import encoder_filling
from pipeline.backend import Backend
from pipeline.current_backend import CurrentBackend
from pipeline.duplicate_checking import Checker
from pipeline.errors import DecoderUnavailable, ImageRejected, LikenessError, ObjectNotFound, StoreUnavailable
from pipeline.fingerprint_filling import FingerprintFiller
from pipeline.images import ImageRecord
from pipeline.ingest import analyze
from pipeline.notifying import Notifier
from pipeline.reconcile import reconcile
from pipeline.stores import records_queue
from pipeline.stores.database import Writing
from pipeline.stores.records_queue import Claim

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.05  # when others hold what is due, for the milliseconds of a transaction
IDLE_SECONDS = 1.0  # between two looks at the queue; work of the same process rings the bell and waits for nothing
LONGEST_BACKOFF_SECONDS = 3600.0
LONGEST_PAUSE_SECONDS = 60.0  # between two tries while a store is down: work goes on at most this long after it is back
VECTORS_REST_SECONDS = 30.0  # for which a vector engine that is down is left alone; the analysis does not wait for it
FIRST_SWEEP_SECONDS = 600.0  # after the start, when whatever waited has been worked off
TURN_SECONDS = 10.0  # that checking for duplicates goes on before the next encoder has its turn, and the other way
SWEEP_SECONDS = 24 * 3600.0  # a sweep lists the whole object store, so once a day is enough
MOST_DOUBLINGS = 30  # of the time between two tries; the limits above are reached long before
RENEWALS_PER_LEASE = 3.0  # a lease is renewed this often while its batch is worked on, so two beats may fail

UNEXPECTED = "Likeness made an error with this picture. The log says more; you can try again."


class Worker:
    """Claims waiting images and analyzes them, `worker_threads` side by side; first the rows in `hurried`."""

    def __init__(self, backend: Backend | CurrentBackend) -> None:
        self._current = backend
        self.bell = threading.Event()
        self.hurried: set[int] = set()
        self._checker = Checker()
        self._filler = FingerprintFiller()
        self._is_more_left = False  # of what is done when nothing waits
        self._stop = threading.Event()
        self._lease = timedelta(seconds=backend.now.settings.lease_seconds)
        self._vectors_rest_until = 0.0
        self._outages = 0  # batches in a row that met a store that was down

    @property
    def backend(self) -> Backend:
        """What is worked with now; another value after a change of encoder."""
        return self._current.now

    def run(self) -> None:
        """Work until `stop` is called, repairing now and then. A store that is down is waited for.

        Beside it saved searches are compared with what has been analyzed.
        """
        with Notifier(self._current):
            self._run()

    def _run(self) -> None:
        next_repair = 0.0
        next_sweep = time.monotonic() + FIRST_SWEEP_SECONDS
        while not self._stop.is_set():
            now, pause = time.monotonic(), 0.0
            if now >= next_repair:
                sweep = now >= next_sweep
                next_repair = now + self.backend.settings.reconcile_seconds
                next_sweep = now + SWEEP_SECONDS if sweep else next_sweep
                pause = self.attempt(partial(reconcile, self.backend, sweep_objects=sweep))
            if pause := pause or self.attempt(self.drain) or self.attempt(self._do_what_can_wait):
                self._stop.wait(pause)
            elif not self._is_more_left:
                self.bell.wait(IDLE_SECONDS)
            self.bell.clear()

    def _do_what_can_wait(self) -> None:
        self._is_more_left = False  # unless both come to their ends
        is_more_to_check = self.check(most_seconds=TURN_SECONDS)
        self._is_more_left = self.fill_encoder(most_seconds=TURN_SECONDS) or is_more_to_check

    def attempt(self, work: Callable[[], object]) -> float:
        """Do `work`, whatever comes of it; return for how many seconds to pause, which is 0 unless a store was down."""
        try:
            work()
        except LikenessError as error:
            self._outages += 1
            log.warning("paused: %s", error)
        except Exception:
            log.exception("the worker made an error and goes on")
        return self._pause(self._outages) if self._outages else 0.0

    def stop(self) -> None:
        """Finish the pictures in hand, give back the others, and end `run`."""
        self._stop.set()
        self.bell.set()

    def drain(self, on_done: Callable[[int], None] | None = None, *, most: float = math.inf) -> int:
        """Analyze until nothing is due, a store is down, or `stop` is called; return how many images were handled.

        `on_done` is told the number of images after each batch; when `most` images have been handled, none follows.
        """
        finished = 0
        with ThreadPoolExecutor(self.backend.settings.worker_threads, thread_name_prefix="analyze") as pool:
            while not self._stop.is_set() and finished < most:
                claim = self._claim()
                if claim.look_again:
                    self._stop.wait(LOOK_AGAIN_SECONDS)
                    continue
                if not claim.images:
                    self._outages = 0
                    break
                delayed = self._work_off(claim, pool)
                self._outages = self._outages + 1 if delayed else 0
                self._bring_vectors_on()
                self._check_at_once({image.row for image in claim.images} & self.hurried, pool)
                finished += len(claim.images)
                if on_done:
                    on_done(len(claim.images))
                if delayed:
                    break
        return finished

    def check(self, *, most_seconds: float = math.inf) -> bool:
        """Check for duplicates until something new is rung for, nothing is left, or time is up; return if more is left.

        Fingerprints that older versions did not make are made on the way.
        """
        end = time.monotonic() + most_seconds
        with ThreadPoolExecutor(self.backend.settings.worker_threads, thread_name_prefix="check") as pool:
            while not self._stop.is_set() and not self.bell.is_set() and time.monotonic() < end:
                if not self._checker.step(self.backend, pool) and not self._filler.step(self.backend, pool):
                    return False
        return True

    def fill_encoder(self, *, most_seconds: float = math.inf) -> bool:
        """Fill the next encoder, if there is one, as long as `check` goes on; return whether more is left.

        A process with a backend that never changes leaves that to others.
        """
        end = time.monotonic() + most_seconds
        if not isinstance(self._current, CurrentBackend):
            return False
        with ThreadPoolExecutor(self.backend.settings.worker_threads, thread_name_prefix="embed") as pool:
            while not self._stop.is_set() and not self.bell.is_set() and time.monotonic() < end:
                if not encoder_filling.step(self._current, pool):
                    return False
        return True

    def _check_at_once(self, rows: set[int], pool: ThreadPoolExecutor) -> None:
        """Check pictures that somebody waits for; what stands in the way of that leaves them to be checked later."""
        try:
            while rows and self._checker.step(self.backend, pool, only=rows):
                pass
        except (StoreUnavailable, DecoderUnavailable) as error:
            log.warning("checked for duplicates later: %s", error)

    def _bring_vectors_on(self) -> None:
        """Hand what was analyzed to an engine that processes share, so that no search has to wait for that."""
        if not self.backend.vectors.is_shared or time.monotonic() < self._vectors_rest_until:
            return
        try:
            self.backend.vectors.catch_up()
        except StoreUnavailable as error:  # the analysis is in the database; whoever comes next brings the engine on
            self._vectors_rest_until = time.monotonic() + VECTORS_REST_SECONDS
            log.warning("the vector engine will follow later: %s", error)

    def _claim(self) -> Claim:
        settings, hurried = self.backend.settings, self.hurried.copy()
        with self.backend.database.write(Writing.BESIDE) as connection:
            return records_queue.claim(
                connection,
                # A short batch, so that the next one in a hurry is soon taken up.
                limit=settings.worker_threads if hurried else settings.batch_size,
                lease=self._lease,
                max_attempts=settings.max_attempts,
                first=hurried,
            )

    def _work_off(self, claim: Claim, pool: ThreadPoolExecutor) -> bool:
        """Bring every claimed image to its end or back into the queue; return whether a store was down."""
        done = threading.Event()
        keeper = threading.Thread(target=self._keep_lease, args=(claim, done), name="lease", daemon=True)
        keeper.start()
        try:
            return any(list(pool.map(lambda image: self._handle(image, claim), claim.images)))
        finally:
            done.set()
            keeper.join()

    def _keep_lease(self, claim: Claim, done: threading.Event) -> None:
        while not done.wait(self._lease.total_seconds() / RENEWALS_PER_LEASE):
            try:
                with self.backend.database.write(Writing.BESIDE) as connection:
                    records_queue.renew(connection, claim, self._lease)
            except StoreUnavailable as error:
                log.warning("a lease could not be renewed: %s", error)

    def _handle(self, image: ImageRecord, claim: Claim) -> bool:
        """Bring one claimed image to its end or back into the queue; return whether a store was down.

        Nothing escapes but the loss of the database.
        """
        if self._stop.is_set():
            self._put_back(image, claim, seconds=0.0, forgive=True)
            return False
        started = time.perf_counter()
        try:
            held = analyze(self.backend, image, claim.token)
            log.info(
                "analyzed" if held else "lease lost",
                extra={"image_id": image.id, "seconds": round(time.perf_counter() - started, 3)},
            )
        except (ImageRejected, ObjectNotFound) as error:
            log.info("refused: %s", error, extra={"image_id": image.id})
            self._fail(image, claim, error.user_message, error.code)
        except (StoreUnavailable, DecoderUnavailable) as error:
            log.warning("put back: %s", error, extra={"image_id": image.id})
            self._put_back(image, claim, seconds=self._pause(self._outages + 1), forgive=True)
            return True
        except Exception:
            log.exception("unexpected", extra={"image_id": image.id})
            if claim.attempts[image.row] >= self.backend.settings.max_attempts:
                self._fail(image, claim, UNEXPECTED, "unexpected")
            else:
                seconds = min(self._doubled(claim.attempts[image.row]), LONGEST_BACKOFF_SECONDS)
                self._put_back(image, claim, seconds=seconds, forgive=False)
        return False

    def _pause(self, outages: int) -> float:
        return min(self._doubled(outages), LONGEST_PAUSE_SECONDS)

    def _doubled(self, times: int) -> float:
        return self.backend.settings.retry_seconds * 2.0 ** min(times - 1, MOST_DOUBLINGS)

    def _fail(self, image: ImageRecord, claim: Claim, sentence: str, code: str) -> None:
        with self.backend.database.write(Writing.BESIDE) as connection:
            records_queue.fail(connection, image.row, claim.token, sentence=sentence, code=code)

    def _put_back(self, image: ImageRecord, claim: Claim, *, seconds: float, forgive: bool) -> None:
        wait = timedelta(seconds=seconds)
        with self.backend.database.write(Writing.BESIDE) as connection:
            records_queue.put_back(connection, image.row, claim.token, wait=wait, forgive=forgive)
