"""Who may do something costly now: so many at once, so many of them by one person, and so many of theirs a minute.

Counted in each process, and forgotten with it.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from pipeline.errors import TooManyAttempts

MINUTE = 60.0  # seconds
BUSY_SECONDS = 5
"""After how long to come back when all turns are taken: most fetches are over by then."""

ALL_TAKEN = "Too much is being fetched at this moment. Please try again in a moment."
TOO_OFTEN = "That is very often in one minute. Please try again in {seconds} seconds."


class Turns:
    """Safe for threads. `now` is a clock in seconds that never goes back."""

    def __init__(
        self, *, at_once: int, of_one_at_once: int, of_one_a_minute: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once = at_once
        self._of_one_at_once = of_one_at_once
        self._of_one_a_minute = of_one_a_minute
        self._now = now
        self._lock = Lock()
        self._running: Counter[str] = Counter()
        self._begun: dict[str, deque[float]] = {}

    @contextmanager
    def taken(self, who: str) -> Iterator[None]:
        """Hold a turn of `who` while the block runs. Raises TooManyAttempts, without waiting, when there is none."""
        self._take(who)
        try:
            yield
        finally:
            with self._lock:
                self._running[who] -= 1
                self._running += Counter()  # leaves out those at zero

    def _take(self, who: str) -> None:
        with self._lock:
            now = self._now()
            self._forget(now)
            begun = self._begun.get(who, deque())
            if len(begun) >= self._of_one_a_minute:
                seconds = max(1, round(begun[0] + MINUTE - now))
                raise TooManyAttempts(TOO_OFTEN.format(seconds=seconds), retry_seconds=seconds)
            if self._running.total() >= self._at_once or self._running[who] >= self._of_one_at_once:
                raise TooManyAttempts(ALL_TAKEN, retry_seconds=BUSY_SECONDS)
            self._begun.setdefault(who, begun).append(now)
            self._running[who] += 1

    def _forget(self, now: float) -> None:
        for begun in self._begun.values():
            while begun and begun[0] <= now - MINUTE:
                begun.popleft()
        self._begun = {who: begun for who, begun in self._begun.items() if begun}
