"""What people do to images that are there: edit, delete, restore, purge, and look things up one by one."""

from collections.abc import Sequence

from pipeline import purging
from pipeline.backend import Backend
from pipeline.errors import ImageNotFound
from pipeline.images import ImageRecord
from pipeline.labels import check_tag_counts, clean_caption, clean_tags
from pipeline.principals import Principal
from pipeline.stores import records_images

GONE = "There is no such picture. It may have been deleted."


def get_image(backend: Backend, image_id: str, principal: Principal, *, deleted_too: bool = False) -> ImageRecord:
    """Return an image that `principal` may see. Raises ImageNotFound."""
    with backend.database.read() as connection:
        image = records_images.get(connection, image_id)
    if image is None or not principal.may_see(image.library) or (image.deleted_at and not deleted_too):
        raise ImageNotFound(GONE)
    return image


def get_images(
    backend: Backend, image_ids: Sequence[str], principal: Principal, *, deleted_too: bool = False
) -> list[ImageRecord]:
    """Return those of the images that `principal` may see, in the order asked; others are left out."""
    with backend.database.read() as connection:
        found = records_images.get_many(connection, image_ids)
    return [image for image in found if principal.may_see(image.library) and (deleted_too or not image.deleted_at)]


def edit(
    backend: Backend,
    image_id: str,
    principal: Principal,
    *,
    caption: str | None = None,
    tags: Sequence[str] | None = None,
) -> ImageRecord:
    """Set caption and tags (None leaves them). Raises InvalidQuery when they are too long."""
    image = get_image(backend, image_id, principal)
    with backend.database.write() as connection:
        records_images.edit(
            connection,
            image.row,
            caption=None if caption is None else clean_caption(caption),
            new_tags=None if tags is None else clean_tags(tags),
        )
    return get_image(backend, image_id, principal)


def add_tags(
    backend: Backend, image_ids: Sequence[str], principal: Principal, tags: Sequence[str]
) -> list[ImageRecord]:
    """Give every one of the images the tags; return the images.

    Raises InvalidQuery, and tags none, when an image would get too many.
    """
    added = clean_tags(tags)
    seen = get_images(backend, list(dict.fromkeys(image_ids)), principal)
    with backend.database.write() as connection:
        images = records_images.get_by_rows(connection, [image.row for image in seen])  # as they are now
        check_tag_counts([image.tags for image in images], added)
        rows = [image.row for image in images]
        records_images.add_tags(connection, rows, added)
        return records_images.get_by_rows(connection, rows)


def delete(
    backend: Backend, image_ids: Sequence[str], principal: Principal, *, purge: bool = False
) -> list[ImageRecord]:
    """Hide the images everywhere at once; with `purge` forget them and their files for good.

    Return those that were there. Files that a store which is down cannot remove now, a later sweep removes.
    """
    images = get_images(backend, image_ids, principal, deleted_too=purge)
    rows = [image.row for image in images]
    if purge:
        purging.purge(backend, rows)
    else:
        with backend.database.write() as connection:
            records_images.delete(connection, rows)
    return images


def restore(backend: Backend, image_ids: Sequence[str], principal: Principal) -> list[ImageRecord]:
    """Bring deleted images back; return those that could be."""
    images = get_images(backend, image_ids, principal, deleted_too=True)
    with backend.database.write() as connection:
        records_images.restore(connection, [image.row for image in images])
    return get_images(backend, [image.id for image in images], principal)


def retry(backend: Backend, principal: Principal, image_ids: Sequence[str] | None = None) -> int:
    """Let failed images (all, or these) be analyzed again; return how many."""
    rows = None
    if image_ids is not None:
        rows = [image.row for image in get_images(backend, image_ids, principal)]
    with backend.database.write() as connection:
        return records_images.wait_again(connection, rows)
