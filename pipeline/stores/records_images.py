"""Images in the database: added, read, edited, deleted and restored.

Every function works inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from pipeline.errors import RefusedByBank
from pipeline.features.picture import CATEGORIES, COLOR_NAMES, EXIF_FIELDS, Category, Keyword, Palette, Swatch
from pipeline.images import ImageRecord, ImageState, Source, new_image_id
from pipeline.principals import Principal
from pipeline.stores import (
    records_cases,
    records_embeddings,
    records_fingerprints,
    records_libraries,
    records_regroup,
    records_words,
)
from pipeline.stores.principal_sql import UNJUDGED, allowed, changeable, present, unheld
from pipeline.stores.tables import color_share_column, image_sources, images, insert_into, palette, tags

T = TypeVar("T")

ROWS_PER_QUERY = 500  # values in one IN (...); SQLite's limit is 32,766, planners like far fewer

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""When an image is due whose analysis need not wait: a moment that is past by every clock."""


@dataclass(frozen=True)
class NewImage:
    """What is known of an image when its bytes have been accepted, before analysis."""

    library: str
    sha256: str
    bytes: int
    media_type: str
    width: int
    height: int
    filename: str
    path: str | None = None
    file_stamp: str | None = None
    in_place: bool = False
    uploader: str | None = None


def add(connection: Connection, new: NewImage) -> tuple[ImageRecord, bool]:
    """Record an accepted image as WAITING; return it and whether it was there already.

    The same bytes in the same library are the same image: it gains a source, is restored if it was deleted, and is
    analyzed again if that had failed.
    """
    now = datetime.now(UTC)
    found = find_by_sha256(connection, new.library, new.sha256, hold=True)
    if found:
        if found.deleted_at:
            restore(connection, [found.row])
        if found.state == ImageState.FAILED:
            wait_again(connection, [found.row])
        if found.path:  # it may have been moved since; a copy of our own, if there is one now, nobody can move away
            path = new.path if new.in_place else None
            connection.execute(images.update().where(images.c.row == found.row).values(path=path))
        row = found.row
    else:
        added = connection.execute(
            insert_into(connection, images)
            .values(
                id=new_image_id(),
                library=new.library,
                sha256=new.sha256,
                state=ImageState.WAITING,
                not_before=AT_ONCE,
                path=new.path if new.in_place else None,
                media_type=new.media_type,
                bytes=new.bytes,
                width=new.width,
                height=new.height,
                created_at=now,
                exif={},
            )
            .on_conflict_do_nothing(index_elements=["library", "sha256"])
            .returning(images.c.row)
        ).scalar()
        if added is None:  # by another transaction, which has just been waited for
            return add(connection, new)
        row = added
    is_new_source = _add_source(connection, row, new, now)
    if found and is_new_source and new.uploader:
        records_embeddings.touch_analyzed(connection, [row])
    records_words.refresh(connection, [row])
    return get_by_rows(connection, [row])[0], found is not None


def _add_source(connection: Connection, row: int, new: NewImage, now: datetime) -> bool:
    """Note where an image came from; return whether that was not known yet."""
    known = connection.execute(
        sa.select(image_sources.c.id).where(
            image_sources.c.image_row == row,
            image_sources.c.filename == new.filename,
            image_sources.c.uploader.is_not_distinct_from(new.uploader),
            image_sources.c.path.is_(None) if new.path is None else image_sources.c.path == new.path,
        )
    ).scalar()
    if known is None:
        connection.execute(
            image_sources.insert().values(
                image_row=row,
                filename=new.filename,
                path=new.path,
                file_stamp=new.file_stamp,
                uploader=new.uploader,
                created_at=now,
            )
        )
    else:
        connection.execute(image_sources.update().where(image_sources.c.id == known).values(file_stamp=new.file_stamp))
    return known is None


def find_by_sha256(connection: Connection, library: str, sha256: str, *, hold: bool = False) -> ImageRecord | None:
    """Return the image with these bytes in `library`, deleted or not; with `hold` nobody else changes it meanwhile."""
    statement = sa.select(images.c.row).where(images.c.library == library, images.c.sha256 == sha256)
    row = connection.scalar(statement.with_for_update() if hold else statement)
    return get_by_rows(connection, [row])[0] if row is not None else None


def is_deleted(connection: Connection, library: str, sha256: str) -> bool:
    """Whether there is an image with these bytes in `library` that can be restored."""
    bytes_there = (images.c.library == library, images.c.sha256 == sha256)
    return connection.scalar(sa.select(images.c.deleted_at).where(*bytes_there)) is not None


def rows_by_sha256(connection: Connection, sha256: str, principal: Principal) -> list[int]:
    """Return the rows of the images with these bytes in every library that `principal` may see."""
    return list(connection.scalars(sa.select(images.c.row).where(images.c.sha256 == sha256, allowed(principal))))


def rows_with_bytes(connection: Connection, sha256: str) -> set[int]:
    """Return the rows of the images with these bytes in every library."""
    return set(connection.scalars(sa.select(images.c.row).where(images.c.sha256 == sha256)))


