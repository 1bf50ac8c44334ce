"""Taking back what was settled or decided in one go: decisions, deletions, and what was merged.

What was done is read from the log itself, so it can be taken back after a restart, by another process, and by whoever
may change the pictures. Somebody may have changed them since: what they did stays, and what cannot be taken back is
told. The log keeps every line; taking back adds one to each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pipeline.access import NOT_MODERATING, check_deciding, check_reading
from pipeline.backend import Backend
from pipeline.deciding import known
from pipeline.errors import Conflict, NotAllowed, NotFound
from pipeline.images import ImageRecord
from pipeline.principals import Action, Principal
from pipeline.stores import (
    records_decisions,
    records_image_audit,
    records_images,
    records_judged,
    records_principals,
    records_regroup,
)
from pipeline.stores.database import Connection
from pipeline.stores.records_audit import Event
from pipeline.stores.records_decisions import SETTLES_GROUP, WITHDRAWN, Logged, NewDecision

UNKNOWN = "There is nothing of that number that could be undone."
ALREADY = "This has been undone already."


@dataclass
class _Done:
    """What was taken back, and what could not be."""

    restored: list[ImageRecord] = field(default_factory=list)
    taken_out: list[ImageRecord] = field(default_factory=list)
    gone: int = 0
    changed: int = 0


@dataclass(frozen=True)
class Undone:
    """What was taken back: `decisions` of the log, `restored` pictures. `ids` are those of the pictures restored.

    `gone` pictures have been purged meanwhile, and `changed` are captions and deletions that somebody has since made
    anew, which stay.
    """

    sentence: str
    decisions: int
    restored: int
    gone: int
    changed: int
    ids: tuple[str, ...]


def undo(backend: Backend, batch: str, principal: Principal) -> Undone:
    """Take back everything that was settled or decided with this number.

    Raises NotFound where there is nothing of it that exists for `principal`, NotAllowed when they may not change
    all of it, and Conflict when it has been taken back.
    """
    check_reading(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        lines = [line for line in records_decisions.of_batch(connection, batch) if line.decision != WITHDRAWN]
        if not lines or not all(_may_see(line, principal) for line in lines):
            raise NotFound(UNKNOWN)
        images = _images_of(connection, lines)
        check_deciding(connection, list(images.values()), principal, Action.CHANGE)
        _check_missing(lines, images, principal)
        withdrawn = records_decisions.withdrawn_among(connection, lines)
        standing = [line for line in lines if line.id not in withdrawn]
        if not standing:
            raise Conflict(ALREADY)
        done = _Done()
        for line in standing:
            _take_back(connection, line, images, done)
        records_images.restore(connection, [image.row for image in done.restored])
        records_judged.judge_brought_back(connection, principal, done.restored)
        records_images.delete(connection, [image.row for image in done.taken_out])
        records_image_audit.add(connection, principal, Event.IMAGES_RESTORED, done.restored)
        records_image_audit.add(connection, principal, Event.IMAGES_DELETED, done.taken_out)
        records_image_audit.add(connection, principal, Event.DUPLICATES_UNDONE, list(images.values()))
        again = [NewDecision(line.pair, WITHDRAWN, detail=_withdrawal(line)) for line in standing]
        records_decisions.append(connection, principal, str(uuid4()), again)
        records_regroup.note_decisions_of(connection, [line.pair for line in standing])
    return Undone(
        sentence=_sentence(done),
        decisions=len(standing),
        restored=len(done.restored),
        gone=done.gone,
        changed=done.changed,
        ids=tuple(image.id for image in done.restored),
    )


def _withdrawal(line: Logged) -> dict[str, Any]:
    settled = {SETTLES_GROUP: True} if line.detail.get(SETTLES_GROUP) else {}
    return {"withdraws": line.id, "batch": line.batch, **settled}


def _may_see(line: Logged, principal: Principal) -> bool:
    return all(principal.may_see(library) for _, library in line.pair)


def _images_of(connection: Connection, lines: Sequence[Logged]) -> dict[str, ImageRecord]:
    """Return id -> image for every picture that was decided on and is there, deleted or not."""
    rows = records_decisions.rows_of(connection, {picture for line in lines for picture in line.pair})
    return {image.id: image for image in records_images.get_by_rows(connection, sorted(rows.values()))}


def _check_missing(lines: Sequence[Logged], images: Mapping[str, ImageRecord], principal: Principal) -> None:
    """Raise NotAllowed unless what was decided of pictures that are gone may be taken back as well."""
    there = {known(image) for image in images.values()}
    missing = {picture[1] for line in lines for picture in line.pair if picture not in there}
    if not all(principal.may(Action.CHANGE, library) for library in missing):
        raise NotAllowed(NOT_MODERATING)


def _take_back(connection: Connection, line: Logged, images: Mapping[str, ImageRecord], done: _Done) -> None:
    """Take back what was done beside one decision; pictures are restored and deleted in the end, all together."""
    detail: Mapping[str, Any] = line.detail
    if "keeper" in detail:
        _unmerge(connection, detail["keeper"], images, done)
    did = detail.get("did")
    if did is None:
        return
    image = images.get(detail["image"])
    if image is None:
        done.gone += 1
    elif did == "deleted":
        if image.deleted_at is not None and image.deleted_at <= line.at:
            done.restored.append(image)
        elif image.deleted_at is not None:  # somebody has restored it, and somebody deleted it anew
            done.changed += 1
    elif image.deleted_at is None:
        done.taken_out.append(image)


def _unmerge(connection: Connection, keeper: Mapping[str, Any], images: Mapping[str, ImageRecord], done: _Done) -> None:
    """Take out of the keeper what was merged into it, as far as it is there still."""
    image = images.get(keeper["id"])
    if image is None:
        done.gone += 1
        return
    if keeper["caption"]:
        before, after = keeper["caption"]
        if image.caption == after:
            records_images.edit(connection, image.row, caption=before)
        else:
            done.changed += 1
    if keeper["tags"]:
        left = [tag for tag in image.tags if tag not in keeper["tags"]]
        records_images.edit(connection, image.row, new_tags=left)


def _sentence(done: _Done) -> str:
    parts = ["This has been undone."]
    if done.restored:
        parts.append(f"Pictures that are back: {len(done.restored):,}.")
    if done.gone:
        parts.append(f"Pictures that have been deleted for good meanwhile: {done.gone:,}.")
    if done.changed:
        parts.append(f"Changes that somebody has made since, and that stay: {done.changed:,}.")
    return " ".join(parts)
