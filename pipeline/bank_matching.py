"""Comparing a picture with the banks: what it looks like there, and what is to be done with it.

A picture is compared as it is, and without its borders in all eight orientations. Whoever analyzes an image judges it
before the last transaction, asks in that one whether the banks are still the same, and writes the matches there; so
an entry meets every image, either when that comes in or when the entry is compared with what is there (`bank_upkeep`).
A bank that suddenly matches too much is let rest, which is told in the audit log.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from pipeline import holding
from pipeline.backend import Backend
from pipeline.bank_rules import (
    LEAST_QUALITY,
    STRICT,
    USUAL_LEAST,
    BankAction,
    Deed,
    Rule,
    deeds,
    is_flood,
)
from pipeline.features.fingerprint import Fingerprint
from pipeline.features.pdq import HASH_BYTES
from pipeline.purging import CARETAKER
from pipeline.stores import records_audit, records_bank_matches, records_banks, records_cases
from pipeline.stores.bank_table import NO_QUALITY, Known
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_bank_matches import NewMatch
from pipeline.stores.records_banks import Bank

log = logging.getLogger(__name__)

REFUSED = "This picture cannot be added: it looks like one of those that are refused here."
HELD = "This picture waits for a moderator: it looks like one of those that are looked at here first."
WARNED = "This picture looks like one of those that are watched for here."
SENTENCES = {
    BankAction.ALLOW: "",
    BankAction.WARN: WARNED,
    BankAction.HOLD: HELD,
    BankAction.REFUSE: REFUSED,
}
"""What people are told where a bank has no sentence of its own. None tells the name of a bank, or what is in it."""

NEVER = -1  # bits

ACTS = frozenset({Deed.ALLOW, Deed.WARN, Deed.HOLD, Deed.REFUSE})

FLOODED = (
    "It matched {matched} of the last {uploads} uploads, which is far more than usual, and so it rests: what it "
    "matches is only written down. Most of them looked like entry {entry}."
)


@dataclass(frozen=True)
class Match:
    """The nearest entry of one bank, in how many bits it differs, and what the bank does."""

    bank: Bank
    entry: int
    distance: int
    deed: Deed


@dataclass(frozen=True)
class Judgement:
    """What is to be done with a picture. `sentence` is for whoever sent it, "" when there is nothing to say.

    `bank` is the id of the bank that decided. `matches` are those of all banks, also of such as did nothing, `versions`
    those of all banks that were asked.
    """

    action: BankAction = BankAction.ALLOW
    sentence: str = ""
    bank: str | None = None
    matches: tuple[Match, ...] = ()
    library: str = ""
    sha256: str = ""
    versions: Mapping[str, int] = field(default_factory=dict)
    judged_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def judge(backend: Backend, library: str, sha256: str, fingerprint: Fingerprint) -> Judgement:
    """Return what the banks of a library, and those of the whole server, say of a picture.

    Raises StoreUnavailable: nothing is let in without having been looked at.
    """
    now = datetime.now(UTC)
    asked = [known for known in backend.banks.known() if known.bank.library in {None, library}]
    versions = {known.bank.id: known.bank.version for known in asked}
    nearest: dict[str, tuple[Bank, int, int]] = {}
    for known in asked:
        found = None if known.bank.is_expired(now) else _nearest(known, fingerprint, now)
        if found:
            nearest[known.bank.id] = (known.bank, *found)
    done = deeds((_rule(bank) for bank, _, _ in nearest.values()), sha256)
    matches = tuple(Match(bank, entry, apart, done[bank.id]) for bank, entry, apart in nearest.values())
    action, sentence, by = _decided(matches)
    return Judgement(action, sentence, by, matches, library, sha256, versions, now)


def judge_alone(known: Known, sha256: str, fingerprint: Fingerprint) -> Judgement:
    """Return what one bank says of a picture, as if there were no other."""
    now = datetime.now(UTC)
    found = None if known.bank.is_expired(now) else _nearest(known, fingerprint, now)
    if found is None:
        return Judgement()
    match = Match(known.bank, *found, deeds([_rule(known.bank)], sha256)[known.bank.id])
    return Judgement(*_decided([match]), (match,))


def _decided(matches: Sequence[Match]) -> tuple[BankAction, str, str | None]:
    """Return what is done, the sentence, and the bank; of several that ask for the same, the nearest one's."""
    acting = [match for match in matches if match.deed in ACTS]
    if not acting:
        return BankAction.ALLOW, "", None
    most = min(acting, key=lambda match: (-BankAction(match.deed).weight, match.distance))
    action = BankAction(most.deed)
    return action, most.bank.sentence or SENTENCES[action], most.bank.id


def is_current(connection: Connection, judgement: Judgement) -> bool:
    """Whether the banks are still those that were asked, in the transaction that makes an image ready."""
    return records_banks.versions(connection, judgement.library) == dict(judgement.versions)


def record(connection: Connection, row: int, judgement: Judgement) -> None:
    """Write down what an image looks like, in the transaction that decides what becomes of it."""
    matches = [NewMatch(match.bank.id, match.entry, row, match.distance, match.deed) for match in judgement.matches]
    if matches:
        records_bank_matches.add(connection, matches)


