"""A file of the palettes that a process holds in memory, so that a start reads one file and not millions of rows.

It is a copy of a copy: one that is missing, half-written, damaged, of another program or of another database is passed
over, and everything is read from the table. Written beside its place, synced and renamed, so that other processes see
all of it or nothing.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.durable import sync_folder
from pipeline.stores.records_embeddings import last_change
from pipeline.stores.swatch_columns import Palettes, Rows
from pipeline.stores.tables import embeddings

log = logging.getLogger(__name__)

FORMAT = "likeness palettes 1"
DIGEST_BYTES = hashlib.sha256().digest_size

COMPARED_WITH_TABLE = 256
"""Images changed last whose palettes must be in a file as they are in the table. A database that was restored from a
copy and went on has given the newest numbers a second time, so it is there that the file would be wrong."""

Reader = Callable[[Connection, Rows], Palettes]
"""Reads the palettes of some rows from the table, in ascending order of rows."""


def write(path: Path, seen: int, palettes: Palettes) -> None:
    """Write palettes as they were after the change `seen`. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = np.flatnonzero(palettes.counts)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            hashed = hashlib.sha256()
            header = {"format": FORMAT, "seen": seen, "images": len(kept)}
            for part in (json.dumps(header).encode() + b"\n", *(_bytes_of(palettes, name, kept) for name in _names())):
                hashed.update(part)
                file.write(part)
            file.write(hashed.digest())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def read(path: Path, connection: Connection, of_table: Reader) -> tuple[int, Palettes] | None:
    """Return the number of the last change that is in the file, and its palettes, if it agrees with the table."""
    try:
        content = bytearray(path.read_bytes())
        seen, palettes = _parsed(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        log.warning("the file of the palettes cannot be used and is made anew: %s: %s", path, error)
        return None
    if not _agrees(connection, seen, palettes, of_table):
        log.warning("the file of the palettes belongs to other data and is made anew: %s", path)
        return None
    return seen, palettes


def _names() -> list[str]:
    return [field.name for field in fields(Palettes)]


def _bytes_of(palettes: Palettes, name: str, kept: np.ndarray[Any, Any]) -> bytes:
    array = getattr(palettes, name)
    return bytes(np.ascontiguousarray(array[kept] if array.ndim == 1 else array[:, kept]).data)


def _parsed(content: bytearray) -> tuple[int, Palettes]:
    """Return what the bytes of a file say; the arrays are theirs. Raises ValueError for what is no such file."""
    end = len(content) - DIGEST_BYTES
    whole = memoryview(content)
    if end <= 0 or hashlib.sha256(whole[:end]).digest() != whole[end:]:
        raise ValueError("it is damaged")
    place = content.index(b"\n") + 1
    header = json.loads(whole[:place].tobytes())
    if header["format"] != FORMAT:
        raise ValueError("it is of another version")
    empty = Palettes.empty(header["images"])
    arrays: dict[str, Any] = {}
    for name in _names():
        like = getattr(empty, name)
        arrays[name] = np.frombuffer(content, like.dtype, like.size, place).reshape(like.shape)
        place += like.nbytes
    if place != end:
        raise ValueError("it has another length")
    return int(header["seen"]), Palettes(**arrays)


def _agrees(connection: Connection, seen: int, palettes: Palettes, of_table: Reader) -> bool:
    if last_change(connection) < seen:
        return False
    newest = (
        sa.select(embeddings.c.image_row)
        .where(embeddings.c.change <= seen)
        .order_by(embeddings.c.change.desc())
        .limit(COMPARED_WITH_TABLE)
    )
    rows = np.unique(np.array(list(connection.scalars(newest)), np.int64))
    table = of_table(connection, rows)
    slots = np.flatnonzero(np.isin(palettes.rows, rows))
    slots = slots[np.argsort(palettes.rows[slots], kind="stable")]
    return (
        np.array_equal(palettes.rows[slots], table.rows)
        and np.array_equal(palettes.lab[:, slots], table.lab)
        and np.array_equal(palettes.shares[:, slots], table.shares)
        and np.array_equal(palettes.background[:, slots], table.background)
    )
