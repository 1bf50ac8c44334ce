"""A real server in a process of its own, its memory, and requests as a client outside would send them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

PROGRAM = Path(sys.executable).with_name("likeness")
STOP_SECONDS = 30
SAMPLE_SECONDS = 0.1  # between two looks at the memory; a look at three processes costs about 10 ms
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, and its process."""

    url: str
    process: psutil.Process

    @property
    def memory_mib(self) -> float:
        """Memory of the server with all its decoder processes, as PSS.

        Each page counts once, shared out among the processes that map it: a sum of RSS would count the libraries they
        have in common once for each, and USS would leave them out.
        """
        total = 0
        for process in (self.process, *self.process.children(recursive=True)):
            try:
                total += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it ended between being listed and being asked
        return total / MEBIBYTE


@contextmanager
def serving(data: Path, *options: str, models: Path | None = None, **environment: str) -> Iterator[Server]:
    """Start `likeness serve` with `options` on a free port over `data`; stop it when the block ends."""
    settings = {"LIKENESS_DATA": str(data)} | ({"LIKENESS_MODELS": str(models)} if models else {})
    process = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", *options],
        env={**os.environ, **settings, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        if "http://" not in said:
            raise RuntimeError(f"The server did not start: {said!r}, status {process.poll()}")
        url = "http://" + said.split("http://", 1)[1].split()[0]
        yield Server(url, psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@dataclass
class MemoryWatch:
    """Samples the memory of a server until the block ends; `peak_mib` is the highest of the samples."""

    server: Server
    peak_mib: float = 0.0
    _done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.peak_mib = max(self.peak_mib, self.server.memory_mib)
