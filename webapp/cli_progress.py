"""Showing how far a command has come: a bar on a terminal, a line now and then elsewhere. Always on stderr."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self, TypeVar

import click
from click._termui_impl import ProgressBar

MEGABYTE = 1_000_000

T = TypeVar("T")

LINE_SECONDS = 10.0  # between two lines where there is no terminal: a log stays readable and is seen to go on


class Progress:
    """Counts up to `total` under a label. A context manager."""

    def __init__(self, label: str, total: int) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self._bar: ProgressBar[int] | None = None
        self._next_line = time.monotonic() + LINE_SECONDS

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and self.total:
            self._bar = click.progressbar(length=self.total, label=self.label, show_pos=True, file=sys.stderr)
            self._bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.__exit__(kind, error, trace)

    def reach(self, done: int) -> None:
        """Show that `done` of the total are done."""
        if self._bar:
            self._bar.update(done - self.done)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_SECONDS
            click.echo(f"{self.label}: {done:,} of {self.total:,}", err=True)
        self.done = done


def track(items: Iterable[T], label: str, total: int) -> Iterator[T]:
    """Yield `items`, showing how many of `total` have been taken."""
    with Progress(label, total) as progress:
        for number, item in enumerate(items, start=1):
            yield item
            progress.reach(number)


@contextmanager
def shown_in_megabytes(label: str) -> Iterator[Callable[[int, int], None]]:
    """Give what shows how many bytes of how many are done; nothing is shown before it is first told."""
    bar: Progress | None = None

    def reach(done: int, total: int) -> None:
        nonlocal bar
        if bar is None and total:
            bar = opened.enter_context(Progress(f"{label} (MB)", total // MEGABYTE))
        if bar:
            bar.reach(done // MEGABYTE)

    with ExitStack() as opened:
        yield reach
