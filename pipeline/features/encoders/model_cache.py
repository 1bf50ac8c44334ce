"""A folder of what was built once: each file is written whole or not at all, and its name says what it must hold.

Networks are kept there, and what a network said of words that do not change. The name of a file ends in the SHA-256 of
its content, so a file that was damaged is noticed and built again, and several processes that build the same thing at
once put the same file in the same place.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)


NETWORK = ".onnx"


def load_or_build(folder: Path, name: str, build: Callable[[], bytes], *, suffix: str = NETWORK) -> bytes:
    """Return what is kept in `folder` under `name`, or build it and keep it.

    `name` has to change whenever `build` would return something else. A folder that cannot be written costs
    only the building, next time again, and is logged.
    """
    kept = _load(folder, name, suffix)
    if kept is not None:
        return kept
    content = build()
    try:
        _keep(folder, name, content, suffix)
    except OSError as error:
        logger.warning("%s cannot be kept in %s and is built anew each time: %s", name, folder, error)
    return content


def _load(folder: Path, name: str, suffix: str) -> bytes | None:
    for path in sorted(folder.glob(f"{name}-*{suffix}")):
        try:
            content = path.read_bytes()
        except OSError as error:
            logger.warning("%s cannot be read and is built again: %s", path, error)
            continue
        if path.name == _file_name(name, content, suffix):
            return content
        logger.warning("%s is damaged and is built again.", path)
    return None


READABLE = 0o644
"""The mode of a file: an image is built by one user and run by another, and there is nothing secret in it."""


def _keep(folder: Path, name: str, content: bytes, suffix: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            os.fchmod(stream.fileno(), READABLE)
        Path(temporary).replace(folder / _file_name(name, content, suffix))
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _file_name(name: str, content: bytes, suffix: str) -> str:
    return f"{name}-{hashlib.sha256(content).hexdigest()}{suffix}"
