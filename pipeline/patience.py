"""Waiting for a store that is down, for commands that have much to do and can go on where they were."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pipeline.errors import StoreUnavailable

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.5  # doubled with every try: a server that restarts is back after one or two seconds
LONGEST_PAUSE_SECONDS = 5.0

WAITING = "{sentence} Waiting for it, {seconds:,.0f} seconds at most."
GOES_ON = "It answers again, and this goes on."


class Patience:
    """Tries again while a store is down, for `seconds` at most, and tells a person once for each outage.

    May be used from several threads at once. `stop` ends the waiting of all.
    """

    def __init__(self, seconds: float, tell: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._tell = tell
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._is_down = False

    def bear(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, which can be repeated. Raises StoreUnavailable when the time is over."""
        deadline = time.monotonic() + self._seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                result = work()
            except StoreUnavailable as error:
                if time.monotonic() >= deadline:
                    raise
                self._say(WAITING.format(sentence=error.user_message, seconds=self._seconds), is_down=True)
                if self._stopped.wait(pause):
                    raise
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                self._say(GOES_ON, is_down=False)
                return result

    def stop(self) -> None:
        """Let whoever waits give up now."""
        self._stopped.set()

    def _say(self, sentence: str, *, is_down: bool) -> None:
        with self._lock:
            if self._is_down != is_down:
                self._is_down = is_down
                self._tell(sentence)


def no_patience() -> Patience:
    """Return one that waits for nothing."""
    return Patience(0.0, lambda _: None)
