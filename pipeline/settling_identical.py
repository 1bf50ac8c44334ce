"""Settling all groups of identical pictures at once, after a look at what would happen, and then exactly that.

A group is settled so when all of its pictures are the very same bytes or pixels, are in one library, may be changed,
and nobody else is working on it. The suggested one is kept. What is different from what the preview has shown, because
somebody edited, deleted or added a picture, is left alone and counted.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from pipeline.backend import Backend
from pipeline.claiming import check_moderating, take
from pipeline.deciding import clean_reason
from pipeline.duplicate_groups import Group, claimant, groups_of
from pipeline.errors import Conflict, GroupNotFound, InvalidQuery, NotAllowed
from pipeline.features.comparison import Verdict
from pipeline.merging import has_original, merged_words
from pipeline.principals import Principal
from pipeline.settlements import Settled, Settlement, carry_out
from pipeline.stores import records_groups, records_principals
from pipeline.stores.records_groups import Wanted

MOST_AT_ONCE = 1000
"""Groups in one preview; its digests take 11 characters each in the form that confirms it. Then comes the next one."""

LOOKED_AT_ONCE = 100  # groups read, or settled, in one transaction: others need not wait long
MOST_EXAMPLES = 6
DIGEST_BYTES = 8
NOT_A_PREVIEW = "What was to be settled is missing. Please open the preview again."


@dataclass(frozen=True)
class Preview:
    """What settling all identical would do: how many `groups`, `pictures` into the trash, `bytes` of these.

    `examples` are some of the groups, with the one that would be kept as their suggested keeper. `captions` and `tags`
    would be merged into those that are kept. `more`: there are more than MOST_AT_ONCE, which come next. `expected` is
    what `settle_identical` is told, so that it does this and nothing else.
    """

    groups: int
    pictures: int
    bytes: int
    examples: tuple[Group, ...]
    captions: int
    tags: int
    more: bool
    expected: str


def preview_identical(backend: Backend, principal: Principal) -> Preview:
    """Return what would happen; nothing does. Raises NotAllowed for who may change pictures nowhere."""
    check_moderating(principal)
    found: list[Group] = []
    pictures = size = captions = tags = 0
    more = False
    for group in _candidates(backend, principal):
        if len(found) == MOST_AT_ONCE:
            more = True
            break
        found.append(group)
        keeper = next(image for image in group.images if image.id == group.suggested_keeper)
        others = [image for image in group.images if image is not keeper]
        words = merged_words(keeper, others)
        pictures += len(others)
        size += sum(image.bytes for image in others)
        captions += words.caption != keeper.caption
        tags += len(words.tags)
    return Preview(
        groups=len(found),
        pictures=pictures,
        bytes=size,
        examples=tuple(found[:MOST_EXAMPLES]),
        captions=captions,
        tags=tags,
        more=more,
        expected=base64.urlsafe_b64encode(b"".join(_digest(group) for group in found)).decode(),
    )


def settle_identical(backend: Backend, principal: Principal, expected: str, reason: str = "") -> Settled:
    """Settle the groups that a preview has shown and that are as they were then.

    Raises InvalidQuery for what no preview has told, and NotAllowed for who may change pictures nowhere. Whoever stops
    it in the middle leaves whole groups settled, which `undo` takes back by the same number.
    """
    check_moderating(principal)
    reason = clean_reason(reason)
    wanted = _digests(expected)
    batch, done = str(uuid4()), Settled("", "", groups=0)
    left = set(wanted)
    part: list[Group] = []
    for group in _candidates(backend, principal):
        if _digest(group) in left and _keeper_has_file(backend, group):
            left.discard(_digest(group))
            part.append(group)
        if len(part) == LOOKED_AT_ONCE:
            done, part = _settle(backend, part, principal, batch, reason, done), []
        if not left:
            break
    done = _settle(backend, part, principal, batch, reason, done)
    changed = len(wanted) - done.groups
    return replace(done, batch=batch, changed=changed, sentence=_sentence(done.groups, done.deleted, changed))


def _candidates(backend: Backend, principal: Principal) -> Iterator[Group]:
    """Yield the groups that can be settled so, the oldest first."""
    after: str | None = None
    while True:
        wanted = Wanted(True, Verdict.IDENTICAL, others_than=claimant(principal), now=datetime.now(UTC))
        with backend.database.read() as connection:
            ids = records_groups.list_ids(connection, principal, wanted, after=after, limit=LOOKED_AT_ONCE)
            groups = groups_of(connection, principal, ids)
        yield from (group for group in groups if _is_plain(group))
        if len(ids) < LOOKED_AT_ONCE:
            return
        after = ids[-1]


def _is_plain(group: Group) -> bool:
    """Whether nothing about a group needs a person's eye."""
    return (
        group.verdict is Verdict.IDENTICAL
        and all(member.may_change for member in group.members)
        and len({image.library for image in group.images}) == 1
    )


def _settle(
    backend: Backend, groups: list[Group], principal: Principal, batch: str, reason: str, done: Settled
) -> Settled:
    """Settle those of the groups that nobody has changed or taken in this moment; return `done` with them."""
    if not groups:
        return done
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        for seen in groups:
            try:
                group = take(connection, seen.id, principal)
            except (Conflict, GroupNotFound, NotAllowed):  # somebody was quicker
                continue
            if _digest(group) != _digest(seen) or not _is_plain(group):
                continue
            others = tuple(image.id for image in group.images if image.id != group.suggested_keeper)
            settlement = Settlement(group.suggested_keeper, deletes=others, reason=reason)
            settled = carry_out(connection, backend, group, settlement, principal, batch)
            done = replace(
                done,
                groups=done.groups + 1,
                deleted=done.deleted + settled.deleted,
                bytes=done.bytes + settled.bytes,
            )
    return done


def _keeper_has_file(backend: Backend, group: Group) -> bool:
    return any(image.id == group.suggested_keeper and has_original(backend, image) for image in group.images)


def _digest(group: Group) -> bytes:
    """Return what is different when anything about a group is that a preview shows or a settlement does."""
    pictures = sorted((image.id, image.caption, image.tags) for image in group.images)
    text = json.dumps([group.id, group.suggested_keeper, pictures])
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


def _digests(expected: str) -> frozenset[bytes]:
    try:
        data = base64.b64decode(expected, altchars=b"-_", validate=True)
    except ValueError as error:
        raise InvalidQuery(NOT_A_PREVIEW) from error
    if not data or len(data) % DIGEST_BYTES or len(data) > MOST_AT_ONCE * DIGEST_BYTES:
        raise InvalidQuery(NOT_A_PREVIEW)
    return frozenset(data[start : start + DIGEST_BYTES] for start in range(0, len(data), DIGEST_BYTES))


def _sentence(groups: int, deleted: int, changed: int) -> str:
    parts = [f"Groups settled: {groups:,}; pictures moved to the trash: {deleted:,}."]
    if changed:
        parts.append(f"Groups left alone because they have changed since the preview: {changed:,}.")
    return " ".join(parts)
