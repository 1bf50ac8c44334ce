"""The list of an upload: one card a file, also for files that were refused and left nothing else behind."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from pipeline.images import new_image_id
from pipeline.stores.tables import upload_cards


@dataclass(frozen=True)
class Card:
    """What became of one uploaded file when it arrived: accepted, existing, restored, or refused with its sentence."""

    id: str
    batch: str
    number: int
    filename: str
    bytes: int
    outcome: str
    sentence: str
    image_id: str | None
    created_at: datetime


def add(
    connection: Connection,
    batch: str,
    *,
    uploader: str | None = None,
    filename: str,
    size: int,
    outcome: str,
    sentence: str = "",
    image_id: str | None = None,
) -> Card:
    """Append a card to the list `batch` of a person, or of nobody without accounts."""
    highest = sa.select(sa.func.coalesce(sa.func.max(upload_cards.c.number), 0))
    number = connection.execute(highest.where(_of(batch, uploader))).scalar_one() + 1
    now = datetime.now(UTC)
    card = Card(new_image_id(), batch, number, filename, size, outcome, sentence, image_id, now)
    connection.execute(
        upload_cards.insert().values(
            id=card.id,
            batch=batch,
            uploader=uploader,
            number=number,
            filename=filename,
            bytes=size,
            outcome=outcome,
            sentence=sentence,
            image_id=image_id,
            created_at=now,
        )
    )
    return card


def list_batch(connection: Connection, batch: str, uploader: str | None) -> list[Card]:
    """Return the cards that a person, or nobody without accounts, has in a list, first file first."""
    found = connection.execute(
        sa.select(upload_cards).where(_of(batch, uploader)).order_by(upload_cards.c.number)
    ).mappings()
    return [_card(values) for values in found]


def forget_before(connection: Connection, moment: datetime) -> int:
    """Remove the cards made before `moment`; return how many."""
    return connection.execute(upload_cards.delete().where(upload_cards.c.created_at < moment)).rowcount


def _of(batch: str, uploader: str | None) -> sa.ColumnElement[bool]:
    return (upload_cards.c.batch == batch) & upload_cards.c.uploader.is_not_distinct_from(uploader)


def _card(values: RowMapping) -> Card:
    return Card(
        id=values["id"],
        batch=values["batch"],
        number=values["number"],
        filename=values["filename"],
        bytes=values["bytes"],
        outcome=values["outcome"],
        sentence=values["sentence"],
        image_id=values["image_id"],
        created_at=values["created_at"],
    )
