"""Work on a shared copy of the vectors in the background, so that no search has to do it: filling, building graphs."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from pipeline.errors import LikenessError

log = logging.getLogger(__name__)


@runtime_checkable
class Tended(Protocol):
    """An engine that fills its copy in the background when it is told to begin."""

    def tend(self) -> None:
        """Begin, unless that was done. Returns at once and raises nothing."""
        ...


class Tender:
    """Calls `step` in a thread until it returns False, which says that nothing is left to do.

    A step takes seconds at most, because `close` waits for its end. One that fails is told in the log, and the work
    rests until `begin` is called again.
    """

    def __init__(self, name: str, step: Callable[[], bool]) -> None:
        self._name = name
        self._step = step
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether the thread runs."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def begin(self) -> None:
        """Let the work be done, unless somebody is at it or it was closed."""
        with self._lock:
            if not self._closed.is_set() and not self.is_at_work:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Begin no other step; what goes wrong in the one that is being done is no news any more."""
        with self._lock:
            self._closed.set()

    def close(self) -> None:
        """End the work after the step it is at."""
        self.stop()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        try:
            while not self._closed.is_set() and self._step():
                pass
        except LikenessError as error:
            if not self._closed.is_set():
                log.warning("the %s index could not be brought on in the background: %s", self._name, error)
        except Exception:
            if not self._closed.is_set():
                log.exception("the %s index met an error in the background", self._name)
