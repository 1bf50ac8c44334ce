"""Whether PostgreSQL still answers anybody, asked when one of its connections has been silent for a while.

A server that hangs, or whose host has gone without a word, leaves whoever waits for it waiting: the system keeps the
connection, and no statement ever ends. A limit on statements would end those that merely take long, such as building an
index. So whoever has waited for a moment asks on a new connection: if that is answered, the statement goes on for as
long as it takes; if not, its connection is thrown away. Behind a pooler it is the pooler that answers.
"""

import re
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect, Engine

QUIET_SECONDS = 1.0  # without a word, after which is asked; with the time to connect, a page is answered within five
FRESH_SECONDS = 1.0  # for which an answer is good for everybody
SILENT_SECONDS = 2.0  # for which nobody asks again; whoever waits for a connection of the pool is then told at once
MOST_QUIET_SECONDS = 60.0  # between two questions; the first comes after one second, each later after twice the time
LONG_SECONDS = 10.0  # a statement that takes longer is no page's, and much would be lost with it:
PATIENT_SECONDS = 30.0  # for so long nobody must be answered before it is given up

HUNG = "the server was asked on a new connection as well and answered nobody"
CROWDED = re.compile("Resource temporarily unavailable")
"""What a socket says before which already so many wait that the system takes no more: nobody lets them in."""


class _HungUp(Exception):
    """A statement is waited for no longer."""


class Pulse:
    """Knows whether a server answers, for all threads; where nobody was answered, one at a time tries again."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._asking, self._trying = threading.Lock(), threading.Lock()
        self._how: tuple[Any, dict[str, Any]] = ((), {})
        self._asked_at = float("-inf")
        self._silent_at: float | None = None  # until it answers again

    def was_silent_just_now(self) -> bool:
        """Whether nobody was answered, so that nobody else needs to ask."""
        silent_at = self._silent_at
        return silent_at is not None and time.monotonic() - silent_at < SILENT_SECONDS

    def check(self) -> None:
        """Raise an error of the driver when nobody was answered just now."""
        if self.was_silent_just_now():
            raise self._driver.OperationalError(HUNG)

    def open(self, kind: Any, arguments: Any, options: dict[str, Any]) -> Any:
        """Return a connection of a kind, and remember how it was made, or that nobody answered."""
        self._how = (arguments, options)
        if self._silent_at is None:
            return self._open(kind)
        if not self._trying.acquire(blocking=False):
            raise self._driver.OperationalError(HUNG)
        try:
            return self._open(kind)
        finally:
            self._trying.release()

    def beats(self) -> bool:
        """Whether the server answers; every answer is one, even that it lets nobody in."""
        with self._asking:
            if not self.was_silent_just_now() and time.monotonic() - self._asked_at >= FRESH_SECONDS:
                with suppress(self._driver.Error):  # silence is remembered, everything else is an answer
                    self.open(self._driver.Connection, *self._how).close()
                self._asked_at = time.monotonic()
            return self._silent_at is None

    def _open(self, kind: Any) -> Any:
        arguments, options = self._how
        try:
            connection = kind.connect(*arguments, **options)
        except self._driver.Error as error:
            silent = isinstance(error, self._driver.errors.ConnectionTimeout) or CROWDED.search(str(error))
            self._silent_at = time.monotonic() if silent else None
            raise
        self._silent_at = None
        return connection


def watch(engine: Engine) -> Pulse:
    """Let no statement of an engine wait for a server that answers nobody."""
    driver: Any = engine.dialect.loaded_dbapi
    pulse = Pulse(driver)

    class Watched(driver.Connection):  # type: ignore[misc] # the driver is there only where it is needed
        def wait(self, generator: Generator[Any, Any, Any], *told: Any, **options: Any) -> Any:
            try:
                return super().wait(_patiently(generator, pulse.beats), *told, **options)
            except _HungUp as error:
                self.close()  # which tells the pool that it is of no use
                raise driver.OperationalError(HUNG) from error

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: Dialect, _record: object, arguments: Any, options: dict[str, Any]) -> Any:
        pulse.check()
        return pulse.open(Watched, arguments, options)

    return pulse


def _patiently(generator: Generator[Any, Any, Any], beats: Callable[[], bool]) -> Generator[Any, Any, Any]:
    """Run what the driver does for a statement: it yields to wait, and is told ten times a second if nothing came.

    Raises _HungUp when that has been so for a while and the server does not answer others either.
    """
    since = time.monotonic()
    look_at, silent_since = since + QUIET_SECONDS, None
    try:
        state = next(generator)
        while True:
            ready = yield state
            if ready:
                since, silent_since = time.monotonic(), None
                look_at = since + QUIET_SECONDS
            elif (now := time.monotonic()) >= look_at:
                if beats():
                    silent_since = None
                    look_at = time.monotonic() + min(now - since, MOST_QUIET_SECONDS)
                else:
                    silent_since = silent_since or now
                    patience = 0.0 if silent_since - since < LONG_SECONDS else PATIENT_SECONDS
                    if time.monotonic() - silent_since >= patience:
                        raise _HungUp
            state = generator.send(ready)
    except StopIteration as end:
        return end.value
