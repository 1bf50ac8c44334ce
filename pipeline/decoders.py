"""The pool of decoder processes: a picture that crashes, stalls or swells its decoder costs only that picture.

What a process does is in `decoder_process`, what is said over its pipes in `decoder_messages`. Processes are started
when they are first needed, as fresh programs and never by fork, and are renewed after a number of pictures.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import pipeline
from pipeline.decoder_messages import Answer, Job, read_answer, write_job
from pipeline.errors import DamagedImage, DecoderUnavailable, ImageRejected, TooManyPixels
from pipeline.features import decode
from pipeline.features.decode import Limits, Probe
from pipeline.features.picture import Picture
from pipeline.memory_budget import MemoryBudget
from pipeline.stopwatch import spent_on

_PICTURES_PER_PROCESS = 500
"""After so many a process is renewed, so that what libraries leak or fragment stays small."""

_WAIT_SECONDS = 30.0
"""How long a picture waits for a process and for memory before the person is asked to try again."""

_GRACE_SECONDS = 1.0
"""A process ends itself when its time is up; after this much more the service ends it."""

_SLACK_BYTES = 32 << 20
"""What a process may take above the estimate before it is refused memory: the error of the estimate, and the answer."""

_MIN_DISPLAY_PX = 1024
"""A display copy of this size costs no more than the working copy, so what was accepted can always be shown."""

_TOO_SLOW = (
    "Reading this picture took too long, so it was given up. It may be damaged; please save it anew and upload that."
)
_CRASHED = "This picture is damaged in a way that cannot be read. Please save it anew and upload that."
_BUSY = "Too many pictures are being read at the moment. Please try again in a minute."


_KEPT_ENVIRONMENT = frozenset({"PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP"})
"""What a decoder process sees of the environment: not the passwords and keys that the service has there."""

_PROCESS_ENVIRONMENT = {
    "PYTHONPATH": str(Path(pipeline.__file__).parent.parent),
    "OPENBLAS_NUM_THREADS": "1",  # nothing here multiplies matrices, and every thread costs memory
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),  # frames go back to the system as soon as they are freed
    "MALLOC_TRIM_THRESHOLD_": str(1 << 20),
}


def _crashed(detail: str) -> DamagedImage:
    return DamagedImage(_CRASHED, detail=detail)


class DecoderPool:
    """Decodes pictures in up to `processes` processes, which together take at most about `memory_bytes`.

    A picture may take `seconds` once its turn has come. May be used from many threads at once. The methods raise
    ImageRejected for a picture that cannot be read, and DecoderUnavailable when it did not get its turn in time.
    """

    def __init__(
        self,
        processes: int,
        limits: Limits,
        memory_bytes: int,
        seconds: float,
        *,
        wait_seconds: float = _WAIT_SECONDS,
    ) -> None:
        self.limits = replace(limits, max_decode_bytes=min(limits.max_decode_bytes, memory_bytes))
        self._budget = MemoryBudget(memory_bytes)
        self._seconds = seconds
        self._wait_seconds = wait_seconds
        self._processes = processes
        self._turns = threading.BoundedSemaphore(processes)
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        self._closed = False

    def probe(self, source: bytes | Path) -> Probe:
        """Return what the header says. Runs here: it is pure Python on a few bytes."""
        return decode.probe(source, self.limits)

    def decode(self, source: bytes | Path) -> Picture:
        """Return the working copy of the first frame."""
        with spent_on("decoding"):
            answer = self._run(source, long_side_px=None)
        if not isinstance(answer, Picture):
            raise _crashed("a file where a picture was asked for")
        return answer

    def display_copy(self, source: bytes | Path, long_side_px: int) -> bytes:
        """Return a WebP of the first frame to look at; a smaller one where memory does not suffice for that size."""
        while long_side_px > _MIN_DISPLAY_PX and not self._affords(source, long_side_px):
            long_side_px //= 2
        answer = self._run(source, long_side_px=long_side_px)
        if not isinstance(answer, bytes):
            raise _crashed("a picture where a file was asked for")
        return answer

    def _affords(self, source: bytes | Path, long_side_px: int) -> bool:
        try:
            decode.probe(source, self.limits, long_side_px=long_side_px)
        except TooManyPixels:
            return False
        return True

    def start(self) -> None:
        """Start all processes already now, so that the first pictures do not wait for them."""
        with ExitStack() as started:
            for _ in range(self._processes):
                started.enter_context(self._process())

    def close(self) -> None:
        """End the processes; those at work end with their picture."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, source: bytes | Path, long_side_px: int | None) -> Picture | bytes:
        probe = decode.probe(source, self.limits, long_side_px=long_side_px)
        sent = len(source) if isinstance(source, bytes) else 0  # the process has them before it limits itself
        cost = probe.decode_bytes + sent
        job = Job(source, self.limits, probe.decode_bytes + _SLACK_BYTES, self._seconds, long_side_px)
        with self._budget.hold(cost, self._wait_seconds) as held:
            if not held:
                raise DecoderUnavailable(_BUSY, detail=f"no {cost} bytes within {self._wait_seconds} s")
            with self._process() as process:
                answer = process.answer(job)
        if isinstance(answer, ImageRejected):
            raise answer
        return _as_probed(answer, probe)

    @contextmanager
    def _process(self) -> Iterator["_Process"]:
        if not self._turns.acquire(timeout=self._wait_seconds):
            raise DecoderUnavailable(_BUSY, detail=f"no decoder process within {self._wait_seconds} s")
        try:
            process = self._idle_process() or _Process()
            try:
                yield process
            finally:
                self._put_back(process)
        finally:
            self._turns.release()

    def _idle_process(self) -> "_Process | None":
        """Return a process that waits for work; one that was ended from outside meanwhile is cleared away."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                process = self._idle.pop()
            if process.is_alive():
                return process
            process.end()

    def _put_back(self, process: "_Process") -> None:
        with self._lock:
            keep = process.usable and not self._closed
            if keep:
                self._idle.append(process)
        if not keep:
            process.end()


def _as_probed(answer: Picture | bytes, probe: Probe) -> Picture | bytes:
    """Return a picture with the format that was found here: originals are served with it, so a process has no say."""
    if isinstance(answer, bytes):
        return answer
    return replace(answer, facts=replace(answer.facts, format=probe.format, media_type=probe.media_type))


class _Process:
    """One decoder process and its pipes; used by one thread at a time."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-m", "pipeline.decoder_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libraries print there whatever a file makes them say
                process_group=0,  # Control-C in a terminal is for us; a decoder it hit would call its picture damaged
                env=_PROCESS_ENVIRONMENT | {key: os.environ[key] for key in _KEPT_ENVIRONMENT & os.environ.keys()},
            )
        except OSError as error:
            raise DecoderUnavailable(_BUSY, detail=f"a decoder process could not be started: {error}") from error
        self._jobs = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        self._pictures = 0
        self._overdue = False
        self.usable = True

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def answer(self, job: Job) -> Answer:
        """Return what became of a job; when the process is lost over it, the reason as a DamagedImage."""
        self._pictures += 1
        self.usable = False  # until it has answered
        clock = threading.Timer(job.seconds + _GRACE_SECONDS, self._give_up)
        clock.start()
        try:
            write_job(self._jobs, job)
            answer = read_answer(self._answers, job)
        except BrokenPipeError:
            answer = None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            return _crashed(f"the answer makes no sense: {error!r}")
        finally:
            clock.cancel()
        if answer is None:
            return self._why_lost()
        self.usable = self._pictures < _PICTURES_PER_PROCESS
        return answer

    def end(self) -> None:
        """End the process at once; it keeps nothing."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with suppress(BrokenPipeError):
            self._jobs.close()

    def _give_up(self) -> None:
        self._overdue = True
        self._process.kill()

    def _why_lost(self) -> DamagedImage:
        status = self._process.wait()
        if self._overdue or status == -_ALARM:
            return DamagedImage(_TOO_SLOW, detail=f"status {status}")
        return _crashed(f"the decoder process ended with status {status}")


_ALARM = getattr(signal, "SIGALRM", 0)
