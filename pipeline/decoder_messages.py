"""What the service and its decoder processes say to each other: a JSON header and bytes, never pickles.

A decoder process reads hostile files and may be taken over by one. Whatever it answers is only data here, of bounded
length; which format a file has is taken from the service's own look at it.
"""

import json
import math
import struct
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pipeline.errors import DamagedImage, ImageRejected, TooManyBytes, TooManyPixels, UnsupportedFormat
from pipeline.features.decode import Limits
from pipeline.features.picture import Facts, Picture
from pipeline.features.shrink import target_of

_LENGTHS = struct.Struct(">IQ")
_MAX_HEADER_BYTES = 1 << 16
"""Of a header: a path, or the few short texts of EXIF, at six characters for one that is not ASCII."""

_REJECTIONS = {kind.code: kind for kind in (UnsupportedFormat, TooManyBytes, TooManyPixels, DamagedImage)}


@dataclass(frozen=True)
class Job:
    """One picture to decode: its bytes or its path, the limits, what it may cost, and what is wanted.

    `long_side_px` asks for a display copy of that size instead of the working copy. `memory_bytes` is what the process
    may grow by, `seconds` the wall-clock time after which it ends itself.
    """

    source: bytes | Path
    limits: Limits
    memory_bytes: int
    seconds: float
    long_side_px: int | None = None


Answer = Picture | bytes | ImageRejected


def write_job(stream: BinaryIO, job: Job) -> None:
    """Send a job."""
    header = {
        "path": str(job.source) if isinstance(job.source, Path) else None,
        "limits": asdict(job.limits),
        "memory_bytes": job.memory_bytes,
        "seconds": job.seconds,
        "long_side_px": job.long_side_px,
    }
    _write(stream, header, b"" if isinstance(job.source, Path) else job.source)


def read_job(stream: BinaryIO) -> Job | None:
    """Return the next job, or None when the service has gone."""
    message = _read(stream)
    if message is None:
        return None
    header, body = message
    source = body if header["path"] is None else Path(header["path"])
    limits = Limits(**header["limits"])
    return Job(source, limits, header["memory_bytes"], header["seconds"], header["long_side_px"])


def write_answer(stream: BinaryIO, answer: Answer) -> None:
    """Send what became of a job."""
    if isinstance(answer, ImageRejected):
        error = {"code": answer.code, "message": answer.user_message, "detail": answer.detail}
        _write(stream, {"error": error}, b"")
    elif isinstance(answer, bytes):
        _write(stream, {"file": True}, answer)
    else:
        facts = asdict(answer.facts) | {"taken_at": answer.facts.taken_at and answer.facts.taken_at.isoformat()}
        header = {"shape": answer.pixels.shape[:2], "alpha": answer.alpha is not None, "facts": facts}
        alpha = b"" if answer.alpha is None else answer.alpha.tobytes()
        _write(stream, header, answer.pixels.tobytes() + alpha)


def read_answer(stream: BinaryIO, job: Job) -> Answer | None:
    """Return what became of a job, or None when the process ended before it answered.

    Raises ValueError, KeyError, TypeError or RecursionError for an answer that makes no sense, before it takes more
    memory than the copy that was asked for.
    """
    message = _read(stream, most_bytes=target_of(job.long_side_px).most_bytes())
    if message is None:
        return None
    header, body = message
    if "error" in header:
        error = header["error"]
        return _REJECTIONS[error["code"]](error["message"], detail=error["detail"])
    return body if "file" in header else _picture(header, body)


def _picture(header: dict[str, Any], body: bytes) -> Picture:
    height, width = header["shape"]
    values = np.frombuffer(body, dtype=np.uint8)
    count = height * width * 3
    alpha = values[count:].reshape(height, width) if header["alpha"] else None
    facts = dict(header["facts"])
    facts["taken_at"] = datetime.fromisoformat(facts["taken_at"]) if facts["taken_at"] else None
    return Picture(values[:count].reshape(height, width, 3), alpha, Facts(**facts))


def _write(stream: BinaryIO, header: dict[str, Any], body: bytes) -> None:
    text = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(text), len(body)) + text)
    stream.write(body)
    stream.flush()


def _read(stream: BinaryIO, most_bytes: float = math.inf) -> tuple[dict[str, Any], bytes] | None:
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    header_bytes, body_bytes = _LENGTHS.unpack(lengths)
    if header_bytes > _MAX_HEADER_BYTES or body_bytes > most_bytes:
        raise ValueError(f"a message of {header_bytes} and {body_bytes} bytes")
    text, body = stream.read(header_bytes), stream.read(body_bytes)
    if len(text) < header_bytes or len(body) < body_bytes:
        return None
    return json.loads(text), body
