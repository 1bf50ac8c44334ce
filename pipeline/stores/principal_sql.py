"""What a Principal may do as SQL conditions on the `images` table, so that a statement never meets a foreign image."""

from datetime import UTC, datetime

import sqlalchemy as sa

from pipeline.errors import RefusedByBank
from pipeline.images import ImageState
from pipeline.principals import Action, Principal
from pipeline.stores.records_banks import is_acting
from pipeline.stores.tables import UtcTime, image_sources, images, libraries
from pipeline.stores.tables_duplicates import banks


def allowed(principal: Principal, action: Action = Action.SEE) -> sa.ColumnElement[bool]:
    """Return whether an image is in a library in which `principal` may do `action`."""
    libraries = principal.libraries(action)
    if libraries is not None:
        return images.c.library.in_(sorted(libraries))
    return images.c.library.not_in(sorted(principal.hidden)) if principal.hidden else sa.true()


def changeable(principal: Principal) -> sa.ColumnElement[bool]:
    """Return whether `principal` may edit, delete and restore an image: all in a library, or what is their own."""
    if principal.person_id is None:
        return allowed(principal, Action.CHANGE)
    came = sa.exists().where(image_sources.c.image_row == images.c.row)
    own = came.where(image_sources.c.uploader == principal.person_id) & ~came.where(
        image_sources.c.uploader.is_distinct_from(principal.person_id)
    )
    return allowed(principal, Action.CHANGE) | (allowed(principal, Action.CHANGE_OWN) & own)


_REFUSED = (images.c.state == ImageState.FAILED) & (sa.func.coalesce(images.c.error_code, "") == RefusedByBank.code)


def _unjudged() -> sa.ColumnElement[bool]:
    bank, library = banks.alias(), libraries.alias()
    never = images.c.state.in_((ImageState.WAITING, ImageState.FAILED)) & images.c.analyzed_at.is_(None)
    theirs = bank.c.library.is_(None) | (bank.c.library == library.c.id)
    acting = is_acting(bank, sa.bindparam("acting_at", callable_=lambda: datetime.now(UTC), type_=UtcTime))
    # Of libraries, not of images: the banks are looked at once in a statement, and only if an image waits.
    return never & images.c.library.in_(sa.select(library.c.id).join(bank, theirs).where(acting))


UNJUDGED = _unjudged()
"""Whether an image must be judged before it is shown: a bank may hold or refuse it, and none was asked.

It waits for its first analysis, or that has failed before a bank was asked; browsers show many a file that cannot be
analyzed. `analyzed_at` tells it, which is also written when a moderator approves an image, and forgotten when one comes
back from the trash or from having been refused. What is analyzed anew otherwise has been shown before, and stays.
"""

_SHOWN = (images.c.state == ImageState.READY) | ~((images.c.state == ImageState.HELD) | _REFUSED | UNJUDGED)


def unheld(principal: Principal, *, own_too: bool = False) -> sa.ColumnElement[bool]:
    """Return whether an image is not held back from `principal`: a held one is from all but its moderators.

    What a bank has refused, or may hold or refuse and has not judged yet, is held back as well. With `own_too` it is
    not from those who have sent it either, who may be told what becomes of it, and shown nothing.
    """
    shown = _SHOWN | allowed(principal, Action.CHANGE)
    if not own_too or principal.person_id is None:
        return shown
    came = image_sources.c.image_row == images.c.row
    return shown | sa.exists().where(came, image_sources.c.uploader == principal.person_id)


def present(principal: Principal, *, deleted_too: bool = False, own_held_too: bool = False) -> sa.ColumnElement[bool]:
    """Return whether an image exists for `principal`.

    A deleted one does, if asked, for those who may restore it; one that is held back (`unheld`) for its moderators,
    and if asked for those who have sent it.
    """
    there = images.c.deleted_at.is_(None)
    shown = allowed(principal) & unheld(principal, own_too=own_held_too)
    return shown & (there | changeable(principal) if deleted_too else there)
