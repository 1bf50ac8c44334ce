"""Banks: named sets of known pictures, that uploads are compared with. Made, changed, paused, deleted; who may do that.

A bank belongs to a library or to the whole server. Those of a library exist for its moderators, who look into them, add
and remove pictures, let them rest and hold what they have found; its owners make them, say what they do, and delete
them. Those of the server are the administrators' alone. What is in a bank is the matter of `bank_entries`.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from pipeline.access import check_reading
from pipeline.backend import Backend
from pipeline.bank_rights import (
    UNKNOWN,
    check_in,
    exists,
    find,
    find_now,
)
from pipeline.bank_rights import (
    check as check,  # noqa: PLC0414 - what `webapp` is given
)
from pipeline.bank_rights import is_for as is_for  # noqa: PLC0414
from pipeline.bank_rights import may as may  # noqa: PLC0414
from pipeline.bank_rules import EXACT, MOST_DISTANCE, NORMAL, BankAction, Kind
from pipeline.errors import Conflict, InvalidQuery, LibraryNotFound, NotAllowed, NotFound
from pipeline.features.pdq import HASH_BYTES
from pipeline.images import ImageRecord
from pipeline.labels import clean_caption, clean_label
from pipeline.principals import Action, Principal, Scope
from pipeline.stores import (
    records_audit,
    records_bank_matches,
    records_banks,
    records_fingerprints,
    records_libraries,
    records_principals,
)
from pipeline.stores.database import Connection, in_turn
from pipeline.stores.records_audit import Event
from pipeline.stores.records_banks import NewEntry

Bank = records_banks.Bank

MOST_BANKS = 100  # of one library, and of the server; every upload is compared with each
LONGEST_NAME = 100
LONGEST_SENTENCE = 300

NOT_YOURS = "Banks are for those who moderate a library. Its owners can give you another role."
TAKEN = "There is a bank called “{name}” here already. Please choose another name."
TOO_MANY = f"There are {MOST_BANKS} banks here, and no more are possible. Please delete one first."
PAUSED_BY = "{name} has paused it: what it matches is only written down."
REMOVED_NAME = "Removed pictures"
REMOVED_SENTENCE = "This picture was removed from this library, so it cannot be added again."
KEPT_ORIGIN = "removed"


@dataclass(frozen=True)
class BankSettings:
    """What can be set of a bank; see the table. `max_distance` is 0 to `MOST_DISTANCE` bits, `ratio` 0 to 1."""

    name: str
    action: BankAction = BankAction.HOLD
    sentence: str = ""
    max_distance: int = NORMAL
    ratio: float = 1.0
    expires_at: datetime | None = None
    notes: str = ""
    guarded: bool = True
    keeps_thumbnails: bool = True


@dataclass(frozen=True)
class BankInfo:
    """A bank as one of those sees it who look after it. `library_name` is "" for one of the whole server.

    `comparing` entries have not been compared yet with everything that was there.
    """

    bank: Bank
    library_name: str
    entries: int
    comparing: int
    may_change: bool
    may_manage: bool


# ---- Listed


def get_bank(backend: Backend, principal: Principal, bank_id: str) -> BankInfo:
    """Return a bank that exists for `principal`. Raises NotFound, or NotAllowed for what a token lacks."""
    with backend.database.read() as connection:
        return _described(connection, principal, [find(connection, principal, bank_id)])[0]


def list_banks(backend: Backend, principal: Principal) -> list[BankInfo]:
    """Return the banks that exist for `principal`, those of the server first, then by library and name.

    Raises NotAllowed for whoever moderates nothing.
    """
    check_reading(principal)
    if not is_for(principal):
        raise NotAllowed(NOT_YOURS)
    with backend.database.read() as connection:
        found = _described(
            connection, principal, [b for b in records_banks.list_all(connection) if exists(principal, b)]
        )
    return sorted(found, key=lambda info: (info.library_name.casefold(), info.bank.name.casefold(), info.bank.id))


def by_name(backend: Backend, principal: Principal, name: str) -> BankInfo:
    """Return the bank with this id, or else the only one called so. Raises NotFound or InvalidQuery."""
    known = list_banks(backend, principal)
    found = [info for info in known if info.bank.id == name] or [info for info in known if info.bank.name == name]
    if not found:
        raise NotFound(UNKNOWN)
    if len(found) > 1:
        ids = ", ".join(info.bank.id for info in found)
        raise InvalidQuery(f"Several banks are called “{name}”. Please name one by its id: {ids}.")
    return found[0]


def makeable(backend: Backend, principal: Principal) -> dict[str, str]:
    """Return id -> name of the libraries in which `principal` may make banks."""
    owned = principal.libraries(Action.MANAGE)
    with backend.database.read() as connection:
        found = records_libraries.list_among(connection, owned)
    return {library.id: library.name for library in found if principal.may(Action.MANAGE, library.id)}


def _described(connection: Connection, principal: Principal, banks: list[Bank]) -> list[BankInfo]:
    for bank in banks:
        check(principal, bank, Action.SEE)
    counts = records_banks.count(connection, [bank.id for bank in banks])
    names = records_libraries.names_of(connection, {bank.library for bank in banks if bank.library})
    return [
        BankInfo(
            bank=bank,
            library_name=names.get(bank.library or "", ""),
            entries=counts.get(bank.id, 0),
            comparing=records_bank_matches.count_pending(connection, bank.id),
            may_change=may(principal, bank, Action.CHANGE),
            may_manage=may(principal, bank, Action.MANAGE),
        )
        for bank in banks
    ]


# ---- Made and changed


def make(
    backend: Backend, principal: Principal, library: str | None, settings: BankSettings, *, kind: Kind = Kind.KNOWN
) -> BankInfo:
    """Make a bank for a library, by its id, or for the whole server with None; return it.

    Raises InvalidQuery, NotAllowed, LibraryNotFound, or Conflict for a name that is taken.
    """
    settings = cleaned(settings, kind)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        _check_making(connection, principal, library)
        there = [bank for bank in records_banks.list_all(connection) if bank.library == library]
        if len(there) >= MOST_BANKS:
            raise Conflict(TOO_MANY)
        if kind is Kind.REMOVED and any(bank.kind is Kind.REMOVED for bank in there):
            raise Conflict("There is a bank of removed pictures here already.")
        _check_name(there, settings.name)
        bank = _made(connection, principal, library, settings, kind)
        return _described(connection, principal, [bank])[0]


def _check_making(connection: Connection, principal: Principal, library: str | None) -> None:
    if library is None:
        if not (principal.owns_everything or principal.administrator):
            raise NotAllowed("Banks of the whole server are for those who look after it.")
    else:
        there = records_libraries.get(connection, library)
        if there is None or there.deleted_at or principal.role_in(library) is None:
            raise LibraryNotFound("There is no such library.")
    check_in(principal, library, Action.MANAGE)


def _made(
    connection: Connection, principal: Principal, library: str | None, settings: BankSettings, kind: Kind
) -> Bank:
    bank = Bank(
        id=str(uuid4()),
        library=library,
        kind=kind,
        paused=None,
        resumed_at=None,
        created_at=datetime.now(UTC),
        created_by=principal.person_id,
        **asdict(settings),
    )
    records_banks.add(connection, bank)
    told = {"kind": kind, "does": settings.action, "level": settings.max_distance}
    records_audit.add(connection, principal, Event.BANK_MADE, bank.name, library=library, **told)
    return bank


def change(backend: Backend, principal: Principal, bank_id: str, changes: Mapping[str, object]) -> BankInfo:
    """Change what is set of a bank: fields of `BankSettings` by name; return it.

    When it reaches farther than before, its entries are compared again with what is there; when it is to keep no
    thumbnails any more, those that it has are forgotten. Raises NotFound, InvalidQuery, NotAllowed or Conflict.
    """
    with backend.database.write() as connection:
        principal, bank = find_now(connection, principal, bank_id, Action.MANAGE)
        before = settings_of(bank)
        after = cleaned(replace(before, **changes), bank.kind)  # type: ignore[arg-type] # checked by `cleaned`
        there = [one for one in records_banks.list_all(connection) if one.library == bank.library and one.id != bank.id]
        _check_name(there, after.name)
        changed = {name: value for name, value in asdict(after).items() if value != getattr(before, name)}
        if changed:
            records_banks.change(connection, bank.id, **changed)
            told = {name: _told(value) for name, value in changed.items()}
            records_audit.add(connection, principal, Event.BANK_CHANGED, after.name, library=bank.library, **told)
        if after.max_distance > before.max_distance:
            records_banks.compare_again(connection, bank.id)
        if before.keeps_thumbnails and not after.keeps_thumbnails:
            records_banks.forget_thumbnails(connection, bank.id)
        return _described(connection, principal, [find(connection, principal, bank.id)])[0]


def pause(backend: Backend, principal: Principal, bank_id: str) -> Bank:
    """Let a bank rest: what it matches is only written down. Raises NotFound or NotAllowed."""
    with backend.database.write() as connection:
        principal, bank = find_now(connection, principal, bank_id, Action.CHANGE)
        if records_banks.pause(connection, bank.id, PAUSED_BY.format(name=principal.name)):
            records_audit.add(connection, principal, Event.BANK_PAUSED, bank.name, library=bank.library)
    return bank


def resume(backend: Backend, principal: Principal, bank_id: str) -> Bank:
    """Let a bank that rests act again, and count anew how much it matches. Raises NotFound or NotAllowed."""
    with backend.database.write() as connection:
        principal, bank = find_now(connection, principal, bank_id, Action.CHANGE)
        if bank.paused is not None:
            records_banks.change(connection, bank.id, paused=None, resumed_at=datetime.now(UTC))
            records_audit.add(connection, principal, Event.BANK_RESUMED, bank.name, library=bank.library)
    return bank


def delete(backend: Backend, principal: Principal, bank_id: str) -> Bank:
    """Forget a bank with all that is in it; what it has held or refused stays so. Raises NotFound or NotAllowed."""
    with backend.database.write() as connection:
        principal, bank = find_now(connection, principal, bank_id, Action.MANAGE)
        entries = records_banks.count(connection, [bank.id]).get(bank.id, 0)
        records_banks.remove(connection, bank.id)
        records_audit.add(connection, principal, Event.BANK_DELETED, bank.name, library=bank.library, entries=entries)
    return bank


def paused_of(backend: Backend, principal: Principal) -> list[Bank]:
    """Return the banks that rest, of those that exist for `principal`, without looking into any."""
    if Scope.READ not in principal.scopes or not is_for(principal):
        return []
    with backend.database.read() as connection:
        return [one for one in records_banks.list_all(connection) if one.paused and exists(principal, one)]


def fillable(backend: Backend, principal: Principal, library: str) -> list[Bank]:
    """Return the banks in which `principal` may keep what pictures of a library look like."""
    if not is_for(principal):
        return []
    with backend.database.read() as connection:
        there = [one for one in records_banks.list_all(connection) if one.library in {None, library}]
    return [one for one in there if may(principal, one, Action.CHANGE)]


def settings_of(bank: Bank) -> BankSettings:
    """Return what is set of a bank."""
    return BankSettings(**{name: getattr(bank, name) for name in BankSettings.__dataclass_fields__})


def cleaned(settings: BankSettings, kind: Kind) -> BankSettings:
    """Return settings as they are kept. Raises InvalidQuery."""
    if not EXACT <= settings.max_distance <= MOST_DISTANCE:
        raise InvalidQuery(f"The level of a match is 0 to {MOST_DISTANCE} bits, of 256.")
    if not 0.0 <= settings.ratio <= 1.0:
        raise InvalidQuery("The part of the uploads that a bank acts on is 0 to 1.")
    sentence = settings.sentence.strip()
    return replace(
        settings,
        name=clean_label(settings.name, "The name of a bank", LONGEST_NAME),
        sentence=clean_label(sentence, "The sentence of a bank", LONGEST_SENTENCE) if sentence else "",
        notes=clean_caption(settings.notes),
        # What is known to be good is let in; nothing else would make sense.
        action=BankAction.ALLOW if kind is Kind.GOOD else settings.action,
        ratio=float(settings.ratio),
    )


def _check_name(there: Collection[Bank], name: str) -> None:
    if any(bank.name.casefold() == name.casefold() for bank in there):
        raise Conflict(TAKEN.format(name=name))


def _told(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


# ---- What was removed stays removed


def remember(connection: Connection, image: ImageRecord, principal: Principal, *, reason: str = "") -> bool:
    """Keep the hash of a picture that is removed, so that it stays removed; return whether that could be done.

    Call it in the transaction of the removal, which writes ALONE. It goes into the bank of what was removed from the
    library, which is made when there is none, and refuses. An image that was never analyzed has no hash to keep, and
    that of one without anything to tell would match nothing.
    """
    fingerprint = records_fingerprints.get(connection, image.row)
    if fingerprint is None or not fingerprint.quality:
        return False
    in_turn(connection, f"bank of what was removed {image.library}")
    bank = records_banks.removed_of(connection, image.library) or _made(
        connection, principal, image.library, _of_removed(connection, image.library), Kind.REMOVED
    )
    entry = NewEntry(
        hash=fingerprint.trimmed[:HASH_BYTES],
        quality=fingerprint.quality,
        origin=f"{KEPT_ORIGIN}:{image.filename}",
        notes=clean_caption(reason),
        sha256=image.sha256,
    )
    added = records_banks.add_entries(connection, bank.id, [entry], principal.person_id)
    if added:
        told = {"entries": added, "ids": [image.id]}
        records_audit.add(connection, principal, Event.BANK_ENTRIES_ADDED, bank.name, library=bank.library, **told)
    return True


def forget(connection: Connection, image: ImageRecord, principal: Principal) -> bool:
    """Let a picture be added again whose removal is taken back; return whether its hash had been kept.

    Call it in the transaction that brings it back, which writes ALONE.
    """
    bank = records_banks.removed_of(connection, image.library)
    ids = records_banks.entries_with(connection, bank.id, image.sha256) if bank else []
    if bank is None or not ids:
        return False
    removed = records_banks.remove_entries(connection, bank.id, ids)
    told = {"entries": removed, "ids": [image.id]}
    records_audit.add(connection, principal, Event.BANK_ENTRIES_REMOVED, bank.name, library=bank.library, **told)
    return True


def _of_removed(connection: Connection, library: str) -> BankSettings:
    taken = {bank.name.casefold() for bank in records_banks.list_all(connection) if bank.library == library}
    numbers = (f"{REMOVED_NAME} {number}" for number in range(2, MOST_BANKS + 2))
    name = next(name for name in (REMOVED_NAME, *numbers) if name.casefold() not in taken)
    return BankSettings(name, BankAction.REFUSE, REMOVED_SENTENCE, keeps_thumbnails=False)