def record_found(connection: Connection, row: int, judgement: Judgement) -> None:
    """Write down what an image looks like that was there before; nothing is done with it."""
    matches = [NewMatch(match.bank.id, match.entry, row, match.distance, Deed.FOUND) for match in judgement.matches]
    if matches:
        records_bank_matches.add(connection, matches)


def act(connection: Connection, row: int, judgement: Judgement) -> None:
    """Write down what an image looks like that was just made ready or refused, and hold it if that is to be done.

    One that a moderator has approved is held by no bank again.
    """
    record(connection, row, judgement)
    if judgement.action is not BankAction.HOLD:
        return
    last = records_cases.last_settled(connection, [row]).get(row)
    if last is None or last.outcome != records_cases.APPROVED:
        holding.hold(connection, row, reason=judgement.sentence, bank=judgement.bank)


def warnings_of(backend: Backend, row: int) -> list[str]:
    """Return what banks say of an image that they let in with a warning."""
    with backend.database.read() as connection:
        return [sentence or WARNED for sentence in records_bank_matches.sentences_of(connection, row)]


# ---- How near


def questions_of(fingerprint: Fingerprint) -> npt.NDArray[np.uint8]:
    """Return the hashes of a picture that are compared, (n, 32), each once."""
    hashes = fingerprint.whole + fingerprint.trimmed
    each = {hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)}
    return np.frombuffer(b"".join(sorted(each)), np.uint8).reshape(-1, HASH_BYTES)


def _nearest(known: Known, fingerprint: Fingerprint, now: datetime) -> tuple[int, int] | None:
    """Return the nearest entry that is near enough, and how near."""
    near = ranked(known, fingerprint, now, known.bank.max_distance)
    return (near[0].entry, near[0].distance) if near else None


@dataclass(frozen=True)
class Ranked:
    """An entry near a picture, in how many bits they differ, and how many may at the level of its bank."""

    entry: int
    distance: int
    reach: int


def ranked(
    known: Known, fingerprint: Fingerprint, now: datetime, farthest: int, *, beyond: bool = False
) -> list[Ranked]:
    """Return the entries of a bank within so many bits of a picture, nearest first, each once.

    Those that are too plain, or not near enough for the level of the bank, only with `beyond`.
    """
    if not len(known.ids):
        return []
    near = known.hashes.within(questions_of(fingerprint), farthest)
    places, first = np.unique(near.places, return_index=True)  # the nearest of the orientations comes first
    apart = near.distances[first]
    qualities = known.qualities[places]
    plain = ((qualities < LEAST_QUALITY) & (qualities != NO_QUALITY)) | (fingerprint.quality < LEAST_QUALITY)
    reaches = np.where(plain, min(STRICT, known.bank.max_distance), known.bank.max_distance)
    reaches[(qualities == 0) | (fingerprint.quality == 0)] = NEVER  # the hash of a single color is that of all colors
    ends = known.ends[places]
    kept = np.isnat(ends) | (ends > np.datetime64(now.replace(tzinfo=None), "us"))
    kept &= beyond | (apart <= reaches)
    order = np.lexsort((places[kept], apart[kept]))
    found = zip(known.ids[places][kept][order], apart[kept][order], reaches[kept][order], strict=True)
    return [Ranked(int(entry), int(distance), int(most)) for entry, distance, most in found]


def _rule(bank: Bank) -> Rule:
    return Rule(bank.id, bank.library, bank.kind, bank.action, bank.ratio, bank.paused is not None)


# ---- Too much


def notice(backend: Backend, judgement: Judgement) -> None:
    """Count a judgement that was acted upon, and let a bank rest that suddenly matches too much."""
    matched = {match.bank.id: match for match in judgement.matches}
    for bank_id in judgement.versions:
        match = matched.get(bank_id)
        resumed_at = match.bank.resumed_at if match else None
        recent = backend.banks.watch.note(bank_id, judgement.sha256, match.entry if match else None, resumed_at)
        if match and match.bank.guarded and match.bank.paused is None and is_flood(recent.matched, 0.0):
            _pause_if_unusual(backend, match.bank, recent.matched, recent.uploads, recent.entry, recent.since)


def _pause_if_unusual(backend: Backend, bank: Bank, matched: int, uploads: int, entry: int, since: datetime) -> None:
    with backend.database.read() as connection:
        usual = _usual_share(connection, bank, since)
    if not is_flood(matched, usual):
        return
    sentence = FLOODED.format(matched=matched, uploads=uploads, entry=entry)
    with backend.database.write() as connection:
        if records_banks.pause(connection, bank.id, sentence):
            told = {"matched": matched, "of_uploads": uploads, "entry": entry}
            records_audit.add(connection, CARETAKER, Event.BANK_PAUSED, bank.name, library=bank.library, **told)
            log.warning("the bank %s was paused: %s", bank.id, sentence)


def _usual_share(connection: Connection, bank: Bank, until: datetime) -> float:
    """Return which part of the uploads before the window the bank has matched, 0 while it is young."""
    since = max(bank.created_at, bank.resumed_at or bank.created_at)
    uploads = records_bank_matches.uploads_between(connection, bank.library, since, until)
    if uploads < USUAL_LEAST:
        return 0.0
    return records_bank_matches.matched_before(connection, bank.id, until) / uploads
