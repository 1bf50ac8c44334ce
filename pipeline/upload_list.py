"""The list of an upload: a card for each file, which only who sent the files can look at again."""

from dataclasses import dataclass

from pipeline.access import get_images
from pipeline.backend import Backend
from pipeline.images import ImageRecord
from pipeline.principals import Principal
from pipeline.stores import records_uploads
from pipeline.stores.database import Writing, in_turn

Card = records_uploads.Card


@dataclass(frozen=True)
class ListedUpload:
    """A card, and its image if there is one that its uploader may see, or may be told to be held, or may restore."""

    card: Card
    image: ImageRecord | None


def add_card(
    backend: Backend,
    batch: str,
    principal: Principal,
    *,
    filename: str,
    size: int,
    image: ImageRecord | None,
    existing: bool = False,
    restored: bool = False,
    sentence: str = "",
) -> Card:
    """Append a card to the list `batch` of `principal`. A file without an image was refused; `sentence` says why.

    `existing` says that the very same bytes were there, `restored` that they had been deleted.
    """
    outcome = "refused" if image is None else "restored" if restored else "existing" if existing else "accepted"
    with backend.database.write(Writing.BESIDE) as connection:
        in_turn(connection, f"upload {batch}")  # each card has a number of its own
        return records_uploads.add(
            connection,
            batch,
            uploader=principal.person_id,
            filename=filename,
            size=size,
            outcome=outcome,
            sentence=sentence,
            image_id=image.id if image else None,
        )


def list_uploads(backend: Backend, batch: str, principal: Principal) -> list[ListedUpload]:
    """Return what `principal` has sent to the list `batch`, first file first; nothing of anybody else."""
    with backend.database.read() as connection:
        cards = records_uploads.list_batch(connection, batch, principal.person_id)
    ids = [card.image_id for card in cards if card.image_id]
    images = {image.id: image for image in get_images(backend, ids, principal, deleted_too=True, own_held_too=True)}
    return [ListedUpload(card, images.get(card.image_id or "")) for card in cards]
