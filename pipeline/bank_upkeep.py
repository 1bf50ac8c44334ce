"""What banks want done beside the uploads: entries compared with what is there, matches held, refused files forgotten.

Entries that are new, or reach farther than before, are compared in the background with the hash of every image. How far
that has come is written down with what was found, so that whoever dies in the middle is gone on from. Nothing is done
to what is found until a moderator says so, who is told before how many pictures that would be.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pipeline import holding
from pipeline.backend import Backend
from pipeline.bank_matching import HELD, questions_of, ranked
from pipeline.bank_rights import exists, find, find_now
from pipeline.bank_rules import BankAction, Deed, Kind, reach
from pipeline.errors import Conflict
from pipeline.features.fingerprint import Fingerprint
from pipeline.features.near_hashes import NearHashes
from pipeline.features.pdq import HASH_BYTES
from pipeline.images import ImageRecord
from pipeline.principals import Action, Principal
from pipeline.purging import purge_in_parts
from pipeline.stores import records_audit, records_bank_matches, records_banks, records_fingerprints, records_images
from pipeline.stores.database import Connection, Database
from pipeline.stores.records_audit import Event
from pipeline.stores.records_bank_matches import BankMatch, NewMatch, Pending
from pipeline.stores.records_banks import Bank

log = logging.getLogger(__name__)

ENTRIES_AT_ONCE = 100_000
"""Entries compared in one go: with their index 25 MB, made in a tenth of a second."""

IMAGES_AT_ONCE = 5_000
"""Images compared in one transaction, a few seconds of work: as much is done again after a crash."""

HELD_AT_ONCE = 200  # images held in one transaction, in which nobody else writes
EXAMPLES = 12  # pictures shown before they are held

CHANGED = "There are {now:,} pictures by now, not {expected:,}. Please look again."
NOTHING_HELD = "A bank of good pictures holds nothing."


# ---- Comparing with what is there


def is_behind(database: Database) -> bool:
    """Whether an entry has not been compared with everything that was there."""
    with database.read() as connection:
        return records_bank_matches.is_any_pending(connection)


def step(backend: Backend) -> bool:
    """Compare some entries with the next images; return whether there may be more. One process does so at a time."""
    if not is_behind(backend.database):
        return False
    with backend.database.exclusively("compare banks") as held:
        return _compare(backend) if held else False


def _compare(backend: Backend) -> bool:
    with backend.database.read() as connection:
        pending = records_bank_matches.pending(connection, ENTRIES_AT_ONCE)
        bank = records_banks.get(connection, pending.bank) if pending else None
        if pending is None or bank is None:
            return False
        images = records_bank_matches.fingerprints_behind(connection, pending.until, bank.library, IMAGES_AT_ONCE)
    found = _found(bank, pending, images)
    until = images[-1][0] if len(images) == IMAGES_AT_ONCE else records_banks.FINISHED
    # ALONE: no image is purged, and no entry taken out, between the look at what is there and the writing.
    with backend.database.write() as connection:
        present = set(records_bank_matches.there(connection, [match.row for match in found]))
        still = records_banks.get_entries(connection, bank.id, sorted({match.entry for match in found}))
        kept = [match for match in found if match.row in present and match.entry in still]
        records_bank_matches.add(connection, kept)
        records_bank_matches.advance(connection, pending, until)
    log.info("compared %d entries of a bank with %d images: %d matches", len(pending.ids), len(images), len(found))
    return True


def _found(bank: Bank, pending: Pending, images: Sequence[tuple[int, str, Fingerprint]]) -> list[NewMatch]:
    """Return the nearest entry for each image that is near enough to one."""
    known = NearHashes(np.frombuffer(b"".join(pending.hashes), np.uint8).reshape(-1, HASH_BYTES))
    found = []
    for row, _, fingerprint in images:
        if not any(fingerprint.whole):  # nothing could be read of it
            continue
        near = known.within(questions_of(fingerprint), bank.max_distance)
        for place, distance in zip(near.places, near.distances, strict=True):
            if distance <= reach(bank.max_distance, pending.qualities[place], fingerprint.quality):
                found.append(NewMatch(bank.id, pending.ids[place], row, int(distance), Deed.FOUND))
                break
    return found


# ---- What was matched


@dataclass(frozen=True)
class MatchedImage:
    """A match of a bank with its image."""

    match: BankMatch
    image: ImageRecord


def list_matches(
    backend: Backend, principal: Principal, bank_id: str, *, before: int | None = None, limit: int
) -> list[MatchedImage]:
    """Return up to `limit` matches whose images exist for `principal`, newest first; `before` is a match's id."""
    with backend.database.read() as connection:
        bank = find(connection, principal, bank_id)
        matches = records_bank_matches.list_visible(connection, bank.id, principal, before=before, limit=limit)
        images = {i.row: i for i in records_images.get_by_rows(connection, [match.row for match in matches])}
    return [MatchedImage(match, images[match.row]) for match in matches if match.row in images]


