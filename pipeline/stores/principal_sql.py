"""What a Principal may do as SQL conditions on the `images` table, so that a statement never meets a foreign image."""

from datetime import UTC, datetime

import sqlalchemy as sa

from pipeline.errors import RefusedByBank
from pipeline.images import ImageState
from pipeline.principals import Action, Principal
from pipeline.stores.records_banks import is_acting
from pipeline.stores.records_cases import APPROVED
from pipeline.stores.tables import image_sources, images
from pipeline.stores.tables_duplicates import banks, moderation_cases


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


_NEVER_JUDGED = images.c.state.in_((ImageState.WAITING, ImageState.FAILED)) & images.c.analyzed_at.is_(None)
"""Whether no bank has been asked about an image: it waits for its first analysis, or that has failed before.

Browsers show many a file that cannot be analyzed. One that is analyzed anew has been shown before and stays, but
`analyzed_at` is forgotten when an image comes back from the trash, or from having been refused.
"""


def unjudged() -> sa.ColumnElement[bool]:
    """Return whether an image must be judged before it is shown: a bank may hold or refuse it, and was never asked.

    What a moderator has approved is shown. The banks are looked at once in a statement, and only if an image waits.
    """
    bank, case = banks.alias(), moderation_cases.alias()
    acting = is_acting(bank, datetime.now(UTC))
    of_server = sa.exists().where(bank.c.library.is_(None), acting)
    of_library = images.c.library.in_(sa.select(bank.c.library).where(bank.c.library.is_not(None), acting))
    approved = sa.exists().where(case.c.image_row == images.c.row, case.c.outcome == APPROVED)
    return _NEVER_JUDGED & (of_server | of_library) & ~approved


def unheld(principal: Principal, *, own_too: bool = False) -> sa.ColumnElement[bool]:
    """Return whether an image is not held back from `principal`: a held one is from all but its moderators.

    What a bank has refused, or may hold or refuse and has not judged yet, is held back as well. With `own_too` it is
    not from those who have sent it either, who may be told what becomes of it, and shown nothing.
    """
    kept_back = (images.c.state == ImageState.HELD) | _REFUSED | unjudged()
    shown = (images.c.state == ImageState.READY) | ~kept_back | allowed(principal, Action.CHANGE)
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
