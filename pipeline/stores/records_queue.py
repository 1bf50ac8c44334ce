"""The queue of images that wait for analysis. The images table is the queue; whoever holds a lease works.

A claim hands out images under one token until `lease_until`. Results are written only while the token still holds,
so a worker that was too slow, or was thought dead, changes nothing. What is due is decided by the clock of the database
server, so that workers on machines whose clocks differ agree on it; with SQLite all are on one machine.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.features.fingerprint import Fingerprint
from pipeline.features.picture import COLOR_NAMES, Facts, Features
from pipeline.images import ImageRecord, ImageState
from pipeline.stores import records_arrivals, records_embeddings, records_fingerprints, records_images, records_words
from pipeline.stores.moments import moment
from pipeline.stores.tables import color_share_column, images, keywords_json, palette

ANALYSIS_VERSION = 3
"""Written on every analyzed image, and raised when analysis changes what it writes, so that the records of older code
can be told apart. Nothing renews them by itself."""

GAVE_UP = "The analysis of this picture was interrupted again and again. You can try again, or upload it anew."


@dataclass(frozen=True)
class Claim:
    """Images this worker alone may analyze while its lease lasts. `attempts` counts the tries of each, this one too.

    `look_again`: none was got, but some are due that another transaction holds for a moment.
    """

    token: str
    images: tuple[ImageRecord, ...]
    attempts: dict[int, int]
    look_again: bool = False


def claim(
    connection: Connection, *, limit: int, lease: timedelta, max_attempts: int, first: Collection[int] = ()
) -> Claim:
    """Take up to `limit` waiting images whose time has come and that nobody holds: the rows `first`, then the oldest.

    One whose worker died is claimed alone: if its analysis is what kills workers, it must not use up the attempts of
    others. One that has used up its own becomes FAILED when its turn comes.
    """
    candidates = _due(connection, limit, first)
    while exhausted := [row for row, attempts in candidates if attempts >= max_attempts]:
        _give_up(connection, exhausted)
        candidates = _due(connection, limit, first)
    untried = takewhile(lambda candidate: candidate[1] == 0, candidates)
    rows = [row for row, _ in untried] or [row for row, _ in candidates[:1]]
    token = secrets.token_hex(16)
    if not rows:
        return Claim(token, (), {}, look_again=count_due(connection, 1) > 0)
    connection.execute(
        images.update()
        .where(images.c.row.in_(rows))
        .values(lease_token=token, lease_until=moment(connection, lease), attempts=images.c.attempts + 1)
    )
    attempts = connection.execute(sa.select(images.c.row, images.c.attempts).where(images.c.row.in_(rows)))
    records = records_images.get_by_rows(connection, rows)
    return Claim(token, tuple(records), dict(attempts.all()))


def _due(connection: Connection, limit: int, first: Collection[int]) -> list[tuple[int, int]]:
    """Return (row, attempts) of up to `limit` images that may be claimed now, `first` before all others.

    Two statements, because one that sorts by membership in `first` would read and sort the whole queue.
    """
    oldest = sa.select(images.c.row, images.c.attempts).where(_is_due(connection)).order_by(images.c.row)
    oldest = oldest.with_for_update(skip_locked=True)
    hurried = connection.execute(oldest.where(images.c.row.in_(first)).limit(limit)).all() if first else []
    others = oldest.where(images.c.row.not_in(first)).limit(limit - len(hurried))
    return [(row, attempts) for row, attempts in (*hurried, *connection.execute(others))]


def count_due(connection: Connection, most: int) -> int:
    """Return how many images may be claimed now; no more than `most` are counted."""
    due = sa.select(images.c.row).where(_is_due(connection)).limit(most).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(due)).scalar_one()


def _is_due(connection: Connection) -> sa.ColumnElement[bool]:
    now = moment(connection)
    return sa.and_(
        images.c.state == ImageState.WAITING,
        images.c.deleted_at.is_(None),
        images.c.not_before <= now,
        sa.or_(images.c.lease_until.is_(None), images.c.lease_until < now),
    )


def _give_up(connection: Connection, rows: Collection[int]) -> None:
    connection.execute(
        images.update()
        .where(images.c.row.in_(rows))
        .values(state=ImageState.FAILED, error=GAVE_UP, error_code="gave_up", lease_token=None, lease_until=None)
    )


def renew(connection: Connection, claim: Claim, lease: timedelta) -> int:
    """Hold what is still claimed for another `lease`; return how many images that is."""
    held = (images.c.row.in_([image.row for image in claim.images]), images.c.lease_token == claim.token)
    return connection.execute(images.update().where(*held).values(lease_until=moment(connection, lease))).rowcount


def complete(
    connection: Connection,
    row: int,
    token: str,
    *,
    facts: Facts,
    features: Features,
    encoder_name: str,
    encoder: str,
    fingerprint: Fingerprint | None = None,
) -> bool:
    """Write the features and make the image READY, if `token` still holds and nobody deleted it; return whether it did.

    A deleted image goes on waiting, as if it had not been tried: nobody claims it until it is restored. Without a
    `fingerprint` one is made later.
    """
    category, color = features.meaning.category, features.palette
    written = connection.execute(
        images.update()
        .where(
            images.c.row == row,
            images.c.lease_token == token,
            images.c.state == ImageState.WAITING,
            images.c.deleted_at.is_(None),
        )
        .values(
            state=ImageState.READY,
            error=None,
            error_code=None,
            lease_token=None,
            lease_until=None,
            attempts=0,
            encoder=encoder_name,
            analysis_version=ANALYSIS_VERSION,
            analyzed_at=datetime.now(UTC),
            media_type=facts.media_type,
            width=facts.width,
            height=facts.height,
            taken_at=facts.taken_at,
            exif=facts.exif,
            category=category.name,
            category_scores=category.scores,
            keywords=keywords_json(features.meaning.keywords),
            scheme=color.scheme,
            brightness=color.brightness,
            saturation=color.saturation,
            **{color_share_column(name): color.names[name] for name in COLOR_NAMES},
        )
    ).rowcount
    if not written:
        _release(connection, row, token, {"attempts": images.c.attempts - 1})
        return False
    connection.execute(palette.delete().where(palette.c.image_row == row))
    if color.swatches:
        connection.execute(
            palette.insert(),
            [
                dict(zip("lab", swatch.lab, strict=True))
                | {"image_row": row, "position": position, "hex": swatch.hex, "share": swatch.share}
                | {"background": swatch.is_background}
                for position, swatch in enumerate(color.swatches)
            ],
        )
    if fingerprint:
        records_fingerprints.put(connection, row, fingerprint)
    number = records_embeddings.put(connection, row, encoder, features.embedding)
    records_arrivals.note(connection, row, number)
    records_words.refresh(connection, [row])
    return True


def fail(connection: Connection, row: int, token: str, *, sentence: str, code: str) -> bool:
    """End the analysis with a sentence for people, if `token` still holds; return whether it did."""
    return _release(connection, row, token, {"state": ImageState.FAILED, "error": sentence, "error_code": code})


def put_back(connection: Connection, row: int, token: str, *, wait: timedelta, forgive: bool = False) -> bool:
    """Let the image wait so long, if `token` still holds; with `forgive` the try is not counted."""
    values: dict[str, object] = {"not_before": moment(connection, wait)}
    if forgive:
        values["attempts"] = images.c.attempts - 1
    return _release(connection, row, token, values)


def error_code(connection: Connection, row: int) -> str | None:
    """Return the code of the error that ended the analysis of an image."""
    return connection.execute(sa.select(images.c.error_code).where(images.c.row == row)).scalar()


def _release(connection: Connection, row: int, token: str, values: dict[str, object]) -> bool:
    return bool(
        connection.execute(
            images.update()
            .where(images.c.row == row, images.c.lease_token == token)
            .values(lease_token=None, lease_until=None, **values)
        ).rowcount
    )
