"""A semaphore that counts bytes: how much memory may be in use at once, given out in the order of asking."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """So many bytes for all. In order of asking, so that small requests cannot keep a large one waiting for ever."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._free = total_bytes
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, wanted_bytes: int, timeout: float) -> Iterator[bool]:
        """Hold so many bytes for the length of the block; False when they could not be had within `timeout` seconds.

        More than there is in all counts as all there is.
        """
        wanted = min(wanted_bytes, self.total_bytes)
        held = self._take(wanted, time.monotonic() + timeout)
        try:
            yield held
        finally:
            if held:
                with self._changed:
                    self._free += wanted
                    self._changed.notify_all()

    def _take(self, wanted: int, deadline: float) -> bool:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                held = self._changed.wait_for(
                    lambda: self._waiting[0] is ticket and self._free >= wanted, deadline - time.monotonic()
                )
                if held:
                    self._free -= wanted
                return held
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
