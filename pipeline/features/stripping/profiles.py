"""Color profiles, built again from the tags that colors hang on; what else a file calls a profile is not passed on.

A profile may hold private tags, the serial number of a monitor among them, and bytes that no tag refers to. Each tag
that is kept has one of few types (ICC.1:2022, chapters 9 and 10), whose length is known from its first bytes; what is
longer is cut. The name and the copyright of the profile stay. A profile that holds nothing else comes out as it was.
"""

import hashlib
import struct
import zlib

from pipeline.features.formats import damaged

LARGEST_PROFILE_BYTES = 4 << 20
"""Larger profiles are not looked at; those of printers, the largest that are common, have up to 3 MB."""

_SIZE_AT, _MARK_AT, _MARK, _ID, _RESERVED_AT = 0, 36, b"acsp", slice(84, 100), 100
_HEADER_BYTES, _COUNT_BYTES, _ENTRY_BYTES = 128, 4, 12
_MOST_TAGS = 200
_ALIGNMENT = 4
_NOT_IN_ID = (slice(44, 48), slice(64, 68), _ID)  # flags, intent and the ID itself count as zero in the ID

_KEPT = frozenset(
    b"desc cprt dmnd dmdd vued wtpt bkpt chad chrm lumi meas view tech cicp rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC "
    b"A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 rig0 ciis".split()
)

_TEXTS, _LONGEST_TEXT_BYTES = frozenset({b"desc", b"text", b"mluc"}), 1 << 13
_LENGTHS = {b"XYZ ": 20, b"sf32": 44, b"sig ": 12, b"meas": 36, b"view": 36, b"cicp": 12}
_PARAMETERS = (1, 3, 4, 5, 7)  # of the kinds of parametric curves


def rebuilt(profile: bytes) -> bytes | None:
    """Return a profile without what its colors do not need, or None when this is none, or one that is cut short.

    Raises DamagedImage for a profile that may be needed and is not understood.
    """
    if len(profile) < _HEADER_BYTES + _COUNT_BYTES or profile[_MARK_AT : _MARK_AT + 4] != _MARK:
        return None
    size, count = (*struct.unpack_from(">I", profile, _SIZE_AT), *struct.unpack_from(">I", profile, _HEADER_BYTES))
    if size > len(profile):
        return None
    if size > LARGEST_PROFILE_BYTES or count > _MOST_TAGS:
        raise damaged("a color profile that is too large")
    return _written(profile[:_HEADER_BYTES], _tags(profile[:size], count))


def unpacked(data: bytes) -> bytes | None:
    """Return what a zlib stream holds, None when it is none; more than LARGEST_PROFILE_BYTES are a DamagedImage."""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(data, LARGEST_PROFILE_BYTES + 1)
    except zlib.error:
        return None
    if len(found) > LARGEST_PROFILE_BYTES:
        raise damaged("a color profile that is too large")
    return found if inflater.eof else None


def _tags(profile: bytes, count: int) -> dict[bytes, tuple[int, bytes]]:
    """Return where each kept tag stood and what it holds, by its name, in the order of their table."""
    found: dict[bytes, tuple[int, bytes]] = {}
    start = _HEADER_BYTES + _COUNT_BYTES
    if start + count * _ENTRY_BYTES > len(profile):
        raise damaged("a color profile that ends within its table")
    for at in range(start, start + count * _ENTRY_BYTES, _ENTRY_BYTES):
        name, offset, length = struct.unpack_from(">4sII", profile, at)
        if name in _KEPT and name not in found:
            data = profile[offset : offset + length]
            if len(data) != length or length < _ENTRY_BYTES:
                raise damaged("a color profile with a tag outside of it")
            if data[:4] not in _TEXTS or length <= _LONGEST_TEXT_BYTES:
                found[name] = offset, _cut(data)
    return found


def _cut(data: bytes) -> bytes:
    length = _length(data[:4], data)
    if length > len(data):
        raise damaged("a color profile with a tag that is too short")
    return data[:4] + bytes(4) + data[8:length]  # the four bytes after the type are reserved


def _length(kind: bytes, data: bytes) -> int:
    """Return the bytes that a tag of a type has."""
    first = int.from_bytes(data[8:10], "big")
    if kind in _TEXTS:
        return len(data)
    if kind == b"curv":
        return 12 + 2 * int.from_bytes(data[8:12], "big")
    if kind == b"para" and first < len(_PARAMETERS):
        return 12 + 4 * _PARAMETERS[first]
    if kind == b"chrm":
        return 12 + 8 * first
    if kind in {b"mft1", b"mft2"}:
        return _table_length(kind, data)
    if kind not in _LENGTHS:
        raise damaged("a color profile with a tag of another type")
    return _LENGTHS[kind]


def _table_length(kind: bytes, data: bytes) -> int:
    """Return the bytes of a table of colors: its header, a curve for each channel, and a grid between them."""
    inputs, outputs, points = data[8:11]
    grid = int(points**inputs)
    if kind == b"mft1":
        return 48 + 256 * (inputs + outputs) + grid * outputs
    if len(data) < 52:  # noqa: PLR2004 - the header that the standard has
        raise damaged("a color profile with a tag that is too short")
    before, after = int.from_bytes(data[48:50], "big"), int.from_bytes(data[50:52], "big")
    return 52 + 2 * (inputs * before + grid * outputs + outputs * after)


def _written(header: bytes, tags: dict[bytes, tuple[int, bytes]]) -> bytes:
    """Return a profile of these tags, their data in the order in which it was; tags that shared theirs still do."""
    at = _HEADER_BYTES + _COUNT_BYTES + len(tags) * _ENTRY_BYTES
    body, places = bytearray(), dict[tuple[int, bytes], int]()
    for place in sorted(set(tags.values())):
        places[place] = at + len(body)
        body += place[1] + bytes(-len(place[1]) % _ALIGNMENT)
        if len(body) > LARGEST_PROFILE_BYTES:
            raise damaged("a color profile whose tags overlap")
    table = b"".join(struct.pack(">4sII", name, places[tag], len(tag[1])) for name, tag in tags.items())
    head = struct.pack(">I", at + len(body)) + header[4:_RESERVED_AT] + bytes(_HEADER_BYTES - _RESERVED_AT)
    return _with_true_id(head + struct.pack(">I", len(tags)) + table + body)


def _with_true_id(profile: bytes) -> bytes:
    """Return a profile whose ID is the sum that it should be, or is left out."""
    whole = bytearray(profile)
    for place in _NOT_IN_ID:
        whole[place] = bytes(place.stop - place.start)
    true_id = hashlib.md5(whole, usedforsecurity=False).digest()
    written = bytearray(profile)
    if written[_ID] != true_id:
        written[_ID] = bytes(len(true_id))
    return bytes(written)
