"""Where the time of an answer goes, for whoever wants to know: parts that add up, because each stops the one around it.

Code says what it spends its time on; that costs nothing worth naming while nobody measures. What other threads do for
an answer is not in it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Part = Literal["decoding", "embedding", "index", "database", "rendering"]


class Stopwatch:
    """Seconds spent on each part, in the order in which they were first met. For one answer at a time."""

    def __init__(self) -> None:
        self.seconds: dict[Part, float] = {}
        self.started = time.perf_counter()
        self._running: list[Part] = []
        self._since = self.started

    @property
    def total_seconds(self) -> float:
        """Return how long ago this began."""
        return time.perf_counter() - self.started

    def begin(self, part: Part) -> None:
        """Let the time from now on count for `part`, and no longer for the part that it is within."""
        self._count()
        self._running.append(part)

    def end(self) -> None:
        """Let the time from now on count for the part around the one that began last."""
        self._count()
        self._running.pop()

    def _count(self) -> None:
        now = time.perf_counter()
        if self._running:
            part = self._running[-1]
            self.seconds[part] = self.seconds.get(part, 0.0) + now - self._since
        self._since = now


_measuring: ContextVar[Stopwatch | None] = ContextVar("measuring", default=None)


@contextmanager
def measured() -> Iterator[Stopwatch]:
    """Measure what is done within, also in threads to which this context is copied, as those of requests are."""
    stopwatch = Stopwatch()
    token = _measuring.set(stopwatch)
    try:
        yield stopwatch
    finally:
        _measuring.reset(token)


@contextmanager
def spent_on(part: Part) -> Iterator[None]:
    """Count the time within for `part`."""
    stopwatch = _measuring.get()
    if stopwatch is None:
        yield
        return
    stopwatch.begin(part)
    try:
        yield
    finally:
        stopwatch.end()
