"""How many of the last uploads each bank has matched, as this process has seen them.

Nothing is kept: a process that begins anew counts from nothing, which delays a pause by the uploads of one window at
most. Several processes each see their share of the uploads, and so the same share of matches.
"""

import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipeline.bank_rules import FLOOD_WINDOW


@dataclass(frozen=True)
class Recent:
    """How many of the last `uploads` a bank has `matched`, which entry most often (0: none), and since when."""

    uploads: int
    matched: int
    entry: int
    since: datetime


@dataclass
class _Window:
    resumed_at: datetime | None = None
    seen: OrderedDict[str, tuple[int | None, datetime]] = field(default_factory=OrderedDict)


class FloodWatch:
    """Counts for any number of threads. The same bytes count once in a window, however often they are sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}

    def note(self, bank: str, sha256: str, entry: int | None, resumed_at: datetime | None) -> Recent:
        """Note an upload that looked like an `entry` of a bank, or like none, and return the window with it.

        A bank that somebody has had resumed, which is told by a match, begins with an empty one.
        """
        with self._lock:
            window = self._windows.setdefault(bank, _Window(resumed_at))
            if entry is not None and window.resumed_at != resumed_at:
                window = self._windows[bank] = _Window(resumed_at)
            window.seen.setdefault(sha256, (entry, datetime.now(UTC)))
            while len(window.seen) > FLOOD_WINDOW:
                window.seen.popitem(last=False)
            return _recent(window)

    def forget(self, bank: str) -> None:
        """Forget a bank that is no more, or begin anew with it."""
        with self._lock:
            self._windows.pop(bank, None)


def _recent(window: _Window) -> Recent:
    entries = Counter(entry for entry, _ in window.seen.values() if entry is not None)
    most = entries.most_common(1)[0][0] if entries else 0
    return Recent(len(window.seen), entries.total(), most, next(iter(window.seen.values()))[1])
