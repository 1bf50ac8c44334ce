"""The hashes of all banks in memory, as uploads are compared with them.

A cache in the process that follows the database: every change of a bank or of its entries raises the version of the
bank, and what has another one is read anew, or only what was added. A million entries take 120 MB.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from pipeline.features.near_hashes import HASH_BYTES, NearHashes
from pipeline.flood_watch import FloodWatch
from pipeline.stores import records_banks
from pipeline.stores.database import Connection, Database
from pipeline.stores.records_banks import Bank

NO_QUALITY = -1
READ_AT_ONCE = 100_000  # entries; as rows they take far more memory than as arrays
NEVER = np.datetime64("NaT", "us")


@dataclass(frozen=True)
class Known:
    """A bank with its entries, in the order of their ids: hashes, PDQ's quality or -1, and the end of each or NaT."""

    bank: Bank
    ids: npt.NDArray[np.int64]
    hashes: NearHashes
    qualities: npt.NDArray[np.int16]
    ends: npt.NDArray[np.datetime64]

    @property
    def last(self) -> int:
        """The id of the newest entry, 0 without any."""
        return int(self.ids[-1]) if len(self.ids) else 0


class BankTable:
    """Every bank as it is now, and how much each has matched lately. May be used from several threads at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.watch = FloodWatch()
        self._lock = threading.Lock()
        self._known: Mapping[str, Known] = {}

    def known(self) -> list[Known]:
        """Return all banks with their entries. Raises StoreUnavailable when the database does not answer."""
        with self._lock:
            with self.database.read() as connection:
                banks = records_banks.list_all(connection)
                self._known = {bank.id: self._brought_on(connection, bank) for bank in banks}
            return list(self._known.values())

    def _brought_on(self, connection: Connection, bank: Bank) -> Known:
        before = self._known.get(bank.id)
        if before is None or before.bank.removals != bank.removals:
            return _read(connection, _nothing(bank))
        if before.bank.version == bank.version:
            return before
        return _read(connection, replace(before, bank=bank))


def _nothing(bank: Bank) -> Known:
    empty = NearHashes(np.empty((0, HASH_BYTES), np.uint8))
    return Known(bank, np.empty(0, np.int64), empty, np.empty(0, np.int16), np.empty(0, "datetime64[us]"))


def _read(connection: Connection, known: Known) -> Known:
    """Return a bank with the entries that are behind those which it has."""
    parts: list[_Part] = []
    last = known.last
    while rows := records_banks.read_hashes(connection, known.bank.id, last, READ_AT_ONCE):
        parts.append(_part(rows))
        last = rows[-1][0]
    if not parts:
        return known
    read = np.concatenate([part.hashes for part in parts])
    return Known(
        known.bank,
        np.concatenate([known.ids, *(part.ids for part in parts)]),
        known.hashes.with_more(read) if len(known.hashes) else NearHashes(read),
        np.concatenate([known.qualities, *(part.qualities for part in parts)]),
        np.concatenate([known.ends, *(part.ends for part in parts)]),
    )


@dataclass(frozen=True)
class _Part:
    ids: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint8]
    qualities: npt.NDArray[np.int16]
    ends: npt.NDArray[np.datetime64]


def _part(rows: Sequence[tuple[int, bytes, int | None, datetime | None]]) -> _Part:
    ids, hashes, qualities, ends = zip(*rows, strict=True)
    moments = np.full(len(ids), NEVER)
    for place, end in enumerate(ends):
        if end is not None:  # hardly any has one
            moments[place] = np.datetime64(end.replace(tzinfo=None), "us")
    return _Part(
        np.array(ids, np.int64),
        np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES),
        np.array([NO_QUALITY if quality is None else quality for quality in qualities], np.int16),
        moments,
    )
