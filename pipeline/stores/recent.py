"""The last few answers of a table in memory, because one search asks for the same rows several times."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Recent(Generic[Key, Answer]):
    """Up to `most` answers, the last ones asked for. May be used from several threads at once.

    All are of the table as it was after one change: `seen` is its number, and another one forgets them.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen = -1
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, seen: int, key: Key) -> Answer | None:
        """Return the answer to `key` after the change `seen`, or None when it is not known."""
        with self._lock:
            if seen != self._seen or key not in self._answers:
                return None
            self._answers.move_to_end(key)
            return self._answers[key]

    def put(self, seen: int, key: Key, answer: Answer) -> None:
        """Remember an answer, unless those of a later change are known already."""
        with self._lock:
            if seen < self._seen:
                return
            if seen > self._seen:
                self._seen = seen
                self._answers.clear()
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
