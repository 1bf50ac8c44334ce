"""Whether what came of an object is what lies in the store, by the ETag that the service tells.

The ETag of an object that was put at once is the MD5 of its bytes; of one that was put in parts it is the MD5 of the
MD5s of the parts, and their number. With keys of a key service, and in some services always, it is neither, and
then nothing can be told.

Another program may have put an object in parts of another size. Then the ETag of what came is another one as well, but
always the same: what comes twice alike is what lies there.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol

WHOLE = re.compile(r"[0-9a-f]{32}")
IN_PARTS = re.compile(r"[0-9a-f]{32}-(?P<parts>\d+)")
ENCRYPTION = "x-amz-server-side-encryption"
KEY_FROM_CUSTOMER = f"{ENCRYPTION}-customer-algorithm"


class Checker(Protocol):
    """Is given the bytes in order, and says whether they are the right ones."""

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    def is_right(self) -> bool:
        """Whether these were all the bytes, as they were put."""
        ...

    def found(self) -> str | None:
        """Return what to compare with a second download when they seem not to be; None when they surely are not."""
        ...


def checker_of(headers: Mapping[str, str], size: int | None, part_bytes: int) -> Checker:
    """Return what checks the bytes of an answer with these headers; ours in parts have parts of `part_bytes`."""
    etag = headers.get("etag", "").strip('"').lower()
    if headers.get(ENCRYPTION, "").startswith("aws:") or KEY_FROM_CUSTOMER in headers:
        return _Unknown()
    if WHOLE.fullmatch(etag):
        return _Whole(etag)
    found = IN_PARTS.fullmatch(etag)
    if found and size is not None and -(-size // part_bytes) == int(found["parts"]):
        return _InParts(etag, part_bytes)
    return _Unknown()


class _Unknown:
    """Nothing is told of the bytes; that all of them came has been seen from their number."""

    def update(self, data: bytes) -> None:
        del data

    def is_right(self) -> bool:
        return True

    def found(self) -> str | None:
        return None


class _Whole:
    def __init__(self, etag: str) -> None:
        self.etag = etag
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self._md5.update(data)

    def is_right(self) -> bool:
        return self._md5.hexdigest() == self.etag

    def found(self) -> str | None:
        return None


class _InParts:
    def __init__(self, etag: str, part_bytes: int) -> None:
        self.etag = etag
        self.part_bytes = self._room = part_bytes
        self._part = hashlib.md5(usedforsecurity=False)
        self._parts: list[bytes] = []
        self._whole = hashlib.sha256()

    def update(self, data: bytes) -> None:
        self._whole.update(data)
        view = memoryview(data)
        while view:
            self._part.update(view[: self._room])
            taken = min(self._room, len(view))
            self._room -= taken
            view = view[taken:]
            if not self._room:
                self._end_part()

    def is_right(self) -> bool:
        if self._room < self.part_bytes:
            self._end_part()
        md5 = hashlib.md5(b"".join(self._parts), usedforsecurity=False)
        return f"{md5.hexdigest()}-{len(self._parts)}" == self.etag

    def found(self) -> str | None:
        return self._whole.hexdigest()

    def _end_part(self) -> None:
        self._parts.append(self._part.digest())
        self._part = hashlib.md5(usedforsecurity=False)
        self._room = self.part_bytes