def banks_of(backend: Backend, principal: Principal, image: ImageRecord) -> list[tuple[Bank, BankMatch]]:
    """Return the banks that exist for `principal` and that an image looks like something in, with the match."""
    with backend.database.read() as connection:
        known = {bank.id: bank for bank in records_banks.list_all(connection) if exists(principal, bank)}
        found = records_bank_matches.of_image(connection, image.row) if known else []
    return [(known[bank], match) for bank, match in found if bank in known]


# ---- Holding what is there


@dataclass(frozen=True)
class HoldPreview:
    """How many pictures would be held, with some of them."""

    number: int
    examples: tuple[ImageRecord, ...]


def preview_hold(backend: Backend, principal: Principal, bank_id: str) -> HoldPreview:
    """Return what `hold_found` would hold. Raises NotFound or NotAllowed."""
    with backend.database.read() as connection:
        bank = find(connection, principal, bank_id, Action.CHANGE)
        rows = records_bank_matches.holdable(connection, bank.id, principal)
    rows = _unspared(backend, bank, rows)
    with backend.database.read() as connection:
        examples = records_images.get_by_rows(connection, rows[:EXAMPLES])
    return HoldPreview(len(rows), tuple(examples))


def hold_found(backend: Backend, principal: Principal, bank_id: str, *, expected: int) -> int:
    """Hold every picture that a bank has matched and that can still be found, for a moderator; return how many.

    `expected` is the number that was shown before. What is in a bank of good pictures, and what a moderator has settled
    a case of this bank for, is left alone. Raises Conflict when there are more or fewer by now, NotFound, NotAllowed.
    """
    with backend.database.read() as connection:
        bank = find(connection, principal, bank_id, Action.CHANGE)
        rows = records_bank_matches.holdable(connection, bank.id, principal)
    if bank.kind is Kind.GOOD:
        raise Conflict(NOTHING_HELD)
    rows = _unspared(backend, bank, rows)
    if len(rows) != expected:
        raise Conflict(CHANGED.format(now=len(rows), expected=expected))
    held = 0
    for start in range(0, len(rows), HELD_AT_ONCE):
        with backend.database.write() as connection:
            principal, bank = find_now(connection, principal, bank_id, Action.CHANGE)
            held += _hold(connection, principal, bank, rows[start : start + HELD_AT_ONCE])
    return held


def _hold(connection: Connection, principal: Principal, bank: Bank, rows: Sequence[int]) -> int:
    taken = records_bank_matches.holdable(connection, bank.id, principal, among=rows)
    for row in taken:
        reason = bank.sentence if bank.action is BankAction.HOLD and bank.sentence else HELD
        holding.hold(connection, row, reason=reason, bank=bank.id, by=principal)
    records_bank_matches.mark_held(connection, bank.id, taken)
    if taken:
        records_audit.add(connection, principal, Event.BANK_HELD, bank.name, library=bank.library, pictures=len(taken))
    return len(taken)


def _unspared(backend: Backend, bank: Bank, rows: Sequence[int]) -> list[int]:
    """Return those of the images that no bank of good pictures stands above."""
    now = datetime.now(UTC)
    good = [
        known
        for known in backend.banks.known()
        if known.bank.kind is Kind.GOOD
        and known.bank.library in {None, bank.library}
        and known.bank.paused is None
        and not known.bank.is_expired(now)
    ]
    if not good:
        return list(rows)
    with backend.database.read() as connection:
        theirs = records_fingerprints.get_many(connection, rows)

    def is_spared(fingerprint: Fingerprint | None) -> bool:
        return fingerprint is not None and any(ranked(one, fingerprint, now, one.bank.max_distance) for one in good)

    return [row for row in rows if not is_spared(theirs.get(row))]


# ---- What was refused


def purge_refused(backend: Backend, before: datetime) -> int:
    """Forget for good what banks have refused, the last time before a moment; return how many pictures."""
    return purge_in_parts(
        backend, lambda connection, most: records_bank_matches.refused_before(connection, before, most)
    )