def get_present(
    connection: Connection,
    image_ids: Sequence[str],
    principal: Principal,
    *,
    deleted_too: bool = False,
    own_held_too: bool = False,
) -> list[ImageRecord]:
    """Return those of the images that exist for `principal`, in the order asked.

    A deleted one does, if asked, for those who may restore it; a held one for its moderators, and if asked for those
    who have sent it. The statement that looks an id up has all of this in it, so that what is in a foreign library
    takes the same way as what there is not.
    """
    condition = present(principal, deleted_too=deleted_too, own_held_too=own_held_too)
    rows: dict[str, int] = {}
    for part in _parts(image_ids):
        found = connection.execute(sa.select(images.c.id, images.c.row).where(images.c.id.in_(part), condition))
        rows |= dict(found.all())
    return get_by_rows(connection, [rows[image_id] for image_id in image_ids if image_id in rows])


def get_by_rows(connection: Connection, rows: Sequence[int]) -> list[ImageRecord]:
    """Return the images of these rows that there are, in the order asked."""
    records: dict[int, ImageRecord] = {}
    for part in _parts(rows):
        asked = sa.select(images, UNJUDGED.label("is_unjudged")).where(images.c.row.in_(part))
        found = connection.execute(asked).mappings().all()
        names = _first_sources(connection, part)
        uploaders = _sole_uploaders(connection, part)
        called = records_libraries.names_of(connection, {values["library"] for values in found})
        their_tags = _grouped(connection, sa.select(tags).where(tags.c.image_row.in_(part)).order_by(tags.c.tag))
        swatches = _grouped(
            connection,
            sa.select(palette).where(palette.c.image_row.in_(part)).order_by(palette.c.position),
        )
        for values in found:
            row = values["row"]
            labels = tuple(tag["tag"] for tag in their_tags[row])
            records[row] = replace(
                _record(values, names.get(row, ""), labels, swatches[row]),
                library_name=called[values["library"]],
                uploader=uploaders.get(row),
            )
    return [records[row] for row in rows if row in records]


def sources(connection: Connection, row: int) -> list[Source]:
    """Return where an image came from, first place first."""
    return sources_of(connection, [row]).get(row, [])


def sources_of(connection: Connection, rows: Sequence[int]) -> dict[int, list[Source]]:
    """Return where each image of `rows` came from, first place first."""
    found: dict[int, list[Source]] = defaultdict(list)
    for part in _parts(rows):
        statement = sa.select(image_sources).where(image_sources.c.image_row.in_(part)).order_by(image_sources.c.id)
        for row, items in _grouped(connection, statement).items():
            found[row] = [_source(item) for item in items]
    return found


def edit(
    connection: Connection, row: int, *, caption: str | None = None, new_tags: Iterable[str] | None = None
) -> None:
    """Set the caption and replace the tags; what is None stays."""
    if caption is not None:
        connection.execute(images.update().where(images.c.row == row).values(caption=caption))
    if new_tags is not None:
        connection.execute(tags.delete().where(tags.c.image_row == row))
        _insert_tags(connection, [row], new_tags)
        records_embeddings.touch_analyzed(connection, [row])
    records_words.refresh(connection, [row])


def add_tags(connection: Connection, rows: Sequence[int], new_tags: Iterable[str]) -> None:
    """Give every image of `rows` the tags it does not have yet."""
    if _insert_tags(connection, rows, new_tags):
        records_embeddings.touch_analyzed(connection, rows)
        records_words.refresh(connection, rows)


def _insert_tags(connection: Connection, rows: Sequence[int], new_tags: Iterable[str]) -> bool:
    """Do so; return whether there were any."""
    is_any = False
    for tag in dict.fromkeys(new_tags):
        for part in _parts(rows):
            have = set(
                connection.scalars(sa.select(tags.c.image_row).where(tags.c.image_row.in_(part), tags.c.tag == tag))
            )
            values = [{"image_row": row, "tag": tag} for row in part if row not in have]
            if values:
                connection.execute(tags.insert(), values)
                is_any = True
    return is_any


def delete(connection: Connection, rows: Sequence[int]) -> None:
    """Hide the images from everything at once; they can be restored until they are purged. Call it ALONE."""
    _set_deleted(connection, rows, datetime.now(UTC))


def restore(connection: Connection, rows: Sequence[int]) -> None:
    """Bring deleted images back; one that a moderator has removed is held until it has been looked at again.

    Call it ALONE: their groups of duplicates are made anew.
    """
    records_fingerprints.check_again(connection, rows)
    for part in _parts(rows):
        records_cases.open_again(connection, part)
    _set_deleted(connection, rows, None)


def _set_deleted(connection: Connection, rows: Sequence[int], moment: datetime | None) -> None:
    for part in _parts(rows):
        connection.execute(images.update().where(images.c.row.in_(part)).values(deleted_at=moment))
    records_embeddings.touch(connection, rows)
    records_regroup.regroup(connection, rows)


