"""What is merged into the picture that is kept before its duplicates go: captions, tags, and the libraries they are in.

A caption that says something else is put below the one there is; tags are added. Both come from duplicates of the same
library; those of another one come only if somebody says so, because others may read them here. Where a duplicate was in
another library, the keeper comes into that library as well, as if it had been uploaded there, with what was written
there of the duplicate and nothing of what is written elsewhere. What does not fit, or may not be done, is left out and
told.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.backend import Backend
from pipeline.errors import ObjectNotFound
from pipeline.images import ImageRecord, original_key
from pipeline.labels import LONGEST_CAPTION, MOST_TAGS
from pipeline.originals import open_original
from pipeline.principals import Action, Principal
from pipeline.stores import records_images, records_judged
from pipeline.stores.database import Connection
from pipeline.stores.records_images import NewImage


@dataclass(frozen=True)
class Words:
    """A caption, the tags that were added, and how many captions and tags found no room."""

    caption: str
    tags: tuple[str, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Copy:
    """The keeper in another library: `image` there, and whether it was in the trash and was restored."""

    image: ImageRecord
    restored: bool


@dataclass(frozen=True)
class Merged:
    """What was merged: words into the keeper, whose caption was `caption_before`, and the keeper into libraries.

    `refused` are the names of libraries that the keeper could not be added to.
    """

    caption_before: str = ""
    words: Words = field(default_factory=lambda: Words("", ()))
    copies: tuple[Copy, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def has_new_caption(self) -> bool:
        """Whether the keeper says something that it has not said before."""
        return self.words.caption != self.caption_before


def merged_words(keeper: ImageRecord, others: Sequence[ImageRecord]) -> Words:
    """Return what the keeper says when it says what the others do as well, within what a picture can have."""
    lines = [keeper.caption] if keeper.caption else []
    left_out = 0
    for other in others:
        if other.caption and not any(other.caption in line for line in lines):
            if len("\n".join([*lines, other.caption])) <= LONGEST_CAPTION:
                lines.append(other.caption)
            else:
                left_out += 1
    new = dict.fromkeys(tag for other in others for tag in other.tags if tag not in keeper.tags)
    room = max(0, MOST_TAGS - len(keeper.tags))
    return Words("\n".join(lines), tuple(new)[:room], left_out + max(0, len(new) - room))


def libraries_of(
    keeper: ImageRecord, deleted: Sequence[ImageRecord], principal: Principal
) -> tuple[dict[str, list[ImageRecord]], list[str]]:
    """Return library -> its duplicates for those that the keeper is to be added to, and the names of the others.

    Where the very bytes of the keeper are deleted from a library, it is not added to that one.
    """
    wanted: dict[str, list[ImageRecord]] = {}
    for image in deleted:
        if image.library != keeper.library:
            wanted.setdefault(image.library, []).append(image)
    wanted = {
        library: theirs
        for library, theirs in wanted.items()
        if not any(image.sha256 == keeper.sha256 for image in theirs)
    }
    allowed = {library: theirs for library, theirs in wanted.items() if principal.may(Action.UPLOAD, library)}
    return allowed, [theirs[0].library_name for library, theirs in wanted.items() if library not in allowed]


def keep_original(backend: Backend, keeper: ImageRecord, library: str) -> None:
    """Put the original of the keeper where another library has its originals. Raises ObjectNotFound, StoreUnavailable.

    It is done before anything is recorded; without a record it is an orphan, which a sweep removes.
    """
    with open_original(backend, keeper) as stream:
        backend.objects.put(original_key(library, keeper.sha256), stream)


def has_original(backend: Backend, image: ImageRecord) -> bool:
    """Whether the file of an image is where it should be; not whether it is sound."""
    if image.path is not None:
        return Path(image.path).is_file()
    return backend.objects.exists(image.object_key)


def merge(
    connection: Connection,
    backend: Backend,
    keeper: ImageRecord,
    deleted: Sequence[ImageRecord],
    principal: Principal,
    *,
    across: bool,
) -> Merged:
    """Merge what the duplicates have into the keeper, and the keeper into their libraries, in the caller's transaction.

    With `across`, captions and tags that duplicates have in other libraries come to the keeper too.

    The originals for other libraries were kept before (`keep_original`); one that is not there is left out.
    """
    words = merged_words(keeper, [image for image in deleted if across or image.library == keeper.library])
    if words.caption != keeper.caption:
        records_images.edit(connection, keeper.row, caption=words.caption)
    if words.tags:
        records_images.add_tags(connection, [keeper.row], words.tags)
    libraries, refused = libraries_of(keeper, deleted, principal)
    copies = []
    for library, theirs in libraries.items():
        there = records_images.find_by_sha256(connection, library, keeper.sha256, hold=True)
        if there is not None and there.deleted_at is None:
            continue
        key = original_key(library, keeper.sha256)
        if not backend.objects.exists(key):  # a sweep took it for an old orphan just before; none removes anything now
            with suppress(ObjectNotFound):
                keep_original(backend, keeper, library)
        if backend.objects.exists(key):
            copies.append(_added(connection, keeper, library, theirs, principal, restored=there is not None))
        else:
            refused.append(theirs[0].library_name)
    return Merged(keeper.caption, words, tuple(copies), tuple(refused))


def _added(
    connection: Connection,
    keeper: ImageRecord,
    library: str,
    duplicates: Sequence[ImageRecord],
    principal: Principal,
    *,
    restored: bool,
) -> Copy:
    new = NewImage(
        library=library,
        sha256=keeper.sha256,
        bytes=keeper.bytes,
        media_type=keeper.media_type,
        width=keeper.width,
        height=keeper.height,
        filename=duplicates[0].filename,
        uploader=principal.person_id,
    )
    image, _ = records_images.add(connection, new)
    if restored:
        records_judged.judge_brought_back(connection, principal, [image])
        image = records_images.get_by_rows(connection, [image.row])[0]
    else:
        words = merged_words(image, duplicates)
        records_images.edit(connection, image.row, caption=words.caption)
        records_images.add_tags(connection, [image.row], words.tags)
    return Copy(image, restored)
