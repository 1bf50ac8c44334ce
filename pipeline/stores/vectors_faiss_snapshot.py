"""A file of what a process holds in memory, so that a start reads one file and not every row of a table.

It is a copy of a copy: one that is missing, half-written, damaged, of another encoder or program, or of another
database is passed over, and everything is made anew. Written beside its place, synced and renamed, so that other
processes see all of it or nothing. One process at a time builds and writes; the others take what it has written.
"""

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from pipeline.durable import sync_folder
from pipeline.stores import locks
from pipeline.stores.database import Connection
from pipeline.stores.filter_columns import FilterColumns
from pipeline.stores.records_embeddings import WHOLE, last_change
from pipeline.stores.tables import embeddings
from pipeline.stores.vectors_faiss_graph import Graph, GraphPlan
from pipeline.stores.vectors_faiss_slots import Slots

log = logging.getLogger(__name__)

FORMAT = "likeness faiss 1"
DIGEST_BYTES = hashlib.sha256().digest_size
PIECE_BYTES = 8 << 20  # read, hashed or written at once
SLOTS_PER_PIECE = 8192  # copied at once while searches wait: 8 MB of 512 float16 each, a few milliseconds

COMPARED_WITH_TABLE = 256
"""Newest rows of the table that must be in a file as they are there. A database that was restored from a copy and went
on has given the newest numbers a second time, so it is there that the file would be wrong."""


class SnapshotFile:
    """The file of one encoder in a folder, which need not be there yet."""

    def __init__(self, folder: Path, encoder: str, dimension: int, plan: GraphPlan) -> None:
        self.path = folder / f"{encoder[:16]}.faiss"
        self.encoder = encoder
        self.dimension = dimension
        self.plan = plan

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Give whether it is this process's turn to build and write; another's ends when it is done, or dies.

        Raises OSError or StoreUnavailable when the folder cannot be written to.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locks.file_lock(str(self.path), "turn", time.monotonic()) as held:
            yield held

    def write(self, slots: Slots, graph: Graph, lock: threading.Lock) -> None:
        """Write what `slots` and `graph` hold now. Searches go on but for the moments in which `lock` is held.

        The graph must not grow meanwhile. Raises OSError, also when the slots are numbered anew meanwhile.
        """
        partial = self.path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                written = _Hashing(file)
                self._write(written, slots, graph, lock)
                file.write(written.hash.digest())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def remove(self) -> None:
        """Remove the file if there is one and it can be removed."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the file of the vector index cannot be removed: %s", error)

    def read(self, connection: Connection) -> tuple[Slots, Graph] | None:
        """Return what the file holds, if it is whole, made for this encoder and program, and agrees with the table."""
        try:
            with self.path.open("rb") as file:
                if not _is_whole(file):
                    log.warning("the file of the vector index is damaged and is made anew: %s", self.path)
                    return None
                file.seek(0)
                header = json.loads(file.readline())
                if header["made_for"] != self._made_for():
                    log.info("the file of the vector index was made for something else: %s", self.path)
                    return None
                slots = self._read_slots(file, header)
                if not agrees(slots, connection, self.encoder):
                    log.warning("the file of the vector index belongs to other data and is made anew: %s", self.path)
                    return None
                return slots, Graph.read(file.read, self.plan)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("the file of the vector index cannot be read and is made anew: %s", error)
            return None

    def _made_for(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "faiss": faiss.__version__,
            "encoder": self.encoder,
            "dimension": self.dimension,
            "neighbors": self.plan.neighbors,
            "ef_construction": self.plan.ef_construction,
        }

    def _write(self, file: "_Hashing", slots: Slots, graph: Graph, lock: threading.Lock) -> None:
        with lock:
            numbering = slots.numbering
            arrays, words = slots.columns.copies()
            length, seen = len(slots), slots.seen
            is_live = np.zeros(length, np.bool_)
            is_live[slots.held()] = True
        header = {"made_for": self._made_for(), "seen": seen, "slots": length, "words": words}
        header["columns"] = {name: array.dtype.str for name, array in arrays.items()}
        file.write(json.dumps(header).encode() + b"\n")
        file.write(is_live.tobytes())
        for array in arrays.values():
            file.write(array.tobytes())
        for begin in range(0, length, SLOTS_PER_PIECE):
            with lock:
                if slots.numbering != numbering:
                    raise OSError("the slots were numbered anew while they were written")
                codes = slots.codes(begin, min(begin + SLOTS_PER_PIECE, length))
            file.write(codes.tobytes())
        graph.write(file.write)

    def _read_slots(self, file: BinaryIO, header: dict[str, Any]) -> Slots:
        length = int(header["slots"])

        def array(kind: str) -> npt.NDArray[Any]:
            made = np.empty(length, kind)
            _read_into(file, made.view(np.uint8))
            return made

        is_live = array("?")
        columns = FilterColumns.of({name: array(kind) for name, kind in header["columns"].items()}, header["words"])
        slots = Slots(self.dimension)
        slots.fill(columns, is_live, lambda codes: _read_into(file, codes))
        slots.seen = int(header["seen"])
        return slots


def agrees(slots: Slots, connection: Connection, encoder: str) -> bool:
    """Whether the newest rows of the table that `slots` should have are there as they are in the table."""
    if last_change(connection) < slots.seen:
        return False
    newest = connection.execute(
        sa.select(embeddings.c.image_row, embeddings.c.change, embeddings.c.vector)
        .where(embeddings.c.encoder == encoder, embeddings.c.region == WHOLE, embeddings.c.change <= slots.seen)
        .order_by(embeddings.c.change.desc())
        .limit(COMPARED_WITH_TABLE)
    )
    changes = slots.columns.changes()
    for row, change, vector in newest:
        slot = slots.slot_of(row)
        if slot is None:
            if vector:
                return False
        elif changes[slot] != change or slots.code(slot) != vector:
            return False
    return True


class _Hashing:
    """Writes to a file and hashes what it wrote."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self.file.write(data)


def _is_whole(file: BinaryIO) -> bool:
    """Whether the file ends with the hash of all that stands before it."""
    left = file.seek(0, os.SEEK_END) - DIGEST_BYTES
    if left <= 0:
        return False
    file.seek(0)
    hashed = hashlib.sha256()
    while left > 0:
        piece = file.read(min(left, PIECE_BYTES))
        if not piece:
            return False
        hashed.update(piece)
        left -= len(piece)
    return file.read(DIGEST_BYTES) == hashed.digest()


def _read_into(file: BinaryIO, codes: npt.NDArray[np.uint8]) -> None:
    rest = codes.data
    while rest:
        rest = rest[file.readinto(rest) :]  # type: ignore[attr-defined] # a file has it