def wait_again(connection: Connection, rows: Sequence[int]) -> int:
    """Let those of the images that have failed wait for analysis as if new; return how many."""
    return sum(_wait_again(connection, images.c.row.in_(part)) for part in _parts(rows))


def wait_again_all(connection: Connection, principal: Principal) -> int:
    """Let every failed image that `principal` may change wait for analysis as if new; return how many."""
    return _wait_again(connection, allowed(principal) & changeable(principal) & unheld(principal))


def _wait_again(connection: Connection, condition: sa.ColumnElement[bool]) -> int:
    failed = (images.c.state == ImageState.FAILED, images.c.deleted_at.is_(None))
    fresh = {"state": ImageState.WAITING, "error": None, "error_code": None, "attempts": 0}
    # What a bank has refused is not shown again before it has been judged anew, even if it was shown once.
    refused = sa.func.coalesce(images.c.error_code, "") == RefusedByBank.code
    judged_at = sa.case((refused, sa.null()), else_=images.c.analyzed_at)
    statement = images.update().where(*failed, condition).values(**fresh, not_before=AT_ONCE, analyzed_at=judged_at)
    return connection.execute(statement).rowcount


def purge(connection: Connection, rows: Sequence[int]) -> None:
    """Forget the images for good. Their objects become orphans, which `purging` removes."""
    records_embeddings.bury(connection, rows)
    tied = records_regroup.tied_to(connection, rows)
    for part in _parts(rows):
        connection.execute(images.delete().where(images.c.row.in_(part)))
    records_regroup.regroup(connection, tied)


def _parts(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[start : start + ROWS_PER_QUERY] for start in range(0, len(values), ROWS_PER_QUERY))


def _first_sources(connection: Connection, rows: Sequence[int]) -> dict[int, str]:
    first = (
        sa.select(sa.func.min(image_sources.c.id))
        .where(image_sources.c.image_row.in_(rows))
        .group_by(image_sources.c.image_row)
    )
    found = connection.execute(
        sa.select(image_sources.c.image_row, image_sources.c.filename).where(image_sources.c.id.in_(first))
    )
    return dict(found.all())


def _sole_uploaders(connection: Connection, rows: Sequence[int]) -> dict[int, str | None]:
    """Return the uploader of each image that has come in through one person alone."""
    uploader = sa.func.coalesce(image_sources.c.uploader, "")  # what came from the shell has one too: nobody
    found = connection.execute(
        sa.select(image_sources.c.image_row, sa.func.min(uploader))
        .where(image_sources.c.image_row.in_(rows))
        .group_by(image_sources.c.image_row)
        .having(sa.func.min(uploader) == sa.func.max(uploader))
    )
    return {row: name or None for row, name in found}


def _grouped(connection: Connection, statement: sa.Select[tuple[object, ...]]) -> dict[int, list[RowMapping]]:
    groups: dict[int, list[RowMapping]] = defaultdict(list)
    for values in connection.execute(statement).mappings():
        groups[values["image_row"]].append(values)
    return groups


def _source(values: RowMapping) -> Source:
    return Source(values["filename"], values["path"], values["created_at"], values["uploader"])


def _record(values: RowMapping, filename: str, labels: tuple[str, ...], swatches: list[RowMapping]) -> ImageRecord:
    analyzed = values["category"] is not None
    return ImageRecord(
        row=values["row"],
        id=values["id"],
        library=values["library"],
        state=ImageState(values["state"]),
        error=values["error"],
        error_code=values["error_code"],
        is_unjudged=bool(values["is_unjudged"]),
        filename=filename,
        media_type=values["media_type"],
        bytes=values["bytes"],
        width=values["width"],
        height=values["height"],
        sha256=values["sha256"],
        caption=values["caption"],
        tags=labels,
        created_at=values["created_at"],
        taken_at=values["taken_at"],
        deleted_at=values["deleted_at"],
        path=values["path"],
        encoder=values["encoder"],
        exif=_in_order(values["exif"], EXIF_FIELDS),
        category=_category(values) if analyzed else None,
        keywords=tuple(Keyword(*pair) for pair in values["keywords"] or ()),
        color=_palette(values, swatches) if analyzed else None,
    )


def _in_order(told: dict[str, T], names: Sequence[str]) -> dict[str, T]:
    """Return `told` in the order of `names`, which JSONB has forgotten."""
    return {name: told[name] for name in names if name in told} | told


def _category(values: RowMapping) -> Category:
    scores = _in_order(values["category_scores"], CATEGORIES)
    return Category(values["category"], scores[values["category"]], scores)


def _palette(values: RowMapping, swatches: list[RowMapping]) -> Palette:
    return Palette(
        swatches=tuple(
            Swatch((item["l"], item["a"], item["b"]), item["hex"], item["share"], bool(item["background"]))
            for item in swatches
        ),
        names={name: values[color_share_column(name)] or 0.0 for name in COLOR_NAMES},
        scheme=values["scheme"],
        brightness=values["brightness"],
        saturation=values["saturation"],
    )
