"""A decoder process: takes jobs from its standard input, answers on its standard output, ends when the input ends.

Started by `pipeline.decoders` as `python -m pipeline.decoder_process`. It imports only what decoding needs and limits
itself before every job: how much memory it may take, and after which time the kernel ends it, even if the service that
started it has been killed meanwhile.
"""

import os
import signal
from pathlib import Path
from typing import BinaryIO

from pipeline.decoder_messages import Answer, Job, read_job, write_answer
from pipeline.errors import ImageRejected
from pipeline.features.decode import decode, display_copy

try:
    import resource
except ImportError:  # Windows: the service's own clock and its estimates are then the only limits
    resource = None  # type: ignore[assignment]

_STATUS = Path("/proc/self/status")
_KIBIBYTE = 1024


def main() -> None:
    """Answer jobs until there are none."""
    jobs, answers = _private_streams()
    _forbid_files_and_dumps()
    while (job := read_job(jobs)) is not None:
        _limit_memory(job.memory_bytes)
        _limit_time(job.seconds)
        answer = _answer(job)
        _limit_time(0)
        write_answer(answers, answer)


def _answer(job: Job) -> Answer:
    try:
        if job.long_side_px is not None:
            return display_copy(job.source, job.limits, job.long_side_px)
        return decode(job.source, job.limits)
    except ImageRejected as error:
        return error


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes away from the libraries: what they print on standard output goes to the null device."""
    jobs, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(null, standard)
    return os.fdopen(jobs, "rb"), os.fdopen(answers, "wb")


def _forbid_files_and_dumps() -> None:
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # nothing here writes a file
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_memory(allowance: int) -> None:
    """Let this process grow by so much and no more; on Linux only, where the size it has now can be read.

    RLIMIT_DATA counts what is allocated and not the libraries and files that are mapped, as RLIMIT_AS would.
    """
    if resource is None or not _STATUS.exists():
        return
    in_use = next(int(line.split()[1]) for line in _STATUS.read_text().splitlines() if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (in_use * _KIBIBYTE + allowance, hard))


def _limit_time(seconds: float) -> None:
    """Have the kernel end this process after so many seconds; zero takes the limit back."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main()
