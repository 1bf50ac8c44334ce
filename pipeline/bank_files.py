"""Files of PDQ hashes as other tools exchange them: read as far as they can be, and written.

ThreatExchange, HMA and pdq-photo-hasher write 64 hexadecimal digits a hash, in a column of a CSV file that is called
hash or pdq or otherwise, or one on each line, some with the quality. What cannot be used of a file is told by the
number of its line, and stops nothing else.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import chain

from pipeline.features.pdq import from_hex, to_hex
from pipeline.spreadsheets import as_cell

HASH_NAMES = ("pdq", "hash", "pdq_hash", "pdqhash", "hash_value", "signal_value", "signal", "indicator", "value")
QUALITY_NAMES = ("quality", "pdq_quality", "hash_quality")
NOTES_NAMES = ("notes", "note", "description", "comment", "label", "tags")
TYPE_NAMES = ("signal_type", "hash_type", "type", "indicator_type")
PDQ_NAMES = frozenset({"pdq", "hash_pdq", "pdqhash", "pdq_hash", ""})

COLUMNS = ("hash", "quality", "notes")
"""Of a file that is written."""

DELIMITERS = ",;\t|"
HASH = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
WORD = re.compile(r"[^a-z0-9]+")
LONGEST_LINE = 5000
LONGEST_NOTE = 255  # characters that are kept, as HMA does
MOST_QUALITY = 100

NO_HASH = "There is no PDQ hash of 64 hexadecimal digits in it."
WRONG_LENGTH = "Its hash has {length} characters, where a PDQ hash has 64 hexadecimal digits."
NOT_HEX = "Its hash has signs that are no hexadecimal digits."
WRONG_TYPE = "It is a hash of the kind “{kind}”; only PDQ can be compared."
WRONG_QUALITY = "Its quality “{quality}” is no whole number from 0 to 100."
TOO_LONG = f"It is longer than {LONGEST_LINE:,} characters."
UNREADABLE = "It cannot be read as CSV."


@dataclass(frozen=True)
class ReadHash:
    """A hash of 32 bytes with PDQ's quality, None if it was not told, and what was noted of it."""

    hash: bytes
    quality: int | None = None
    notes: str = ""


@dataclass(frozen=True)
class RefusedLine:
    """A line, by its number from 1, that cannot be used, and why."""

    number: int
    reason: str


def text_of(data: bytes) -> str:
    """Return the text of a file in UTF-8, in UTF-16 with its mark, or else in the Latin letters that all bytes are."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_hashes(text: str) -> Iterator[ReadHash | RefusedLine]:
    """Give each hash of a file, and each line that cannot be used; empty lines and comments (#) are passed over.

    A first line without a hash that names its columns is the head. Without one the hash is wherever 64 hexadecimal
    digits are, and a number behind it is the quality.
    """
    lines = _lines(text)
    first = next(lines, None)
    if first is None:
        return
    delimiter = _delimiter(first[1])
    head = _head(_cells(first[1], delimiter))
    for number, line in lines if head is not None else chain([first], lines):
        yield _read(number, line, delimiter, head)


def csv_lines(hashes: Iterable[ReadHash]) -> Iterator[str]:
    """Return the lines of a CSV file, with a head."""
    yield _line(COLUMNS)
    for one in hashes:
        quality = "" if one.quality is None else str(one.quality)
        yield _line((to_hex(one.hash), quality, str(as_cell(one.notes))))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    except csv.Error:
        return []


def _head(cells: Sequence[str]) -> Mapping[str, int] | None:
    """Return where hash, quality, notes and type are, if these are the names of columns."""
    if any(HASH.fullmatch(cell) for cell in cells):
        return None
    names = [WORD.sub("_", cell.casefold()).strip("_") for cell in cells]
    found = {}
    for what, known in (("hash", HASH_NAMES), ("quality", QUALITY_NAMES), ("notes", NOTES_NAMES), ("type", TYPE_NAMES)):
        places = [names.index(name) for name in known if name in names]
        if places:
            found[what] = places[0]
    return found if "hash" in found else None


def _read(number: int, line: str, delimiter: str, head: Mapping[str, int] | None) -> ReadHash | RefusedLine:
    if len(line) > LONGEST_LINE:
        return RefusedLine(number, TOO_LONG)
    cells = _cells(line, delimiter)
    if not cells:
        return RefusedLine(number, UNREADABLE)
    return _by_head(number, cells, head) if head is not None else _by_looks(number, line)


def _by_head(number: int, cells: Sequence[str], head: Mapping[str, int]) -> ReadHash | RefusedLine:
    told = {what: cells[place] if place < len(cells) else "" for what, place in head.items()}
    kind = WORD.sub("_", told.get("type", "").casefold()).strip("_")
    if kind not in PDQ_NAMES:
        return RefusedLine(number, WRONG_TYPE.format(kind=told["type"][:40]))
    found = HASH.fullmatch(told["hash"])
    if not found:
        return RefusedLine(number, _fault(told["hash"]))
    quality = told.get("quality", "")
    if quality and not _is_quality(quality):
        return RefusedLine(number, WRONG_QUALITY.format(quality=quality[:40]))
    return ReadHash(from_hex(found[1]), int(float(quality)) if quality else None, _note(told.get("notes", "")))


def _by_looks(number: int, line: str) -> ReadHash | RefusedLine:
    parts = [part for part in re.split(r"[\s,;|\"']+", line) if part]
    hashes = [place for place, part in enumerate(parts) if HASH.fullmatch(part)]
    if not hashes:
        longest = max(parts, key=len)
        return RefusedLine(number, _fault(longest) if len(parts) == 1 else NO_HASH)
    place = hashes[0]
    behind = parts[place + 1] if place + 1 < len(parts) else ""
    found = HASH.fullmatch(parts[place])
    digits = found[1] if found else ""
    return ReadHash(from_hex(digits), int(behind) if behind.isdecimal() and _is_quality(behind) else None)


def _fault(text: str) -> str:
    if not text:
        return NO_HASH
    digits = text.removeprefix("0x")
    if len(digits) != 2 * 32:
        return WRONG_LENGTH.format(length=len(digits))
    return NOT_HEX


def _is_quality(text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return 0 <= number <= MOST_QUALITY and number.is_integer()


def _note(text: str) -> str:
    """Return a note as it was before it was made safe for spreadsheets, on one line."""
    plain = text.removeprefix("'") if text[1:2] in "=+-@" and text.startswith("'") and len(text) > 1 else text
    return " ".join(plain.split())[:LONGEST_NOTE]


def _line(values: Sequence[str]) -> str:
    text = StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue()
