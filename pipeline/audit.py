"""Reading the audit log: owners read what happened in their libraries, administrators what happened on the server.

Of what was done in a library of others, administrators learn who did what, when and from where, but not to which
pictures or people, nor in which library.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.backend import Backend
from pipeline.errors import NotAllowed
from pipeline.principals import OWNER, Action, Principal
from pipeline.spreadsheets import as_cell
from pipeline.stores import records_audit, records_libraries
from pipeline.stores.records_audit import Entry

BATCH = 500  # entries read at once for the CSV
COLUMNS = ("time", "who", "action", "subject", "library", "library_id", "address", "detail")
OF_OTHERS = "a library of others"
UNREAD = frozenset({"ids"})  # details that programs want and nobody reads; the CSV has them
NOT_YOURS = "Only administrators and owners of libraries read the audit log."


@dataclass(frozen=True)
class Record:
    """An entry with the name that its library has today, "" for what was done in none."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    library: str
    library_name: str
    address: str
    detail: Mapping[str, object]

    @property
    def details(self) -> dict[str, str]:
        """The details to be read, in words by name; without those that say nothing, as a count of 0."""
        told = {name: value for name, value in self.detail.items() if name not in UNREAD and not _is_none(value)}
        return {name.replace("_", " "): _words(value) for name, value in told.items()}

    @property
    def detail_words(self) -> str:
        """The details as one line: "role: viewer, before: owner"."""
        return ", ".join(f"{name}: {words}" for name, words in self.details.items())


def read(backend: Backend, principal: Principal, *, offset: int, limit: int) -> list[Record]:
    """Return up to `limit` entries that `principal` may read, newest first, without the first `offset`.

    Raises NotAllowed for whoever may read none at all.
    """
    return _read(backend, principal, offset=offset, limit=limit)


def _read(
    backend: Backend, principal: Principal, *, before: int | None = None, offset: int = 0, limit: int
) -> list[Record]:
    libraries = _readable(principal)
    with backend.database.read() as connection:
        entries = records_audit.entries(connection, libraries, before=before, offset=offset, limit=limit)
        named = records_libraries.names_of(connection, {entry.library for entry in entries if entry.library})
    return [_record(entry, named, principal) for entry in entries]


def csv_lines(backend: Backend, principal: Principal) -> Iterator[str]:
    """Return all entries that `principal` may read as lines of CSV, newest first, with a head.

    Raises NotAllowed at once, before the first line.
    """
    _readable(principal)
    return _csv_lines(backend, principal)


def _csv_lines(backend: Backend, principal: Principal) -> Iterator[str]:
    yield _line(COLUMNS)
    before: int | None = None
    while records := _read(backend, principal, before=before, limit=BATCH):
        for record in records:
            yield _line(
                (
                    record.at.isoformat(),
                    record.actor,
                    record.action,
                    record.subject,
                    record.library_name,
                    record.library,
                    record.address,
                    json.dumps(record.detail, ensure_ascii=False) if record.detail else "",
                )
            )
        before = records[-1].id


def _line(values: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([as_cell(value) for value in values])
    return text.getvalue()


def _readable(principal: Principal) -> frozenset[str] | None:
    """Return the libraries whose entries may be read; None for all entries."""
    if principal.may_administrate():
        return None
    owned = principal.libraries(Action.MANAGE)
    if not owned:
        raise NotAllowed(NOT_YOURS)
    return owned


def _record(entry: Entry, named: Mapping[str, str], principal: Principal) -> Record:
    if entry.library is not None and not principal.may(Action.MANAGE, entry.library):
        return Record(entry.id, entry.at, entry.actor, entry.action, "", "", OF_OTHERS, entry.address, {})
    return Record(
        id=entry.id,
        at=entry.at,
        actor=entry.actor if entry.actor_id else _without_account(entry.actor),
        action=entry.action,
        subject=entry.subject,
        library=entry.library or "",
        library_name=named.get(entry.library or "", ""),
        address=entry.address,
        detail=entry.detail,
    )


def _without_account(actor: str) -> str:
    """Return who had no account in brackets: no account can be called so."""
    return "(this machine)" if actor == OWNER.name else f"({actor})"


def _is_none(value: object) -> bool:
    return value in ("", [], None) or (value == 0 and not isinstance(value, bool))


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    return str(value)
