"""What an object store holds at the beginning of a move, and what of that has been looked at.

That something is there, as long as it should be, does not say that it is whole. What has been is remembered in the
store itself, so that a move that was interrupted looks at nothing twice; it is forgotten when the move is done.
"""

import hashlib
from io import BytesIO
from threading import Lock

from pipeline.errors import ObjectNotFound
from pipeline.stores.charge import MARKS
from pipeline.stores.protocols import ObjectStore

KEY_BYTES = 8
"""Of the hash by which a key is remembered, instead of its hundred letters. Among ten million keys two have the same
with a chance of 1 to 370,000."""

VERIFIED_KEY = f"{MARKS}/verified"
WRITTEN_AFTER = 2000  # originals; reading so many takes a minute, and writing down 100,000 of them is 0.8 MB

ORIGINALS = "originals/"


class Inventory:
    """Which objects a store has, their lengths, and which were verified: some 140 bytes of memory each."""

    def __init__(self, store: ObjectStore | None = None) -> None:
        """List what is in `store`; None is an empty one, in which nothing is remembered."""
        self._store = store
        self._bytes: dict[int, int] = {}  # the length, or when the object was verified what -1 - length gives
        self._verified = bytearray()  # the hashes of their keys, one behind the other
        self._unwritten = 0
        self._lock = Lock()
        self.originals = 0
        if store:
            self._take(store)

    def add(self, key: str, size: int) -> None:
        """Remember an object of so many bytes that was just compared."""
        self._bytes[_short(key)] = -1 - size

    def verify(self, key: str, size: int) -> None:
        """Remember, also for the next move, that an original is whole."""
        self.add(key, size)
        with self._lock:
            self._verified += _hash(key)
            self._unwritten += 1
            if self._unwritten == WRITTEN_AFTER:
                self.write_down()

    def size_of(self, key: str) -> int | None:
        """Return the length of an object, or None when there is none under this key."""
        size = self._bytes.get(_short(key))
        return -1 - size if size is not None and size < 0 else size

    def is_verified(self, key: str) -> bool:
        """Whether an object is there that has been looked at."""
        return self._bytes.get(_short(key), 0) < 0

    def __contains__(self, key: str) -> bool:
        return _short(key) in self._bytes

    def write_down(self) -> None:
        """Write into the store what was verified."""
        if self._store and self._unwritten:
            self._store.put(VERIFIED_KEY, BytesIO(bytes(self._verified)))
            self._unwritten = 0

    def forget(self) -> None:
        """Remove from the store what was verified: by the next move it may be otherwise."""
        if self._store:
            self._store.delete(VERIFIED_KEY)

    def _take(self, store: ObjectStore) -> None:
        for stored in store.list(""):
            self._bytes[_short(stored.key)] = stored.bytes
            self.originals += stored.key.startswith(ORIGINALS)
        try:
            with store.open(VERIFIED_KEY) as stream:
                self._verified += stream.read()
        except ObjectNotFound:
            return
        for start in range(0, len(self._verified), KEY_BYTES):
            short = int.from_bytes(self._verified[start : start + KEY_BYTES], "big")
            if (size := self._bytes.get(short, -1)) >= 0:
                self._bytes[short] = -1 - size


def has_others(held: Inventory, known: ObjectStore) -> bool:
    """Whether there are originals in the inventory that the store `known` has not, and so those of somebody else."""
    return held.originals > 0 and held.originals > sum(stored.key in held for stored in known.list(ORIGINALS))


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=KEY_BYTES).digest()


def _short(key: str) -> int:
    return int.from_bytes(_hash(key), "big")
