"""What people do to images that are there: edit, delete, restore, purge, and have them analyzed again.

Each reads in its own transaction who asks, as they are at that moment, and checks that the images exist for them and
may be changed by them; if some may not be changed, nothing is done to any.
"""

from collections.abc import Sequence

from pipeline import purging
from pipeline.access import GONE, check_action, check_deciding, check_reading
from pipeline.backend import Backend
from pipeline.errors import ImageNotFound
from pipeline.images import ImageRecord
from pipeline.labels import check_tag_counts, clean_caption, clean_tags
from pipeline.principals import Action, Principal
from pipeline.stores import records_image_audit, records_images, records_judged, records_principals
from pipeline.stores.records_audit import Event


def edit(
    backend: Backend,
    image_id: str,
    principal: Principal,
    *,
    caption: str | None = None,
    tags: Sequence[str] | None = None,
) -> ImageRecord:
    """Set caption and tags (None leaves them), and return the image as it is then.

    Raises InvalidQuery when they are too long, ImageNotFound or NotAllowed.
    """
    check_reading(principal)
    clean = (None if caption is None else clean_caption(caption), None if tags is None else clean_tags(tags))
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        images = records_images.get_present(connection, [image_id], principal)
        if not images:
            raise ImageNotFound(GONE)
        check_action(images, principal, Action.CHANGE)
        records_images.edit(connection, images[0].row, caption=clean[0], new_tags=clean[1])
        return records_images.get_by_rows(connection, [images[0].row])[0]


def add_tags(
    backend: Backend, image_ids: Sequence[str], principal: Principal, tags: Sequence[str]
) -> list[ImageRecord]:
    """Give every one of the images the tags; return the images.

    Raises NotAllowed, or InvalidQuery when an image would get too many; then none is tagged.
    """
    check_reading(principal)
    added = clean_tags(tags)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        images = records_images.get_present(connection, list(dict.fromkeys(image_ids)), principal)
        check_action(images, principal, Action.CHANGE)
        check_tag_counts([image.tags for image in images], added)
        rows = [image.row for image in images]
        records_images.add_tags(connection, rows, added)
        return records_images.get_by_rows(connection, rows)


def delete(
    backend: Backend, image_ids: Sequence[str], principal: Principal, *, purge: bool = False
) -> list[ImageRecord]:
    """Hide the images everywhere at once; `purge` forgets them, deleted or not, and their files.

    Return those that were there. Raises NotAllowed. Files that a store which is down cannot remove now, a later sweep
    removes.
    """
    check_reading(principal)
    wanted = list(dict.fromkeys(image_ids))
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        images = records_images.get_present(connection, wanted, principal, deleted_too=purge)
        check_deciding(connection, images, principal, Action.PURGE if purge else Action.CHANGE)
        if purge:
            purging.forget(connection, images, principal)
        else:
            records_images.delete(connection, [image.row for image in images])
            records_image_audit.add(connection, principal, Event.IMAGES_DELETED, images)
    if purge:
        purging.remove_files(backend, images)
    return images


def restore(backend: Backend, image_ids: Sequence[str], principal: Principal) -> list[ImageRecord]:
    """Bring deleted images back; return those that are there then. Raises NotAllowed."""
    check_reading(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        wanted = list(dict.fromkeys(image_ids))
        images = records_images.get_present(connection, wanted, principal, deleted_too=True)
        check_deciding(connection, images, principal, Action.CHANGE)
        deleted = [image for image in images if image.deleted_at]
        records_images.restore(connection, [image.row for image in deleted])
        records_image_audit.add(connection, principal, Event.IMAGES_RESTORED, deleted)
        records_judged.judge_brought_back(connection, principal, deleted)
        return records_images.get_by_rows(connection, [image.row for image in images])


def retry(backend: Backend, principal: Principal, image_ids: Sequence[str] | None = None) -> int:
    """Let failed images (these, or all that `principal` may change) be analyzed again; return how many.

    Raises NotAllowed when one of these may not be changed.
    """
    if image_ids is not None:
        check_reading(principal)
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        if image_ids is None:
            return records_images.wait_again_all(connection, principal)
        images = records_images.get_present(connection, list(dict.fromkeys(image_ids)), principal)
        check_action(images, principal, Action.CHANGE)
        return records_images.wait_again(connection, [image.row for image in images])
