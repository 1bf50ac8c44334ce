"""Workers and beats as those who run Celery start them, in process groups of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

CELERY = (sys.executable, "-m", "celery", "-A", "pipeline.celery_app")
GENTLE_SECONDS = 30.0


@contextmanager
def celery(
    *arguments: str, environment: Mapping[str, str], log: IO[bytes] | int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `celery` with our application for as long as the block lasts, if it is not killed in it."""
    command = [*CELERY, *arguments]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, process_group=0)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(GENTLE_SECONDS)
        finally:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started here with SIGKILL, and all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
