"""The log of decisions on pairs, newest first: a page of it, or all of it as CSV or JSON.

It is read by those who may change pictures in the libraries of both; nobody else learns who decided what.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pipeline.access import check_reading
from pipeline.backend import Backend
from pipeline.errors import InvalidQuery, NotAllowed
from pipeline.principals import OWNER, Action, Principal
from pipeline.spreadsheets import as_cell
from pipeline.stores import records_decisions, records_images, records_libraries
from pipeline.stores.database import Connection
from pipeline.stores.records_decisions import Known, Logged

BATCH = 500  # lines read at once for an export
NOT_YOURS = "Only those who moderate a library read what was decided on its duplicates."
WRONG_CURSOR = "cursor must be a value that `next` gave before."
COLUMNS = (
    "time",
    "who",
    "decision",
    "kept",
    "what_was_done",
    "reason",
    "a_library",
    "a_sha256",
    "a_id",
    "a_filename",
    "b_library",
    "b_sha256",
    "b_id",
    "b_filename",
    "withdraws",
    "batch",
)


@dataclass(frozen=True)
class DecidedPicture:
    """One of the two pictures: `id` and `filename` are None when it has been purged, `library` is the name of today."""

    sha256: str
    library: str
    library_id: str
    id: str | None
    filename: str | None


@dataclass(frozen=True)
class LogLine:
    """A line of the log. `decision` is duplicate, variant, unrelated, or withdrawn.

    `kept` is "a" or "b" where one of them was to be kept. `did` is what was done beside: deleted, copied, restored, or
    "". `batch` is what was decided in one go; a line that is withdrawn takes back what was said of the pair in the one
    that `withdraws` names.
    """

    at: datetime
    who: str
    decision: str
    kept: str | None
    did: str
    reason: str
    a: DecidedPicture
    b: DecidedPicture
    withdraws: str | None
    batch: str


@dataclass(frozen=True)
class LogPage:
    """A part of the log. `next` is the cursor of the next part, None at the end."""

    lines: tuple[LogLine, ...]
    next: str | None


def read_decisions(backend: Backend, principal: Principal, *, cursor: str | None = None, limit: int) -> LogPage:
    """Return up to `limit` lines, newest first. Raises NotAllowed for whoever moderates nothing."""
    check_log(principal)
    with backend.database.read() as connection:
        readable = records_decisions.readable_by(connection, principal)
        before = None if cursor is None else _place(connection, cursor, readable)
        found = _read(connection, before, limit + 1, readable)
        shown = found[:limit]
        last = shown[-1] if len(found) > limit else None
        following = _cursor(connection, last[0], last[1].batch, readable) if last else None
    return LogPage(tuple(line for _, line in shown), following)


def csv_lines(backend: Backend, principal: Principal) -> Iterator[str]:
    """Return the whole log as lines of CSV, newest first, with a head. Raises NotAllowed before the first of them."""
    check_log(principal)
    return _csv_lines(backend, principal)


def json_lines(backend: Backend, principal: Principal) -> Iterator[str]:
    """Return the whole log as the parts of one JSON list, newest first. Raises NotAllowed before the first of them."""
    check_log(principal)
    return _json_lines(backend, principal)


def describe(line: LogLine) -> dict[str, object]:
    """Return a line ready for JSON."""
    return {
        "time": line.at.isoformat(),
        "who": line.who,
        "decision": line.decision,
        "kept": line.kept,
        "what_was_done": line.did,
        "reason": line.reason,
        "a": vars(line.a),
        "b": vars(line.b),
        "withdraws": line.withdraws,
        "batch": line.batch,
    }


def name_of(line: Logged) -> str:
    """Return who decided, in parentheses where it was no person."""
    return line.actor if line.actor_id else f"({'this machine' if line.actor == OWNER.name else line.actor})"


def check_log(principal: Principal) -> None:
    """Raise NotAllowed for whoever moderates nothing."""
    check_reading(principal)
    if principal.libraries(Action.CHANGE) == frozenset():
        raise NotAllowed(NOT_YOURS)


def _csv_lines(backend: Backend, principal: Principal) -> Iterator[str]:
    yield _csv(COLUMNS)
    for line in _all(backend, principal):
        a, b = line.a, line.b
        yield _csv(
            (
                line.at.isoformat(),
                line.who,
                line.decision,
                line.kept or "",
                line.did,
                line.reason,
                *(a.library, a.sha256, a.id or "", a.filename or ""),
                *(b.library, b.sha256, b.id or "", b.filename or ""),
                line.withdraws or "",
                line.batch,
            )
        )


def _json_lines(backend: Backend, principal: Principal) -> Iterator[str]:
    between = "["
    for line in _all(backend, principal):
        yield f"{between}\n{json.dumps(describe(line), ensure_ascii=False)}"
        between = ","
    yield "[]\n" if between == "[" else "\n]\n"


def _csv(values: tuple[object, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([as_cell(value) for value in values])
    return text.getvalue()


def _all(backend: Backend, principal: Principal) -> Iterator[LogLine]:
    before: int | None = None
    while True:
        with backend.database.read() as connection:
            found = _read(connection, before, BATCH, records_decisions.readable_by(connection, principal))
        if not found:
            return
        yield from (line for _, line in found)
        before = found[-1][0]


def _read(
    connection: Connection, before: int | None, limit: int, readable: frozenset[str] | None
) -> list[tuple[int, LogLine]]:
    """Return lines with their numbers, which never leave the application: they count what was decided elsewhere."""
    found = records_decisions.entries(connection, readable, before=before, limit=limit)
    pictures = _pictures(connection, {picture for line in found for picture in line.pair})
    return [(line.id, _line(line, pictures)) for line in found]


def _cursor(connection: Connection, number: int, batch: str, readable: frozenset[str] | None) -> str:
    """Return what tells a line without its number: its batch, and its place among what of that may be read."""
    return f"{batch}:{_numbers(connection, batch, readable).index(number)}"


def _place(connection: Connection, cursor: str, readable: frozenset[str] | None) -> int:
    """Return the number of the line that a cursor tells."""
    batch, _, place = cursor.partition(":")
    numbers = _numbers(connection, batch, readable)
    if not (place.isascii() and place.isdigit() and int(place[:9]) < len(numbers)):
        raise InvalidQuery(WRONG_CURSOR)
    return numbers[int(place[:9])]


def _numbers(connection: Connection, batch: str, readable: frozenset[str] | None) -> list[int]:
    lines = records_decisions.of_batch(connection, batch)
    return [line.id for line in lines if readable is None or all(library in readable for _, library in line.pair)]


def _pictures(connection: Connection, wanted: set[Known]) -> dict[Known, DecidedPicture]:
    rows = records_decisions.rows_of(connection, wanted)
    images = {
        (image.sha256, image.library): image for image in records_images.get_by_rows(connection, [*rows.values()])
    }
    names = records_libraries.names_of(connection, {library for _, library in wanted})
    found = {}
    for sha256, library in wanted:
        image = images.get((sha256, library))
        named = (image.id, image.filename) if image else (None, None)
        found[sha256, library] = DecidedPicture(sha256, names.get(library, library), library, *named)
    return found


def _line(line: Logged, pictures: dict[Known, DecidedPicture]) -> LogLine:
    return LogLine(
        at=line.at,
        who=name_of(line),
        decision=line.decision,
        kept=None if line.kept is None else "a" if line.kept == line.pair[0] else "b",
        did=str(line.detail.get("did", "")),
        reason=line.reason,
        a=pictures[line.pair[0]],
        b=pictures[line.pair[1]],
        withdraws=line.detail.get("batch") if line.withdraws is not None else None,
        batch=line.batch,
    )
