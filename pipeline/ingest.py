"""How a picture comes in: accepted at once, analyzed by whoever has time.

`accept` keeps the original first and then writes the record, so that a record never promises a file that is not
there. `analyze` can be repeated at any point; what it finds is written last, in one transaction, and only while the
worker's lease token still holds.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline import bank_matching
from pipeline.access import NO_LIBRARY, check_uploading, may, upload_library
from pipeline.backend import Backend
from pipeline.bank_rules import BankAction
from pipeline.errors import InvalidQuery, RefusedByBank, StoreUnavailable
from pipeline.features.fingerprint import fingerprint_of
from pipeline.features.picture import Features, Picture
from pipeline.features.thumbnail import THUMBNAIL_SIZES
from pipeline.features.thumbnail import encode as encode_thumbnail
from pipeline.images import ImageRecord, ImageState, original_key
from pipeline.labels import check_tag_counts, clean_caption, clean_filename, clean_tags
from pipeline.originals import original_bytes, put_thumbnail
from pipeline.principals import Action, Principal
from pipeline.stores import (
    records_embeddings,
    records_fingerprints,
    records_image_audit,
    records_images,
    records_imports,
    records_judged,
    records_libraries,
    records_principals,
    records_queue,
)
from pipeline.stores.database import Connection, Writing, in_turn
from pipeline.stores.records_audit import Event
from pipeline.stores.records_images import NewImage
from pipeline.uploads import Upload, file_stamp

log = logging.getLogger(__name__)


OTHER_ENCODER = (
    "The database works with the encoder {name} by now, and this process with another one. It goes over by itself when "
    "`likeness models list` shows that one as installed here."
)


@dataclass(frozen=True)
class Accepted:
    """An image that is in. `existing`: the very same bytes were there before; `restored`: and had been deleted."""

    image: ImageRecord
    existing: bool
    restored: bool


def accept(
    backend: Backend,
    upload: Upload,
    principal: Principal,
    *,
    library: str | None = None,
    caption: str = "",
    tags: Sequence[str] = (),
) -> Accepted:
    """Do as `accept_into` does with the library of this name or id, or the usual one. Raises as `upload_library`."""
    asked = upload_library(backend, library, principal)
    return accept_into(backend, upload, principal, asked, caption=caption, tags=tags)


def accept_into(
    backend: Backend,
    upload: Upload,
    principal: Principal,
    library: str,
    *,
    caption: str = "",
    tags: Sequence[str] = (),
    place: Path | None = None,
    in_place: bool = False,
    file_stamp: str | None = None,
) -> Accepted:
    """Check the header, keep the original, and record the image as waiting in the library with this id.

    `place` is where an import found the file; with `in_place` the file there stays the original and nothing is
    copied. An image that is there already gets the caption and tags if `principal` may change it. Raises ImageRejected,
    InvalidQuery or NotAllowed before anything is recorded; RefusedByBank for what was removed to stay removed.
    """
    check_uploading(library, principal)
    caption, tags = clean_caption(caption), clean_tags(tags)
    probe = backend.decoders.probe(upload.path)
    new = NewImage(
        library=library,
        sha256=upload.sha256,
        bytes=upload.bytes,
        media_type=probe.media_type,
        width=probe.width,
        height=probe.height,
        filename=clean_filename(upload.filename),
        path=str(place) if place else None,
        file_stamp=file_stamp,
        in_place=in_place,
        uploader=principal.person_id,
    )
    _check_not_removed(backend, new)
    if not in_place:
        _keep_original(backend, new, upload.path)
    words = _Words(caption, tuple(tags))
    accepted = None
    for writing in (Writing.BESIDE, Writing.ALONE):
        accepted = accepted or _record(backend, upload, principal, new, words, writing)
    if accepted is None:
        raise RuntimeError("an image could not be recorded although nobody else was writing")
    log.info("accepted", extra={"image_id": accepted.image.id, "existing": accepted.existing})
    return accepted


def _check_not_removed(backend: Backend, new: NewImage) -> None:
    """Raise RefusedByBank for bytes in the trash that a moderator has removed, and that a bank refuses like a copy."""
    with backend.database.read() as connection:
        there = records_images.find_by_sha256(connection, new.library, new.sha256)
        if there is None or there.deleted_at is None or there.state != ImageState.HELD:
            return
        fingerprint = records_fingerprints.get(connection, there.row)
    if fingerprint is None:
        return
    judgement = bank_matching.judge(backend, new.library, new.sha256, fingerprint)
    if judgement.action is BankAction.REFUSE:
        raise RefusedByBank(judgement.sentence)


@dataclass(frozen=True)
class _Words:
    caption: str
    tags: tuple[str, ...]


def _record(
    backend: Backend, upload: Upload, principal: Principal, new: NewImage, words: _Words, writing: Writing
) -> Accepted | None:
    """Record an image whose original is kept; None when that cannot be done BESIDE others."""
    with backend.database.write(writing) as connection:
        if writing is Writing.BESIDE and _changes_others(connection, new):
            return None
        principal = _check_still_uploading(connection, new.library, principal)
        before = records_images.find_by_sha256(connection, new.library, new.sha256, hold=True)
        image, existing = records_images.add(connection, new)
        if before is None and existing:  # another process was quicker: whether it may be changed is to be looked at
            return None
        if before is None or may(principal, Action.CHANGE, before):
            check_tag_counts([image.tags], words.tags)
            if words.caption:
                records_images.edit(connection, image.row, caption=words.caption)
            records_images.add_tags(connection, [image.row], words.tags)
        restored = before is not None and before.deleted_at is not None
        if before and restored:
            records_judged.judge_again(connection, new.library, [image.row])
            records_image_audit.add(connection, principal, Event.IMAGES_RESTORED, [before])
        if new.path:
            for row in records_imports.mark_replaced(connection, new.library, new.path, image.row):
                records_imports.retire(connection, row, _unchanged_file(records_imports.stamps(connection, row)))
        if not new.in_place and not backend.objects.exists(image.object_key):
            # A sweep had looked at it, as an old orphan, just before it was put again. No sweep removes anything now.
            _keep_original(backend, new, upload.path)
        image = _as_it_is_now(connection, image, words, existing=existing)
    return Accepted(image, existing, restored)


def _as_it_is_now(connection: Connection, image: ImageRecord, words: _Words, *, existing: bool) -> ImageRecord:
    """Return an image that was added with these words."""
    if existing:  # there is an original again, if it was gone when the encoder was changed
        records_embeddings.forget_unreadable(connection, row=image.row)
    elif not words.caption and not words.tags:
        return image  # as it was added
    return records_images.get_by_rows(connection, [image.row])[0]


def _changes_others(connection: Connection, new: NewImage) -> bool:
    """Whether more than one image may change: a library is to be made, or a file has been replaced by another.

    Restoring an image changes the groups of its duplicates.
    """
    if records_libraries.get(connection, new.library) is None:
        return True
    if records_images.is_deleted(connection, new.library, new.sha256):
        return True
    if new.path is None:
        return False
    in_turn(connection, f"path {new.library} {new.path}")  # whoever imports the same file now sees what becomes of it
    return records_imports.is_known(connection, new.library, new.path)


def _check_still_uploading(connection: Connection, library: str, principal: Principal) -> Principal:
    """Return the principal as they are now, who may add pictures to a library that there is now.

    Raises NotLoggedIn, NotAllowed, or InvalidQuery for a library that has been deleted, or is theirs no more.
    """
    principal = records_principals.current(connection, principal)
    there = records_libraries.get(connection, library)
    if there is None and principal.owns_everything:
        there = records_libraries.make_for_the_house(connection, principal, library, library)
    if there is None or there.deleted_at or principal.role_in(library) is None:
        raise InvalidQuery(NO_LIBRARY)
    check_uploading(library, principal)
    return principal


def _unchanged_file(stamps: Mapping[str, str]) -> str | None:
    """Return one of the files that nobody has written to since it was imported."""
    for path, stamp in stamps.items():
        with suppress(OSError):  # gone, or on a disk that is not there
            if file_stamp(Path(path).stat()) == stamp:
                return path
    return None


def _keep_original(backend: Backend, new: NewImage, path: Path) -> None:
    # Put again even when it is there: that renews its age, so that a sweep for objects without a record,
    # running at this moment, leaves it alone.
    with path.open("rb") as stream:
        backend.objects.put(original_key(new.library, new.sha256), stream)


def analyze(backend: Backend, image: ImageRecord, token: str) -> bool:
    """Compute everything about a claimed image and make it READY; return False when the lease was lost meanwhile.

    What a bank holds becomes HELD, and what one refuses FAILED, before a search can find it. Raises ImageRejected or
    ObjectNotFound, which end the analysis, and StoreUnavailable, after which it is tried again.
    """
    picture = decode_original(backend, image)
    fingerprint = fingerprint_of(picture)
    features: Features | None = None
    while True:
        judgement = bank_matching.judge(backend, image.library, image.sha256, fingerprint)
        if features is None and judgement.action is not BankAction.REFUSE:
            features = backend.extractor.extract([picture])[0]
            for px in THUMBNAIL_SIZES:
                put_thumbnail(backend, image, px, encode_thumbnail(picture, px))
        with backend.database.write(Writing.BESIDE) as connection:
            if not bank_matching.is_current(connection, judgement):
                continue  # somebody has changed a bank meanwhile
            if features is None or judgement.action is BankAction.REFUSE:
                sentence, code = judgement.sentence, RefusedByBank.code
                is_ours = records_queue.fail(connection, image.row, token, sentence=sentence, code=code)
            else:
                active = records_embeddings.active_encoder(connection)
                if active and active.fingerprint != backend.encoder.fingerprint:
                    raise StoreUnavailable(OTHER_ENCODER.format(name=active.name))
                is_ours = records_queue.complete(
                    connection,
                    image.row,
                    token,
                    facts=picture.facts,
                    features=features,
                    encoder_name=backend.encoder.name,
                    encoder=backend.encoder.fingerprint,
                    fingerprint=fingerprint,
                )
            if is_ours:
                bank_matching.act(connection, image.row, judgement)
        if is_ours:
            bank_matching.notice(backend, judgement)
        return is_ours


def failure_code(backend: Backend, image: ImageRecord) -> str:
    """Return the code of the error that ended the analysis of an image."""
    with backend.database.read() as connection:
        return records_queue.error_code(connection, image.row) or "error"


def decode_original(backend: Backend, image: ImageRecord) -> Picture:
    """Return the working copy of an image. Raises ImageRejected, ObjectNotFound or StoreUnavailable."""
    return backend.decoders.decode(original_bytes(backend, image))
